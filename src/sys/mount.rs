//! The descriptor-based mount API: trees are made, changed while detached, then attached.
//!
//! Linux 5.2 (fsopen, open_tree, move_mount), 5.12 (mount_setattr).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
};

use super::{Errno, Result, answer};

/// Does an operation reach the mounts below, too?
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum Recursion {
    /// Only the mount itself.
    TopOnly,
    /// Also every mount below it (AT_RECURSIVE).
    Recursive,
}

/// Copies the mount tree that `directory`/`path` leads to, detached: open_tree(OPEN_TREE_CLONE).
pub fn clone_tree(directory: impl AsFd, path: &Path, recursion: Recursion) -> Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursion == Recursion::Recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(directory, path, flags)
}

/// Copies the mount tree at the place that `place` is open on, detached.
pub fn clone_tree_at(place: impl AsFd, recursion: Recursion) -> Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    if recursion == Recursion::Recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(place, "", flags)
}

/// Opens what `path` leads to on the host as a place, as [`clone_tree`] would find it: unlike
/// open(2) with O_PATH this triggers an automount.
pub fn open_tree(path: &Path) -> Result<OwnedFd> {
    rustix::mount::open_tree(CWD, path, OpenTreeFlags::OPEN_TREE_CLOEXEC)
}

/// Attaches a detached tree to a pinned place: move_mount, both ends descriptors.
pub fn attach(tree: impl AsFd, place: impl AsFd) -> Result<()> {
    rustix::mount::move_mount(
        tree,
        "",
        place,
        "",
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH,
    )
}

/// A context for a new mount of the file system `kind`.
pub fn fsopen(kind: &str) -> Result<OwnedFd> {
    rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)
}

/// Sets `key` to `value` (FSCONFIG_SET_STRING).
pub fn fsconfig_string(context: impl AsFd, key: &str, value: &str) -> Result<()> {
    rustix::mount::fsconfig_set_string(context, key, value)
}

/// Sets the flag `key` (FSCONFIG_SET_FLAG).
pub fn fsconfig_flag(context: impl AsFd, key: &str) -> Result<()> {
    rustix::mount::fsconfig_set_flag(context, key)
}

/// Sets `key` to what `value` is open on (FSCONFIG_SET_FD).
pub fn fsconfig_fd(context: impl AsFd, key: &str, value: impl AsFd) -> Result<()> {
    rustix::mount::fsconfig_set_fd(context, key, value)
}

/// Makes the file system (FSCONFIG_CMD_CREATE).
pub fn fsconfig_create(context: impl AsFd) -> Result<()> {
    rustix::mount::fsconfig_create(context)
}

/// A detached mount of the file system, with `attributes` (MOUNT_ATTR_*) from the start.
pub fn fsmount(context: impl AsFd, attributes: u64) -> Result<OwnedFd> {
    let attributes = u32::try_from(attributes).map_err(|_| Errno::INVAL)?;
    rustix::mount::fsmount(
        context,
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::from_bits_retain(attributes),
    )
}

/// Reads the kernel's messages on an fsopen context, newest last.
///
/// Linux 5.2: each read gives one message such as `e tmpfs: Unknown parameter 'sise'`, and
/// ENODATA when there is none left.
pub fn kernel_words(context: impl AsFd) -> Vec<u8> {
    let mut words = Vec::new();
    let mut line = [0u8; 256];
    while let Ok(length) = rustix::io::read(&context, &mut line) {
        if length == 0 {
            break;
        }
        words = line[..length].to_vec();
    }
    while words.last().is_some_and(u8::is_ascii_whitespace) {
        words.pop();
    }
    words
}

/// A change of mount attributes, as mount_setattr(2) takes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AttributeChange<'a> {
    /// MOUNT_ATTR_* to set.
    pub set: u64,
    /// MOUNT_ATTR_* to clear.
    pub clear: u64,
    /// MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE or 0.
    pub propagation: u64,
    /// The user namespace whose mapping becomes the mount's.
    pub idmap: Option<UserNamespace<'a>>,
}

/// A borrowed descriptor of a user namespace.
#[derive(Debug, Clone, Copy)]
pub struct UserNamespace<'a>(pub BorrowedFd<'a>);

impl PartialEq for UserNamespace<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_raw_fd() == other.0.as_raw_fd()
    }
}

impl Eq for UserNamespace<'_> {}

/// MOUNT_ATTR_IDMAP (Linux 5.12).
pub const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;

/// Changes the attributes of what `tree` is open on: mount_setattr(2), Linux 5.12.
pub fn set_attributes(
    tree: impl AsFd,
    change: AttributeChange<'_>,
    recursion: Recursion,
) -> Result<()> {
    let (idmap_flag, userns_fd) = match change.idmap {
        // The kernel takes the descriptor's number as a u64.
        Some(user) => (MOUNT_ATTR_IDMAP, u64::from(user.0.as_raw_fd().unsigned_abs())),
        None => (0, 0),
    };
    let attributes = libc::mount_attr {
        attr_set: change.set | idmap_flag,
        attr_clr: change.clear,
        propagation: change.propagation,
        userns_fd,
    };
    let recursive = match recursion {
        Recursion::Recursive => libc::AT_RECURSIVE,
        Recursion::TopOnly => 0,
    };
    // SAFETY: the path is a constant C string, the struct outlives the call and its size is given.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | recursive,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    answer(returned).map(drop)
}

/// Asks whether mount_setattr exists, without changing anything.
pub fn has_mount_setattr() -> bool {
    // SAFETY: a null struct of size 0 is refused before it is read: EINVAL where the call exists.
    let returned = unsafe {
        libc::syscall(libc::SYS_mount_setattr, -1, c"".as_ptr(), 0, std::ptr::null::<u8>(), 0)
    };
    answer(returned) != Err(Errno::NOSYS)
}

/// Makes the mount that the working directory is on the root, with the old root on top of it.
///
/// pivot_root(2): with "." twice no directory for the old root is needed.
pub fn pivot_root_here() -> Result<()> {
    rustix::process::pivot_root(".", ".")
}

/// Detaches the mount tree on top of the working directory: umount2(MNT_DETACH).
pub fn detach_here() -> Result<()> {
    rustix::mount::unmount(".", UnmountFlags::DETACH)
}

/// Opens `/` as a place to mount on.
pub fn open_root_place() -> Result<OwnedFd> {
    super::path::open_place(CWD, Path::new("/"))
}
