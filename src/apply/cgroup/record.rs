//! The record of a container's cgroups: paths, so that another process can end what this one
//! began (create, then delete).

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::config::cgroup::layout::Version;

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
        source: Errno,
    },
    /// A write of a value.
    #[error("write({path:?}, {value:?}): {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The value.
        value: String,
        /// The kernel's answer.
        source: Errno,
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
}

impl CgroupError {
    pub(super) fn io(call: &'static str, path: impl Into<PathBuf>, source: Errno) -> Self {
        Self::Io { call, path: path.into(), source }
    }
}

/// A container's cgroups: one directory in every hierarchy.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cgroup {
    pub(super) places: Vec<Place>,
}

/// The cgroup in one hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Place {
    pub(super) version: Version,
    /// The controllers of a v1 hierarchy.
    pub(super) controllers: Vec<String>,
    pub(super) directory: PathBuf,
    /// What is to be removed, from the top down.
    pub(super) made: Vec<PathBuf>,
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

    /// Adds the cgroup in one more hierarchy.
    pub fn add(&mut self, place: Place) {
        self.places.push(place);
    }
}

impl Place {
    /// Opens the directory, for CLONE_INTO_CGROUP and for writes. To be done before any namespace
    /// is entered.
    pub fn open(&self) -> Result<OwnedFd, CgroupError> {
        open(&self.directory)
    }
}

/// Opens the directory of a cgroup.
pub(super) fn open(directory: &Path) -> Result<OwnedFd, CgroupError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(directory, flags, Mode::empty())
        .map_err(|e| CgroupError::io("open", directory, e))
}
