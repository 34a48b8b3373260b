//! A copy of this program in sealed memory, which nobody can change, and which is no file.
//!
//! Whoever shares a pid namespace with us and has CAP_SYS_PTRACE can open what we run through
//! /proc/PID/exe, and write to it as soon as nobody runs it any more (CVE-2019-5736). So before
//! rrun is seen in a pid namespace that others live in, it runs from such a copy.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;

use rustix::fs::{CWD, MemfdFlags, Mode, OFlags, SealFlags};

use super::stub::{StringList, execute};
use super::{Errno, Result};

const SEALS: SealFlags =
    SealFlags::SEAL.union(SealFlags::SHRINK).union(SealFlags::GROW).union(SealFlags::WRITE);

fn own_program() -> Result<OwnedFd> {
    rustix::fs::openat(CWD, c"/proc/self/exe", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// Runs on from a sealed copy of this program: at once if it is one already, else from its
/// beginning, with the same arguments and environment.
pub fn run_sealed() -> Result<()> {
    let program = own_program()?;
    // EINVAL: a file that knows no seals.
    if rustix::fs::fcntl_get_seals(&program).is_ok_and(|seals| seals.contains(SEALS)) {
        return Ok(());
    }
    let copy = sealed_copy(&program)?;
    let text = |text: std::ffi::OsString| CString::new(text.into_vec()).map_err(|_| Errno::INVAL);
    let arguments = std::env::args_os().map(text).collect::<Result<Vec<_>>>()?;
    let environment = std::env::vars_os().map(|(name, value)| {
        let mut variable = name.into_vec();
        variable.push(b'=');
        variable.extend(value.into_vec());
        CString::new(variable).map_err(|_| Errno::INVAL)
    });
    let environment = environment.collect::<Result<Vec<_>>>()?;
    Err(execute(&copy, &StringList::new(arguments), &StringList::new(environment)))
}

fn sealed_copy(program: &OwnedFd) -> Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let copy = rustix::fs::memfd_create("rrun", flags)?;
    let size = usize::try_from(rustix::fs::fstat(program)?.st_size).map_err(|_| Errno::FBIG)?;
    let mut copied = 0;
    while copied < size {
        match rustix::fs::sendfile(&copy, program, None, size - copied)? {
            0 => return Err(Errno::IO),
            more => copied += more,
        }
    }
    rustix::fs::fcntl_add_seals(&copy, SEALS)?;
    Ok(copy)
}
