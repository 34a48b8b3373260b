//! A tree of files that a child keeps together.

use std::os::fd::OwnedFd;

use crate::sys::process::wait;

/// A tree of files, and the child in whose mount namespace it is.
#[derive(Debug)]
pub struct Held {
    /// The tree's top.
    pub tree: OwnedFd,
    /// Who keeps it.
    pub keeper: Keeper,
}

/// A child that only waits; dropping this ends it.
#[derive(Debug)]
pub struct Keeper {
    pid: i32,
    _pidfd: OwnedFd,
    end: Option<OwnedFd>,
}

impl Keeper {
    /// The keeper that waits for `end` to close.
    pub(super) fn new((pid, pidfd): (i32, OwnedFd), end: Option<OwnedFd>) -> Self {
        Self { pid, _pidfd: pidfd, end }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end = None;
        let _ = wait(self.pid);
    }
}
