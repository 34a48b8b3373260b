//! The one clone, and the two sides of a plan around it.
//!
//! The process that clones has one thread and never had another: after clone3 the child goes on
//! with a copy of our memory, and a lock that another thread held would stay held for ever.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::Mode;
use rustix::io::Errno;

use super::clone::{self, NoChild};
use super::held::{Held, Keeper};
use super::reported::{self, Reported};
pub use super::running::Running;
use super::wires::{Wires, receive_descriptor};
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
use crate::sys::stub::Executor;

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

fn prepare<T>(call: &'static str, answer: Result<T, Errno>) -> Result<T, SpawnError> {
    answer.map_err(|errno| SpawnError::Prepare { call, errno })
}

/// Carries the plan out, up to the execution of the container's process.
///
/// On failure nothing of it is left: the child is ended and reaped, the host's steps are undone.
pub fn spawn(plan: &Plan, given: Given, report: &Report) -> Result<Running, SpawnError> {
    let (parent, clone_step, wires) = begin(plan, given, report)?;
    parent.go_on(clone_step, wires)
}

/// Carries out a plan that ends with a tree of files, and keeps its child as long as the tree is
/// in use.
pub fn hold(plan: &Plan, given: Given, report: &Report) -> Result<Held, SpawnError> {
    let (parent, clone_step, wires) = begin(plan, given, report)?;
    parent.hold(clone_step, wires)
}

/// The steps up to the clone. Only the parent returns.
fn begin<'a>(
    plan: &'a Plan,
    given: Given,
    report: &'a Report,
) -> Result<(Parent<'a>, usize, Wires), SpawnError> {
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
        Err((call, errno)) => {
            undo_all(&mut host);
            return Err(SpawnError::Prepare { call, errno });
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
            Ok((Parent { host, pid, pidfd }, clone_step, wires))
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
    /// Keeps the host's ends of the wires; returns those for the report and for a descriptor. The
    /// child's have to be closed here, or its end would never be seen.
    fn wire(&mut self, clone_step: usize, wires: Wires) -> (OwnedFd, Option<OwnedFd>) {
        self.host.links.signal = Some(wires.to_child.1);
        self.host.links.wait = Some(wires.to_host.0);
        self.host.links.child = self.pid;
        self.host.table.close_inherited(clone_step);
        (wires.report.0, wires.socket.map(|(host, _)| host))
    }

    /// Takes the tree that the child has made. The child stays: its mount namespace is what keeps
    /// the tree in one piece.
    fn hold(mut self, clone_step: usize, wires: Wires) -> Result<Held, SpawnError> {
        let (_, socket) = self.wire(clone_step, wires);
        if let Err(error) = self.steps(clone_step + 1..self.host.plan.steps.len()) {
            return Err(self.abandon(error));
        }
        match socket.map(|socket| receive_descriptor(&socket)) {
            Some(Ok(tree)) => {
                let Self { host, pid, pidfd } = self;
                Ok(Held { tree, keeper: Keeper::new((pid, pidfd), host.links.signal) })
            }
            _ => {
                let step = self.host.report.current_step().unwrap_or(clone_step);
                let died = SpawnError::Died { step, wait_status: 0 };
                let error = self.child_failure().map_or(died, SpawnError::Step);
                Err(self.abandon(error))
            }
        }
    }

    fn go_on(mut self, clone_step: usize, wires: Wires) -> Result<Running, SpawnError> {
        let (report, terminal) = self.wire(clone_step, wires);
        let exec = self.host.plan.steps.iter().position(|s| matches!(s.op, Op::Exec(_)));
        let exec = exec.unwrap_or(self.host.plan.steps.len());
        if let Err(error) = self.steps(clone_step + 1..exec) {
            return Err(self.abandon(error));
        }
        let terminal = terminal.map(|socket| receive_descriptor(&socket)).transpose();
        // If the child failed before it sent its terminal, the report says how.
        let reported = prepare("read of the report pipe", Reported::read(&report));
        let executed = reported.and_then(|reported| {
            self.adopt(reported.process, exec)?;
            self.executed(reported, exec)
        });
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

    /// Which process executes the program?
    fn executor(&self, exec: usize) -> Executor {
        match self.host.plan.steps.get(exec).map(|step| &step.op) {
            Some(Op::Exec(spec)) => spec.executor,
            _ => Executor::Itself,
        }
    }

    /// Where another process executes the program, that is ours to watch from here on.
    fn adopt(&mut self, process: Option<i32>, exec: usize) -> Result<(), SpawnError> {
        let another = self.executor(exec) != Executor::Itself && self.child_failure().is_none();
        let Some(process) = process.filter(|pid| another && *pid != self.pid) else {
            return Ok(());
        };
        let pidfd = prepare("pidfd_open", reported::adopt(process))?;
        prepare("waitid", wait(self.pid))?;
        (self.pid, self.pidfd) = (process, pidfd);
        Ok(())
    }

    /// The pipe has closed: by execve, or by death.
    fn executed(&self, reported: Reported, exec: usize) -> Result<(), SpawnError> {
        if let Some(failure) = self.child_failure() {
            return Err(SpawnError::Step(failure));
        }
        if let Some(errno) = reported.errno {
            self.host.report.end_for_child(exec, &Err(errno.into()));
            return Err(SpawnError::Step(StepFailure { step: exec, errno, words: String::new() }));
        }
        let somebody = reported.process.is_some() || self.executor(exec) == Executor::Itself;
        match self.host.report.current_step() {
            Some(step) if step >= exec && somebody => {
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

/// A report for `plan`.
pub fn report(plan: &Plan, tracing: Tracing) -> Result<Report, SpawnError> {
    prepare("mmap", Report::new(plan.steps.len(), tracing))
}
