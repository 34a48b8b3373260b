//! Reading a tar stream: blocks become entries, strictly.
//!
//! Every form that real archives use is read (ustar, GNU, PAX, sparse files of both), and what
//! two readers could understand differently is refused: a size that says one thing in the PAX
//! record and another in the block, data behind an entry that has none, names given twice. Sizes
//! of what is kept in memory are bounded.
//!
//! Nothing here touches the file system; paths come out as they stand in the archive, and
//! `layer` decides what they may name.

mod block;
pub mod compression;
mod field;
mod looks;
mod pax;
mod reader;
mod sparse;
pub mod tee;
#[cfg(test)]
pub(in crate::image) mod tests;

use std::io;

pub use reader::{Body, Reader};

/// What can be wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The stream below failed; decompressors report bad data this way.
    #[error("{}", told(.0))]
    Read(io::Error),
    /// The stream ended too early.
    #[error("the archive is cut off in the middle of {within}")]
    Truncated {
        /// What was being read.
        within: String,
    },
    /// The first block is no tar header.
    #[error(
        "this is not a tar archive{}{}",
        looks.map_or("", |_| ": it is "),
        looks.unwrap_or_default()
    )]
    NotTar {
        /// What it is, if that is known.
        looks: Option<&'static str>,
    },
    /// There was nothing to read at all.
    #[error("the archive is empty")]
    Empty,
    /// A later block is no tar header.
    #[error("the header after {after:?} is damaged: {why}")]
    Damaged {
        /// The entry before it.
        after: String,
        /// What is wrong.
        why: &'static str,
    },
    /// An entry is not acceptable.
    #[error("entry {path:?}: {why}")]
    Entry {
        /// Its path, made printable.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}

impl ArchiveError {
    /// What may help.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read(error) => {
                let packed = error.get_ref()?.downcast_ref::<compression::Unsupported>()?;
                Some(format!("unpack it on the way: {} -dc FILE | rrun …", packed.program))
            }
            Self::NotTar { .. } => Some(
                "`tar -tf FILE` lists what an archive holds; gzip and zstd are unpacked".into(),
            ),
            Self::Empty | Self::Truncated { .. } => {
                Some("was it written, or fetched, to its end?".into())
            }
            _ => None,
        }
    }

    /// A refused entry.
    pub fn entry(path: &[u8], why: impl Into<String>) -> Self {
        Self::Entry { path: String::from_utf8_lossy(path).into_owned(), why: why.into() }
    }
}

/// What our own streams say is a sentence already; what the kernel says is not.
fn told(error: &io::Error) -> String {
    match error.get_ref() {
        Some(ours) => ours.to_string(),
        None => format!("cannot read the archive: {error}"),
    }
}

/// What an entry makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file, its content follows.
    File(Content),
    /// A directory.
    Directory,
    /// A symbolic link to this text.
    Symlink(Vec<u8>),
    /// One more name for the file at this path of the archive.
    HardLink(Vec<u8>),
    /// A named pipe.
    Fifo,
    /// A character device.
    CharDevice(Device),
    /// A block device.
    BlockDevice(Device),
}

/// How the stored bytes make up a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// One after the other from the start.
    Dense,
    /// At these places, in this order; the rest are holes.
    Sparse(Vec<Extent>),
}

/// A stretch of a sparse file that has data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Where in the file.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

/// A device's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// The major number.
    pub major: u32,
    /// The minor number.
    pub minor: u32,
}

/// A point in time, as `utimensat` takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Time {
    /// Seconds since 1970.
    pub seconds: i64,
    /// And nanoseconds, below 10^9.
    pub nanoseconds: u32,
}

/// Who owns a file, and all else that is no content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes {
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// When the content was changed last.
    pub modified: Time,
    /// When it was read last, if the archive says so.
    pub accessed: Option<Time>,
    /// Extended attributes: name, value.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// One member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path as it stands in the archive.
    pub path: Vec<u8>,
    /// What it makes.
    pub kind: Kind,
    /// The size of the file in the end, holes included; 0 for all that is no file.
    pub size_bytes: u64,
    /// Owner, mode, times, extended attributes.
    pub attributes: Attributes,
}
