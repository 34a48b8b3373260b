//! seccomp(2).
#![allow(unsafe_code)]

use std::os::fd::{FromRawFd, OwnedFd};

use super::{Errno, Result};

/// SECCOMP_FILTER_FLAG_NEW_LISTENER: the call returns a descriptor for notifications.
pub const NEW_LISTENER: u32 = 1 << 3;

/// Loads a filter for the calling thread; with [`NEW_LISTENER`] the listener is returned.
///
/// Needs CAP_SYS_ADMIN in the user namespace, or no_new_privs. A positive answer without
/// NEW_LISTENER is the id of a thread that could not be brought to the filter (TSYNC).
///
/// An instruction is a `struct sock_filter`, 8 bytes in this machine's byte order.
pub fn load_filter(filter: &[[u8; 8]], flags: u32) -> Result<Option<OwnedFd>> {
    // BPF_MAXINSNS is 4096, so that a longer filter is refused by the kernel, not cut off here.
    let len = u16::try_from(filter.len()).unwrap_or(u16::MAX);
    let program = libc::sock_fprog { len, filter: filter.as_ptr().cast_mut().cast() };
    // SAFETY: `program` and the filter it points to live across the call, which only reads them.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            std::ptr::from_ref(&program),
        )
    };
    let number = super::answer(answer)?;
    if flags & NEW_LISTENER != 0 {
        let number = i32::try_from(number).map_err(|_| Errno::RANGE)?;
        // SAFETY: the kernel just made this descriptor for us; nobody else knows it.
        return Ok(Some(unsafe { OwnedFd::from_raw_fd(number) }));
    }
    if number == 0 { Ok(None) } else { Err(Errno::SRCH) }
}
