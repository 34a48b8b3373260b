//! Removing the cgroup: what was made, and what the container has made below it.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD};
use rustix::io::Errno;

use super::walk::{Visitor, walk};
use super::{Cgroup, CgroupError};

/// A killed process stays in its cgroup until it is gone: so long we wait for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The first pause between two tries; each further one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_micros(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Removes the container's cgroups, with all below them. Parents that were made for them go too
/// if nobody else uses them. What is gone already is no failure.
pub fn remove(cgroup: &Cgroup) -> Result<(), CgroupError> {
    remove_until(cgroup, Instant::now() + PATIENCE)
}

pub(super) fn remove_until(cgroup: &Cgroup, deadline: Instant) -> Result<(), CgroupError> {
    let mut first = Ok(());
    for place in &cgroup.places {
        for directory in place.made.iter().rev() {
            if *directory == place.directory {
                let removed = remove_tree(directory, deadline);
                // Go on after a failure: the others can still be removed.
                first = first.and(removed.map_err(|e| CgroupError::io("rmdir", directory, e)));
            } else {
                // In use by others, or removed by them: as it should be.
                let _ = rustix::fs::rmdir(directory);
            }
        }
    }
    first
}

/// Removes the container's cgroups if nothing is in them. False: something is.
pub(super) fn remove_empty(cgroup: &Cgroup) -> bool {
    let mut gone = true;
    for place in &cgroup.places {
        if !place.made.contains(&place.directory) {
            // Not ours to remove, and so no way to see whether somebody is in it.
            gone = false;
        }
        for directory in place.made.iter().rev() {
            let removed = matches!(rustix::fs::rmdir(directory), Ok(()) | Err(Errno::NOENT));
            if *directory == place.directory && !removed {
                gone = false;
                break;
            }
        }
    }
    gone
}

/// Removes a tree of cgroups, deepest first. Most have nothing below them: that is tried first.
fn remove_tree(top: &Path, deadline: Instant) -> Result<(), Errno> {
    if matches!(rustix::fs::rmdir(top), Ok(()) | Err(Errno::NOENT)) {
        return Ok(());
    }
    match walk(top, &mut Remover { deadline }) {
        Ok(()) => remove_one(CWD, top, deadline),
        Err(Errno::NOENT) => Ok(()),
        Err(e) => Err(e),
    }
}

struct Remover {
    deadline: Instant,
}

impl Visitor for Remover {
    fn enter(&mut self, _: BorrowedFd<'_>) -> Result<(), Errno> {
        Ok(())
    }

    fn leave(&mut self, above: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
        remove_one(above, name, self.deadline)
    }
}

/// Removes one cgroup, again as long as processes are leaving it.
fn remove_one(
    at: BorrowedFd<'_>,
    name: impl rustix::path::Arg + Copy,
    deadline: Instant,
) -> Result<(), Errno> {
    let mut pause = FIRST_PAUSE;
    loop {
        match rustix::fs::unlinkat(at, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::BUSY | Errno::INTR) if Instant::now() < deadline => {}
            Err(e) => return Err(e),
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
