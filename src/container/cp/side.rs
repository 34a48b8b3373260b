//! The two sides of a copy: how a path is looked up on each.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::error::CopyError;

/// How often openat2 is asked again when a rename raced with it.
const TRIES: u32 = 128;

/// One side.
pub struct Side<'a> {
    root: Root<'a>,
}

enum Root<'a> {
    /// The caller's own files: any link may lead anywhere.
    Host,
    /// A container's: nothing leads out of this directory.
    Container { root: BorrowedFd<'a>, named: &'a str },
}

impl<'a> Side<'a> {
    /// The caller's own files.
    pub fn of_host() -> Result<Self, CopyError> {
        Ok(Self { root: Root::Host })
    }

    /// A container's files, below `root`.
    pub fn of_container(root: BorrowedFd<'a>, named: &'a str) -> Self {
        Self { root: Root::Container { root, named } }
    }

    /// Opens a directory as a place, links followed.
    pub fn directory(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Root::Container { root, .. } = &self.root else {
            return rustix::fs::openat(CWD, path, flags, Mode::empty());
        };
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let mut tries = 0;
        loop {
            match rustix::fs::openat2(root, path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN) if tries < TRIES => tries += 1,
                Err(Errno::INTR) => {}
                answer => return answer,
            }
        }
    }

    /// The error of a source that is not there.
    pub fn missing(&self, path: &[u8]) -> CopyError {
        let path = String::from_utf8_lossy(path).into_owned();
        match &self.root {
            Root::Host => CopyError::NotOnHost(path),
            Root::Container { named, .. } => {
                CopyError::NotInContainer { path, container: (*named).into() }
            }
        }
    }

    /// The error of a target whose directory is not there.
    pub fn no_parent(&self, path: &[u8]) -> CopyError {
        match &self.root {
            Root::Host => CopyError::NoOutputDirectory(String::from_utf8_lossy(path).into_owned()),
            Root::Container { .. } => self.missing(path),
        }
    }

    /// A path as the user would write it.
    pub fn shown(&self, path: &[u8]) -> String {
        let path = String::from_utf8_lossy(path);
        match &self.root {
            Root::Host => path.into_owned(),
            Root::Container { named, .. } => format!("{named}:{path}"),
        }
    }
}
