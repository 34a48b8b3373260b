//! A cgroup of its own for a container: made, limited, joined, emptied, removed.
//!
//! What to write where is decided in `config::cgroup`; here is the file system. A [`Cgroup`] is a
//! record of paths, so that another process can end what this one began (create, then delete).
//! A host without cgroups, or where we may make none, gives an empty one, as long as no limit
//! asks for more.

mod create;
mod files;
mod kill;
mod remove;
mod walk;

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;

use crate::config::cgroup::layout::{CgroupHost, Version};
use crate::config::cgroup::limits::{CgroupWrite, IfAbsent};

pub use create::create;
pub use kill::kill_all;
pub use remove::remove;

/// What can go wrong with a cgroup. Every variant says where.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// A call on a directory or file of a cgroup.
    #[error("{call}({path:?}): {source}")]
    Io {
        /// What was tried.
        call: &'static str,
        /// On what.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A write of a value.
    #[error("write({path:?}, {value:?}): {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The value.
        value: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Somebody is in it already.
    #[error("container's cgroup is not empty: {0:?}")]
    NotEmpty(PathBuf),
    /// A process that joins it would never run.
    #[error("container's cgroup unexpectedly frozen: {0:?}")]
    Frozen(PathBuf),
    /// A cgroup above the container's does not have the controller.
    #[error("the cgroup controller {controller} is not available below {path:?}")]
    NotDelegated {
        /// The controller.
        controller: String,
        /// The cgroup.
        path: PathBuf,
    },
    /// A limit for a hierarchy in which no cgroup could be made.
    #[error("the limit {file} needs the cgroup controller {controller}, where we have no cgroup")]
    NoCgroup {
        /// The controller.
        controller: String,
        /// The file of the limit.
        file: String,
    },
}

impl CgroupError {
    fn io(call: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        Self::Io { call, path: path.into(), source: source.into() }
    }
}

/// A container's cgroups: one directory in every hierarchy.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cgroup {
    places: Vec<Place>,
}

/// The cgroup in one hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Place {
    version: Version,
    /// The controllers of a v1 hierarchy.
    controllers: Vec<String>,
    directory: PathBuf,
    /// What is to be removed, from the top down.
    made: Vec<PathBuf>,
}

impl Cgroup {
    /// The directory in which the files of `controller` are.
    pub fn directory(&self, version: Version, controller: &str) -> Option<&Path> {
        let place = self.places.iter().find(|place| {
            place.version == version
                && (version == Version::V2 || place.controllers.iter().any(|it| it == controller))
        });
        place.map(|place| place.directory.as_path())
    }

    /// The directory in the unified hierarchy.
    pub fn unified(&self) -> Option<&Path> {
        self.directory(Version::V2, "cgroup")
    }

    /// All directories, for show.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        self.places.iter().map(|place| place.directory.as_path())
    }

    /// Opens the directory in the unified hierarchy, for CLONE_INTO_CGROUP and a device filter.
    /// To be done before any namespace is entered.
    pub fn open_unified(&self) -> Result<Option<OwnedFd>, CgroupError> {
        let Some(path) = self.unified() else { return Ok(None) };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::open(path, flags, Mode::empty())
            .map(Some)
            .map_err(|e| CgroupError::io("open", path, e))
    }

    /// Writes one limit.
    pub fn write(&self, limit: &CgroupWrite) -> Result<(), CgroupError> {
        let directory = self.directory(limit.version, &limit.controller).ok_or_else(|| {
            let (controller, file) = (limit.controller.clone(), limit.file.clone());
            CgroupError::NoCgroup { controller, file }
        })?;
        match (files::write(&directory.join(&limit.file), &limit.value), &limit.if_absent) {
            (Err(e), IfAbsent::Skip) if files::is_absent(&e) => Ok(()),
            (Err(e), IfAbsent::Instead { file, value }) if files::is_absent(&e) => {
                files::write(&directory.join(file), value)
            }
            (answer, _) => answer,
        }
    }

    /// Moves the process into the cgroup, in every hierarchy. The process is named as our own pid
    /// namespace sees it.
    pub fn join(&self, pid: Pid) -> Result<(), CgroupError> {
        let pid = pid.as_raw_nonzero().to_string();
        self.places
            .iter()
            .try_for_each(|place| files::write(&place.directory.join("cgroup.procs"), &pid))
    }
}

/// Reads how this host mounts its cgroups. Without /proc, or with an unreadable one, it has none.
pub fn read_host() -> CgroupHost {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let host = CgroupHost::parse(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
    let controllers = host.unified.as_ref().map(|unified| {
        let file = unified.hierarchy.mount.join("cgroup.controllers");
        fs::read_to_string(file).unwrap_or_default()
    });
    host.with_controllers(&controllers.unwrap_or_default())
}

#[cfg(test)]
mod tests;
