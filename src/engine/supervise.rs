//! Watching over a container in the foreground: its end, signals for it, bytes to and from it.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::termios::{Winsize, tcsetwinsize};
use rustix::time::Timespec;

use super::guests::Ask;
use super::signals::Signals;
use super::spawn::Running;
use super::streams::Streams;
use super::terminal::Terminal;
use crate::sys::process::{send_signal, wait};

/// How long guests may take for the last of the output.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many ^C end rrun and its container.
const INTERRUPTS_TO_END: u32 = 3;
/// As much as is read before it has to be written.
const BUFFER_BYTES: usize = 64 << 10;

/// Watches until the container's process has ended and its output is written; returns its wait
/// status.
pub fn supervise(
    running: &Running,
    signals: &mut Signals,
    streams: &mut Streams,
    terminal: Option<&Terminal>,
) -> Result<i32, Errno> {
    if let (Some(outer), Some(inner)) = (terminal, &running.terminal) {
        outer.set_raw();
        outer.copy_size(inner);
    }
    let mut buffer = vec![0; if streams.outward_is_over() { 0 } else { BUFFER_BYTES }];
    let mut life = Life::Running;
    let mut patience = None;
    let mut interrupts = 0;
    loop {
        if life == Life::Ended {
            let until = *patience.get_or_insert_with(|| Instant::now() + PATIENCE);
            if !streams.has_room() && Instant::now() >= until {
                streams.drop_slow_guests();
            }
        }
        if life == Life::Ended && streams.outward_is_over() {
            return wait(running.pid);
        }
        let events = wait_for_something(running, signals, streams, life)?;
        if events.ended {
            life = Life::Ended;
        }
        if events.signalled {
            while let Some(signal) = signals.take() {
                handle(signal, running, &mut interrupts, (signals, terminal));
            }
        }
        let turn = streams.step(&events.ready, &mut buffer);
        turn.asked.iter().for_each(|ask| answer(running, ask));
        if life == Life::Ended {
            streams.close_input();
            if turn.idle {
                // What still holds the pipes is no process of the container's any more, or one
                // that the kernel is about to end with its pid namespace.
                streams.drop_idle_output();
            }
        }
    }
}

/// Is the container's process there?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Running,
    Ended,
}

/// What poll has seen.
struct Events {
    ended: bool,
    signalled: bool,
    ready: Vec<PollFlags>,
}

fn wait_for_something(
    running: &Running,
    signals: &Signals,
    streams: &Streams,
    life: Life,
) -> Result<Events, Errno> {
    let wishes = streams.wishes();
    let mut files = Vec::with_capacity(wishes.len() + 2);
    files.push(PollFd::new(signals, PollFlags::IN));
    if life == Life::Running {
        files.push(PollFd::new(&running.pidfd, PollFlags::IN));
    }
    let first = files.len();
    files.extend(wishes.iter().map(|(file, flags)| PollFd::new(file, *flags)));
    let limit = limit(streams, life);
    rustix::io::retry_on_intr(|| poll(&mut files, limit.as_ref()))?;
    Ok(Events {
        signalled: !files[0].revents().is_empty(),
        ended: life == Life::Running && !files[1].revents().is_empty(),
        ready: files[first..].iter().map(PollFd::revents).collect(),
    })
}

/// How long is waited for something to happen.
fn limit(streams: &Streams, life: Life) -> Option<Timespec> {
    match life {
        // What is read already has to be written, however long that takes.
        Life::Ended if streams.is_writing() => None,
        Life::Ended if !streams.has_room() => Some(Timespec { tv_sec: 1, tv_nsec: 0 }),
        Life::Ended => Some(Timespec::default()),
        Life::Running => None,
    }
}

/// Does what a guest asks for.
fn answer(running: &Running, ask: &Ask) {
    match ask {
        Ask::Resize { rows, columns } => {
            let size = Winsize { ws_row: *rows, ws_col: *columns, ws_xpixel: 0, ws_ypixel: 0 };
            if let Some(inner) = &running.terminal {
                let _ = tcsetwinsize(inner.as_fd(), size);
            }
        }
        Ask::Signal(number) => {
            // ESRCH: it has ended already, which its pidfd will say.
            let _ = send_signal(&running.pidfd, *number);
        }
        // The streams' own.
        Ask::Input(_) | Ask::InputEnd => {}
    }
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
