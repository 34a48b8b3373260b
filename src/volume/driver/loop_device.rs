//! An image file as a block device, for as long as it is mounted.
//!
//! Who attaches the same file twice gets the same device: two devices on one image would be two
//! caches that overwrite each other. Every device clears itself with its last user.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::sys::loop_device::{
    LO_FLAGS_AUTOCLEAR, LO_FLAGS_READ_ONLY, configure, free_number, status,
};

/// Can the device be written?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoopAccess {
    ReadWrite,
    ReadOnly,
}

/// A loop device that stays attached as long as this, or a mount of it, is there.
#[derive(Debug)]
pub(super) struct LoopDevice {
    /// The device's path, for the mount's source.
    pub(super) path: PathBuf,
    _open: File,
}

fn failed(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// Attaches `image`, or finds the device that it is attached to already.
pub(super) fn attach(image: &Path, access: LoopAccess) -> Result<LoopDevice, Errno> {
    // One at a time. The lock is on a description of its own: the device keeps the other open.
    let turn = File::open(image).map_err(|e| failed(&e))?;
    rustix::io::retry_on_intr(|| rustix::fs::flock(&turn, FlockOperation::LockExclusive))?;
    let writable = access == LoopAccess::ReadWrite;
    let backing = File::options().read(true).write(writable).open(image).map_err(|e| failed(&e))?;
    let seen = backing.metadata().map_err(|e| failed(&e))?;
    if let Some(device) = find((seen.dev(), seen.ino()), access)? {
        return Ok(device);
    }
    let control = File::options().read(true).write(true).open("/dev/loop-control");
    let control = control.map_err(|e| failed(&e))?;
    let flags = match access {
        LoopAccess::ReadWrite => LO_FLAGS_AUTOCLEAR,
        LoopAccess::ReadOnly => LO_FLAGS_AUTOCLEAR | LO_FLAGS_READ_ONLY,
    };
    // Another program may take the number between the two calls.
    for _ in 0..64 {
        let path = PathBuf::from(format!("/dev/loop{}", free_number(&control)?));
        let device = open_device(&path, access)?;
        match configure(&device, &backing, flags) {
            Ok(()) => return Ok(LoopDevice { path, _open: device }),
            Err(Errno::BUSY) => {}
            Err(e) => return Err(e),
        }
    }
    Err(Errno::BUSY)
}

/// The device that has the file. One that cannot be written is of no use for writing: EROFS.
fn find(file: (u64, u64), access: LoopAccess) -> Result<Option<LoopDevice>, Errno> {
    for entry in std::fs::read_dir("/sys/block").map_err(|e| failed(&e))? {
        let name = entry.map_err(|e| failed(&e))?.file_name();
        let attached = name.as_encoded_bytes().starts_with(b"loop")
            && Path::new("/sys/block").join(&name).join("loop").exists();
        if !attached {
            continue;
        }
        let path = Path::new("/dev").join(&name);
        // Opened before it is asked: an open device is not cleared under us.
        let Ok(device) = open_device(&path, LoopAccess::ReadOnly) else { continue };
        match status(&device) {
            Ok(found) if found.file == file && found.offset == 0 => {
                let read_only = found.flags & LO_FLAGS_READ_ONLY != 0;
                if read_only && access == LoopAccess::ReadWrite {
                    return Err(Errno::ROFS);
                }
                return Ok(Some(LoopDevice { path, _open: device }));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// Opens a loop device and makes sure that it is one.
fn open_device(path: &Path, access: LoopAccess) -> Result<File, Errno> {
    const LOOP_MAJOR: u32 = 7;
    let access = match access {
        LoopAccess::ReadWrite => OFlags::RDWR,
        LoopAccess::ReadOnly => OFlags::RDONLY,
    };
    let flags = access | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let device = rustix::fs::open(path, flags, Mode::empty())?;
    let seen = rustix::fs::fstat(&device)?;
    let is_block =
        rustix::fs::FileType::from_raw_mode(seen.st_mode) == rustix::fs::FileType::BlockDevice;
    if !is_block || rustix::fs::major(seen.st_rdev) != LOOP_MAJOR {
        return Err(Errno::NOTBLK);
    }
    Ok(device.into())
}
