//! Mounting at a volume's `_data` with the descriptor-based mount API: the tree is complete,
//! read-only where it should be, before anyone can see it.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

use super::local::LocalMount;
use crate::sys::loop_device::{self, LoopAccess, LoopDevice};
use crate::sys::mount_attribute::{self, MountAttributes, Reach};

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

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Errno::from_io_error(&error).unwrap_or(Errno::IO).into()
    }
}

/// Makes the mount and attaches it at `data`.
pub(super) fn mount(wish: &LocalMount, data: &Path) -> Result<(), Refusal> {
    if wish.flags & (libc::MS_REMOUNT | libc::MS_MOVE) != 0 {
        return Err(Errno::INVAL.into());
    }
    let place = rustix::fs::openat(
        CWD,
        data,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let tree = if wish.is_bind() { clone_directory(wish)? } else { make_file_system(wish)? };
    set_propagation(wish, &tree)?;
    let both_by_descriptor =
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(&tree, c"", &place, c"", both_by_descriptor)?)
}

fn clone_directory(wish: &LocalMount) -> Result<OwnedFd, Refusal> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if wish.flags & libc::MS_REC != 0 {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    let tree = open_tree(CWD, wish.source.as_str(), flags)?;
    let set = attributes(wish);
    if !set.is_empty() {
        // Without AT_RECURSIVE: a bind's flags are those of its top, as with mount(2).
        let change = MountAttributes { set: set.bits().into(), ..MountAttributes::default() };
        mount_attribute::set(tree.as_fd(), Reach::Top, change)?;
    }
    Ok(tree)
}

fn make_file_system(wish: &LocalMount) -> Result<OwnedFd, Refusal> {
    let context = fsopen(wish.fstype.as_str(), FsOpenFlags::FSOPEN_CLOEXEC)?;
    let device = loop_for(wish)?;
    configure(wish, &context, device.as_ref())
        .and_then(|()| fsconfig_create(&context))
        .and_then(|()| fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes(wish)))
        .map_err(|errno| Refusal { errno, kernel: kernel_words(&context) })
}

fn configure(
    wish: &LocalMount,
    context: &OwnedFd,
    device: Option<&LoopDevice>,
) -> Result<(), Errno> {
    match device {
        Some(device) => fsconfig_set_string(context, "source", &device.path)?,
        None if wish.source.is_empty() => {}
        None => fsconfig_set_string(context, "source", wish.source.as_str())?,
    }
    let of_file_system = [
        (libc::MS_RDONLY, "ro"),
        (libc::MS_SYNCHRONOUS, "sync"),
        (libc::MS_DIRSYNC, "dirsync"),
        (libc::MS_MANDLOCK, "mand"),
    ];
    for (flag, name) in of_file_system {
        if wish.flags & flag != 0 {
            fsconfig_set_flag(context, name)?;
        }
    }
    for word in &wish.data {
        match word.split_once('=') {
            Some((key, value)) => fsconfig_set_string(context, key, value)?,
            // mount(8)'s word for what is done below.
            None if word == "loop" && device.is_some() => {}
            None => fsconfig_set_flag(context, word.as_str())?,
        }
    }
    Ok(())
}

/// A file system on blocks whose device is a regular file gets a loop device.
fn loop_for(wish: &LocalMount) -> Result<Option<LoopDevice>, Refusal> {
    let source = Path::new(&wish.source);
    let Ok(seen) = std::fs::metadata(source) else { return Ok(None) };
    if !seen.is_file() || seen.file_type().is_block_device() || !needs_blocks(&wish.fstype) {
        return Ok(None);
    }
    let access = match wish.flags & libc::MS_RDONLY {
        0 => LoopAccess::ReadWrite,
        _ => LoopAccess::ReadOnly,
    };
    Ok(Some(loop_device::attach(source, access)?))
}

/// /proc/filesystems marks the others with `nodev`. It is read after fsopen, which loads modules.
fn needs_blocks(fstype: &str) -> bool {
    std::fs::read_to_string("/proc/filesystems")
        .is_ok_and(|list| list.lines().any(|line| line.strip_prefix('\t') == Some(fstype)))
}

fn attributes(wish: &LocalMount) -> MountAttrFlags {
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
    // The three atime modes are one field; relatime is its zero. mount(2) lets strictatime win.
    if wish.flags & libc::MS_STRICTATIME != 0 {
        set |= MountAttrFlags::MOUNT_ATTR_STRICTATIME;
    } else if wish.flags & libc::MS_NOATIME != 0 {
        set |= MountAttrFlags::MOUNT_ATTR_NOATIME;
    }
    set
}

fn set_propagation(wish: &LocalMount, tree: &OwnedFd) -> Result<(), Refusal> {
    const TYPES: libc::c_ulong =
        libc::MS_PRIVATE | libc::MS_SHARED | libc::MS_SLAVE | libc::MS_UNBINDABLE;
    let propagation = wish.flags & TYPES;
    if propagation == 0 {
        return Ok(());
    }
    let reach = if wish.flags & libc::MS_REC != 0 { Reach::Tree } else { Reach::Top };
    let change = MountAttributes { propagation, ..MountAttributes::default() };
    Ok(mount_attribute::set(tree.as_fd(), reach, change)?)
}

/// What the kernel wrote about the refusal: lines such as `e tmpfs: Unknown parameter 'sise'`.
fn kernel_words(context: &OwnedFd) -> Option<String> {
    let mut words = Vec::new();
    let mut line = [0u8; 1024];
    while let Ok(length) = rustix::io::read(context, &mut line) {
        let text = String::from_utf8_lossy(&line[..length]);
        let text = text.trim_end();
        words.push(text.strip_prefix("e ").or(text.strip_prefix("w ")).unwrap_or(text).to_owned());
        if length == 0 || words.len() == 8 {
            break;
        }
    }
    words.retain(|word| !word.is_empty());
    (!words.is_empty()).then(|| words.join("; "))
}
