//! The mount of a volume, counted: made by its first user, shared by all (each container gets a
//! clone of it), undone by the last.
//!
//! A user is a locked file in `mounts/`. The lock is the kernel's: it goes with the last
//! descriptor, however the process that holds it ends, so a user that died is told from one that
//! lives without asking for pids. What a plugin knows the user by is in the file, so that whoever
//! finds it can tell the plugin that the user is gone. All counting is under the volume's lock.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FlockOperation, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;

use super::VolumeError;
use super::complete::{complete_locked, subject};
use super::driver::backing::Backing;
use super::driver::{MountError, Resolve};
use super::locked::LockedVolume;
use super::record::VolumeRecord;
use super::store::{VolumeStore, random_hex};
use crate::config::name::VolumeName;
use crate::store::StoreError;

/// The mount of a volume, in use. It stays as long as this is held, in this process or a child
/// that inherited it, and until `release` or the next user of the volume finds it gone.
#[derive(Debug)]
pub struct Mounted {
    name: VolumeName,
    claim: Claim,
    backing: Backing,
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
    // Most volumes are plain, and then no lock is needed.
    if volumes.get(name)?.is_plain() {
        return Ok(None);
    }
    let volume = LockedVolume::take(volumes, name)?;
    let mut record = volume.record()?;
    mount_locked(&volume, &mut record, how)
}

/// `acquire` for who holds the volume's lock.
pub(super) fn mount_locked(
    volume: &LockedVolume,
    record: &mut VolumeRecord,
    (user, resolve): (&str, Resolve<'_>),
) -> Result<Option<Mounted>, VolumeError> {
    if record.is_plain() {
        return Ok(None);
    }
    complete_locked(volume, record)?;
    let data = volume.data_path();
    let unknown = |source| MountError::Driver { data: data.display().to_string(), source };
    let backing = Backing::of(&record.driver, &record.options).map_err(unknown)?;
    let Some(backing) = backing else { return Ok(None) };
    let users = volume.directory().join("mounts");
    match fs::create_dir(&users) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            return Err(StoreError::io("mkdir", users, e).into());
        }
        _ => {}
    }
    let path = users.join(user);
    let (claim, was) =
        Claim::take(&path, user)?.ok_or_else(|| MountError::Busy { user: path.clone() })?;
    let (others, mut dead) = living_but(&users, &path)?;
    dead.extend(was);
    backing.forget(volume.name().as_str(), &dead);
    let subject = subject(volume, record);
    let mounted = if others > 0 && is_mounted(&data)? {
        backing.join(subject, &claim.id)
    } else {
        unmount(&data).and_then(|()| backing.mount(subject, (&claim.id, resolve)))
    };
    if let Err(e) = mounted {
        let _ = fs::remove_file(&path);
        return Err(e.into());
    }
    let passing = others == 0 && backing.is_in_memory();
    Ok(Some(Mounted { name: record.name.clone(), claim, backing, passing }))
}

/// `Mounted::release` for who holds the volume's lock.
pub(super) fn release_locked(
    volume: &LockedVolume,
    mounted: Option<Mounted>,
) -> Result<(), VolumeError> {
    let Some(mounted) = mounted else { return Ok(()) };
    let claim = &mounted.claim;
    let users = volume.directory().join("mounts");
    let (others, dead) = living_but(&users, &claim.path)?;
    let name = mounted.name.as_str();
    if others == 0 {
        // Before the driver hears of it: a plugin cannot undo what we have a clone of.
        unmount(&volume.data_path())?;
    }
    mounted.backing.forget(name, &dead);
    let told = mounted.backing.leave(name, &claim.id);
    match fs::remove_file(&claim.path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            return Err(StoreError::io("unlink", &claim.path, e).into());
        }
        _ => {}
    }
    Ok(told?)
}

/// Undoes a mount whose users all died, before the volume is removed (V8.02). The driver is not
/// told yet: this is under the store's lock.
pub(super) fn unmount_stale(volume: &Path) -> Result<(), VolumeError> {
    let data = volume.join("_data");
    let users = volume.join("mounts");
    if users_of(&users)?.iter().any(|user| user.lives) {
        return Err(MountError::Busy { user: users }.into());
    }
    Ok(unmount(&data)?)
}

/// What the driver knows of users that are gone: all of a volume that is being removed.
pub(super) fn left_over(volume: &Path) -> Result<Vec<String>, StoreError> {
    let ids = users_of(&volume.join("mounts"))?.into_iter().map(|user| user.id);
    Ok(ids.filter(|id| !id.is_empty()).collect())
}

/// A user's file, locked as long as this is held.
#[derive(Debug)]
struct Claim {
    path: PathBuf,
    /// What the driver knows the user by: 64 hexadecimal digits (V9.06).
    id: String,
    _alive: File,
}

impl Claim {
    /// Claims the file for `user`, and what a dead user of that name was known by. `None` if it
    /// is locked by one who lives.
    fn take(path: &Path, user: &str) -> Result<Option<(Self, Option<String>)>, StoreError> {
        let Some(mut file) = lock_user(path)? else { return Ok(None) };
        let was = read_id(&mut file);
        let is_id = user.len() == 64 && user.bytes().all(|b| b.is_ascii_hexdigit());
        // A passing use has a name that says what it is, and an id of its own each time.
        let id = if is_id { user.to_owned() } else { random_hex::<32>()? };
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(id.as_bytes()))
            .map_err(|e| StoreError::io("write", path, e))?;
        Ok(Some((Self { path: path.into(), id, _alive: file }, was)))
    }
}

fn read_id(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.take(64).read_to_string(&mut text).ok()?;
    (text.len() == 64).then_some(text)
}

/// Makes the file of a user and locks it; `None` if it is locked by one who lives.
fn lock_user(path: &Path) -> Result<Option<File>, StoreError> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .map_err(|e| StoreError::io("open", path, e))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(e) => Err(StoreError::io("flock", path, e)),
    }
}

/// A file in `mounts/`.
struct User {
    path: PathBuf,
    lives: bool,
    /// What the driver knows a dead one by; empty for one that died before it was told.
    id: String,
}

fn users_of(users: &Path) -> Result<Vec<User>, StoreError> {
    let entries = match fs::read_dir(users) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(StoreError::io("open", users, e)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| StoreError::io("getdents64", users, e))?.path();
        let (lives, id) = match lock_user(&path)? {
            Some(mut file) => (false, read_id(&mut file).unwrap_or_default()),
            None => (true, String::new()),
        };
        found.push(User { path, lives, id });
    }
    Ok(found)
}

/// How many users live beside `own`, and what the dead were known by; their files are removed.
fn living_but(users: &Path, own: &Path) -> Result<(usize, Vec<String>), StoreError> {
    let (living, dead): (Vec<_>, Vec<_>) =
        users_of(users)?.into_iter().filter(|user| user.path != own).partition(|user| user.lives);
    for user in &dead {
        fs::remove_file(&user.path).map_err(|e| StoreError::io("unlink", &user.path, e))?;
    }
    let ids = dead.into_iter().map(|user| user.id).filter(|id| !id.is_empty());
    Ok((living.len(), ids.collect()))
}

/// Is something mounted at `path`? Kernel 5.8.
fn is_mounted(path: &Path) -> Result<bool, MountError> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    match rustix::fs::statx(CWD, path, flags, StatxFlags::TYPE) {
        Ok(seen) => Ok(seen.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)),
        Err(Errno::NOENT) => Ok(false),
        // The program behind a FUSE mount is gone.
        Err(Errno::NOTCONN) => Ok(true),
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
