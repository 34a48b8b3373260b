//! What a process of a container is in: namespaces that are not ours, and cgroups.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::cgroup;
use crate::config::cgroup::layout::Hierarchy;
use crate::sys::namespace::Namespace;

/// What a process is in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Joinable {
    /// Which of its namespaces are not ours.
    pub namespaces: Vec<Namespace>,
    /// Its cgroups of the v1 hierarchies.
    pub cgroups: Vec<PathBuf>,
    /// Its cgroup of the unified hierarchy.
    pub unified: Option<PathBuf>,
}

impl Joinable {
    /// Reads it. The caller makes sure that the number is still the same process's.
    pub fn read(pid: i32) -> Self {
        let host = cgroup::read_of(&pid.to_string());
        let v1: BTreeSet<PathBuf> = host.v1.values().filter_map(own_directory).collect();
        Self {
            namespaces: Namespace::ALL.into_iter().filter(|kind| differs(*kind, pid)).collect(),
            cgroups: v1.into_iter().collect(),
            unified: host.unified.and_then(|unified| own_directory(&unified.hierarchy)),
        }
    }

    /// Is it held still, by whichever freezer? What joins it then would wait with it, and could
    /// not even be killed.
    pub fn is_frozen(&self) -> bool {
        let says = |directory: &Path, file: &str, words: &[&str]| {
            fs::read_to_string(directory.join(file))
                .is_ok_and(|text| text.lines().any(|line| words.contains(&line)))
        };
        let v1 = |at: &PathBuf| says(at, "freezer.state", &["FROZEN", "FREEZING"]);
        let v2 = |at: &PathBuf| says(at, "cgroup.events", &["frozen 1"]);
        self.cgroups.iter().any(v1) || self.unified.iter().any(v2)
    }
}

/// At the top of a hierarchy the process has no cgroup of its own: there is none to join.
fn own_directory(hierarchy: &Hierarchy) -> Option<PathBuf> {
    let has_own = !hierarchy.own.as_os_str().is_empty();
    has_own.then(|| hierarchy.mount.join(&hierarchy.own))
}

/// Is the process in another namespace of `kind` than we are? One that the kernel does not have
/// is the same for all.
fn differs(kind: Namespace, pid: i32) -> bool {
    let name = match kind {
        Namespace::User => "user",
        Namespace::Mount => "mnt",
        Namespace::Pid => "pid",
        Namespace::Network => "net",
        Namespace::Ipc => "ipc",
        Namespace::Uts => "uts",
        Namespace::Cgroup => "cgroup",
        Namespace::Time => "time",
    };
    let of = |who: &str| fs::read_link(format!("/proc/{who}/ns/{name}")).ok();
    let theirs = of(&pid.to_string());
    theirs.is_some() && theirs != of("self")
}
