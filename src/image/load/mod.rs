//! Images that other tools packed: OCI layouts (a directory or an archive) and Docker archives.
//!
//! Nothing is believed: every blob is hashed against the digest it goes by, every layer against
//! the configuration's. An archive is first taken apart into the store's own staging directory,
//! since what says which file is which may come last in it.

mod docker;
mod oci;
mod source;
#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::path::Path;

use super::import::Platform;
use super::layer::LeftOut;
use super::limits::Limits;
use super::store::{Complete, ImageError, ImageStore, Published, Staging};
use source::Source;

/// Why nothing was loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store, or a part of an image that is damaged.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The archive that holds everything.
    #[error(transparent)]
    Archive(#[from] super::archive::ArchiveError),
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
    /// Neither format.
    #[error("there is no image in it: neither index.json nor manifest.json")]
    NoImage,
}

impl LoadError {
    fn invalid(path: impl ToString, why: impl ToString) -> Self {
        Self::Invalid { path: path.to_string(), why: why.to_string() }
    }
}

/// What was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The images, in the order of the archive.
    pub images: Vec<Published>,
    /// What could not be unpacked here.
    pub left_out: LeftOut,
}

/// A load at work.
struct Load<'a> {
    store: &'a ImageStore,
    staging: Staging,
    source: Source,
    platform: Platform,
    limits: &'a Limits,
    left_out: LeftOut,
}

impl ImageStore {
    /// Loads all images of an archive: a tar stream, packed or not.
    pub fn load(&self, input: impl Read, limits: &Limits) -> Result<Loaded, LoadError> {
        let mut staging = self.stage()?;
        let source = source::spool(input, &mut staging, limits)?;
        self.load_from(staging, source, limits)
    }

    /// Loads all images of a directory with an OCI layout.
    pub fn load_directory(&self, path: &Path, limits: &Limits) -> Result<Loaded, LoadError> {
        let source = source::directory(path)?;
        self.load_from(self.stage()?, source, limits)
    }

    fn load_from(
        &self,
        staging: Staging,
        source: Source,
        limits: &Limits,
    ) -> Result<Loaded, LoadError> {
        let platform = Platform::host();
        let left_out = LeftOut::default();
        let mut load = Load { store: self, staging, source, platform, limits, left_out };
        let images: Vec<Complete> = if load.source.has("index.json") {
            oci::images(&mut load)?
        } else if load.source.has("manifest.json") {
            docker::images(&mut load)?
        } else {
            return Err(LoadError::NoImage);
        };
        let images = self.publish(&load.staging, images)?;
        Ok(Loaded { images, left_out: load.left_out })
    }
}
