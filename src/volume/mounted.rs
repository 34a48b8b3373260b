//! The mount of a volume, counted: made by its first user, shared by all (each container gets a
//! clone of it), undone by the last.
//!
//! A user is a locked file in `mounts/`. The lock is the kernel's: it goes with the last
//! descriptor, however the process that holds it ends, so a user that died is told from one that
//! lives without asking for pids. All counting is under the volume's lock.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FlockOperation, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;

use super::VolumeError;
use super::driver::local::MountWish;
use super::driver::{MountError, Resolve, mount_at};
use super::locked::LockedVolume;
use super::record::VolumeRecord;
use super::store::VolumeStore;
use crate::config::name::VolumeName;
use crate::store::StoreError;

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
    let others = living_but(&users, &user)?;
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
    if living_users(&volume.directory().join("mounts"))? == 0 {
        unmount(&volume.data_path())?;
    }
    Ok(())
}

/// Undoes a mount whose users all died, before the volume is removed (V8.02).
pub(super) fn unmount_stale(volume: &Path) -> Result<(), VolumeError> {
    let data = volume.join("_data");
    let users = volume.join("mounts");
    if living_users(&users)? > 0 {
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

/// How many users live; the files of the dead are removed.
fn living_users(users: &Path) -> Result<usize, StoreError> {
    living_but(users, users)
}

/// How many users live beside `own`.
fn living_but(users: &Path, own: &Path) -> Result<usize, StoreError> {
    let entries = match fs::read_dir(users) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(StoreError::io("open", users, e)),
    };
    let mut living = 0;
    for entry in entries {
        let path = entry.map_err(|e| StoreError::io("getdents64", users, e))?.path();
        if path == own {
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
