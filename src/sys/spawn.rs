//! Child processes beside the container's own: hooks, programs that keep passwords or encrypt,
//! rrun itself.
//!
//! A hook's path may be one of the container's. So it is executed as the container's program is:
//! by the sealed stub, never from rrun's own image (see [`super::stub`]).

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::MemfdFlags;
use rustix::pipe::PipeFlags;
use rustix::time::Timespec;

use super::process::{
    Birth, Cloned, clone_process, close_on_exec_from, default_signals, duplicate_to, exit_now, wait,
};
use super::stub::{self, Executor, StringList};
use super::{Errno, Result};

/// A program to run.
#[derive(Debug)]
pub struct Program<'a> {
    /// Where it is.
    pub path: CString,
    /// Its argument list, with its own name first.
    pub arguments: Vec<CString>,
    /// Its environment: this and nothing else.
    pub environment: Vec<CString>,
    /// Its standard input.
    pub stdin: BorrowedFd<'a>,
    /// Its standard output; ours if there is none.
    pub stdout: Option<BorrowedFd<'a>>,
    /// Its standard error; ours if there is none.
    pub stderr: Option<BorrowedFd<'a>>,
    /// Does it end when we do?
    pub death: Death,
}

/// What becomes of a program when the process that started it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// It goes on.
    OfItsOwn,
    /// It is killed.
    WithUs,
}

/// A child that runs.
#[derive(Debug)]
pub struct Child {
    pid: i32,
    pidfd: OwnedFd,
}

/// Starts a program; the error is that of its execve.
pub fn spawn(program: Program<'_>) -> Result<Child> {
    let (read, report) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let (pid, pidfd) = match clone_process(Birth::default())? {
        Cloned::Child => {
            let errno = become_program(program, &report);
            let _ = rustix::io::write(&report, &errno.raw_os_error().to_le_bytes());
            exit_now(127)
        }
        Cloned::Parent { pid, pidfd } => (pid, pidfd),
    };
    drop(report);
    let mut errno = [0; 4];
    match rustix::io::retry_on_intr(|| rustix::io::read(&read, &mut errno)) {
        Ok(4) => {
            wait(pid)?;
            Err(Errno::from_raw_os_error(i32::from_le_bytes(errno)))
        }
        _ => Ok(Child { pid, pidfd }),
    }
}

/// What a program said.
#[derive(Debug)]
pub struct Answered {
    /// Its wait status; `None` if it took too long and was killed.
    pub status: Option<i32>,
    /// What it wrote to its standard output, from the start.
    pub output: File,
}

/// Runs a program with our environment to its end, for so many seconds at most.
///
/// What it reads and what it writes are files in memory: neither side can wait for the other.
pub fn ask(
    path: &Path,
    arguments: &[&OsStr],
    request: &[u8],
    seconds: Option<u64>,
) -> std::io::Result<Answered> {
    let text = |text: &OsStr| CString::new(text.as_bytes()).map_err(std::io::Error::other);
    let variable = |(name, value): (OsString, OsString)| {
        text([name.as_os_str(), OsStr::new("="), &value].into_iter().collect::<OsString>().as_ref())
    };
    let memory = |name| rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC).map(File::from);
    let (mut stdin, mut output) = (memory("question")?, memory("answer")?);
    stdin.write_all(request)?;
    stdin.rewind()?;
    let child = spawn(Program {
        path: text(path.as_os_str())?,
        arguments: arguments.iter().map(|a| text(a)).collect::<std::io::Result<_>>()?,
        environment: std::env::vars_os().map(variable).collect::<std::io::Result<_>>()?,
        stdin: stdin.as_fd(),
        stdout: Some(output.as_fd()),
        stderr: None,
        death: Death::OfItsOwn,
    })?;
    let status = match seconds {
        Some(seconds) => child.wait_for(seconds)?,
        None => Some(child.wait()?),
    };
    output.rewind()?;
    Ok(Answered { status, output })
}

/// Replaces this process; returns only if that failed.
fn become_program(program: Program<'_>, report: &OwnedFd) -> Errno {
    let mut arguments = vec![stub::STUB_MARK.to_owned(), program.path];
    arguments.extend(program.arguments);
    let (arguments, environment) =
        (StringList::new(arguments), StringList::new(program.environment));
    let prepared = || {
        default_signals();
        if program.death == Death::WithUs {
            // What is typed at our terminal is for the container and for us.
            rustix::process::setsid()?;
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        }
        duplicate_to(program.stdin, 0)?;
        program.stdout.map_or(Ok(()), |stdout| duplicate_to(stdout, 1))?;
        program.stderr.map_or(Ok(()), |stderr| duplicate_to(stderr, 2))?;
        let stub = stub::make(report.as_fd(), Executor::Itself)?;
        close_on_exec_from(3)?;
        // The stub inherits the pipe and closes it on the execve that counts.
        duplicate_to(report, report.as_raw_fd())?;
        Ok(stub)
    };
    match prepared() {
        Ok(stub) => stub::execute(stub, &arguments, &environment),
        Err(errno) => errno,
    }
}

impl Child {
    /// Waits until it ends; its wait status.
    pub fn wait(self) -> Result<i32> {
        wait(self.pid)
    }

    /// Has it ended?
    pub fn has_ended(&self) -> bool {
        let mut files = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::io::retry_on_intr(|| poll(&mut files, Some(&at_once))).is_ok_and(|count| count > 0)
    }

    /// Kills it, and waits until it has ended.
    pub fn kill(self) -> Result<i32> {
        // ESRCH: it has ended already.
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, rustix::process::Signal::KILL);
        wait(self.pid)
    }

    /// Waits until it ends, `seconds` at most; then it is killed, which is `None`.
    pub fn wait_for(self, seconds: u64) -> Result<Option<i32>> {
        let limit = Timespec { tv_sec: i64::try_from(seconds).unwrap_or(i64::MAX), tv_nsec: 0 };
        let ended = {
            let mut files = [PollFd::new(&self.pidfd, PollFlags::IN)];
            rustix::io::retry_on_intr(|| poll(&mut files, Some(&limit)))? > 0
        };
        if ended {
            return wait(self.pid).map(Some);
        }
        rustix::process::pidfd_send_signal(&self.pidfd, rustix::process::Signal::KILL)?;
        wait(self.pid)?;
        Ok(None)
    }
}
