//! The requests of loop devices: a regular file as a block device (linux/loop.h).

use std::os::fd::{AsFd, AsRawFd};

use super::{Result, answer};

const LOOP_GET_STATUS64: libc::c_ulong = 0x4C05;
const LOOP_CONFIGURE: libc::c_ulong = 0x4C0A;
const LOOP_CTL_GET_FREE: libc::c_ulong = 0x4C82;

/// The device cannot be written.
pub const LO_FLAGS_READ_ONLY: u32 = 1;
/// The device lets go of its file when its last user is gone.
pub const LO_FLAGS_AUTOCLEAR: u32 = 4;

/// `struct loop_info64`.
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

/// `struct loop_config`.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

/// What a loop device is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopStatus {
    /// The file: device and inode number, as stat(2) has them.
    pub file: (u64, u64),
    /// Where in the file the device begins.
    pub offset: u64,
    /// LO_FLAGS_*.
    pub flags: u32,
}

/// The number of a device that is free at the moment, made if there is none.
pub fn free_number(control: impl AsFd) -> Result<i64> {
    // SAFETY: the request takes no argument and returns the number.
    answer(unsafe { libc::ioctl(control.as_fd().as_raw_fd(), LOOP_CTL_GET_FREE as _, 0) }.into())
}

/// Attaches the file `backing` to `device`, in one call. Linux 5.8. EBUSY: it has one already.
pub fn configure(device: impl AsFd, backing: impl AsFd, flags: u32) -> Result<()> {
    let config = LoopConfig {
        fd: backing.as_fd().as_raw_fd().unsigned_abs(),
        block_size: 0,
        info: LoopInfo { flags, ..LoopInfo::EMPTY },
        reserved: [0; 8],
    };
    let device = device.as_fd().as_raw_fd();
    // SAFETY: the request reads one `struct loop_config`, which `config` is laid out as.
    let returned = unsafe { libc::ioctl(device, LOOP_CONFIGURE as _, &raw const config) };
    answer(returned.into()).map(drop)
}

/// What `device` is attached to. ENXIO: nothing.
pub fn status(device: impl AsFd) -> Result<LoopStatus> {
    let mut info = LoopInfo::EMPTY;
    let device = device.as_fd().as_raw_fd();
    // SAFETY: the request writes one `struct loop_info64`, which `info` is laid out as.
    let returned = unsafe { libc::ioctl(device, LOOP_GET_STATUS64 as _, &raw mut info) };
    answer(returned.into())?;
    Ok(LoopStatus { file: (info.device, info.inode), offset: info.offset, flags: info.flags })
}
