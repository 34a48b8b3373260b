//! File trees by descriptor: copy, remove, measure.
//!
//! What must hold:
//! - No path is resolved: every step is one name below an open directory, symbolic links are
//!   never followed and no mount point is crossed (openat2 with BENEATH, NO_SYMLINKS, NO_XDEV).
//! - Nothing recurses and only a few directories are open at a time, so a tree may be as deep
//!   and as wide as its file system lets it (`descent`).
//! - Names are bytes.
//!
//! Not here: which directory is copied where, and under which lock (`volume::copy_up`).

#[cfg(feature = "containers")]
pub mod archive;
mod attributes;
#[cfg(feature = "containers")]
mod changes;
mod copy;
mod data;
mod descent;
mod link;
mod manner;
mod remove;
mod size;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod transfer;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::sys::errno::words;

#[cfg(feature = "containers")]
pub use changes::{Change, changes};
pub use copy::{Copied, copy};
pub use manner::{Existing, Manner, Mounts, Owners};
pub use remove::{Spare, clear, remove, remove_with_others};
pub use size::{Size, is_empty, size};
pub use transfer::{Entry, copy_contents, copy_entry};

/// What the source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// A tree as a process sees it: a volume, a merged overlay.
    Tree,
    /// One layer of an overlay, opened directly: its whiteouts (character devices 0:0) and the
    /// overlay's own extended attributes are not content.
    Layer,
}

/// Why a tree could not be copied, removed or measured. The path is relative to its top.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A system call failed.
    #[error("{call}({path:?}): {}", words(*errno))]
    Io {
        /// What was tried.
        call: &'static str,
        /// On what, below the top of the tree.
        path: PathBuf,
        /// The kernel's answer.
        errno: Errno,
    },
    /// Somebody moved or replaced an entry while it was worked on.
    #[error("{path:?} was moved or replaced meanwhile")]
    Changed {
        /// Which entry.
        path: PathBuf,
    },
    /// A file would take a directory's place. The words are Docker's, as in the next.
    #[error("cannot overwrite directory {path:?} with non-directory")]
    OverDirectory {
        /// Which entry.
        path: PathBuf,
    },
    /// A directory would take a file's place.
    #[error("cannot overwrite non-directory {path:?} with directory")]
    OverFile {
        /// Which entry.
        path: PathBuf,
    },
    /// The target lies in the source: the copy would have no end.
    #[error("{path:?} is where the copy goes: a directory cannot be copied into itself")]
    IntoItself {
        /// Which entry of the source.
        path: PathBuf,
    },
    /// A file system is mounted below; another one's files are neither copied nor removed.
    #[error("{path:?} is a mount point")]
    MountPoint {
        /// Where.
        path: PathBuf,
    },
}

impl TreeError {
    fn new(call: &'static str, path: &[u8], errno: Errno) -> Self {
        let path = shown(path);
        match errno {
            Errno::XDEV if call.starts_with("openat") => Self::MountPoint { path },
            errno => Self::Io { call, path, errno },
        }
    }

    /// The kernel's error number, where a call failed.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Io { errno, .. } => Some(errno.raw_os_error()),
            _ => None,
        }
    }
}

/// A path for words: the top is `.`.
fn shown(path: &[u8]) -> PathBuf {
    match path {
        b"" => PathBuf::from("."),
        path => PathBuf::from(OsStr::from_bytes(path)),
    }
}

/// `name` below `directory`, for words and for finding a hard link's first name again.
fn joined(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(directory.len() + 1 + name.len());
    path.extend_from_slice(directory);
    if !directory.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}
