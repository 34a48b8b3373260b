//! What is behind a volume's `_data`, by the kind of its driver: the four things that are done
//! with it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use super::encrypted::Vault;
use super::local::MountWish;
use super::{Driver, DriverError, MountError, Resolve, credentials, mount, remote};
use crate::volume::plugin::protocol::{Patience, Session};
use crate::volume::plugin::{Plugin, PluginError};

/// What users that died have left is cleared away within this time, or left to the plugin.
const CLEARING: Duration = Duration::from_secs(5);

/// What is behind a volume's `_data`.
#[derive(Debug)]
pub(in crate::volume) enum Backing {
    /// A mount of the kernel's.
    Local(MountWish),
    /// A mount of gocryptfs.
    Encrypted(Vault),
    /// A mount of a plugin's.
    Plugin(Plugin),
}

/// A volume as its driver knows it.
#[derive(Debug, Clone, Copy)]
pub(in crate::volume) struct Subject<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its directory in the store.
    pub directory: &'a Path,
    /// Its options.
    pub options: &'a BTreeMap<String, String>,
}

impl Backing {
    /// What is behind a volume of `driver`; `None` for a plain directory.
    pub fn of(
        driver: &str,
        options: &BTreeMap<String, String>,
    ) -> Result<Option<Self>, DriverError> {
        Ok(match Driver::find(driver) {
            Some(Driver::Local) => MountWish::from_options(options)?.map(Self::Local),
            Some(Driver::Encrypted) => Some(Self::Encrypted(Vault::from_options(options)?)),
            Some(Driver::Plugin(plugin)) => Some(Self::Plugin(plugin)),
            None => return Err(PluginError::NotFound { name: driver.into() }.into()),
        })
    }

    /// Is the content gone with the mount?
    pub fn is_in_memory(&self) -> bool {
        matches!(self, Self::Local(wish) if wish.is_in_memory())
    }

    /// Makes what the driver keeps of a new volume. May be done again after it broke off.
    pub fn make(&self, volume: Subject<'_>) -> Result<(), DriverError> {
        match self {
            Self::Local(_) => Ok(()),
            Self::Encrypted(vault) => Ok(vault.make(volume.directory, volume.name)?),
            Self::Plugin(plugin) => {
                let session = Session::open(plugin, Patience::PerCall)?;
                // V9.04: one that the plugin has already is taken as it is.
                if session.get(volume.name)?.is_none() {
                    session.create(volume.name, volume.options)?;
                }
                Ok(())
            }
        }
    }

    /// Removes what the driver keeps of a volume.
    pub fn remove(&self, name: &str) -> Result<(), DriverError> {
        match self {
            Self::Local(_) | Self::Encrypted(_) => Ok(()),
            Self::Plugin(plugin) => Ok(Session::open(plugin, Patience::PerCall)?.remove(name)?),
        }
    }

    /// Mounts the volume at its `_data` for its first user.
    pub fn mount(
        &self,
        volume: Subject<'_>,
        (user, resolve): (&str, Resolve<'_>),
    ) -> Result<(), MountError> {
        let data = volume.directory.join("_data");
        let failed = |source| MountError::Driver { data: data.display().to_string(), source };
        match self {
            Self::Local(wish) => mount_at(wish.clone(), &data, resolve),
            Self::Encrypted(vault) => {
                vault.mount(volume.directory, volume.name).map_err(|e| failed(e.into()))
            }
            Self::Plugin(plugin) => {
                let open = Session::open(plugin, Patience::PerCall);
                let session = open.map_err(|e| failed(e.into()))?;
                let mountpoint = session.mount(volume.name, user).map_err(|e| failed(e.into()))?;
                remote::attach(&mountpoint, &data).map_err(|reason| {
                    // It is mounted for nobody.
                    let _ = session.unmount(volume.name, user);
                    let (data, plugin) = (data.display().to_string(), plugin.name().to_owned());
                    MountError::Mountpoint { data, mountpoint, plugin, reason }
                })
            }
        }
    }

    /// Tells the driver of one more user of what is mounted.
    pub fn join(&self, volume: Subject<'_>, user: &str) -> Result<(), MountError> {
        let Self::Plugin(plugin) = self else { return Ok(()) };
        let told = Session::open(plugin, Patience::PerCall)
            .and_then(|session| session.mount(volume.name, user).map(drop));
        told.map_err(|source| MountError::Driver {
            data: volume.directory.join("_data").display().to_string(),
            source: source.into(),
        })
    }

    /// Tells the driver that a user is gone.
    pub fn leave(&self, name: &str, user: &str) -> Result<(), MountError> {
        let Self::Plugin(plugin) = self else { return Ok(()) };
        let told = Session::open(plugin, Patience::PerCall)
            .and_then(|session| session.unmount(name, user));
        told.map_err(|e| MountError::Leave { name: name.into(), source: e.into() })
    }

    /// The same for users that died: the driver may be gone, too, and then nothing is lost.
    pub fn forget(&self, name: &str, users: &[String]) {
        let Self::Plugin(plugin) = self else { return };
        if users.is_empty() {
            return;
        }
        // An answer is of no use, so there is no error to tell.
        let end = Patience::Until(Instant::now() + CLEARING);
        let Ok(session) = Session::open(plugin, end) else { return };
        for user in users {
            let _ = session.unmount(name, user);
        }
    }
}

/// Makes a mount of the local driver at `data`.
fn mount_at(mut wish: MountWish, data: &Path, resolve: Resolve<'_>) -> Result<(), MountError> {
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
        hint: wish.hint(refusal.errno),
    })
}
