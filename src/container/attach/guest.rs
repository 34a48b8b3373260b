//! A guest's side: the caller's streams, connected with a container that another process watches
//! over.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use rustix::termios::tcgetwinsize;

use super::keys::{Keys, Typed};
use super::message::{Answer, CHUNK_BYTES, MESSAGE_BYTES, Request};
use super::{address, new_socket, open};
use crate::engine::guests::{Ask, Channel};
use crate::engine::signals::Signals;
use crate::engine::terminal::{Output, Terminal};

/// So many ^C end the container, whatever it makes of them.
const INTERRUPTS_TO_END: u32 = 3;

/// How attaching ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// The container ended with this status.
    Ended(u8),
    /// The user typed the keys for it, or nobody reads the output any more.
    Detached,
    /// A signal came that is ours, not the container's.
    Signal(i32),
    /// The supervisor is gone without a word.
    Lost,
}

/// What is passed on to the container.
#[derive(Debug, Clone)]
pub struct Passed {
    /// Standard input.
    pub input: bool,
    /// Signals that come to us.
    pub signals: bool,
    /// Has the container a terminal? Then its keys are ours to read one by one.
    pub terminal: bool,
    /// The keys that detach.
    pub keys: Keys,
}

/// Connects to the supervisor of the container in `directory`; `None` where there is none.
pub fn connect(directory: &Path) -> Result<Option<OwnedFd>, Errno> {
    let directory = match open(directory) {
        Ok(directory) => directory,
        Err(Errno::NOENT) => return Ok(None),
        Err(e) => return Err(e),
    };
    let socket = new_socket()?;
    for _ in 0..TRIES {
        match rustix::net::connect(&socket, &address(&directory)?) {
            Ok(()) => return Ok(Some(socket)),
            Err(Errno::NOENT | Errno::CONNREFUSED) => return Ok(None),
            // Many want to be let in at once.
            Err(Errno::AGAIN) => std::thread::sleep(std::time::Duration::from_millis(1)),
            Err(Errno::INTR) => {}
            Err(e) => return Err(e),
        }
    }
    // Its supervisor is stopped.
    Err(Errno::TIMEDOUT)
}

/// How often it is tried, a millisecond apart.
const TRIES: u32 = 2000;

/// Sends one message that needs no answer.
fn tell(socket: &OwnedFd, request: &Request) -> Result<(), Errno> {
    loop {
        match rustix::net::send(socket, &request.encode(), SendFlags::NOSIGNAL) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let mut files = [PollFd::new(socket, PollFlags::OUT)];
                rustix::io::retry_on_intr(|| poll(&mut files, None))?;
            }
            Err(e) => return Err(e),
        }
    }
}

/// Asks the supervisor of the container in `directory` not to start it again. `false`: nobody
/// watches over it.
pub fn ask_to_stay(directory: &Path) -> Result<bool, Errno> {
    let Some(socket) = connect(directory)? else { return Ok(false) };
    match tell(&socket, &Request::Stay) {
        Ok(()) => Ok(true),
        Err(Errno::PIPE | Errno::CONNRESET) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Waits for the end of the container in `directory`; `None` if nobody can tell.
pub fn wait_for_end(directory: &Path) -> Result<Option<u8>, Errno> {
    let Some(socket) = connect(directory)? else { return Ok(None) };
    if tell(&socket, &Request::Wait).is_err() {
        return Ok(None);
    }
    let mut packet = vec![0; MESSAGE_BYTES];
    loop {
        let mut files = [PollFd::new(&socket, PollFlags::IN)];
        rustix::io::retry_on_intr(|| poll(&mut files, None))?;
        match receive(&socket, &mut packet) {
            Some(Received::Answer(Answer::Ended(status))) => return Ok(Some(status)),
            Some(Received::Answer(_)) => {}
            Some(Received::Lost) => return Ok(None),
            None => {}
        }
    }
}

/// Asks for the container's output over a socket from [`connect`].
pub fn attach(socket: &OwnedFd) -> Result<(), Errno> {
    tell(socket, &Request::Attach)
}

enum Received {
    Answer(Answer),
    Lost,
}

fn receive(socket: &OwnedFd, packet: &mut [u8]) -> Option<Received> {
    match rustix::net::recv(socket, &mut *packet, RecvFlags::DONTWAIT) {
        Ok((0, _)) => Some(Received::Lost),
        Ok((length, _)) => {
            Some(Answer::decode(&packet[..length]).map_or(Received::Lost, Received::Answer))
        }
        Err(Errno::AGAIN | Errno::INTR) => None,
        Err(_) => Some(Received::Lost),
    }
}

/// A guest that is attached.
struct Visit<'a> {
    socket: &'a OwnedFd,
    passed: Passed,
    terminal: Option<Terminal>,
    input_open: bool,
    /// A message that the supervisor had no room for.
    unsent: Option<Vec<u8>>,
    interrupts: u32,
}

/// Passes bytes and signals until the container ends or is let go of.
pub fn visit(socket: &OwnedFd, passed: Passed, signals: &mut Signals) -> Result<Left, Errno> {
    let terminal =
        if passed.terminal && passed.input { Terminal::of_stdin(Output::Raw) } else { None };
    let input_open = passed.input;
    let mut visit = Visit { socket, passed, terminal, input_open, unsent: None, interrupts: 0 };
    if let Some(terminal) = &visit.terminal {
        terminal.set_raw();
    }
    visit.resize();
    let mut packet = vec![0; MESSAGE_BYTES];
    loop {
        let (signalled, answered, typed) = visit.wait(signals)?;
        if signalled && let Some(left) = visit.signals(signals) {
            return Ok(left);
        }
        if let Some(message) = visit.unsent.take() {
            visit.send(message);
        } else if typed && let Some(left) = visit.read_input() {
            return Ok(left);
        }
        if answered {
            match receive(socket, &mut packet) {
                None => {}
                Some(Received::Lost) => return Ok(Left::Lost),
                Some(Received::Answer(Answer::Ended(status))) => return Ok(Left::Ended(status)),
                Some(Received::Answer(Answer::Output(channel, bytes)))
                    if show(channel, &bytes).is_ok() => {}
                // Nobody reads it any more.
                Some(Received::Answer(Answer::Output(..))) => return Ok(Left::Detached),
            }
        }
    }
}

/// Writes what the container wrote; who does not read it holds up this guest only.
fn show(channel: Channel, mut bytes: &[u8]) -> Result<(), Errno> {
    let to = match channel {
        Channel::Stderr => rustix::stdio::stderr(),
        Channel::Stdout | Channel::Terminal => rustix::stdio::stdout(),
    };
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let mut files = [PollFd::new(&to, PollFlags::OUT)];
                rustix::io::retry_on_intr(|| poll(&mut files, None))?;
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

impl Visit<'_> {
    /// What there is: a signal, a message, input (or room for what could not be sent).
    fn wait(&self, signals: &Signals) -> Result<(bool, bool, bool), Errno> {
        let stdin = rustix::stdio::stdin();
        let mut socket_flags = PollFlags::IN;
        socket_flags.set(PollFlags::OUT, self.unsent.is_some());
        let mut files = vec![
            PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN),
            PollFd::new(self.socket, socket_flags),
        ];
        if self.input_open && self.unsent.is_none() {
            files.push(PollFd::from_borrowed_fd(stdin, PollFlags::IN));
        }
        rustix::io::retry_on_intr(|| poll(&mut files, None))?;
        let seen = |at: usize| files.get(at).is_some_and(|file| !file.revents().is_empty());
        let answered =
            files[1].revents().intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR);
        Ok((seen(0), answered, seen(2)))
    }

    fn send(&mut self, message: Vec<u8>) {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        // A supervisor that is gone is noticed by who reads.
        if let Err(Errno::AGAIN | Errno::INTR) = rustix::net::send(self.socket, &message, flags) {
            self.unsent = Some(message);
        }
    }

    fn ask(&mut self, ask: Ask) {
        self.send(Request::Ask(ask).encode());
    }

    fn read_input(&mut self) -> Option<Left> {
        let mut bytes = vec![0; CHUNK_BYTES];
        match rustix::io::read(rustix::stdio::stdin(), &mut bytes) {
            Ok(0) => {
                self.input_open = false;
                self.ask(Ask::InputEnd);
            }
            Ok(length) if self.terminal.is_some() => {
                return match self.passed.keys.take(&bytes[..length]) {
                    Typed::Passed(bytes) if bytes.is_empty() => None,
                    Typed::Passed(bytes) => {
                        self.ask(Ask::Input(bytes));
                        None
                    }
                    Typed::Detach(bytes) => {
                        self.ask(Ask::Input(bytes));
                        Some(Left::Detached)
                    }
                };
            }
            Ok(length) => self.ask(Ask::Input(bytes[..length].to_vec())),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => self.input_open = false,
        }
        None
    }

    fn resize(&mut self) {
        if !self.passed.terminal {
            return;
        }
        if let Ok(size) = tcgetwinsize(rustix::stdio::stdin())
            && size.ws_row > 0
        {
            let request = Request::Ask(Ask::Resize { rows: size.ws_row, columns: size.ws_col });
            let _ = tell(self.socket, &request);
        }
    }

    fn signals(&mut self, signals: &mut Signals) -> Option<Left> {
        while let Some(number) = signals.take() {
            match number {
                libc::SIGCHLD | libc::SIGPIPE | libc::SIGURG => {}
                libc::SIGWINCH => self.resize(),
                libc::SIGTSTP => {
                    if let Some(terminal) = &self.terminal {
                        terminal.restore();
                    }
                    signals.stop_here();
                    self.go_on();
                }
                libc::SIGCONT => self.go_on(),
                _ if !self.passed.signals => return Some(Left::Signal(number)),
                _ => {
                    self.interrupts += u32::from(number == libc::SIGINT);
                    let kill = self.interrupts >= INTERRUPTS_TO_END;
                    let request =
                        Request::Ask(Ask::Signal(if kill { libc::SIGKILL } else { number }));
                    let _ = tell(self.socket, &request);
                }
            }
        }
        None
    }

    fn go_on(&mut self) {
        if let Some(terminal) = &self.terminal {
            terminal.set_raw();
        }
        self.resize();
    }
}
