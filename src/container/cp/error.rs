//! What can go wrong with a copy.

use crate::container::error::ContainerError;
use crate::tree::TreeError;
use crate::tree::archive::ArchiveError;

/// Why nothing, or not all, was copied. The words of the first ones are Docker's.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The container has no such file.
    #[error("Could not find the file {path} in container {container}")]
    NotInContainer {
        /// The file.
        path: String,
        /// The container, as it was named.
        container: String,
    },
    /// The host has no such file.
    #[error("lstat {0}: no such file or directory")]
    NotOnHost(String),
    /// Where it should go on the host there is no directory.
    #[error("invalid output path: directory {0:?} does not exist")]
    NoOutputDirectory(String),
    /// A directory cannot take a file's place.
    #[error("cannot copy directory")]
    DirectoryToFile,
    /// The target says that it is a directory, and is not there.
    #[error("no such directory")]
    NoSuchDirectory,
    /// What is there is neither a file nor a directory.
    #[error("destination {0:?} must be a directory or a regular file")]
    SpecialTarget(String),
    /// An archive is unpacked into a directory only.
    #[error("destination {0:?} must be a directory")]
    NotADirectory(String),
    /// Nothing may be written there.
    #[error("container rootfs is marked read-only")]
    ReadOnlyRoot,
    /// Nothing may be written there.
    #[error("mounted volume is marked read-only")]
    ReadOnlyVolume,
    /// A call on one of the ends.
    #[error("{call}({path}): {cause}")]
    Call {
        /// What was tried.
        call: &'static str,
        /// On what.
        path: String,
        /// The kernel's answer.
        cause: std::io::Error,
    },
    /// The copying itself.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Writing an archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Reading an archive.
    #[error("{0}")]
    Unpack(String),
    /// The container or its files.
    #[error(transparent)]
    Container(#[from] ContainerError),
}
