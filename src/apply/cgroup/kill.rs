//! Ending all that is in a container's cgroup.

use std::ffi::CStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};

use super::freeze::{Freezer, V1, V2, release, wait_until_held};
use super::walk::{self, Visitor, walk};
use super::{Cgroup, CgroupError, files};
use crate::config::cgroup::layout::Version;

/// How often the processes are listed and killed where they cannot be held still.
const ROUNDS: usize = 100;

/// Sends SIGKILL to every process of the container, in cgroups below its own as well.
///
/// On v2 the kernel does it (cgroup.kill, since 5.14), also against a fork bomb. Elsewhere the
/// cgroup is frozen first, so that nobody forks past us and no number can come to mean another
/// process; it is thawed in any case, because the frozen cannot die. They are not waited for:
/// [`super::remove`] does that.
pub fn kill_all(cgroup: &Cgroup) -> Result<(), CgroupError> {
    let v1 = cgroup.directory(Version::V1, "freezer");
    if let Some(unified) = cgroup.unified() {
        match files::write(CWD, &unified.join("cgroup.kill"), "1") {
            // An older kernel, or the cgroup is gone already.
            Err(e) if files::is_absent(&e) && walk::exists(unified) => {
                kill_held(unified, &V2)?;
            }
            Err(e) if !files::is_absent(&e) => return Err(e),
            _ => {}
        }
        // They are in v1's freezer as well, and while it holds them they cannot die.
        return v1.map_or(Ok(()), |freezer| release(freezer, &V1));
    }
    match (v1, cgroup.directories().next()) {
        (Some(freezer), _) => kill_held(freezer, &V1),
        (None, Some(any)) => kill_listed(any),
        (None, None) => Ok(()),
    }
}

/// Kills all below `directory` while they are held by its freezer.
fn kill_held(directory: &Path, freezer: &Freezer) -> Result<(), CgroupError> {
    if files::write(CWD, &directory.join(freezer.file), freezer.hold).is_ok() {
        wait_until_held(directory, freezer);
    }
    let killed = kill_listed(directory);
    release(directory, freezer)?;
    killed
}

/// Kills what is listed, until nothing new is listed.
fn kill_listed(directory: &Path) -> Result<(), CgroupError> {
    let mut known: Vec<i32> = Vec::new();
    for _ in 0..ROUNDS {
        let new: Vec<_> =
            processes(directory)?.into_iter().filter(|pid| !known.contains(pid)).collect();
        if new.is_empty() {
            break;
        }
        for pid in new.iter().filter_map(|pid| Pid::from_raw(*pid)) {
            // Gone in the meantime is as good as killed.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        known.extend(new);
    }
    Ok(())
}

/// The processes of a cgroup and of those below it. One of another pid namespace is listed as 0
/// and cannot be named.
pub(super) fn processes(directory: &Path) -> Result<Vec<i32>, CgroupError> {
    let mut lister = Lister { pids: Vec::new() };
    match walk(directory, &mut lister) {
        Ok(()) | Err(Errno::NOENT) => Ok(lister.pids),
        Err(e) => Err(CgroupError::io("list", directory, e)),
    }
}

struct Lister {
    pids: Vec<i32>,
}

impl Visitor for Lister {
    fn enter(&mut self, directory: BorrowedFd<'_>) -> Result<(), Errno> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut text = String::new();
        match rustix::fs::openat(directory, c"cgroup.procs", flags, Mode::empty()) {
            Ok(file) => File::from(file).read_to_string(&mut text),
            Err(Errno::NOENT) => Ok(0),
            Err(e) => return Err(e),
        }
        // ENODEV: removed since; EOPNOTSUPP: a threaded cgroup, whose processes are listed above.
        .or_else(|e| match e.raw_os_error() {
            Some(libc::ENODEV | libc::EOPNOTSUPP) => Ok(0),
            _ => Err(Errno::from_io_error(&e).unwrap_or(Errno::IO)),
        })?;
        let pids = text.lines().filter_map(|line| line.parse::<i32>().ok());
        self.pids.extend(pids.filter(|pid| *pid > 0));
        Ok(())
    }

    fn leave(&mut self, _: BorrowedFd<'_>, _: &CStr) -> Result<(), Errno> {
        Ok(())
    }
}
