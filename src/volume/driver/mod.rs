//! Drivers: who makes a volume's data appear at `_data`.
//!
//! A plain volume needs nobody. One with options of the local driver is a mount: made at `_data`
//! by its first user, shared by all (each container gets a clone of it), undone by the last.
//!
//! A user is a locked file in `mounts/`. The lock is the kernel's: it goes with the last
//! descriptor, however the process that holds it ends, so a user that died is told from one that
//! lives without asking for pids. All counting is under the volume's lock.
//!
//! Not here: what the options mean (`local`, pure), the system calls (`mount`).

pub mod local;
mod loop_device;
mod mount;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FlockOperation, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;

use self::local::MountWish;
use super::VolumeError;
use super::hold::LockedVolume;
use super::record::VolumeRecord;
use super::store::VolumeStore;
use crate::config::name::VolumeName;
use crate::config::volume_option::VolumeOptionError;
use crate::store::StoreError;
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

    /// Is it that something is not there? Never a reason for the status 127 (V8.03).
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused { errno, .. } => Some(errno.raw_os_error()),
            _ => None,
        }
    }
}

/// The mount of a volume, in use. It stays as long as this is held, in this process or a child
/// that inherited it, and until `release` or the next user of the volume finds it gone.
#[derive(Debug)]
pub struct Mounted {
    name: VolumeName,
    user: PathBuf,
    _alive: File,
    passing: bool,
}

impl Mounted {
    /// Is its content gone with this user (tmpfs, V8.01)?
    pub fn is_passing(&self) -> bool {
        self.passing
    }

    /// Ends the use; the last user's end undoes the mount.
    pub fn release(self, volumes: &VolumeStore) -> Result<(), VolumeError> {
        let volume = LockedVolume::take(volumes, &self.name)?;
        release_locked(&volume, Some(self))
    }
}

/// Mounts the volume for `user` if it is one that is mounted, or joins its users.
///
/// `user` is a file name: a container's id, or one's own for a passing use.
pub fn acquire(
    volumes: &VolumeStore,
    name: &VolumeName,
    how: (&str, Resolve<'_>),
) -> Result<Option<Mounted>, VolumeError> {
    // Most volumes have no options, and then no lock is needed.
    if volumes.get(name)?.options.is_empty() {
        return Ok(None);
    }
    let volume = LockedVolume::take(volumes, name)?;
    let record = volume.record()?;
    mount_locked(&volume, &record, how)
}

/// `acquire` for who holds the volume's lock.
pub(super) fn mount_locked(
    volume: &LockedVolume,
    record: &VolumeRecord,
    (user, resolve): (&str, Resolve<'_>),
) -> Result<Option<Mounted>, VolumeError> {
    let options = |source| VolumeError::Options { name: record.name.clone(), source };
    let Some(wish) = MountWish::from_options(&record.options).map_err(options)? else {
        return Ok(None);
    };
    let users = volume.directory().join("mounts");
    match fs::create_dir(&users) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            return Err(StoreError::io("mkdir", users, e).into());
        }
        _ => {}
    }
    let user = users.join(user);
    let alive = lock_user(&user)?.ok_or_else(|| MountError::Busy { user: user.clone() })?;
    let others = living_users(&users, Some(&user))?;
    let data = volume.data_path();
    let mounted = if others > 0 && is_mounted(&data)? {
        Ok(())
    } else {
        unmount(&data).and_then(|()| mount_at(wish.clone(), &data, resolve))
    };
    if let Err(e) = mounted {
        let _ = fs::remove_file(&user);
        return Err(e.into());
    }
    let passing = others == 0 && wish.is_in_memory();
    Ok(Some(Mounted { name: record.name.clone(), user, _alive: alive, passing }))
}

fn mount_at(mut wish: MountWish, data: &Path, resolve: Resolve<'_>) -> Result<(), MountError> {
    let shown = || data.display().to_string();
    if let Some(host) = wish.host() {
        let host = host.to_owned();
        let address =
            resolve(&host).map_err(|source| MountError::Address { data: shown(), host, source })?;
        wish = wish.with_address(address);
    }
    mount::mount(&wish, data).map_err(|refusal| MountError::Refused {
        data: shown(),
        what: wish.shown(data),
        errno: refusal.errno,
        kernel: refusal.kernel,
    })
}

/// `Mounted::release` for who holds the volume's lock.
pub(super) fn release_locked(
    volume: &LockedVolume,
    mounted: Option<Mounted>,
) -> Result<(), VolumeError> {
    let Some(mounted) = mounted else { return Ok(()) };
    match fs::remove_file(&mounted.user) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            return Err(StoreError::io("unlink", &mounted.user, e).into());
        }
        _ => {}
    }
    if living_users(&volume.directory().join("mounts"), None)? == 0 {
        unmount(&volume.data_path())?;
    }
    Ok(())
}

/// Undoes a mount whose users all died, before the volume is removed (V8.02).
pub(super) fn unmount_stale(volume: &Path) -> Result<(), VolumeError> {
    let data = volume.join("_data");
    let users = volume.join("mounts");
    if living_users(&users, None)? > 0 {
        return Err(MountError::Busy { user: users }.into());
    }
    Ok(unmount(&data)?)
}

/// Makes the file of a user and locks it; `None` if it is locked by one who lives.
fn lock_user(path: &Path) -> Result<Option<File>, StoreError> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|e| StoreError::io("open", path, e))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(e) => Err(StoreError::io("flock", path, e)),
    }
}

/// How many users live, `own` aside; the files of the dead are removed.
fn living_users(users: &Path, own: Option<&Path>) -> Result<usize, StoreError> {
    let entries = match fs::read_dir(users) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(StoreError::io("open", users, e)),
    };
    let mut living = 0;
    for entry in entries {
        let path = entry.map_err(|e| StoreError::io("getdents64", users, e))?.path();
        if own == Some(path.as_path()) {
            continue;
        }
        if lock_user(&path)?.is_none() {
            living += 1;
        } else {
            fs::remove_file(&path).map_err(|e| StoreError::io("unlink", &path, e))?;
        }
    }
    Ok(living)
}

/// Is something mounted at `path`? Kernel 5.8.
fn is_mounted(path: &Path) -> Result<bool, MountError> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    match rustix::fs::statx(CWD, path, flags, StatxFlags::TYPE) {
        Ok(seen) => Ok(seen.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(MountError::Unmount { path: path.into(), errno }),
    }
}

/// Undoes what is mounted at `path`, if anything is. Lazily: a shell that stands in it should
/// not keep a container from ending.
fn unmount(path: &Path) -> Result<(), MountError> {
    while is_mounted(path)? {
        rustix::mount::unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
            .map_err(|errno| MountError::Unmount { path: path.into(), errno })?;
    }
    Ok(())
}
