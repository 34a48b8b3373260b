//! One thin, typed function a system call. The only room with `unsafe`.
//!
//! Nothing here decides: no fallback, no retry but the one that the kernel asks for (EINTR,
//! EAGAIN of openat2). Every function returns the kernel's errno and nothing else.

pub mod bpf;
pub mod credentials;
pub mod errno;
pub mod heap;
pub mod loop_device;
pub mod mount;
pub mod namespace;
pub mod network;
pub mod page;
pub mod path;
pub mod process;
pub mod sealed;
pub mod seccomp;
pub mod spawn;
pub mod start;
pub mod stub;
#[cfg(feature = "fault-injection")]
pub mod test_hook;

pub use rustix::io::{Errno, Result};

/// Turns the answer of a raw system call into a result.
fn answer(returned: libc::c_long) -> Result<i64> {
    if returned < 0 {
        let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
        return Err(Errno::from_raw_os_error(errno));
    }
    Ok(returned)
}
