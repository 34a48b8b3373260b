//! The freezer of a cgroup: holding all its processes, and letting them go on.

use std::path::Path;
use std::time::{Duration, Instant};

use super::{Cgroup, CgroupError, files};
use crate::config::cgroup::layout::Version;

/// How long a cgroup may take to freeze: processes in an uninterruptible sleep keep it from that.
const FREEZING: Duration = Duration::from_millis(500);

/// The files of a freezer, and the words it knows.
pub(super) struct Freezer {
    pub(super) file: &'static str,
    pub(super) hold: &'static str,
    pub(super) release: &'static str,
    pub(super) state: &'static str,
    pub(super) held: &'static str,
}

pub(super) const V1: Freezer = Freezer {
    file: "freezer.state",
    hold: "FROZEN",
    release: "THAWED",
    state: "freezer.state",
    held: "FROZEN",
};

pub(super) const V2: Freezer = Freezer {
    file: "cgroup.freeze",
    hold: "1",
    release: "0",
    state: "cgroup.events",
    held: "frozen 1",
};

/// What a container shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freezing {
    /// Held.
    Frozen,
    /// Let go on.
    Thawed,
}

/// The freezer of a container and where it is: v2's, else v1's.
fn freezer(cgroup: &Cgroup) -> Option<(&Path, &'static Freezer)> {
    let unified = cgroup.unified().filter(|unified| unified.join(V2.file).exists());
    let v1 = || cgroup.directory(Version::V1, "freezer").map(|directory| (directory, &V1));
    unified.map(|directory| (directory, &V2)).or_else(v1)
}

/// Holds a container, or lets it go on; returns when it is held.
pub fn set(cgroup: &Cgroup, freezing: Freezing) -> Result<(), CgroupError> {
    let Some((directory, freezer)) = freezer(cgroup) else {
        let path = cgroup.directories().next().unwrap_or(Path::new("/sys/fs/cgroup")).into();
        return Err(CgroupError::NotDelegated { controller: "freezer".into(), path });
    };
    match freezing {
        Freezing::Frozen => {
            files::write(rustix::fs::CWD, &directory.join(freezer.file), freezer.hold)?;
            wait_until_held(directory, freezer);
            Ok(())
        }
        Freezing::Thawed => release(directory, freezer),
    }
}

/// Is it held, or about to be?
pub fn is_frozen(cgroup: &Cgroup) -> bool {
    freezer(cgroup).is_some_and(|(directory, freezer)| {
        let text = files::read(&directory.join(freezer.file)).unwrap_or_default();
        matches!(text.trim(), "1" | "FROZEN" | "FREEZING")
    })
}

/// Lets go of all below `directory`.
pub(super) fn release(directory: &Path, freezer: &Freezer) -> Result<(), CgroupError> {
    match files::write(rustix::fs::CWD, &directory.join(freezer.file), freezer.release) {
        Err(e) if !files::is_absent(&e) => Err(e),
        _ => Ok(()),
    }
}

/// Waits until the freezer holds; gives up after a time, and what still runs is killed running.
pub(super) fn wait_until_held(directory: &Path, freezer: &Freezer) {
    let deadline = Instant::now() + FREEZING;
    while Instant::now() < deadline {
        match files::read(&directory.join(freezer.state)) {
            Ok(text) if text.lines().all(|line| line != freezer.held) => {}
            _ => return,
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}
