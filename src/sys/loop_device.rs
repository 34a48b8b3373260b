//! Loop devices: a regular file as a block device.
//!
//! Who attaches the same file twice gets the same device: two devices on one image would be two
//! caches that overwrite each other. Not here: mounting it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

use rustix::fs::{FlockOperation, OFlags};

/// Can the device be written?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopAccess {
    /// Read and write.
    ReadWrite,
    /// Read only.
    ReadOnly,
}

/// A loop device that is attached as long as this, or a mount of it, is there (autoclear).
#[derive(Debug)]
pub struct LoopDevice {
    /// The device's path, for the mount's source.
    pub path: PathBuf,
    _open: File,
}

/// Attaches `image`, or finds the device that it is attached to already.
///
/// The image's lock (flock) is held meanwhile, on a description of its own: the device keeps
/// the other one open.
pub fn attach(image: &std::path::Path, access: LoopAccess) -> io::Result<LoopDevice> {
    let turn = File::open(image)?;
    rustix::io::retry_on_intr(|| rustix::fs::flock(&turn, FlockOperation::LockExclusive))?;
    let backing = File::options().read(true).write(access == LoopAccess::ReadWrite).open(image)?;
    let id = backing.metadata()?;
    if let Some(device) = find(id.dev(), id.ino())? {
        return Ok(device);
    }
    let control = File::options().read(true).write(true).open("/dev/loop-control")?;
    // Another program may take the number between the two calls: EBUSY, and again.
    for _ in 0..64 {
        let number = free_number(control.as_fd())?;
        let path = PathBuf::from(format!("/dev/loop{number}"));
        let device = open_device(&path, access)?;
        match configure(device.as_fd(), backing.as_fd(), access) {
            Ok(()) => return Ok(LoopDevice { path, _open: device }),
            Err(e) if e.raw_os_error() == Some(libc::EBUSY) => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::from_raw_os_error(libc::EBUSY))
}

/// The attached device whose file is (dev, ino).
fn find(dev: u64, ino: u64) -> io::Result<Option<LoopDevice>> {
    for entry in std::fs::read_dir("/sys/block")? {
        let name = entry?.file_name();
        let attached = name.as_encoded_bytes().starts_with(b"loop")
            && std::path::Path::new("/sys/block").join(&name).join("loop").exists();
        if !attached {
            continue;
        }
        let path = PathBuf::from("/dev").join(&name);
        // Opened before it is asked: an open device is not cleared under us.
        let Ok(device) = open_device(&path, LoopAccess::ReadOnly) else { continue };
        if backing_file(device.as_fd()).is_some_and(|id| id == (dev, ino)) {
            return Ok(Some(LoopDevice { path, _open: device }));
        }
    }
    Ok(None)
}

/// Opens a loop device and makes sure that it is one: major number 7.
fn open_device(path: &std::path::Path, access: LoopAccess) -> io::Result<File> {
    const LOOP_MAJOR: u32 = 7;
    let flags = match access {
        LoopAccess::ReadWrite => OFlags::RDWR,
        LoopAccess::ReadOnly => OFlags::RDONLY,
    } | OFlags::CLOEXEC
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK;
    let device = File::from(rustix::fs::open(path, flags, rustix::fs::Mode::empty())?);
    let seen = device.metadata()?;
    if !seen.file_type().is_block_device() || rustix::fs::major(seen.rdev()) != LOOP_MAJOR {
        return Err(io::Error::from_raw_os_error(libc::ENOTBLK));
    }
    Ok(device)
}

const LOOP_CONFIGURE: libc::c_ulong = 0x4C0A;
const LOOP_GET_STATUS64: libc::c_ulong = 0x4C05;
const LOOP_CTL_GET_FREE: libc::c_ulong = 0x4C82;
const LO_FLAGS_READ_ONLY: u32 = 1;
const LO_FLAGS_AUTOCLEAR: u32 = 4;

/// `struct loop_info64` of linux/loop.h.
#[repr(C)]
#[derive(Clone, Copy)]
struct LoopInfo {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

impl LoopInfo {
    const EMPTY: Self = Self {
        device: 0,
        inode: 0,
        rdevice: 0,
        offset: 0,
        size_limit: 0,
        number: 0,
        encrypt_type: 0,
        encrypt_key_size: 0,
        flags: 0,
        file_name: [0; 64],
        crypt_name: [0; 64],
        encrypt_key: [0; 32],
        init: [0; 2],
    };
}

/// `struct loop_config` of linux/loop.h.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

fn free_number(control: BorrowedFd<'_>) -> io::Result<i32> {
    // SAFETY: the request takes no argument and returns the number.
    let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE as _) };
    if number < 0 { Err(io::Error::last_os_error()) } else { Ok(number) }
}

/// Attaches a file in one call. Kernel 5.8.
fn configure(
    device: BorrowedFd<'_>,
    backing: BorrowedFd<'_>,
    access: LoopAccess,
) -> io::Result<()> {
    let read_only = match access {
        LoopAccess::ReadOnly => LO_FLAGS_READ_ONLY,
        LoopAccess::ReadWrite => 0,
    };
    let config = LoopConfig {
        fd: backing.as_raw_fd().unsigned_abs(),
        block_size: 0,
        info: LoopInfo { flags: LO_FLAGS_AUTOCLEAR | read_only, ..LoopInfo::EMPTY },
        reserved: [0; 8],
    };
    // SAFETY: the request reads one `struct loop_config`, which `config` is laid out as.
    let done = unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE as _, &raw const config) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The (dev, ino) of the file that a device is attached to from its first byte on.
///
/// `lo_device` has the layout of st_dev.
fn backing_file(device: BorrowedFd<'_>) -> Option<(u64, u64)> {
    let mut info = LoopInfo::EMPTY;
    // SAFETY: the request writes one `struct loop_info64`, which `info` is laid out as.
    let done = unsafe { libc::ioctl(device.as_raw_fd(), LOOP_GET_STATUS64 as _, &raw mut info) };
    (done == 0 && info.offset == 0).then_some((info.device, info.inode))
}
