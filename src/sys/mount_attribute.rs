//! mount_setattr(2), which neither rustix nor nix has.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Which mounts of a tree are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The top alone.
    Top,
    /// The whole tree (AT_RECURSIVE).
    Tree,
}

/// What to change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MountAttributes {
    /// MOUNT_ATTR_* to set.
    pub set: u64,
    /// MOUNT_ATTR_* to clear.
    pub clear: u64,
    /// MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE, or 0 for no change.
    pub propagation: u64,
}

/// Changes the mount that `tree` is open on. Kernel 5.12.
pub fn set(tree: BorrowedFd<'_>, reach: Reach, change: MountAttributes) -> io::Result<()> {
    let flags = match reach {
        Reach::Top => libc::AT_EMPTY_PATH,
        Reach::Tree => libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
    };
    let attr = libc::mount_attr {
        attr_set: change.set,
        attr_clr: change.clear,
        propagation: change.propagation,
        userns_fd: 0,
    };
    // SAFETY: the path is an empty C string, and the kernel reads `size_of` bytes of `attr`.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
