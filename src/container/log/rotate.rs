//! Putting a full file aside: `log.json` becomes `log.json.1`, that `log.json.2`; the last goes.
//!
//! A file that is put aside is not written to any more, and a new one is there before its name is
//! free: what fails leaves the writer with the file that it has, which then grows on.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::container::options::Log;

/// When a file is put aside, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rotation {
    /// A file that has grown so large is put aside; none never is.
    pub(super) max_size_bytes: Option<u64>,
    /// How many files there are at most, the newest among them.
    pub(super) max_files: u32,
    /// Are files that were put aside compressed?
    pub(super) compress: bool,
}

impl From<&Log> for Rotation {
    fn from(log: &Log) -> Self {
        Self {
            max_size_bytes: log.max_size_bytes,
            max_files: log.max_files,
            compress: log.compress,
        }
    }
}

/// The file that was put aside as number `number`.
pub(super) fn aside(newest: &Path, number: u32) -> PathBuf {
    PathBuf::from(format!("{}.{number}", newest.display()))
}

/// The same, compressed.
pub(super) fn aside_compressed(newest: &Path, number: u32) -> PathBuf {
    PathBuf::from(format!("{}.{number}.gz", newest.display()))
}

/// Opens a log file to append to it.
pub(super) fn append_to(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).mode(0o640).open(path)
}

/// Puts the file called `newest` aside; returns the one that takes its place.
pub(super) fn put_aside(newest: &Path, max_files: u32) -> io::Result<File> {
    let coming = PathBuf::from(format!("{}.new", newest.display()));
    remove(&coming)?;
    let file = append_to(&coming)?;
    if let Err(error) = shift(newest, max_files).and_then(|()| fs::rename(&coming, newest)) {
        let _ = fs::remove_file(&coming);
        return Err(error);
    }
    Ok(file)
}

fn shift(newest: &Path, max_files: u32) -> io::Result<()> {
    let kept = max_files.saturating_sub(1);
    if kept == 0 {
        return Ok(());
    }
    remove(&aside(newest, kept))?;
    remove(&aside_compressed(newest, kept))?;
    for number in (1..kept).rev() {
        rename(&aside(newest, number), &aside(newest, number + 1))?;
        rename(&aside_compressed(newest, number), &aside_compressed(newest, number + 1))?;
    }
    // A link, not a rename: the newest file's name is never without a file.
    fs::hard_link(newest, aside(newest, 1))
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    missing_is_fine(fs::rename(from, to))
}

/// Removes a file that may not be there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    missing_is_fine(fs::remove_file(path))
}

fn missing_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
