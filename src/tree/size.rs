//! How much a tree holds.

use std::collections::HashSet;
use std::ffi::CString;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::descent::{Descent, LOST_AND_FOUND, NameBuffer, is_dot, open_directory};
use super::{Spare, TreeError};

/// What is in a tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// The bytes that files hold: holes do not count, the unused rest of a last block neither,
    /// a file with several names counts once, directories not at all (V4.30, V4.25).
    pub bytes: u64,
    /// How many files, by the same count.
    pub files: u64,
}

/// Measures what is below `directory`, in this file system only.
///
/// The tree may be in use: what vanishes meanwhile is not counted.
pub fn size(directory: BorrowedFd<'_>) -> Result<Size, TreeError> {
    let mut at = Descent::new(directory)?;
    let mut names = NameBuffer::new();
    let mut count = Count::default();
    let mut below = vec![count.names(&at, &mut names)?];
    while let Some(pending) = below.last_mut() {
        let Some(name) = pending.pop() else {
            below.pop();
            at.pop()?;
            continue;
        };
        match open_directory(at.here(), &name) {
            Ok(child) => {
                at.push(child, &name)?;
                below.push(count.names(&at, &mut names)?);
            }
            Err(Errno::NOENT | Errno::XDEV | Errno::NOTDIR | Errno::LOOP) => {}
            Err(e) => {
                let path = super::joined(at.path(), name.as_bytes());
                return Err(TreeError::new("openat2", &path, e));
            }
        }
    }
    Ok(count.size)
}

/// Is there nothing in `directory`, what is spared aside?
pub fn is_empty(directory: BorrowedFd<'_>, spare: Spare) -> Result<bool, TreeError> {
    let at = Descent::new(directory)?;
    let mut names = NameBuffer::new();
    let mut entries = names.read(at.here());
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(|e| TreeError::new("getdents64", b"", e))?;
        let name = entry.file_name();
        let spared = spare == Spare::LostAndFound && name == LOST_AND_FOUND;
        if !is_dot(name) && !spared {
            return Ok(false);
        }
    }
    Ok(true)
}

#[derive(Default)]
struct Count {
    size: Size,
    seen: HashSet<(u64, u64)>,
}

impl Count {
    /// Counts the files of one directory; gives the names of its directories.
    fn names(&mut self, at: &Descent, names: &mut NameBuffer) -> Result<Vec<CString>, TreeError> {
        let mut below = Vec::new();
        let mut entries = names.read(at.here());
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(|e| TreeError::new("getdents64", at.path(), e))?;
            let name = entry.file_name();
            if is_dot(name) {
                continue;
            }
            if entry.file_type() == FileType::Directory {
                below.push(name.to_owned());
                continue;
            }
            let stat = match rustix::fs::statat(at.here(), name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => continue,
                Err(e) => {
                    let path = super::joined(at.path(), name.to_bytes());
                    return Err(TreeError::new("fstatat", &path, e));
                }
            };
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                below.push(name.to_owned());
            } else if stat.st_nlink < 2 || self.seen.insert((stat.st_dev, stat.st_ino)) {
                let on_disk = u64::try_from(stat.st_blocks).unwrap_or_default() * 512;
                let length = u64::try_from(stat.st_size).unwrap_or_default();
                self.size.bytes += on_disk.min(length);
                self.size.files += 1;
            }
        }
        Ok(below)
    }
}
