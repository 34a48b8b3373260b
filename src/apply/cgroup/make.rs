//! Making the cgroup in one hierarchy of the host.

use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::io::Errno;

use super::files;
use super::record::{CgroupError, Place};
use crate::config::cgroup::layout::Version;
use crate::config::cgroup::site::Site;

/// How often a parent may be taken away under our hands, by another that removes it empty.
const RACES: usize = 16;

impl Place {
    /// Makes the cgroup of `site`, so that its limits can be written.
    ///
    /// What exists already is used if it is empty and not frozen. On failure nothing that was made
    /// remains.
    pub fn make(site: &Site) -> Result<Self, CgroupError> {
        let mut made = Vec::new();
        let done = make_directories(site, &mut made).and_then(|()| check(site, &made));
        if let Err(e) = done {
            // Only what we made, and not what is below: it may have become somebody's.
            for directory in made.iter().rev() {
                let _ = rustix::fs::rmdir(directory);
            }
            return Err(e);
        }
        let ours = site.directories.iter().rev().take(site.ours);
        made.extend(ours.cloned());
        made.sort();
        made.dedup();
        Ok(Self {
            version: site.version,
            controllers: site.controllers.clone(),
            directory: site.directory().into(),
            made,
        })
    }
}

impl Place {
    /// The cgroup of `site` as another process made it, if it is there.
    pub fn found(site: &Site) -> Option<Self> {
        let ours = site.directories.iter().rev().take(site.ours);
        let mut made: Vec<PathBuf> = ours.cloned().collect();
        made.sort();
        site.directory().is_dir().then(|| Self {
            version: site.version,
            controllers: site.controllers.clone(),
            directory: site.directory().into(),
            made,
        })
    }
}

fn make_directories(site: &Site, made: &mut Vec<PathBuf>) -> Result<(), CgroupError> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match descend(site, made) {
            Err(e) if files::is_gone(&e) && attempt < RACES => {}
            answer => return answer,
        }
    }
}

fn descend(site: &Site, made: &mut Vec<PathBuf>) -> Result<(), CgroupError> {
    let mut parent = site.mount.as_path();
    for directory in &site.directories {
        if site.version == Version::V2 {
            switch_on(site, parent)?;
        }
        match DirBuilder::new().mode(0o755).create(directory) {
            Ok(()) if made.contains(directory) => {}
            Ok(()) => made.push(directory.clone()),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => {
                let errno = Errno::from_io_error(&e).unwrap_or(Errno::IO);
                return Err(CgroupError::io("mkdir", directory, errno));
            }
        }
        if site.controllers.iter().any(|it| it == "cpuset") {
            inherit_cpuset(parent, directory)?;
        }
        parent = directory;
    }
    Ok(())
}

/// Switches controllers on for the children of `parent`. What is on stays on: others may rely
/// on it, and it is only counting.
fn switch_on(site: &Site, parent: &Path) -> Result<(), CgroupError> {
    let needed = || site.needed.iter().map(String::as_str).filter(|name| *name != "cgroup");
    let mut missing: BTreeSet<&str> =
        site.counted.iter().map(String::as_str).chain(needed()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let control = parent.join("cgroup.subtree_control");
    for on in files::read(&control)?.split_whitespace() {
        missing.remove(on);
    }
    if missing.is_empty() {
        return Ok(());
    }
    let available = files::read(&parent.join("cgroup.controllers"))?;
    let available: BTreeSet<&str> = available.split_whitespace().collect();
    if let Some(absent) = needed().find(|name| missing.contains(name) && !available.contains(name))
    {
        let (controller, path) = (absent.to_owned(), parent.to_owned());
        return Err(CgroupError::NotDelegated { controller, path });
    }
    missing.retain(|name| available.contains(name));
    let all: Vec<String> = missing.iter().map(|name| format!("+{name}")).collect();
    if all.is_empty() || files::write(CWD, &control, &all.join(" ")).is_ok() {
        return Ok(());
    }
    // One of them cannot (processes in `parent`, real-time tasks): those that must, each.
    needed()
        .filter(|name| missing.contains(name))
        .try_for_each(|name| files::write(CWD, &control, &format!("+{name}")))
}

/// Refuses a cgroup in which somebody is, or in which nobody would run: also a new one is
/// frozen if the one above is.
fn check(site: &Site, made: &[PathBuf]) -> Result<(), CgroupError> {
    let at = site.directory();
    let is_new = made.iter().any(|it| it == at);
    if is_new && site.directories.len() == 1 {
        // Above it is only the top of the mount, which is not frozen: we run below it.
        return Ok(());
    }
    let (populated, frozen) = if site.version == Version::V2 {
        let events = files::read(&at.join("cgroup.events"))?;
        let is = |line: &str| events.lines().any(|it| it == line);
        (is("populated 1"), is("frozen 1"))
    } else {
        let has_freezer = site.controllers.iter().any(|it| it == "freezer");
        (
            !is_new && !files::read(&at.join("cgroup.procs"))?.is_empty(),
            has_freezer && files::read(&at.join("freezer.state"))?.trim() != "THAWED",
        )
    };
    match (populated, frozen) {
        (true, _) => Err(CgroupError::NotEmpty(at.into())),
        (false, true) => Err(CgroupError::Frozen(at.into())),
        (false, false) => Ok(()),
    }
}

/// A new cpuset of v1 has no processors and no memory, and nobody can join it (ENOSPC).
fn inherit_cpuset(parent: &Path, directory: &Path) -> Result<(), CgroupError> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = directory.join(file);
        if files::read(&own)?.trim().is_empty() {
            files::write(CWD, &own, files::read(&parent.join(file))?.trim())?;
        }
    }
    Ok(())
}
