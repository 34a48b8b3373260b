//! Making the cgroup, in every hierarchy of the host.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::{Cgroup, CgroupError, Place, files, remove};
use crate::config::cgroup::layout::{CgroupHost, Hierarchy, Kind, Version};
use crate::config::cgroup::limits::CgroupWrite;
use crate::config::cgroup::path::CgroupPath;

/// Controllers that are switched on below a pure v2 mount also where no limit asks for them: they
/// count what the container uses. On a hybrid host only what is asked for.
const COUNTED: [&str; 5] = ["cpu", "cpuset", "io", "memory", "pids"];

/// How often a parent may be taken away under our hands, by another that removes it empty.
const RACES: usize = 16;

/// Makes the container's cgroups at `path`, so that `limits` can be written.
///
/// A hierarchy in which we may not make one is left out, unless a limit needs it. What exists
/// already is used if it is empty and not frozen. On failure nothing that was made remains.
pub fn create(
    host: &CgroupHost,
    path: &CgroupPath,
    limits: &[CgroupWrite],
) -> Result<Cgroup, CgroupError> {
    let mut cgroup = Cgroup::default();
    for site in sites(host, path, limits) {
        match site.make() {
            Ok(place) => cgroup.places.push(place),
            Err(e) if site.needed.is_empty() && is_forbidden(&e) => {}
            Err(e) => {
                // The first failure is the one to tell.
                let _ = remove(&cgroup);
                return Err(e);
            }
        }
    }
    Ok(cgroup)
}

/// May we simply not make cgroups here?
fn is_forbidden(error: &CgroupError) -> bool {
    let (CgroupError::Io { source, .. } | CgroupError::Write { source, .. }) = error else {
        return false;
    };
    matches!(source.raw_os_error(), Some(libc::EACCES | libc::EPERM | libc::EROFS))
}

/// One hierarchy, and what is to be made in it.
struct Site<'a> {
    mount: &'a Path,
    version: Version,
    /// The controllers of a v1 hierarchy.
    controllers: Vec<String>,
    /// From the first below the mount down to the container's.
    directories: Vec<PathBuf>,
    /// How many of them, from the end, go when they are empty, whoever made them.
    ours: usize,
    /// The controllers that limits are written to here.
    needed: BTreeSet<&'a str>,
    /// v2: the controllers that are switched on if that is possible.
    counted: &'static [&'static str],
}

fn sites<'a>(host: &'a CgroupHost, path: &CgroupPath, limits: &'a [CgroupWrite]) -> Vec<Site<'a>> {
    let mut v1: BTreeMap<&Path, (&Hierarchy, Vec<String>)> = BTreeMap::new();
    for (controller, hierarchy) in &host.v1 {
        let shared = v1.entry(&hierarchy.mount).or_insert_with(|| (hierarchy, Vec::new()));
        shared.1.push(controller.clone());
    }
    let unified = host.unified.iter().map(|it| (&it.hierarchy, Vec::new(), Version::V2));
    let v1 = v1.into_values().map(|(hierarchy, names)| (hierarchy, names, Version::V1));
    v1.chain(unified)
        .map(|(hierarchy, controllers, version)| Site {
            mount: &hierarchy.mount,
            version,
            directories: path.directories(hierarchy, version),
            ours: if path.shared_parents() > 0 { path.shared_parents() + 1 } else { 0 },
            needed: limits
                .iter()
                .filter(|limit| limit.version == version)
                .map(|limit| limit.controller.as_str())
                .filter(|name| version == Version::V2 || controllers.iter().any(|it| it == name))
                .collect(),
            counted: if host.kind() == Kind::V2 { &COUNTED } else { &[] },
            controllers,
        })
        .collect()
}

impl Site<'_> {
    fn make(&self) -> Result<Place, CgroupError> {
        let mut made = Vec::new();
        let directory = self.directories.last().map_or(self.mount, PathBuf::as_path);
        let done = self.make_directories(&mut made).and_then(|()| self.check(directory));
        if let Err(e) = done {
            // Only what we made, and not what is below: it may have become somebody's.
            for directory in made.iter().rev() {
                let _ = rustix::fs::rmdir(directory);
            }
            return Err(e);
        }
        let ours = self.directories.iter().rev().take(self.ours);
        made.extend(ours.cloned());
        made.sort();
        made.dedup();
        Ok(Place {
            version: self.version,
            controllers: self.controllers.clone(),
            directory: directory.into(),
            made,
        })
    }

    fn make_directories(&self, made: &mut Vec<PathBuf>) -> Result<(), CgroupError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.descend(made) {
                Err(e) if files::is_absent(&e) && attempt < RACES => {}
                answer => return answer,
            }
        }
    }

    fn descend(&self, made: &mut Vec<PathBuf>) -> Result<(), CgroupError> {
        let mut parent = self.mount;
        for directory in &self.directories {
            if self.version == Version::V2 {
                self.switch_on(parent)?;
            }
            match DirBuilder::new().mode(0o755).create(directory) {
                Ok(()) if made.contains(directory) => {}
                Ok(()) => made.push(directory.clone()),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(CgroupError::io("mkdir", directory, e)),
            }
            if self.controllers.iter().any(|it| it == "cpuset") {
                inherit_cpuset(parent, directory)?;
            }
            parent = directory;
        }
        Ok(())
    }

    /// Switches controllers on for the children of `parent`. What is on stays on: others may rely
    /// on it, and it is only counting.
    fn switch_on(&self, parent: &Path) -> Result<(), CgroupError> {
        let wanted: BTreeSet<&str> = self
            .counted
            .iter()
            .copied()
            .chain(self.needed.iter().copied().filter(|name| *name != "cgroup"))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let available = files::read(&parent.join("cgroup.controllers"))?;
        let control = parent.join("cgroup.subtree_control");
        let on = files::read(&control)?;
        let has = |text: &str, name: &str| text.split_whitespace().any(|it| it == name);
        let missing = wanted.into_iter().filter(|name| !has(&on, name));
        let (to_do, absent): (Vec<_>, Vec<_>) = missing.partition(|name| has(&available, name));
        if let Some(controller) = absent.into_iter().find(|name| self.needed.contains(name)) {
            let (controller, path) = (controller.to_owned(), parent.to_owned());
            return Err(CgroupError::NotDelegated { controller, path });
        }
        let command = |names: &[&str]| names.iter().map(|name| format!("+{name} ")).collect();
        let all: String = command(&to_do);
        if to_do.is_empty() || files::write(&control, all.trim_end()).is_ok() {
            return Ok(());
        }
        // One of them cannot (processes in `parent`, real-time tasks): those that must, each.
        to_do
            .iter()
            .filter(|name| self.needed.contains(*name))
            .try_for_each(|name| files::write(&control, &format!("+{name}")))
    }

    /// Refuses a cgroup in which somebody is, or in which nobody would run.
    fn check(&self, at: &Path) -> Result<(), CgroupError> {
        let (populated, frozen) = match self.version {
            Version::V2 => {
                let events = files::read(&at.join("cgroup.events"))?;
                let is = |line: &str| events.lines().any(|it| it == line);
                (is("populated 1"), is("frozen 1"))
            }
            Version::V1 => {
                let processes = files::read(&at.join("cgroup.procs"))?;
                let state = files::read_if_there(&at.join("freezer.state"))?;
                (!processes.is_empty(), state.is_some_and(|state| state.trim() != "THAWED"))
            }
        };
        match (populated, frozen) {
            (true, _) => Err(CgroupError::NotEmpty(at.into())),
            (false, true) => Err(CgroupError::Frozen(at.into())),
            (false, false) => Ok(()),
        }
    }
}

/// A new cpuset of v1 has no processors and no memory, and nobody can join it (ENOSPC).
fn inherit_cpuset(parent: &Path, directory: &Path) -> Result<(), CgroupError> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = directory.join(file);
        if files::read(&own)?.trim().is_empty() {
            files::write(&own, files::read(&parent.join(file))?.trim())?;
        }
    }
    Ok(())
}
