//! Reading a small file that somebody else may have put there: whole, bounded, without waiting.
//!
//! A record or a config can be replaced by a fifo, a device or ten gigabytes. It is opened without
//! blocking, must be a regular file, and may not be larger than the caller expects.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags};

use crate::sys::path::node;

/// The largest record, index or config that is read. Docker's are 20 KB; 5,000 mounts are 1 MB.
pub const RECORD_LIMIT_BYTES: u64 = 16 << 20;

/// Why something is not read although it could be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoFile {
    /// Not a regular file.
    #[error("it is {0}, not a regular file")]
    Kind(&'static str),
    /// Larger than anything that belongs there.
    #[error("it is larger than {} MiB", .0 >> 20)]
    TooLarge(u64),
}

impl From<NoFile> for io::Error {
    fn from(why: NoFile) -> Self {
        let kind = match why {
            NoFile::Kind(_) => io::ErrorKind::InvalidInput,
            NoFile::TooLarge(_) => io::ErrorKind::FileTooLarge,
        };
        Self::new(kind, why)
    }
}

/// Opens `path` for reading, without waiting for anybody, if it is a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
    match kind_word(node(&file)?.kind) {
        None => Ok(file.into()),
        Some(word) => Err(NoFile::Kind(word).into()),
    }
}

/// Reads the regular file at `path`, if it has at most `limit_bytes`.
pub fn read(path: &Path, limit_bytes: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let length = file.metadata()?.len();
    if length > limit_bytes {
        return Err(NoFile::TooLarge(limit_bytes).into());
    }
    // Room for all of it and one more, so that one read(2) takes it and a second sees the end.
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1);
    bounded(file, limit_bytes, &mut bytes)?;
    Ok(bytes)
}

/// Reads a stream to its end into `bytes`, if that comes within `limit_bytes`.
pub fn bounded(stream: impl Read, limit_bytes: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    stream.take(limit_bytes + 1).read_to_end(bytes)?;
    if bytes.len() as u64 > limit_bytes {
        return Err(NoFile::TooLarge(limit_bytes).into());
    }
    Ok(())
}

/// What a file is that is not a regular one; none if it is.
pub fn kind_word(kind: FileType) -> Option<&'static str> {
    match kind {
        FileType::RegularFile => None,
        FileType::Directory => Some("a directory"),
        FileType::Fifo => Some("a fifo"),
        FileType::Socket => Some("a socket"),
        FileType::CharacterDevice => Some("a character device"),
        FileType::BlockDevice => Some("a block device"),
        FileType::Symlink => Some("a symbolic link"),
        FileType::Unknown => Some("of an unknown kind"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is no file is named, what is too large is not read, and nobody waits.
    #[test]
    fn only_small_regular_files() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let (fifo, large) = (directory.path().join("fifo"), directory.path().join("large"));
        rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, 0o600.into(), 0)?;
        File::create(&large)?.set_len(1 << 40)?;
        let words = |path: &Path| read(path, 4 << 20).err().map(|e| e.to_string());
        assert_eq!(words(&fifo).as_deref(), Some("it is a fifo, not a regular file"));
        assert_eq!(words(&large).as_deref(), Some("it is larger than 4 MiB"));
        assert_eq!(
            words(directory.path()).as_deref(),
            Some("it is a directory, not a regular file")
        );
        assert_eq!(
            words(Path::new("/dev/zero")).as_deref(),
            Some("it is a character device, not a regular file")
        );
        std::fs::write(&large, "{}")?;
        assert_eq!(read(&large, 2)?, b"{}");
        assert!(read(&large, 1).is_err());
        // A file of procfs says that it is empty, and is not.
        assert!(!read(Path::new("/proc/self/status"), 1 << 20)?.is_empty());
        Ok(())
    }
}
