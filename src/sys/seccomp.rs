//! seccomp(2).
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// SECCOMP_FILTER_FLAG_NEW_LISTENER: the call returns a descriptor for notifications.
pub const NEW_LISTENER: u32 = 1 << 3;

/// Loads a filter for the calling thread; with [`NEW_LISTENER`] the listener is returned.
///
/// Needs CAP_SYS_ADMIN in the user namespace, or no_new_privs. A positive answer without
/// NEW_LISTENER is the id of a thread that could not be brought to the filter (TSYNC).
pub fn load_filter(filter: &[libc::sock_filter], flags: u32) -> io::Result<Option<OwnedFd>> {
    // BPF_MAXINSNS is 4096, so that a longer filter is refused by the kernel, not cut off here.
    let len = u16::try_from(filter.len()).unwrap_or(u16::MAX);
    let program = libc::sock_fprog { len, filter: filter.as_ptr().cast_mut() };
    // SAFETY: `program` and the filter it points to live across the call, which only reads them.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            std::ptr::from_ref(&program),
        )
    };
    match answer {
        0 if flags & NEW_LISTENER == 0 => Ok(None),
        number if number >= 0 && flags & NEW_LISTENER != 0 => {
            let number = i32::try_from(number).map_err(|_| io::ErrorKind::InvalidData)?;
            // SAFETY: the kernel just made this descriptor for us; nobody else knows it.
            Ok(Some(unsafe { OwnedFd::from_raw_fd(number) }))
        }
        number if number > 0 => Err(io::Error::from_raw_os_error(libc::ESRCH)),
        _ => Err(io::Error::last_os_error()),
    }
}
