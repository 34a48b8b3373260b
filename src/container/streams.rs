//! The standard streams of a container: its own ends, ours, and who gets what it writes.

use std::cell::RefCell;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::termios::isatty;

use super::log::Stream;
use super::log::writer::LogWriter;
use crate::engine::guests::Channel;
use crate::engine::spawn::Running;
use crate::engine::streams::{Observer, Streams};
use crate::engine::terminal::{Output, Terminal};

/// Is there input for the container?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdin {
    /// Yes (`-i`).
    Passed,
    /// The container reads from /dev/null.
    Null,
}

/// Whose streams are connected with the container's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The caller's own.
    Caller,
    /// Those of whoever attaches.
    Guests,
}

/// Our ends of the container's streams.
pub struct Ends {
    /// The container's own, for its descriptors 0, 1 and 2.
    pub child: Vec<OwnedFd>,
    stdin: Option<OwnedFd>,
    outputs: Option<(OwnedFd, OwnedFd)>,
}

/// The container's own ends, and ours of those that are pipes.
pub fn ends(stdin: Stdin, terminal: bool) -> Result<Ends, Errno> {
    let null = || -> Result<OwnedFd, Errno> {
        let file = File::options().read(true).write(true).open("/dev/null");
        file.map(OwnedFd::from).map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))
    };
    if terminal {
        // The three are replaced by the terminal as soon as there is one.
        return Ok(Ends { child: vec![null()?, null()?, null()?], stdin: None, outputs: None });
    }
    let pipe = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC);
    let (child_stdin, our_stdin) = match stdin {
        Stdin::Null => (null()?, None),
        Stdin::Passed => pipe().map(|(read, write)| (read, Some(write)))?,
    };
    let ((out_read, out_write), (err_read, err_write)) = (pipe()?, pipe()?);
    let child = vec![child_stdin, out_write, err_write];
    Ok(Ends { child, stdin: our_stdin, outputs: Some((out_read, err_read)) })
}

/// The log of both streams.
pub type SharedLog = Option<Rc<RefCell<LogWriter>>>;

/// Passes what a stream brings to the log.
fn observer(log: &SharedLog, stream: Stream) -> Observer {
    let log = log.clone();
    Box::new(move |bytes| {
        if let Some(log) = &log {
            log.borrow_mut().take(stream, bytes);
        }
    })
}

/// What is left of the ends once the container has its own.
pub struct Ours {
    stdin: Option<OwnedFd>,
    outputs: Option<(OwnedFd, OwnedFd)>,
}

impl Ends {
    /// The container's ends, and the rest.
    pub fn split(self) -> (Vec<OwnedFd>, Ours) {
        (self.child, Ours { stdin: self.stdin, outputs: self.outputs })
    }
}

/// Connects the streams of a container that runs.
pub fn connect(
    running: &Running,
    ours: Ours,
    (stdin, log): (Stdin, &SharedLog),
    audience: Audience,
) -> Result<(Streams, Option<Terminal>), Errno> {
    match audience {
        Audience::Caller => with_caller(running, ours, (stdin, log)),
        Audience::Guests => Ok((with_guests(running, ours, (stdin, log))?, None)),
    }
}

fn copy(of: &OwnedFd) -> Result<OwnedFd, Errno> {
    of.as_fd().try_clone_to_owned().map_err(|_| Errno::MFILE)
}

fn with_caller(
    running: &Running,
    ours: Ours,
    (stdin, log): (Stdin, &SharedLog),
) -> Result<(Streams, Option<Terminal>), Errno> {
    let mut streams = Streams::default();
    let mut terminal = None;
    if let Some(inner) = &running.terminal {
        let observer = observer(log, Stream::Stdout);
        streams = streams.observed(copy(inner)?, rustix::stdio::stdout(), observer);
        if stdin == Stdin::Passed {
            streams = streams.input(copy(inner)?);
            terminal = Terminal::of_stdin(Output::Raw);
        }
    }
    if let Some(stdin) = ours.stdin {
        streams = streams.input(stdin);
    }
    if let Some((out, err)) = ours.outputs {
        streams = streams
            .observed(out, rustix::stdio::stdout(), observer(log, Stream::Stdout))
            .observed(err, rustix::stdio::stderr(), observer(log, Stream::Stderr));
    }
    Ok((streams, terminal))
}

fn with_guests(
    running: &Running,
    ours: Ours,
    (stdin, log): (Stdin, &SharedLog),
) -> Result<Streams, Errno> {
    let mut streams = Streams::default();
    if let Some(inner) = &running.terminal {
        let observer = observer(log, Stream::Stdout);
        streams = streams.kept(copy(inner)?, Channel::Terminal, observer);
        if stdin == Stdin::Passed {
            streams = streams.from_guests(copy(inner)?, Channel::Terminal);
        }
    }
    if let Some(stdin) = ours.stdin {
        streams = streams.from_guests(stdin, Channel::Stdout);
    }
    if let Some((out, err)) = ours.outputs {
        streams = streams.kept(out, Channel::Stdout, observer(log, Stream::Stdout)).kept(
            err,
            Channel::Stderr,
            observer(log, Stream::Stderr),
        );
    }
    Ok(streams)
}

/// Is the caller's input a terminal?
pub fn stdin_is_terminal() -> bool {
    isatty(rustix::stdio::stdin())
}
