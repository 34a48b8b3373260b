//! Drivers: who makes a volume's data appear at `_data`.
//!
//! A plain volume needs nobody. One with options of the local driver is a mount: `local` says
//! which (pure), `mount` makes it. An encrypted one is a mount of gocryptfs (`encrypted`), and a
//! plugin's is a clone of the mount that the plugin makes (`remote`).
//!
//! Not here: who uses it, and for how long (`volume::mounted`); how a plugin is spoken to
//! (`volume::plugin`).

pub mod backing;
mod credentials;
pub mod encrypted;
mod encrypted_error;
mod error;
pub mod key;
pub mod local;
mod loop_device;
mod mount;
mod prompt;
mod remote;
pub mod resolve;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

pub use self::encrypted_error::EncryptedError;
pub use self::error::{DriverError, MountError};
use super::plugin::Plugin;

/// Finds the address of a host name.
pub type Resolve<'a> = &'a dyn Fn(&str) -> io::Result<IpAddr>;

/// A driver that is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Driver {
    /// Directories of this host, or what mount(2) can mount.
    Local,
    /// Directories of this host whose content is encrypted.
    Encrypted,
    /// A program of somebody else's.
    Plugin(Plugin),
}

/// The name of the encrypting driver.
pub const ENCRYPTED: &str = "encrypted";

impl Driver {
    /// The driver called `name`; the empty name is `local` (V4.06). A plugin is there if its
    /// socket or file is: it is not asked.
    pub fn find(name: &str) -> Option<Self> {
        match name {
            "" | "local" => Some(Self::Local),
            ENCRYPTED => Some(Self::Encrypted),
            other => Plugin::find(other).ok().map(Self::Plugin),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Local => "local",
            Self::Encrypted => ENCRYPTED,
            Self::Plugin(plugin) => plugin.name(),
        }
    }

    /// Must the driver make something before the volume can be used?
    pub fn makes_volumes(&self) -> bool {
        *self != Self::Local
    }

    /// Refuses what can never work. Whether a device is there is seen when it is mounted, and
    /// what a plugin takes is its own to say.
    pub fn accept(&self, options: &BTreeMap<String, String>) -> Result<(), DriverError> {
        match self {
            Self::Local => Ok(local::accept(options)?),
            Self::Encrypted => Ok(key::KeySource::from_options(options).map(drop)?),
            Self::Plugin(_) => Ok(()),
        }
    }
}
