//! What can go wrong between a volume and its driver.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use super::encrypted_error::EncryptedError;
use crate::config::volume_option::VolumeOptionError;
use crate::sys::errno::{lower_words, words};
use crate::volume::plugin::PluginError;

/// Why a driver cannot do with a volume what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The options of the local driver.
    #[error(transparent)]
    Options(#[from] VolumeOptionError),
    /// The options, the key or the program of an encrypted volume.
    #[error(transparent)]
    Encrypted(#[from] EncryptedError),
    /// A plugin.
    #[error(transparent)]
    Plugin(#[from] PluginError),
}

impl DriverError {
    /// What may help.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Options(error) => error.hint(),
            Self::Encrypted(error) => error.hint(),
            Self::Plugin(error) => error.hint(),
        }
    }
}

/// Why a volume's mount could not be made or undone.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The kernel refused the mount (V8.03).
    #[error(
        "error while mounting volume '{data}': failed to mount local volume: {what}: {}",
        lower_words(*errno)
    )]
    Refused {
        /// Where it was to be mounted.
        data: String,
        /// The mount, secrets masked.
        what: String,
        /// The kernel's answer.
        errno: Errno,
        /// What the file system said.
        kernel: Option<String>,
        /// What the options lack.
        hint: Option<String>,
    },
    /// The name of a network volume's host (V8.05).
    #[error(
        "error while mounting volume '{data}': error resolving passed in network volume address: \
         lookup {host}: {source}"
    )]
    Address {
        /// Where it was to be mounted.
        data: String,
        /// The name.
        host: String,
        /// Why not.
        source: io::Error,
    },
    /// The file of a share's user cannot be read.
    #[error("error while mounting volume '{data}': credentials {file}: {source}")]
    Credentials {
        /// Where it was to be mounted.
        data: String,
        /// The file.
        file: String,
        /// Why not.
        source: io::Error,
    },
    /// The driver itself.
    #[error("error while mounting volume '{data}': {source}")]
    Driver {
        /// Where it was to be mounted.
        data: String,
        /// Why not.
        source: DriverError,
    },
    /// What a plugin names as its mount point cannot be the data of a volume.
    #[error(
        "error while mounting volume '{data}': mount point {mountpoint:?} of plugin {plugin}: \
         {reason}"
    )]
    Mountpoint {
        /// Where it was to be mounted.
        data: String,
        /// What the plugin named.
        mountpoint: String,
        /// The plugin.
        plugin: String,
        /// Why not.
        reason: String,
    },
    /// The driver keeps a use that has ended.
    #[error("error while unmounting volume {name}: {source}")]
    Leave {
        /// The volume.
        name: String,
        /// Why.
        source: DriverError,
    },
    /// A user of that id has the mount already.
    #[error("the volume's mount is in use by {user:?} already")]
    Busy {
        /// The user.
        user: PathBuf,
    },
    /// The mount cannot be undone.
    #[error("umount2({path:?}): {}", words(*errno))]
    Unmount {
        /// Where it is mounted.
        path: PathBuf,
        /// The kernel's answer.
        errno: Errno,
    },
}

impl MountError {
    /// The kernel's own words, where it gave some.
    pub fn kernel_words(&self) -> Option<&str> {
        match self {
            Self::Refused { kernel, .. } => kernel.as_deref(),
            _ => None,
        }
    }

    /// The kernel's error number, where it refused the mount.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused { errno, .. } => Some(errno.raw_os_error()),
            _ => None,
        }
    }

    /// What may help.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { hint, .. } => hint.clone(),
            Self::Driver { source, .. } | Self::Leave { source, .. } => source.hint(),
            _ => None,
        }
    }
}
