//! The one clone, and the two sides of a plan around it.
//!
//! The process that clones has one thread and never had another: after clone3 the child goes on
//! with a copy of our memory, and a lock that another thread held would stay held for ever.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;

use super::clone::{self, NoChild};
pub use super::running::Running;
use crate::apply::cgroup::Undo;
use crate::apply::file_limit::FileLimit;
use crate::apply::hook::HookState;
use crate::apply::links::Links;
use crate::apply::outcome::Taken;
use crate::apply::process::end_child;
use crate::apply::report::{Report, StepFailure, Tracing};
use crate::apply::table::Table;
use crate::apply::{Apply, Fault};
use crate::plan::Slot;
use crate::plan::step::{Actor, Op, Plan};
use crate::sys::process::{Cloned, exit_now, wait};

/// Why there is no container.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// A step failed, on either side.
    #[error("step {}: {}", .0.step + 1, .0.errno)]
    Step(StepFailure),
    /// The child ended in the middle of a step without a word, by a signal or a filter.
    #[error("step {}: the child ended with wait status {wait_status:#x}", .step + 1)]
    Died {
        /// The step, from 0.
        step: usize,
        /// How it ended.
        wait_status: i32,
    },
    /// What has to be there before the first step could not be made.
    #[error("{call}: {errno}")]
    Prepare {
        /// What was tried.
        call: &'static str,
        /// The kernel's answer.
        errno: Errno,
    },
}

/// What the caller gives beside the plan.
#[derive(Debug)]
pub struct Given {
    /// The files for the plan's slots of kind `Given`.
    pub files: Vec<OwnedFd>,
    /// What hooks are told.
    pub hook_state: HookState,
}

/// The descriptors that connect the two sides.
struct Wires {
    to_child: (OwnedFd, OwnedFd),
    to_host: (OwnedFd, OwnedFd),
    report: (OwnedFd, OwnedFd),
    terminal: Option<(OwnedFd, OwnedFd)>,
}

fn prepare<T>(call: &'static str, answer: Result<T, Errno>) -> Result<T, SpawnError> {
    answer.map_err(|errno| SpawnError::Prepare { call, errno })
}

impl Wires {
    fn new(plan: &Plan) -> Result<Self, SpawnError> {
        let pipe = || prepare("pipe2", rustix::pipe::pipe_with(PipeFlags::CLOEXEC));
        let has_terminal = plan.steps.iter().any(|s| matches!(s.op, Op::SendTerminal { .. }));
        let terminal = if has_terminal {
            let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
            let pair = rustix::net::socketpair(family, kind, SocketFlags::CLOEXEC, None);
            Some(prepare("socketpair", pair)?)
        } else {
            None
        };
        Ok(Self { to_child: pipe()?, to_host: pipe()?, report: pipe()?, terminal })
    }

    fn child(self, hook_state: HookState) -> Links {
        Links {
            actor: Actor::Child,
            wait: Some(self.to_child.0),
            signal: Some(self.to_host.1),
            report_pipe: Some(self.report.1),
            terminal_socket: self.terminal.map(|(_, child)| child),
            child: 0,
            hook_state,
            file_limit: None,
            execution: None,
            callers_umask: None,
        }
    }
}

/// Carries the plan out, up to the execution of the container's process.
///
/// On failure nothing of it is left: the child is ended and reaped, the host's steps are undone.
pub fn spawn(plan: &Plan, given: Given, report: &Report) -> Result<Running, SpawnError> {
    let mut host = Apply {
        plan,
        table: Table::new(plan, Actor::Host),
        report,
        links: Links::none(),
        undo: Undo::default(),
    };
    for (number, file) in (0..).zip(given.files) {
        host.table.put(Slot(number), file);
    }
    let file_limit = FileLimit::lift(plan);
    let clone_step = early_steps(&mut host)?;
    let wires = match Wires::new(plan) {
        Ok(wires) => wires,
        Err(error) => {
            undo_all(&mut host);
            return Err(error);
        }
    };
    match clone(&host, clone_step) {
        Ok(Cloned::Child) => {
            let links = Links { file_limit, ..wires.child(given.hook_state) };
            run_child(host, clone_step, links)
        }
        Ok(Cloned::Parent { pid, pidfd }) => {
            drop(file_limit);
            host.links.hook_state = given.hook_state;
            Parent { host, pid, pidfd }.go_on(clone_step, wires)
        }
        Err(error) => {
            undo_all(&mut host);
            Err(error)
        }
    }
}

/// Undoes what the host made for a container that does not come to be. What fails here is not
/// told: the failure that led here is.
fn undo_all(host: &mut Apply<'_>) {
    let _ = host.undo.run();
}

/// The host's steps before the clone; returns the number of the clone.
fn early_steps(host: &mut Apply<'_>) -> Result<usize, SpawnError> {
    for index in 0..host.plan.steps.len() {
        if matches!(host.plan.steps[index].op, Op::Clone(_)) {
            return Ok(index);
        }
        if let Err(fault) = host.step(index) {
            undo_all(host);
            let (errno, words) = (fault.errno, fault.words);
            return Err(SpawnError::Step(StepFailure { step: index, errno, words }));
        }
    }
    undo_all(host);
    Err(SpawnError::Prepare { call: "a plan without a clone", errno: Errno::INVAL })
}

fn clone(host: &Apply<'_>, index: usize) -> Result<Cloned, SpawnError> {
    let Op::Clone(spec) = &host.plan.steps[index].op else {
        return Err(SpawnError::Prepare { call: "clone3", errno: Errno::INVAL });
    };
    let started = host.report.begin(index);
    let ready = crate::apply::fault::before(index).map_err(|fault| NoChild::from(fault.errno));
    let answer = ready.and_then(|()| clone::carry_out(host, spec));
    let outcome = match &answer {
        Ok(_) => Ok(Taken::Done),
        Err(NoChild::Refused(errno)) => Err((*errno).into()),
        Err(NoChild::Died(_)) => Err(Errno::CHILD.into()),
    };
    if !matches!(answer, Ok(Cloned::Child)) {
        host.report.end(index, started, &outcome);
    }
    answer.map_err(|failure| match failure {
        NoChild::Refused(errno) => {
            SpawnError::Step(StepFailure { step: index, errno, words: String::new() })
        }
        NoChild::Died(wait_status) => SpawnError::Died { step: index, wait_status },
    })
}

/// The child's side: its steps, the last of which replaces it.
fn run_child(host: Apply<'_>, clone_step: usize, links: Links) -> ! {
    let (plan, report) = (host.plan, host.report);
    let table = host.table.hand_over(plan);
    // What is made in the root has the mode that the plan says, whatever our caller's umask is.
    let callers_umask = Some(rustix::process::umask(Mode::empty()));
    crate::sys::process::default_signals();
    let links = Links { callers_umask, ..links };
    let mut child = Apply { plan, table, report, links, undo: Undo::default() };
    for index in clone_step + 1..plan.steps.len() {
        let step = &plan.steps[index];
        let both = matches!(step.op, Op::Sync { .. });
        if (step.actor == Actor::Child || both) && child.step(index).is_err() {
            break;
        }
    }
    exit_now(127)
}

/// The host's side after the clone.
struct Parent<'a> {
    host: Apply<'a>,
    pid: i32,
    pidfd: OwnedFd,
}

impl Parent<'_> {
    fn go_on(mut self, clone_step: usize, wires: Wires) -> Result<Running, SpawnError> {
        let Wires { to_child, to_host, report, terminal } = wires;
        // The child's ends have to be closed here, or its end would never be seen.
        drop((to_child.0, to_host.1, report.1));
        let terminal = terminal.map(|(host, _)| host);
        self.host.links.signal = Some(to_child.1);
        self.host.links.wait = Some(to_host.0);
        self.host.links.child = self.pid;
        self.host.table.close_inherited(clone_step);
        let exec = self.host.plan.steps.iter().position(|s| matches!(s.op, Op::Exec(_)));
        let exec = exec.unwrap_or(self.host.plan.steps.len());
        if let Err(error) = self.steps(clone_step + 1..exec) {
            return Err(self.abandon(error));
        }
        let terminal = terminal.map(|socket| receive_descriptor(&socket)).transpose();
        // If the child failed before it sent its terminal, the report says how.
        let executed = self.executed(&report.0, exec);
        let terminal = match executed.and_then(|()| prepare("recvmsg of the terminal", terminal)) {
            Ok(terminal) => terminal,
            Err(error) => return Err(self.abandon(error)),
        };
        let late_failures = self.after_start(exec + 1);
        let Self { host, pid, pidfd } = self;
        Ok(Running { pid, pidfd, terminal, undo: host.undo, late_failures })
    }

    /// The steps after the start: one that fails changes nothing for the others.
    fn after_start(&mut self, first: usize) -> Vec<StepFailure> {
        let failed = |(step, fault): (usize, Fault)| {
            let (errno, words) = (fault.errno, fault.words);
            StepFailure { step, errno, words }
        };
        (first..self.host.plan.steps.len())
            .filter_map(|index| Some((index, self.host.step_beside(index).err()?)))
            .map(failed)
            .collect()
    }

    fn steps(&mut self, range: std::ops::Range<usize>) -> Result<(), SpawnError> {
        for index in range {
            let step = &self.host.plan.steps[index];
            let both = matches!(step.op, Op::Sync { .. });
            if step.actor != Actor::Host && !both {
                continue;
            }
            if let Err(fault) = self.quiet_step(index, both) {
                let (errno, words) = (fault.errno, fault.words);
                return Err(match (self.child_failure(), self.host.report.current_step()) {
                    (Some(failure), _) => SpawnError::Step(failure),
                    // The end of the child's pipe in a Sync: it was killed where it is.
                    (None, Some(step)) if both => SpawnError::Died { step, wait_status: 0 },
                    (None, _) => SpawnError::Step(StepFailure { step: index, errno, words }),
                });
            }
        }
        Ok(())
    }

    /// Whether a Sync fails is decided on the child's side; who waits in it answers for it.
    fn quiet_step(&mut self, index: usize, both: bool) -> crate::apply::Outcome {
        if !both {
            return self.host.step_beside(index);
        }
        let op = &self.host.plan.steps[index].op;
        let waits = matches!(op, Op::Sync { waits: Actor::Host, .. });
        let started = if waits { self.host.report.begin_beside(index) } else { 0 };
        let outcome = crate::apply::host::perform(&mut self.host, op);
        if waits {
            self.host.report.end_beside(index, started, &outcome);
        }
        outcome
    }

    fn child_failure(&self) -> Option<StepFailure> {
        self.host.report.failure()
    }

    /// Waits until the pipe closes: by execve, or by death.
    fn executed(&self, report: &OwnedFd, exec: usize) -> Result<(), SpawnError> {
        let last_word = last_word(report);
        if let Some(failure) = self.child_failure() {
            return Err(SpawnError::Step(failure));
        }
        if let Some(errno) = prepare("read of the report pipe", last_word)? {
            self.host.report.end_for_child(exec, &Err(errno.into()));
            return Err(SpawnError::Step(StepFailure { step: exec, errno, words: String::new() }));
        }
        match self.host.report.current_step() {
            Some(step) if step >= exec => {
                self.host.report.end_for_child(exec, &Ok(Taken::Done));
                Ok(())
            }
            step => Err(SpawnError::Died { step: step.unwrap_or_default(), wait_status: 0 }),
        }
    }

    /// Ends the child and undoes what was made for it.
    fn abandon(mut self, error: SpawnError) -> SpawnError {
        let error = match error {
            SpawnError::Died { step, .. } => {
                SpawnError::Died { step, wait_status: wait(self.pid).unwrap_or_default() }
            }
            other => {
                end_child(self.pid, self.pidfd.as_fd());
                other
            }
        };
        undo_all(&mut self.host);
        error
    }
}

/// What the stub says before the pipe `report` closes: why its execve failed. Nothing if the pipe
/// only closes, which an execve that succeeds does, too; so no error here may look like that.
fn last_word(report: impl AsFd) -> Result<Option<Errno>, Errno> {
    let mut errno = [0; 4];
    match rustix::io::retry_on_intr(|| rustix::io::read(&report, &mut errno))? {
        0 => Ok(None),
        // One write of at most PIPE_BUF bytes comes whole (pipe(7)).
        4 => Ok(Some(Errno::from_raw_os_error(i32::from_le_bytes(errno)))),
        _ => Err(Errno::IO),
    }
}

/// Receives one descriptor over a socket (SCM_RIGHTS).
fn receive_descriptor(socket: &OwnedFd) -> Result<OwnedFd, Errno> {
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut data = [0; 8];
    let mut parts = [std::io::IoSliceMut::new(&mut data)];
    rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut files) = message
            && let Some(file) = files.next()
        {
            return Ok(file);
        }
    }
    Err(Errno::NODATA)
}

/// A report for `plan`.
pub fn report(plan: &Plan, tracing: Tracing) -> Result<Report, SpawnError> {
    prepare("mmap", Report::new(plan.steps.len(), tracing))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end of the pipe alone is silence; what cannot be read, or only in part, is an error.
    #[test]
    fn only_silence_is_an_execution() -> Result<(), Errno> {
        let said = |bytes: &[u8]| -> Result<Option<Errno>, Errno> {
            let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
            rustix::io::write(&write, bytes)?;
            drop(write);
            last_word(read)
        };
        assert_eq!(said(&[]), Ok(None));
        assert_eq!(said(&libc::ENOENT.to_le_bytes()), Ok(Some(Errno::NOENT)));
        assert_eq!(said(&[2, 0]), Err(Errno::IO));
        let directory = crate::sys::mount::open_root_place()?;
        assert_eq!(last_word(directory), Err(Errno::BADF));
        Ok(())
    }
}
