//! One request of HTTP/1.1 on a connection of its own, within limits of time and of size.
//!
//! The head is read by httparse. The limit of time is for the whole exchange, so that a plugin
//! that sends a byte a second has no more of it than one that is silent.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with,
};
use rustix::time::Timespec;

/// The longest head and the longest body of an answer.
const HEAD_MAX: usize = 16 << 10;
const BODY_MAX: usize = 1 << 20;
const HEADERS_MAX: usize = 64;

/// Where a plugin listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

/// Why there was no answer.
#[derive(Debug)]
pub(super) enum HttpError {
    /// Nobody listens.
    Connect(io::Error),
    /// The time is over.
    Silent,
    /// The connection broke.
    Broken(io::Error),
    /// What came is no answer, or too long.
    Wrong(&'static str),
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Posts `body` to `path` and reads the answer, all within `limit`.
pub(super) fn post(
    endpoint: &Endpoint,
    (path, body): (&str, &[u8]),
    limit: Duration,
) -> Result<Reply, HttpError> {
    let until = Instant::now() + limit;
    let connection = Connection { socket: dial(endpoint, limit)?, until };
    // V9.02. Go's servers want a Host; which is of no meaning on a socket.
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: plugin\r\nUser-Agent: rrun\r\nContent-Length: {}\r\n\
         Accept: application/vnd.docker.plugins.v1.2+json\r\nConnection: close\r\n\r\n",
        body.len()
    );
    connection.send_all(&[head.as_bytes(), body].concat())?;
    Incoming { connection, buffer: Vec::new() }.reply()
}

fn dial(endpoint: &Endpoint, limit: Duration) -> Result<OwnedFd, HttpError> {
    let failed = |e: io::Error| match e.kind() {
        // What a full queue of a listener says after the time that `connect` was given.
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => HttpError::Silent,
        _ => HttpError::Connect(e),
    };
    let socket = match endpoint {
        Endpoint::Unix(path) => dial_unix(path, limit).map_err(failed)?,
        Endpoint::Tcp(address) => {
            TcpStream::connect_timeout(address, limit).map_err(failed)?.into()
        }
    };
    rustix::io::ioctl_fionbio(&socket, true).map_err(|e| HttpError::Broken(e.into()))?;
    Ok(socket)
}

fn dial_unix(path: &Path, limit: Duration) -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // connect(2) waits for a place in the listener's queue; this is its limit, too.
    set_socket_timeout(&socket, Timeout::Send, Some(limit))?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

struct Connection {
    socket: OwnedFd,
    until: Instant,
}

impl Connection {
    /// Waits until the socket is ready, as long as there is time.
    fn wait(&self, events: PollFlags) -> Result<(), HttpError> {
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(HttpError::Silent);
            }
            let limit = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 60, tv_nsec: 0 });
            let fd = self.socket.as_fd();
            match poll(&mut [PollFd::from_borrowed_fd(fd, events)], Some(&limit)) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(e) => return Err(HttpError::Broken(e.into())),
            }
        }
    }

    fn send_all(&self, mut bytes: &[u8]) -> Result<(), HttpError> {
        while !bytes.is_empty() {
            match send(&self.socket, bytes, SendFlags::NOSIGNAL) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(Errno::AGAIN | Errno::INTR) => self.wait(PollFlags::OUT)?,
                // It may have answered already, without reading: the answer tells.
                Err(Errno::PIPE) => return Ok(()),
                Err(e) => return Err(HttpError::Broken(e.into())),
            }
        }
        Ok(())
    }

    fn receive(&self, into: &mut Vec<u8>) -> Result<usize, HttpError> {
        let mut part = [0u8; 16 << 10];
        loop {
            // Before each read: one who always has a byte ready has no more time than others.
            self.wait(PollFlags::IN)?;
            match recv(&self.socket, &mut part, RecvFlags::empty()) {
                Ok((count, _)) => {
                    into.extend_from_slice(&part[..count]);
                    return Ok(count);
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(e) => return Err(HttpError::Broken(e.into())),
            }
        }
    }
}

/// What has come so far.
struct Incoming {
    connection: Connection,
    buffer: Vec<u8>,
}

/// How the end of a body is known.
#[derive(Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    UntilClosed,
}

impl Incoming {
    fn reply(mut self) -> Result<Reply, HttpError> {
        let (status, framing) = loop {
            match head(&self.buffer)? {
                Some((length, status, framing)) => {
                    self.buffer.drain(..length);
                    // 1xx is followed by the answer itself.
                    if status >= 200 {
                        break (status, framing);
                    }
                }
                None if self.buffer.len() > HEAD_MAX => {
                    return Err(HttpError::Wrong("its head is too long"));
                }
                None => self.more()?,
            }
        };
        let body = match framing {
            Framing::Length(length) if length > BODY_MAX => return Err(TOO_LONG),
            Framing::Length(length) => {
                while self.buffer.len() < length {
                    self.more()?;
                }
                self.buffer.truncate(length);
                self.buffer
            }
            Framing::Chunked => self.chunked()?,
            Framing::UntilClosed => {
                while self.connection.receive(&mut self.buffer)? > 0 {
                    if self.buffer.len() > BODY_MAX {
                        return Err(TOO_LONG);
                    }
                }
                self.buffer
            }
        };
        Ok(Reply { status, body })
    }

    fn more(&mut self) -> Result<(), HttpError> {
        match self.connection.receive(&mut self.buffer)? {
            0 if self.buffer.is_empty() => Err(HttpError::Wrong("there is none")),
            0 => Err(HttpError::Wrong("it broke off")),
            _ => Ok(()),
        }
    }

    fn chunked(mut self) -> Result<Vec<u8>, HttpError> {
        const LINE_END: usize = 2;
        let mut body = Vec::new();
        loop {
            let (start, length) = self.chunk_size()?;
            if length == 0 {
                // Trailers, if any, tell nothing that is wanted.
                return Ok(body);
            }
            if body.len().saturating_add(length) > BODY_MAX {
                return Err(TOO_LONG);
            }
            while self.buffer.len() < start + length + LINE_END {
                self.more()?;
            }
            body.extend_from_slice(&self.buffer[start..start + length]);
            if &self.buffer[start + length..][..LINE_END] != b"\r\n" {
                return Err(HttpError::Wrong("a chunk of it is longer than it says"));
            }
            self.buffer.drain(..start + length + LINE_END);
        }
    }

    /// Where the next chunk begins, and how long it is.
    fn chunk_size(&mut self) -> Result<(usize, usize), HttpError> {
        loop {
            match httparse::parse_chunk_size(&self.buffer) {
                Ok(httparse::Status::Complete((start, length))) => {
                    return Ok((start, usize::try_from(length).unwrap_or(usize::MAX)));
                }
                Ok(httparse::Status::Partial) if self.buffer.len() > HEAD_MAX => {
                    return Err(TOO_LONG);
                }
                Ok(httparse::Status::Partial) => self.more()?,
                Err(_) => return Err(HttpError::Wrong("a chunk of it has no size")),
            }
        }
    }
}

const TOO_LONG: HttpError = HttpError::Wrong("it is too long");

/// The length of the head, the status and how the body ends; `None` if the head is not all here.
fn head(bytes: &[u8]) -> Result<Option<(usize, u16, Framing)>, HttpError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(HttpError::Wrong("it is no HTTP")),
    };
    let status = response.code.unwrap_or_default();
    let values = |name: &str| {
        let of_name = |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case(name);
        let text = |header: &httparse::Header<'_>| {
            String::from_utf8_lossy(header.value).trim().to_ascii_lowercase()
        };
        response.headers.iter().filter(of_name).map(text).collect::<Vec<_>>()
    };
    let framing =
        match (values("transfer-encoding").as_slice(), values("content-length").as_slice()) {
            _ if matches!(status, 100..200 | 204 | 304) => Framing::Length(0),
            ([], []) => Framing::UntilClosed,
            ([coding], _) if coding == "chunked" => Framing::Chunked,
            ([], [first, rest @ ..]) if rest.iter().all(|other| other == first) => {
                let digits = !first.is_empty() && first.bytes().all(|b| b.is_ascii_digit());
                let length = if digits { first.parse().ok() } else { None };
                Framing::Length(length.ok_or(HttpError::Wrong("its length is no number"))?)
            }
            _ => return Err(HttpError::Wrong("it has two lengths, or an unknown coding")),
        };
    Ok(Some((length, status, framing)))
}

#[cfg(test)]
mod tests;
