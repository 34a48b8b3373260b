//! The supervisor's side: who has attached, and what waits for each.
//!
//! A guest that takes nothing holds the container up after `WAITING_BYTES`, as a pipe does that
//! nobody reads; one that goes is forgotten. The log is independent of them.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};

use super::message::{Answer, CHUNK_BYTES, MESSAGE_BYTES, Request};
use super::{SOCKET, address, new_socket, open};
use crate::engine::guests::{Ask, Channel, Guests};

/// As much output waits for one guest before the container is held up.
const WAITING_BYTES: usize = 256 << 10;

/// How many may wait to be let in.
const BACKLOG: i32 = 64;

/// The guests of one container.
#[derive(Debug)]
pub struct Hall {
    listener: OwnedFd,
    guests: Vec<Guest>,
    stay: bool,
}

#[derive(Debug)]
struct Guest {
    socket: OwnedFd,
    role: Role,
    waiting: VecDeque<Vec<u8>>,
    waiting_bytes: usize,
}

/// What a guest wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It has not said yet.
    Unknown,
    /// The output and the end.
    Output,
    /// The end.
    End,
    /// It has been told the end.
    Leaving,
    /// It is gone.
    Gone,
}

impl Hall {
    /// Opens the socket in the container's directory; whatever an earlier supervisor left there
    /// is replaced. `first` is a guest that is connected and attached already.
    pub fn open(directory: &Path, first: Option<OwnedFd>) -> Result<Self, Errno> {
        let directory = open(directory)?;
        match rustix::fs::unlinkat(&directory, SOCKET, rustix::fs::AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(e) => return Err(e),
        }
        let listener = new_socket()?;
        rustix::net::bind(&listener, &address(&directory)?)?;
        rustix::net::listen(&listener, BACKLOG)?;
        let guests = first.into_iter().map(|socket| Guest::new(socket, Role::Output)).collect();
        Ok(Self { listener, guests, stay: false })
    }
}

/// Removes the socket of a container; nobody is let in any more.
pub fn close(directory: &Path) {
    let _ = std::fs::remove_file(directory.join(SOCKET));
}

impl Guest {
    fn new(socket: OwnedFd, role: Role) -> Self {
        Self { socket, role, waiting: VecDeque::new(), waiting_bytes: 0 }
    }

    fn put(&mut self, answer: &Answer) {
        let packet = answer.encode();
        self.waiting_bytes += packet.len();
        self.waiting.push_back(packet);
    }

    fn has_room(&self) -> bool {
        self.waiting_bytes < WAITING_BYTES
    }

    /// Sends what it takes; one that leaves goes when it has been told all.
    fn send(&mut self) {
        while let Some(packet) = self.waiting.front() {
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            match rustix::net::send(&self.socket, packet, flags) {
                Ok(_) => {
                    self.waiting_bytes -= packet.len();
                    self.waiting.pop_front();
                }
                Err(Errno::AGAIN | Errno::INTR) => return,
                Err(_) => return self.forget(),
            }
        }
        if self.role == Role::Leaving {
            self.role = Role::Gone;
        }
    }

    fn forget(&mut self) {
        self.role = Role::Gone;
        self.waiting.clear();
        self.waiting_bytes = 0;
    }

    /// The next message, if one is there.
    fn receive(&mut self, packet: &mut [u8]) -> Option<Request> {
        match rustix::net::recv(&self.socket, &mut *packet, RecvFlags::DONTWAIT) {
            Ok((0, _)) => self.forget(),
            Ok((length, _)) => match Request::decode(&packet[..length]) {
                Some(request) => return Some(request),
                // Who says what nobody understands is not let speak again.
                None => self.forget(),
            },
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.forget(),
        }
        None
    }

    fn wish(&self, input: bool) -> PollFlags {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, input);
        flags.set(PollFlags::OUT, !self.waiting.is_empty());
        flags
    }
}

impl Guests for Hall {
    fn has_room(&self) -> bool {
        self.guests.iter().all(Guest::has_room)
    }

    fn wishes(&self, input: bool) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let listener = (self.listener.as_fd(), PollFlags::IN);
        let guests = self.guests.iter().map(|guest| (guest.socket.as_fd(), guest.wish(input)));
        std::iter::once(listener).chain(guests).collect()
    }

    fn serve(&mut self, ready: &[PollFlags]) -> Vec<Ask> {
        let mut asked = Vec::new();
        let mut packet = Vec::new();
        for (guest, flags) in self.guests.iter_mut().zip(ready.iter().skip(1)) {
            if flags.contains(PollFlags::OUT) {
                guest.send();
            }
            if flags.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                packet.resize(MESSAGE_BYTES, 0);
                match guest.receive(&mut packet) {
                    Some(Request::Attach) => guest.role = Role::Output,
                    Some(Request::Wait) => guest.role = Role::End,
                    Some(Request::Stay) => self.stay = true,
                    Some(Request::Ask(ask)) => asked.push(ask),
                    None => {}
                }
            }
        }
        self.guests.retain(|guest| guest.role != Role::Gone);
        if ready.first().is_some_and(|flags| !flags.is_empty()) {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            if let Ok(socket) = rustix::net::accept_with(&self.listener, flags) {
                self.guests.push(Guest::new(socket, Role::Unknown));
            }
        }
        asked
    }

    fn output(&mut self, channel: Channel, bytes: &[u8]) {
        for guest in self.guests.iter_mut().filter(|guest| guest.role == Role::Output) {
            for chunk in bytes.chunks(CHUNK_BYTES) {
                guest.put(&Answer::Output(channel, chunk.to_vec()));
            }
            guest.send();
        }
    }

    fn ended(&mut self, status: u8) {
        for guest in &mut self.guests {
            if matches!(guest.role, Role::Output | Role::End) {
                guest.put(&Answer::Ended(status));
                guest.role = Role::Leaving;
                guest.send();
            }
        }
        self.guests.retain(|guest| guest.role != Role::Gone);
    }

    fn wants_stay(&self) -> bool {
        self.stay
    }

    fn drop_slow(&mut self) {
        self.guests.retain(Guest::has_room);
    }

    fn is_sending(&self) -> bool {
        self.guests.iter().any(|guest| !guest.waiting.is_empty())
    }
}
