//! A walk over a cgroup and those below it, by descriptor.
//!
//! The container makes the cgroups below its own: their names are its choice, and so is their
//! depth, which may be more than a path can say or descriptors can be open. So one directory is
//! open at a time, and the way up is `..` (cgroups are never moved to another parent).

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What is done on the way.
pub(super) trait Visitor {
    /// Before those below `directory`.
    fn enter(&mut self, directory: BorrowedFd<'_>) -> Result<(), Errno>;
    /// After those below it, with the directory above and the name there. Not called for the top.
    fn leave(&mut self, above: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno>;
}

/// Walks the tree at `top`. A directory that goes meanwhile is passed over.
pub(super) fn walk(top: &Path, visitor: &mut impl Visitor) -> Result<(), Errno> {
    let mut current = rustix::fs::open(top, DIRECTORY, Mode::empty())?;
    visitor.enter(current.as_fd())?;
    // For each level the names still to be visited; the last one is where the walk is below.
    let mut levels = vec![names(&current)?];
    loop {
        let Some(level) = levels.last_mut() else { return Ok(()) };
        if let Some(name) = level.last() {
            match rustix::fs::openat(&current, name, DIRECTORY, Mode::empty()) {
                Ok(below) => {
                    current = below;
                    visitor.enter(current.as_fd())?;
                    levels.push(names(&current)?);
                }
                Err(Errno::NOENT) => drop(level.pop()),
                Err(e) => return Err(e),
            }
            continue;
        }
        levels.pop();
        if let Some(name) = levels.last_mut().and_then(Vec::pop) {
            current = rustix::fs::openat(&current, c"..", DIRECTORY, Mode::empty())?;
            visitor.leave(current.as_fd(), &name)?;
        }
    }
}

fn names(directory: &OwnedFd) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type() == FileType::Directory && !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Is there a directory?
pub(super) fn exists(path: &Path) -> bool {
    rustix::fs::openat(CWD, path, DIRECTORY, Mode::empty()).is_ok()
}
