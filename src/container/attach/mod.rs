//! Attaching to a container that another process watches over: a socket in its directory.
//!
//! A packet is a message (`message`). The supervisor's side is `host`, the other one `guest`.

pub mod guest;
pub mod host;
pub mod keys;
mod message;

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

/// The name of the socket in the container's directory.
const SOCKET: &str = "socket";

fn new_socket() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}

/// Two ends that are connected already.
pub fn pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}

/// The address of the socket below `directory`, which must be kept open as long as it is used.
///
/// By the directory's descriptor: an address has 108 bytes at most (unix(7)), a path may have more.
fn address(directory: &File) -> Result<SocketAddrUnix, Errno> {
    SocketAddrUnix::new(format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd()))
}

fn open(directory: &Path) -> Result<File, Errno> {
    File::open(directory).map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))
}
