//! Removing a tree, name by name, below an open directory.
//!
//! Nothing behind a link or a mount point is touched: a link is removed as a link, a mount point
//! is an error (its directory is busy anyway).

use std::ffi::{CStr, CString};
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::descent::{Descent, LOST_AND_FOUND, NameBuffer, is_dot, open_directory};
use super::{TreeError, joined};

/// What `clear` leaves at the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spare {
    /// Nothing.
    Nothing,
    /// A directory `lost+found`, which belongs to the file system rather than to its content.
    LostAndFound,
}

/// Removes `name` in `parent`, with all below if it is a directory. Missing is fine.
pub fn remove(parent: BorrowedFd<'_>, name: &CStr) -> Result<(), TreeError> {
    let path = name.to_bytes();
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        // POSIX allows EPERM for a directory, Linux says EISDIR.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(e) => return Err(TreeError::new("unlinkat", path, e)),
    }
    let directory = open_directory(parent, name).map_err(|e| TreeError::new("openat2", path, e))?;
    clear(std::os::fd::AsFd::as_fd(&directory), Spare::Nothing)?;
    drop(directory);
    remove_directory(parent, name).map_err(|e| TreeError::new("unlinkat", path, e))
}

/// How often a removal is begun again because others remove the same tree.
const SHARED_TRIES: u32 = 1000;

/// As [`remove`], where others may be removing the same tree at the same time: what is gone
/// already is as it should be.
pub fn remove_with_others(parent: BorrowedFd<'_>, name: &CStr) -> Result<(), TreeError> {
    for _ in 0..SHARED_TRIES {
        let gone = |error: &TreeError| {
            matches!(error, TreeError::Changed { .. }) || error.errno() == Some(libc::ENOENT)
        };
        match remove(parent, name) {
            Err(error) if gone(&error) => {
                let here = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW);
                if matches!(here, Err(Errno::NOENT)) {
                    return Ok(());
                }
            }
            other => return other,
        }
    }
    remove(parent, name)
}

/// Removes what is in `directory`, but not the directory.
pub fn clear(directory: BorrowedFd<'_>, spare: Spare) -> Result<(), TreeError> {
    let mut at = Descent::new(directory)?;
    let mut names = NameBuffer::new();
    let mut below = vec![unlink_names(&at, &mut names)?];
    if spare == Spare::LostAndFound {
        below[0].retain(|name| name.as_c_str() != LOST_AND_FOUND);
    }
    while let Some(pending) = below.last_mut() {
        if let Some(name) = pending.pop() {
            match open_directory(at.here(), &name) {
                Ok(child) => {
                    at.push(child, &name)?;
                    below.push(unlink_names(&at, &mut names)?);
                }
                // Another removes the same tree.
                Err(Errno::NOENT) => {}
                Err(e) => {
                    let path = joined(at.path(), name.as_bytes());
                    return Err(TreeError::new("openat2", &path, e));
                }
            }
            continue;
        }
        let name = last_name(at.path())?;
        below.pop();
        if !at.pop()? {
            break;
        }
        match remove_directory(at.here(), &name) {
            Ok(()) => {}
            // Names came in, or the file system left some out while others were removed.
            Err(Errno::NOTEMPTY) => empty_again(&at, &name)?,
            Err(e) => {
                return Err(TreeError::new("unlinkat", &joined(at.path(), name.as_bytes()), e));
            }
        }
    }
    Ok(())
}

fn last_name(path: &[u8]) -> Result<CString, TreeError> {
    let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
    CString::new(name).map_err(|_| TreeError::new("unlinkat", path, Errno::INVAL))
}

fn remove_directory(parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT) => Ok(()),
        answer => answer,
    }
}

/// A second pass over a directory that should be empty; what comes in still is an error.
fn empty_again(at: &Descent, name: &CStr) -> Result<(), TreeError> {
    let path = joined(at.path(), name.to_bytes());
    let child = open_directory(at.here(), name).map_err(|e| TreeError::new("openat2", &path, e))?;
    let again = Descent::new(std::os::fd::AsFd::as_fd(&child))?;
    unlink_names(&again, &mut NameBuffer::new())?;
    remove_directory(at.here(), name).map_err(|e| TreeError::new("unlinkat", &path, e))
}

/// Removes all that is no directory; gives the directories' names.
fn unlink_names(at: &Descent, names: &mut NameBuffer) -> Result<Vec<CString>, TreeError> {
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
        match rustix::fs::unlinkat(at.here(), name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ISDIR) => below.push(name.to_owned()),
            Err(e) => {
                return Err(TreeError::new("unlinkat", &joined(at.path(), name.to_bytes()), e));
            }
        }
    }
    Ok(below)
}
