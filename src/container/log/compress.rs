//! Compressing a file that was put aside, bit by bit.
//!
//! The supervisor has one thread, and a container must not wait for 20 MB of gzip: each write of
//! so many bytes compresses a few times as many, which is done long before the next file is full.
//! What is not done at the end stays as it is and can be read as well.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use flate2::{Compression as Level, GzBuilder};

use super::rotate::{append_to, aside, aside_compressed, remove};

/// How a gzip header's extra field called `RR` begins: with its length, 24.
const FIELD: [u8; 4] = [b'R', b'R', 24, 0];

/// What no other file has: an inode may be used again, but not with the same last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    inode: u64,
    /// The last change, which for a file that was put aside is for ever.
    seconds: i64,
    nanoseconds: i64,
}

impl Mark {
    /// The mark of a file as it is now.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let seen = file.metadata()?;
        let (seconds, nanoseconds) = (seen.mtime(), seen.mtime_nsec());
        Ok(Self { inode: seen.ino(), seconds, nanoseconds })
    }

    /// The mark in a compressed file's extra field; none if it is not one of ours.
    pub(super) fn parse(extra: &[u8]) -> Option<Self> {
        let (numbers, _) = extra.strip_prefix(&FIELD)?.as_chunks::<8>();
        let [inode, seconds, nanoseconds] = *numbers else { return None };
        Some(Self {
            inode: u64::from_le_bytes(inode),
            seconds: i64::from_le_bytes(seconds),
            nanoseconds: i64::from_le_bytes(nanoseconds),
        })
    }

    fn field(self) -> Vec<u8> {
        let numbers =
            [self.inode.to_le_bytes(), self.seconds.to_le_bytes(), self.nanoseconds.to_le_bytes()];
        [&FIELD[..], numbers.as_flattened()].concat()
    }
}

/// A file on its way to its compressed form.
#[derive(Debug)]
pub(super) struct Compression {
    from: File,
    from_path: PathBuf,
    to: GzEncoder<File>,
    unfinished: PathBuf,
    to_path: PathBuf,
}

/// How far a compression is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is more to do.
    Going,
    /// The compressed file has taken the other's place.
    Done,
}

/// Where the part of the newest file's compression is that is not whole yet.
fn unfinished(newest: &Path) -> PathBuf {
    PathBuf::from(format!("{}.gz.new", newest.display()))
}

/// Removes what a supervisor that died has left.
pub(super) fn clear(newest: &Path) {
    let _ = remove(&unfinished(newest));
    // The compressed file got its name only when it was whole.
    if aside_compressed(newest, 1).exists() {
        let _ = remove(&aside(newest, 1));
    }
}

impl Compression {
    /// Begins with the file that was put aside last; none if there is none.
    pub(super) fn begin(newest: &Path) -> io::Result<Option<Self>> {
        let from_path = aside(newest, 1);
        let from = match File::open(&from_path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let field = Mark::of(&from)?.field();
        let unfinished = unfinished(newest);
        remove(&unfinished)?;
        let to = GzBuilder::new().extra(field).write(append_to(&unfinished)?, Level::fast());
        let to_path = aside_compressed(newest, 1);
        Ok(Some(Self { from, from_path, to, unfinished, to_path }))
    }

    /// Compresses at most `budget_bytes` more.
    pub(super) fn advance(&mut self, budget_bytes: u64) -> io::Result<Progress> {
        let done = io::copy(&mut (&self.from).take(budget_bytes), &mut self.to)?;
        if done == budget_bytes {
            return Ok(Progress::Going);
        }
        self.to.try_finish()?;
        fs::rename(&self.unfinished, &self.to_path)?;
        fs::remove_file(&self.from_path)?;
        Ok(Progress::Done)
    }

    /// Leaves the file as it is.
    pub(super) fn give_up(self) {
        let _ = remove(&self.unfinished);
    }
}
