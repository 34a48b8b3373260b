//! Drivers: who makes a volume's data appear at `_data`.
//!
//! A plain volume needs nobody. One with options of the local driver is a mount: `local` says
//! which (pure), `mount` makes it.
//!
//! Not here: who uses it, and for how long (`volume::mounted`).

mod credentials;
pub mod local;
mod loop_device;
mod mount;
pub mod resolve;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use self::local::MountWish;
use crate::config::volume_option::VolumeOptionError;
use crate::sys::errno::{lower_words, words};

/// Finds the address of a host name.
pub type Resolve<'a> = &'a dyn Fn(&str) -> io::Result<IpAddr>;

/// A driver that is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// Directories of this host, or what mount(2) can mount.
    Local,
}

impl Driver {
    /// The driver called `name`; the empty name is `local` (V4.06).
    pub fn find(name: &str) -> Option<Self> {
        matches!(name, "" | "local").then_some(Self::Local)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
        }
    }

    /// Refuses what can never work. Whether a device is there is seen when it is mounted.
    pub fn accept(self, options: &BTreeMap<String, String>) -> Result<(), VolumeOptionError> {
        match self {
            Self::Local => local::accept(options),
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
}

/// Makes the mount at `data`.
pub(super) fn mount_at(
    mut wish: MountWish,
    data: &Path,
    resolve: Resolve<'_>,
) -> Result<(), MountError> {
    let shown = || data.display().to_string();
    if let Some(host) = wish.host() {
        let host = host.to_owned();
        let address =
            resolve(&host).map_err(|source| MountError::Address { data: shown(), host, source })?;
        wish = wish.with_address(address);
    }
    if let Some(file) = credentials::file(&wish).map(str::to_owned) {
        wish = credentials::apply(wish, &file).map_err(|source| MountError::Credentials {
            data: shown(),
            file,
            source,
        })?;
    }
    mount::mount(&wish, data).map_err(|refusal| MountError::Refused {
        data: shown(),
        what: wish.shown(data),
        errno: refusal.errno,
        kernel: refusal.kernel,
    })
}
