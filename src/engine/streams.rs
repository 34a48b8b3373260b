//! The bytes between a container and those outside: flows that never block one another.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::PollFlags;
use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::termios::{LocalModes, SpecialCodeIndex, tcgetattr};

use super::guests::{Ask, Channel, Guests};
use crate::sys::path::node;

/// PIPE_BUF: a pipe that poll calls writable takes so much without blocking (pipe(7)).
const WRITE_BYTES: usize = 4096;

/// As much input as waits for a container that does not read it.
const INPUT_BYTES: usize = 256 << 10;

/// What else sees the bytes of a flow: the log.
pub type Observer = Box<dyn FnMut(&[u8])>;

/// Where the bytes of a flow come from.
enum Origin {
    File(OwnedFd),
    /// Those who attach.
    Guests,
    Over,
}

/// One way that bytes go.
struct Flow {
    from: Origin,
    to: Option<OwnedFd>,
    waiting: VecDeque<u8>,
    observer: Option<Observer>,
    at_end: AtEnd,
    /// The last byte that was read.
    last: u8,
    channel: Channel,
}

/// What the end of the input is for who reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtEnd {
    /// The stream's end.
    Closed,
    /// A terminal has no end, so its end-of-file character is typed.
    Typed,
}

/// The keys that end what is typed at `terminal`; none where a program reads single keys.
fn end_of_input(terminal: &OwnedFd, last: u8) -> Vec<u8> {
    match tcgetattr(terminal) {
        Ok(modes) if modes.local_modes.contains(LocalModes::ICANON) => {
            // The first one only ends a line that has been begun.
            let times = if matches!(last, 0 | b'\n' | b'\r') { 1 } else { 2 };
            vec![modes.special_codes[SpecialCodeIndex::VEOF]; times]
        }
        _ => Vec::new(),
    }
}

impl Flow {
    fn new(from: Origin, to: Option<OwnedFd>) -> Self {
        Self {
            from,
            to,
            waiting: VecDeque::new(),
            observer: None,
            at_end: AtEnd::Closed,
            last: 0,
            channel: Channel::Stdout,
        }
    }

    /// Reads what there is; the end closes the way once all is written. Returns how much came.
    fn read(&mut self, buffer: &mut [u8]) -> usize {
        let Origin::File(from) = &self.from else { return 0 };
        match rustix::io::read(from, &mut *buffer) {
            Ok(0) => {
                self.end();
                0
            }
            Ok(length) => {
                self.last = buffer[length - 1];
                if let Some(observer) = &mut self.observer {
                    observer(&buffer[..length]);
                }
                if self.to.is_some() {
                    self.waiting.extend(&buffer[..length]);
                }
                length
            }
            Err(Errno::AGAIN | Errno::INTR) => 0,
            // EIO is how a terminal says that nobody has its other side open.
            Err(_) => {
                self.from = Origin::Over;
                0
            }
        }
    }

    fn end(&mut self) {
        self.from = Origin::Over;
        if let (AtEnd::Typed, Some(to)) = (self.at_end, &self.to) {
            self.waiting.extend(end_of_input(to, self.last));
        }
    }

    fn write(&mut self) {
        let Some(to) = &self.to else { return self.waiting.clear() };
        let next = self.waiting.as_slices().0;
        match rustix::io::write(to, &next[..next.len().min(WRITE_BYTES)]) {
            Ok(length) => drop(self.waiting.drain(..length)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => {
                // The reader is gone. The container learns it as any writer to a pipe does
                // (SIGPIPE): `rrun run alpine yes | head` must end.
                self.waiting.clear();
                self.from = Origin::Over;
                self.to = None;
            }
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.from, Origin::Over) && self.waiting.is_empty()
    }

    /// What it waits for; nothing to read while those who should get it have no room.
    fn wish(&self, room: bool) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match (self.waiting.is_empty(), &self.from, &self.to) {
            (true, Origin::File(from), _) if room => Some((from.as_fd(), PollFlags::IN)),
            (false, _, Some(to)) => Some((to.as_fd(), PollFlags::OUT)),
            _ => None,
        }
    }
}

/// The streams between those outside and the container.
#[derive(Default)]
pub struct Streams {
    /// To the container: ends with the caller's input.
    inward: Option<Flow>,
    /// From the container: read to their ends.
    outward: Vec<Flow>,
    /// Those who attach.
    guests: Option<Box<dyn Guests>>,
}

/// What came of one turn.
pub struct Turn {
    /// Did nothing happen?
    pub idle: bool,
    /// What the guests ask for.
    pub asked: Vec<Ask>,
}

impl Streams {
    /// The caller's standard input for the container.
    #[must_use]
    pub fn input(mut self, to: OwnedFd) -> Self {
        if let Ok(from) = rustix::stdio::stdin().try_clone_to_owned() {
            self.inward = Some(Flow::new(Origin::File(from), Some(to)));
        }
        self
    }

    /// The caller's standard input for the container's terminal.
    #[must_use]
    pub fn typed(self, to: OwnedFd) -> Self {
        let mut streams = self.input(to);
        if let Some(flow) = &mut streams.inward
            && let Origin::File(from) = &flow.from
        {
            // /dev/null is how a caller says that nobody types: not that it has ended.
            let kind = node(from).ok().map(|node| node.kind);
            if kind.is_some_and(|kind| kind != FileType::CharacterDevice) {
                flow.at_end = AtEnd::Typed;
            }
        }
        streams
    }

    /// What guests type, for the container's standard input or, with `Channel::Terminal`, for its
    /// terminal.
    #[must_use]
    pub fn from_guests(mut self, to: OwnedFd, channel: Channel) -> Self {
        let mut flow = Flow::new(Origin::Guests, Some(to));
        if channel == Channel::Terminal {
            flow.at_end = AtEnd::Typed;
        }
        self.inward = Some(flow);
        self
    }

    /// What the container writes, for the caller's `to`.
    #[must_use]
    pub fn output(mut self, from: OwnedFd, to: BorrowedFd<'_>) -> Self {
        if let Ok(to) = to.try_clone_to_owned() {
            self.outward.push(Flow::new(Origin::File(from), Some(to)));
        }
        self
    }

    /// As [`Streams::output`]; `observer` sees everything that comes.
    #[must_use]
    pub fn observed(mut self, from: OwnedFd, to: BorrowedFd<'_>, observer: Observer) -> Self {
        self = self.output(from, to);
        if let Some(flow) = self.outward.last_mut() {
            flow.observer = Some(observer);
        }
        self
    }

    /// What the container writes, for `observer` and for those who attach.
    #[must_use]
    pub fn kept(mut self, from: OwnedFd, channel: Channel, observer: Observer) -> Self {
        let mut flow = Flow::new(Origin::File(from), None);
        flow.observer = Some(observer);
        flow.channel = channel;
        self.outward.push(flow);
        self
    }

    /// Those who attach.
    #[must_use]
    pub fn with_guests(mut self, guests: Option<Box<dyn Guests>>) -> Self {
        self.guests = guests;
        self
    }

    /// Those who attached, when it is over.
    pub fn take_guests(&mut self) -> Option<Box<dyn Guests>> {
        self.guests.take()
    }

    /// Has all output been passed on?
    pub fn outward_is_over(&self) -> bool {
        self.outward.is_empty()
    }

    /// Does what was read still have to be written to the caller?
    pub fn is_writing(&self) -> bool {
        self.outward.iter().any(|flow| !flow.waiting.is_empty())
    }

    /// Forgets guests that take nothing.
    pub fn drop_slow_guests(&mut self) {
        if let Some(guests) = &mut self.guests {
            guests.drop_slow();
        }
    }

    /// Have the guests taken what came before?
    pub fn has_room(&self) -> bool {
        self.guests.as_ref().is_none_or(|guests| guests.has_room())
    }

    /// Passes no more input on.
    pub fn close_input(&mut self) {
        self.inward = None;
    }

    /// Gives up flows of which nothing is waiting.
    pub fn drop_idle_output(&mut self) {
        self.outward.retain(|flow| !flow.waiting.is_empty());
    }

    /// What all of them wait for, in an order that [`Streams::step`] knows.
    pub fn wishes(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let room = self.has_room();
        let flows = self.inward.iter().map(|flow| flow.wish(true));
        let flows = flows.chain(self.outward.iter().map(|flow| flow.wish(room)));
        let mut wishes: Vec<_> = flows.flatten().collect();
        if let Some(guests) = &self.guests {
            let typed = self.inward.as_ref().map_or(0, |flow| flow.waiting.len());
            wishes.extend(guests.wishes(typed < INPUT_BYTES));
        }
        wishes
    }

    /// Moves bytes where poll said that they can be moved; `ready` answers the wishes.
    pub fn step(&mut self, ready: &[PollFlags], buffer: &mut [u8]) -> Turn {
        let room = self.has_room();
        let idle = room && ready.iter().all(|flags| flags.is_empty());
        let mut ready = ready.iter().copied();
        for (flow, room) in self
            .inward
            .iter_mut()
            .map(|f| (f, true))
            .chain(self.outward.iter_mut().map(|f| (f, room)))
        {
            if flow.wish(room).is_none() {
                continue;
            }
            let flags = ready.next().unwrap_or(PollFlags::empty());
            if flags.is_empty() {
                continue;
            }
            // Never both: that something can be read does not say that anything can be written.
            if !flow.waiting.is_empty() {
                flow.write();
                continue;
            }
            let length = flow.read(buffer);
            if let (Some(guests), true) = (&mut self.guests, length > 0) {
                guests.output(flow.channel, &buffer[..length]);
            }
        }
        let asked = match &mut self.guests {
            Some(guests) => guests.serve(&ready.collect::<Vec<_>>()),
            None => Vec::new(),
        };
        let asked = asked.into_iter().filter_map(|ask| self.fed(ask)).collect();
        if self.inward.as_ref().is_some_and(Flow::is_over) {
            self.inward = None;
        }
        self.outward.retain(|flow| !flow.is_over());
        Turn { idle, asked }
    }

    /// Takes what is for the container's input; the rest is for who watches over it.
    fn fed(&mut self, ask: Ask) -> Option<Ask> {
        let flow = self.inward.as_mut().filter(|flow| matches!(flow.from, Origin::Guests));
        match (ask, flow) {
            (Ask::Input(bytes), Some(flow)) => {
                flow.last = bytes.last().copied().unwrap_or(flow.last);
                flow.waiting.extend(bytes);
                None
            }
            (Ask::InputEnd, Some(flow)) => {
                flow.end();
                None
            }
            (Ask::Input(_) | Ask::InputEnd, None) => None,
            (other, _) => Some(other),
        }
    }
}
