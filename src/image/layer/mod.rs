//! From a layer's archive to a directory that overlay can use as a lower one.
//!
//! Everything is done by descriptor below the layer's own directory: a path of the archive is
//! resolved component by component without following any symbolic link, so no entry reaches
//! anything but the layer, whatever the entries before it were. Whiteouts become overlay's own
//! marks. Directories get their attributes at the end, since making entries changes their times
//! and an inherited ACL would change what is made.
//!
//! Not here: digests, durability, and where the layer is put in the end (`store`).

mod apply;
mod attributes;
mod directories;
mod member;
pub mod remove;
#[cfg(test)]
mod tests;
mod tree;

use std::io::{self, BufRead};
use std::os::fd::OwnedFd;

use super::archive::{ArchiveError, Reader};
use super::limits::{LimitError, Limits};

/// Why a layer was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The archive itself.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// It is too large.
    #[error("the archive is refused: {0}")]
    Limit(#[from] LimitError),
    /// An entry would do what a layer must not.
    #[error("entry {path:?} is refused: {why}")]
    Refused {
        /// The entry's path, made printable.
        path: String,
        /// What it would do.
        why: &'static str,
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
    fn refused(path: &[u8], why: &'static str) -> Self {
        Self::Refused { path: String::from_utf8_lossy(path).into_owned(), why }
    }

    fn call(call: &'static str, path: &[u8], source: impl Into<io::Error>) -> Self {
        let path = match path {
            b"" => "/".into(),
            _ => String::from_utf8_lossy(path).into_owned(),
        };
        Self::Call { call, path, source: source.into() }
    }
}

/// What was unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unpacked {
    /// How many entries the archive had.
    pub entries: u64,
    /// The sizes of all files together.
    pub size_bytes: u64,
    /// What could not be made here.
    pub left_out: LeftOut,
}

/// What the caller's rights or the file system do not allow; told as a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// Device nodes: mknod needs CAP_MKNOD in the first user namespace.
    pub devices: u64,
    /// Extended attributes that the file system or the rights refuse.
    pub xattrs: u64,
}

impl LeftOut {
    /// Counts another layer's too.
    pub fn add(&mut self, other: Self) {
        self.devices += other.devices;
        self.xattrs += other.xattrs;
    }
}

/// Unpacks all entries into the directory `layer`.
pub fn unpack<R: BufRead>(
    archive: &mut Reader<R>,
    layer: OwnedFd,
    limits: &Limits,
) -> Result<Unpacked, LayerError> {
    let mut tree = tree::Tree::new(layer);
    while let Some(entry) = archive.next_entry()? {
        tree.done.entries += 1;
        limits.check_entries(tree.done.entries)?;
        apply::entry(&mut tree, entry, archive)?;
    }
    tree.finish()
}
