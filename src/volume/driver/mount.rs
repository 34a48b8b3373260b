//! Mounting at a volume's `_data` with the descriptor-based mount API: the tree is complete,
//! read-only where it should be, before anyone can see it.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use super::local::MountWish;
use super::loop_device::{self, LoopAccess, LoopDevice};
use crate::sys::mount::{
    AttributeChange, Recursion, attach, clone_tree, fsconfig_create, fsconfig_flag,
    fsconfig_string, fsmount, fsopen, kernel_words, set_attributes,
};

/// A refused mount.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The kernel's answer.
    pub(super) errno: Errno,
    /// What the file system said (the fsopen log).
    pub(super) kernel: Option<String>,
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self { errno, kernel: None }
    }
}

/// Makes the mount and attaches it at `data`.
pub(super) fn mount(wish: &MountWish, data: &Path) -> Result<(), Refusal> {
    if wish.flags & (libc::MS_REMOUNT | libc::MS_MOVE) != 0 {
        return Err(Errno::INVAL.into());
    }
    let place = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = rustix::fs::openat(CWD, data, place, Mode::empty())?;
    let tree = if wish.is_bind() { clone_directory(wish)? } else { make_file_system(wish)? };
    set_propagation(wish, &tree)?;
    Ok(attach(&tree, &place)?)
}

fn recursion(wish: &MountWish) -> Recursion {
    match wish.flags & libc::MS_REC {
        0 => Recursion::TopOnly,
        _ => Recursion::Recursive,
    }
}

fn clone_directory(wish: &MountWish) -> Result<OwnedFd, Refusal> {
    let tree = clone_tree(CWD, Path::new(&wish.source), recursion(wish))?;
    let set = attributes(wish);
    if set != 0 {
        // The top alone: a bind's flags never reached the mounts below with mount(2).
        let change = AttributeChange { set, ..AttributeChange::default() };
        set_attributes(&tree, change, Recursion::TopOnly)?;
    }
    Ok(tree)
}

fn make_file_system(wish: &MountWish) -> Result<OwnedFd, Refusal> {
    let context = fsopen(&wish.fstype)?;
    let device = loop_for(wish)?;
    configure(wish, &context, device.as_ref())
        .and_then(|()| fsconfig_create(&context))
        .and_then(|()| fsmount(&context, attributes(wish)))
        .map_err(|errno| Refusal { errno, kernel: said(&context) })
}

fn configure(
    wish: &MountWish,
    context: &OwnedFd,
    device: Option<&LoopDevice>,
) -> Result<(), Errno> {
    let source = device.map_or_else(|| wish.source.clone().into(), |d| d.path.to_string_lossy());
    if !source.is_empty() {
        fsconfig_string(context, "source", &source)?;
    }
    let of_file_system = [
        (libc::MS_RDONLY, "ro"),
        (libc::MS_SYNCHRONOUS, "sync"),
        (libc::MS_DIRSYNC, "dirsync"),
        (libc::MS_MANDLOCK, "mand"),
    ];
    for (flag, name) in of_file_system {
        if wish.flags & flag != 0 {
            fsconfig_flag(context, name)?;
        }
    }
    for word in &wish.data {
        match word.split_once('=') {
            Some((key, value)) => fsconfig_string(context, key, value)?,
            // mount(8)'s word for what `loop_for` has done.
            None if word == "loop" && device.is_some() => {}
            None => fsconfig_flag(context, word)?,
        }
    }
    Ok(())
}

/// A file system on blocks whose device is a regular file gets a loop device.
fn loop_for(wish: &MountWish) -> Result<Option<LoopDevice>, Errno> {
    let source = Path::new(&wish.source);
    // What is missing is the kernel's to refuse.
    let is_file = std::fs::metadata(source).is_ok_and(|seen| seen.is_file());
    if !is_file || !needs_blocks(&wish.fstype) {
        return Ok(None);
    }
    let access = match wish.flags & libc::MS_RDONLY {
        0 => LoopAccess::ReadWrite,
        _ => LoopAccess::ReadOnly,
    };
    loop_device::attach(source, access).map(Some)
}

/// /proc/filesystems marks the others with `nodev`. It is read after fsopen, which loads modules.
fn needs_blocks(fstype: &str) -> bool {
    std::fs::read_to_string("/proc/filesystems")
        .is_ok_and(|list| list.lines().any(|line| line.strip_prefix('\t') == Some(fstype)))
}

/// MOUNT_ATTR_* for MS_*.
fn attributes(wish: &MountWish) -> u64 {
    let table = [
        (libc::MS_RDONLY, MountAttrFlags::MOUNT_ATTR_RDONLY),
        (libc::MS_NOSUID, MountAttrFlags::MOUNT_ATTR_NOSUID),
        (libc::MS_NODEV, MountAttrFlags::MOUNT_ATTR_NODEV),
        (libc::MS_NOEXEC, MountAttrFlags::MOUNT_ATTR_NOEXEC),
        (libc::MS_NODIRATIME, MountAttrFlags::MOUNT_ATTR_NODIRATIME),
    ];
    let mut set = MountAttrFlags::empty();
    for (flag, attribute) in table {
        if wish.flags & flag != 0 {
            set |= attribute;
        }
    }
    // The atime modes are one field, whose zero is relatime. mount(2) lets strictatime win.
    if wish.flags & libc::MS_STRICTATIME != 0 {
        set |= MountAttrFlags::MOUNT_ATTR_STRICTATIME;
    } else if wish.flags & libc::MS_NOATIME != 0 {
        set |= MountAttrFlags::MOUNT_ATTR_NOATIME;
    }
    set.bits().into()
}

fn set_propagation(wish: &MountWish, tree: &OwnedFd) -> Result<(), Errno> {
    const TYPES: libc::c_ulong =
        libc::MS_PRIVATE | libc::MS_SHARED | libc::MS_SLAVE | libc::MS_UNBINDABLE;
    let propagation = wish.flags & TYPES;
    if propagation == 0 {
        return Ok(());
    }
    let change = AttributeChange { propagation, ..AttributeChange::default() };
    set_attributes(tree, change, recursion(wish))
}

/// The file system's own sentence, without the mark of its level.
fn said(context: &OwnedFd) -> Option<String> {
    let words = String::from_utf8_lossy(&kernel_words(context)).into_owned();
    let words = words.strip_prefix("e ").or(words.strip_prefix("w ")).unwrap_or(&words);
    (!words.is_empty()).then(|| words.to_owned())
}
