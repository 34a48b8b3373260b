//! Why a volume could not be had.

use std::path::PathBuf;

use rustix::io::Errno;

use super::driver::{DriverError, MountError};
use super::plugin::PluginError;
use crate::config::name::VolumeName;
use crate::store::StoreError;
use crate::sys::errno::lower_words;
use crate::tree::TreeError;

/// Why a volume could not be had. The texts are Docker's where it has one.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// The store's files.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such volume.
    #[error("get {0}: no such volume")]
    Missing(VolumeName),
    /// Containers use it (V4.22).
    #[error("remove {name}: volume is in use - [{}]", users.join(", "))]
    InUse {
        /// The volume.
        name: VolumeName,
        /// The ids of the containers.
        users: Vec<String>,
    },
    /// The name is taken by a volume of another driver (V4.03).
    #[error(
        "create {name}: driver '{driver}' already has volume '{name}': volume name must be unique"
    )]
    Taken {
        /// The volume.
        name: VolumeName,
        /// The driver that has it.
        driver: String,
    },
    /// The driver is not installed (V4.03).
    #[error(
        "create {name}: error looking up volume plugin {driver}: plugin \"{driver}\" not found"
    )]
    NoDriver {
        /// The volume.
        name: VolumeName,
        /// The driver asked for.
        driver: String,
    },
    /// The driver refuses the options, or cannot make the volume (V9.07).
    #[error("create {name}: {source}")]
    Driver {
        /// The volume.
        name: VolumeName,
        /// Why.
        source: DriverError,
    },
    /// The driver cannot remove the volume.
    #[error("remove {name}: {source}")]
    NotRemoved {
        /// The volume.
        name: VolumeName,
        /// Why.
        source: DriverError,
    },
    /// The directory of the data was deleted by hand (V4.32).
    #[error(
        "error evaluating symlinks from mount source {path:?}: lstat {}: {}",
        path.display(),
        lower_words(*errno)
    )]
    NoData {
        /// The directory.
        path: PathBuf,
        /// The kernel's answer.
        errno: Errno,
    },
    /// The driver's mount cannot be made or undone.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// The data could not be copied or removed.
    #[error("{wanted} {path:?}: {source}")]
    Tree {
        /// What was tried.
        wanted: &'static str,
        /// The directory.
        path: PathBuf,
        /// Where below it, and why.
        source: TreeError,
    },
}

impl VolumeError {
    /// The kernel's own words, where it gave some.
    pub fn kernel_words(&self) -> Option<&str> {
        match self {
            Self::Mount(error) => error.kernel_words(),
            _ => None,
        }
    }

    /// What may help.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Driver { source, .. } | Self::NotRemoved { source, .. } => source.hint(),
            Self::Mount(error) => error.hint(),
            Self::NoDriver { driver, .. } => PluginError::NotFound { name: driver.clone() }.hint(),
            _ => None,
        }
    }
}
