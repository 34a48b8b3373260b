//! Resolving paths: below a root that can never be left, or exactly, without links.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};

use super::{Errno, Result};

/// How often openat2 is asked again after EAGAIN.
///
/// Linux 5.6: with IN_ROOT or BENEATH the walk gives EAGAIN when a rename raced with a `..`.
/// A hostile renamer could keep that up for ever, so there is an end to it.
const RACED_TRIES: u32 = 128;

/// May symbolic links be followed?
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum Links {
    /// Links may lead anywhere inside the root, never out.
    InRoot,
    /// No link at all: for /proc, /sys, /dev and mask targets.
    Refused,
}

fn open(root: impl AsFd, path: &Path, flags: OFlags, resolve: ResolveFlags) -> Result<OwnedFd> {
    let mut tries = 0;
    loop {
        match rustix::fs::openat2(&root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN) if tries < RACED_TRIES => tries += 1,
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

/// Resolves `path` as if `root` were `/`: openat2(RESOLVE_IN_ROOT), Linux 5.6.
///
/// NO_MAGICLINKS: a link such as /proc/self/exe would leave `root` without a path walk.
pub fn open_in_root(root: impl AsFd, path: &Path, links: Links) -> Result<OwnedFd> {
    let mut resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    if links == Links::Refused {
        resolve |= ResolveFlags::NO_SYMLINKS;
    }
    open(root, path, OFlags::PATH, resolve)
}

/// Opens a file below `root` for `flags`, as if `root` were `/`.
pub fn open_file_in_root(root: impl AsFd, path: &Path, flags: OFlags) -> Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    open(root, path, flags | OFlags::NONBLOCK | OFlags::NOCTTY, resolve)
}

/// Opens a file below `directory`, over no link and no mount.
pub fn open_beneath_exact(directory: impl AsFd, path: &Path, flags: OFlags) -> Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    open(directory, path, flags, resolve)
}

/// Opens what `path` leads to on the host as a place (O_PATH), links followed.
pub fn open_place(directory: impl AsFd, path: &Path) -> Result<OwnedFd> {
    rustix::fs::openat(directory, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}

/// Opens one name of `directory` as a place, the name itself even if it is a link.
pub fn open_entry(directory: impl AsFd, name: &OsStr) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::empty())
}

/// What a descriptor is open on, as far as a plan cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// Its type.
    pub kind: FileType,
    /// Permission bits.
    pub mode: u32,
    /// For a device: major and minor number.
    pub device: (u32, u32),
    /// Where it is: device and inode number.
    pub place: (u64, u64),
}

/// Asks what `file` is open on.
pub fn node(file: impl AsFd) -> Result<Node> {
    let seen = rustix::fs::fstat(file)?;
    Ok(Node {
        kind: FileType::from_raw_mode(seen.st_mode),
        mode: seen.st_mode & 0o7777,
        device: (rustix::fs::major(seen.st_rdev), rustix::fs::minor(seen.st_rdev)),
        place: (seen.st_dev, seen.st_ino),
    })
}

/// The magic number of the file system that `file` is on.
pub fn filesystem_magic(file: impl AsFd) -> Result<u64> {
    Ok(rustix::fs::fstatfs(file)?.f_type.unsigned_abs())
}

/// Makes one directory in an opened one; that it exists is fine.
pub fn make_directory(parent: impl AsFd, name: &OsStr, mode: u32) -> Result<()> {
    match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(mode)) {
        Err(Errno::EXIST) => Ok(()),
        other => other,
    }
}

/// Makes one empty regular file in an opened directory.
pub fn make_file(parent: impl AsFd, name: &OsStr, mode: u32) -> Result<()> {
    rustix::fs::mknodat(parent, name, FileType::RegularFile, Mode::from_raw_mode(mode), 0)
}

/// Sets owner and mode of one name that is not a link.
pub fn set_owner_and_mode(
    parent: impl AsFd,
    name: &OsStr,
    (uid, gid): (u32, u32),
    mode: u32,
) -> Result<()> {
    let (uid, gid) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
    rustix::fs::chownat(&parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    rustix::fs::chmodat(&parent, name, Mode::from_raw_mode(mode), AtFlags::empty())
}
