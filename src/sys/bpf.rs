//! bpf(2): loading a device program and attaching it to a cgroup.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// One instruction of eBPF (`struct bpf_insn`).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Operation.
    pub code: u8,
    /// Target register in one half, source in the other: see [`Instruction::new`].
    registers: u8,
    /// Distance of a jump, or offset of a load.
    pub offset: i16,
    /// The constant.
    pub immediate: i32,
}

impl Instruction {
    /// An instruction on the registers `target` and `source`.
    pub const fn new(code: u8, [target, source]: [u8; 2], offset: i16, immediate: i32) -> Self {
        // The two are bit fields, whose order follows that of the bytes.
        let registers = if cfg!(target_endian = "little") {
            source << 4 | target
        } else {
            target << 4 | source
        };
        Self { code, registers, offset, immediate }
    }

    /// The target and source registers.
    pub const fn registers(self) -> [u8; 2] {
        let (low, high) = (self.registers & 15, self.registers >> 4);
        if cfg!(target_endian = "little") { [low, high] } else { [high, low] }
    }
}

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_ATTACH: libc::c_int = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 2;

/// The head of `union bpf_attr` for BPF_PROG_LOAD; the kernel takes the rest as zero.
#[repr(C)]
struct LoadAttributes {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
}

/// The head of `union bpf_attr` for BPF_PROG_ATTACH.
#[repr(C)]
struct AttachAttributes {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
}

/// Loads a program of the type CGROUP_DEVICE. Needs CAP_BPF in the first user namespace.
pub fn load_device_program(program: &[Instruction]) -> io::Result<OwnedFd> {
    let length = u32::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // No helper is called, so the kernel asks for no particular licence.
    let license = c"Apache-2.0";
    let attributes = LoadAttributes {
        prog_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: length,
        insns: program.as_ptr() as u64,
        license: license.as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buf: 0,
        kern_version: 0,
        prog_flags: 0,
    };
    // SAFETY: the attributes and what they point to live across the call, which only reads them.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_LOAD,
            std::ptr::from_ref(&attributes),
            size_of::<LoadAttributes>(),
        )
    };
    let number = i32::try_from(answer).ok().filter(|number| *number >= 0);
    let Some(number) = number else { return Err(io::Error::last_os_error()) };
    // SAFETY: the kernel just made this descriptor for us; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Attaches a device program to a cgroup of v2, beside those that are there: all must agree.
pub fn attach_device_program(cgroup: impl AsFd, program: impl AsFd) -> io::Result<()> {
    let attributes = AttachAttributes {
        target_fd: cgroup.as_fd().as_raw_fd().unsigned_abs(),
        attach_bpf_fd: program.as_fd().as_raw_fd().unsigned_abs(),
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags: BPF_F_ALLOW_MULTI,
    };
    // SAFETY: the attributes live across the call, which only reads them.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_ATTACH,
            std::ptr::from_ref(&attributes),
            size_of::<AttachAttributes>(),
        )
    };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
