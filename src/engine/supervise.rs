//! Watching over a container in the foreground: its end, signals for it, bytes to and from it.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::termios::{LocalModes, SpecialCodeIndex, tcgetattr};

use super::signals::Signals;
use super::spawn::Running;
use super::terminal::Terminal;
use crate::sys::path::node;
use crate::sys::process::{send_signal, wait};

/// How many ^C end rrun and its container.
const INTERRUPTS_TO_END: u32 = 3;
/// PIPE_BUF: a pipe that poll calls writable takes so much without blocking (pipe(7)).
const WRITE_BYTES: usize = 4096;
/// As much as is read before it has to be written.
const BUFFER_BYTES: usize = 64 << 10;

/// What else sees the bytes of a flow: the log.
pub type Observer = Box<dyn FnMut(&[u8])>;

/// One way that bytes go.
struct Flow {
    from: Option<OwnedFd>,
    to: Option<OwnedFd>,
    waiting: VecDeque<u8>,
    observer: Option<Observer>,
    at_end: AtEnd,
    /// The last byte that was read.
    last: u8,
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
    fn new(from: OwnedFd, to: OwnedFd) -> Self {
        let waiting = VecDeque::new();
        Self {
            from: Some(from),
            to: Some(to),
            waiting,
            observer: None,
            at_end: AtEnd::Closed,
            last: 0,
        }
    }

    /// Reads what there is; the end closes the way once all is written.
    fn read(&mut self, buffer: &mut [u8]) {
        let Some(from) = &self.from else { return };
        match rustix::io::read(from, &mut *buffer) {
            Ok(0) => {
                self.from = None;
                if let (AtEnd::Typed, Some(to)) = (self.at_end, &self.to) {
                    self.waiting.extend(end_of_input(to, self.last));
                }
            }
            Ok(length) => {
                self.last = buffer[length - 1];
                if let Some(observer) = &mut self.observer {
                    observer(&buffer[..length]);
                }
                self.waiting.extend(&buffer[..length]);
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            // EIO is how a terminal says that nobody has its other side open.
            Err(_) => self.from = None,
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
                self.from = None;
                self.to = None;
            }
        }
    }

    fn is_over(&self) -> bool {
        self.from.is_none() && self.waiting.is_empty()
    }
}

/// The streams between the caller and the container.
#[derive(Default)]
pub struct Streams {
    /// To the container: ends with the caller's input.
    inward: Option<Flow>,
    /// From the container: read to their ends.
    outward: Vec<Flow>,
}

impl Streams {
    /// The caller's standard input for the container.
    #[must_use]
    pub fn input(mut self, to: OwnedFd) -> Self {
        if let Ok(from) = rustix::stdio::stdin().try_clone_to_owned() {
            self.inward = Some(Flow::new(from, to));
        }
        self
    }

    /// The caller's standard input for the container's terminal.
    #[must_use]
    pub fn typed(self, to: OwnedFd) -> Self {
        let mut streams = self.input(to);
        if let Some(flow) = &mut streams.inward {
            // /dev/null is how a caller says that nobody types: not that it has ended.
            let kind = flow.from.as_ref().and_then(|from| node(from).ok()).map(|node| node.kind);
            if kind.is_some_and(|kind| kind != FileType::CharacterDevice) {
                flow.at_end = AtEnd::Typed;
            }
        }
        streams
    }

    /// What the container writes, for the caller's `to`.
    #[must_use]
    pub fn output(mut self, from: OwnedFd, to: BorrowedFd<'_>) -> Self {
        if let Ok(to) = to.try_clone_to_owned() {
            self.outward.push(Flow::new(from, to));
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

    fn step(&mut self, ready: &[PollFlags], buffer: &mut [u8]) {
        let mut ready = ready.iter();
        let mut serve = |flow: &mut Flow| {
            let flags = ready.next().copied().unwrap_or(PollFlags::empty());
            if flags.is_empty() {
                return;
            }
            // Never both: that something can be read does not say that anything can be written.
            if flow.waiting.is_empty() {
                flow.read(buffer);
            } else {
                flow.write();
            }
        };
        self.inward.iter_mut().for_each(&mut serve);
        self.outward.iter_mut().for_each(&mut serve);
        if self.inward.as_ref().is_some_and(Flow::is_over) {
            self.inward = None;
        }
        self.outward.retain(|flow| !flow.is_over());
    }

    fn wishes(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        self.inward.iter().chain(&self.outward).filter_map(|flow| {
            match (flow.waiting.is_empty(), &flow.from, &flow.to) {
                (true, Some(from), _) => Some((from.as_fd(), PollFlags::IN)),
                (false, _, Some(to)) => Some((to.as_fd(), PollFlags::OUT)),
                _ => None,
            }
        })
    }
}

/// Watches until the container's process has ended and its output is written; returns its wait
/// status.
pub fn supervise(
    running: &Running,
    signals: &mut Signals,
    mut streams: Streams,
    terminal: Option<&Terminal>,
) -> Result<i32, Errno> {
    if let (Some(outer), Some(inner)) = (terminal, &running.terminal) {
        outer.set_raw();
        outer.copy_size(inner);
    }
    let mut buffer = vec![0; if streams.outward.is_empty() { 0 } else { BUFFER_BYTES }];
    let mut ended = None;
    let mut interrupts = 0;
    loop {
        if ended.is_some() && streams.outward.is_empty() {
            return wait(running.pid);
        }
        let (child_ended, signalled, ready) =
            wait_for_something(running, signals, &streams, ended)?;
        if child_ended {
            ended = Some(());
        }
        if signalled {
            while let Some(signal) = signals.take() {
                handle(signal, running, &mut interrupts, (signals, terminal));
            }
        }
        streams.step(&ready, &mut buffer);
        if ended.is_some() {
            streams.inward = None;
        }
        if ended.is_some() && ready.iter().all(|flags| flags.is_empty()) {
            // What still holds the pipes is no process of the container's any more, or one that
            // the kernel is about to end with its pid namespace.
            streams.outward.retain(|flow| !flow.waiting.is_empty());
        }
    }
}

type Events = (bool, bool, Vec<PollFlags>);

fn wait_for_something(
    running: &Running,
    signals: &Signals,
    streams: &Streams,
    ended: Option<()>,
) -> Result<Events, Errno> {
    let wishes: Vec<_> = streams.wishes().collect();
    let mut files = Vec::with_capacity(wishes.len() + 2);
    files.push(PollFd::new(signals, PollFlags::IN));
    if ended.is_none() {
        files.push(PollFd::new(&running.pidfd, PollFlags::IN));
    }
    let first = files.len();
    files.extend(wishes.iter().map(|(file, flags)| PollFd::new(file, *flags)));
    let at_once = rustix::time::Timespec::default();
    // What is read already has to be written, however long that takes.
    let writing = streams.outward.iter().any(|flow| !flow.waiting.is_empty());
    let limit = ended.filter(|()| !writing).map(|()| &at_once);
    match poll(&mut files, limit) {
        Err(Errno::INTR) => return Ok((false, false, Vec::new())),
        other => other?,
    };
    let signalled = !files[0].revents().is_empty();
    let child_ended = ended.is_none() && !files[1].revents().is_empty();
    Ok((child_ended, signalled, files[first..].iter().map(PollFd::revents).collect()))
}

fn handle(
    number: i32,
    running: &Running,
    interrupts: &mut u32,
    (signals, terminal): (&Signals, Option<&Terminal>),
) {
    match number {
        libc::SIGCHLD | libc::SIGPIPE | libc::SIGURG => {}
        libc::SIGWINCH => resize(running, terminal),
        libc::SIGTSTP => {
            if let Some(terminal) = terminal {
                terminal.restore();
            }
            signals.stop_here();
            go_on(running, terminal);
        }
        libc::SIGCONT => go_on(running, terminal),
        // The caller's terminal is gone, and nobody can reach the container any more. Its first
        // process would ignore the signal.
        libc::SIGHUP if terminal.is_some() => {
            let _ = send_signal(&running.pidfd, libc::SIGKILL);
        }
        _ => {
            *interrupts += u32::from(number == libc::SIGINT);
            let number = if *interrupts >= INTERRUPTS_TO_END { libc::SIGKILL } else { number };
            // ESRCH: it has ended already, which its pidfd will say.
            let _ = send_signal(&running.pidfd, number);
        }
    }
}

fn resize(running: &Running, terminal: Option<&Terminal>) {
    if let (Some(outer), Some(inner)) = (terminal, &running.terminal) {
        outer.copy_size(inner);
    }
}

fn go_on(running: &Running, terminal: Option<&Terminal>) {
    if let Some(terminal) = terminal {
        terminal.set_raw();
    }
    resize(running, terminal);
}

/// The status that a shell would give for a wait status: 128 + n for a signal n.
pub fn exit_status(wait_status: i32) -> u8 {
    let status = match wait_status & 0x7f {
        0 => wait_status >> 8 & 0xff,
        signal => 128 + signal,
    };
    u8::try_from(status).unwrap_or(u8::MAX)
}
