//! Why a layer was not unpacked.

use std::io;

use crate::image::archive::ArchiveError;
use crate::image::limits::LimitError;

/// Why a layer was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The archive itself.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// It is too large.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// An entry would do what a layer must not.
    #[error("entry {path:?} is refused: {why}")]
    Refused {
        /// The entry's path, made printable.
        path: String,
        /// What it would do.
        why: &'static str,
    },
    /// An entry's owner cannot be given.
    #[error("cannot unpack {path:?}: it belongs to {uid}:{gid}, which cannot be set: {source}")]
    Owner {
        /// Which entry.
        path: String,
        /// Its owner.
        uid: u32,
        /// Its group.
        gid: u32,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The kernel refused.
    #[error("cannot unpack {path:?}: {call}: {source}")]
    Call {
        /// What was tried.
        call: &'static str,
        /// For which entry.
        path: String,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl LayerError {
    /// An entry is refused.
    pub(super) fn refused(path: &[u8], why: &'static str) -> Self {
        Self::Refused { path: String::from_utf8_lossy(path).into_owned(), why }
    }

    /// The owner of an entry could not be set.
    pub(super) fn owner(path: &[u8], owner: (u32, u32), source: impl Into<io::Error>) -> Self {
        let path = String::from_utf8_lossy(path).into_owned();
        Self::Owner { path, uid: owner.0, gid: owner.1, source: source.into() }
    }

    /// The kernel refused `call` for an entry.
    pub(super) fn call(call: &'static str, path: &[u8], source: impl Into<io::Error>) -> Self {
        let path = match path {
            b"" => "/".into(),
            _ => String::from_utf8_lossy(path).into_owned(),
        };
        Self::Call { call, path, source: source.into() }
    }
}
