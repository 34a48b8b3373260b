//! Why nothing was loaded.

use std::io;

use crate::image::archive::ArchiveError;
use crate::image::store::ImageError;

/// Why nothing was loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store, or a part of an image that is damaged.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The archive that holds everything.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The archive cannot be opened.
    #[error(transparent)]
    Open {
        /// Why.
        source: io::Error,
    },
    /// A file of the archive or directory could not be read.
    #[error("cannot read {path:?}: {source}")]
    Read {
        /// Which file, as the archive names it.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file that is referred to is not there.
    #[error("the archive refers to {0:?}, which is not in it")]
    Missing(String),
    /// A file is not what the format says.
    #[error("{path:?} is not valid: {why}")]
    Invalid {
        /// Which file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// A blob did not come.
    #[error("{0}")]
    Fetch(Box<dyn std::error::Error + Send + Sync>),
    /// Neither format.
    #[error("there is no image in it: neither index.json nor manifest.json")]
    NoImage,
}

impl LoadError {
    /// What may help.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Image(error) => error.hint(),
            Self::Archive(error) => error.hint(),
            Self::NoImage => Some("`rrun import` makes an image of a root file system".into()),
            _ => None,
        }
    }

    /// A file that is not what the format says.
    pub(super) fn invalid(path: &(impl ToString + ?Sized), why: &(impl ToString + ?Sized)) -> Self {
        Self::Invalid { path: path.to_string(), why: why.to_string() }
    }
}
