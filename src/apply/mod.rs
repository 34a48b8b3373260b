//! Applying a plan: a loop over its steps and a table of open descriptors.
//!
//! The host's steps run in the parent, the child's in the child, in its own mount namespace. The
//! child has no undo code: when a step fails it ends, and its namespaces and every detached tree
//! go with it. What the host made outside of them is on a list that is undone in reverse.
//!
//! Not here: choosing what to do (`plan`), the one clone (`engine`), words for people (`say`).

pub mod cgroup;
pub mod hook;
pub mod host;
pub mod mounts;
pub mod pin;
pub mod process;
pub mod report;
pub mod table;

use rustix::io::Errno;

use crate::plan::step::{Op, Plan};
use report::{Report, Taken};
use table::Table;

/// What stopped a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The kernel's answer, or the errno that comes nearest to what we found.
    pub errno: Errno,
    /// The kernel's own words, or ours where we refused what the kernel would have taken.
    pub words: String,
}

impl Fault {
    /// A refusal of our own.
    fn refused(errno: Errno, words: impl Into<String>) -> Self {
        Self { errno, words: words.into() }
    }
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        Self { errno, words: String::new() }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        match error.raw_os_error() {
            Some(number) => Errno::from_raw_os_error(number).into(),
            None => Self::refused(Errno::IO, error.to_string()),
        }
    }
}

/// The outcome of a step: which of its alternatives was taken.
pub type Outcome = Result<Taken, Fault>;

/// One side of a plan at work.
pub struct Apply<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The open descriptors.
    pub table: Table,
    /// Where progress and failure are written down.
    pub report: &'a Report,
    /// The ways to the other side.
    pub links: host::Links,
    /// What the host has to undo.
    pub undo: cgroup::Undo,
}

impl Apply<'_> {
    /// Carries out one step and closes what no later step needs.
    pub fn step(&mut self, index: usize) -> Outcome {
        let op = &self.plan.steps[index].op;
        // Only who waits in a Sync can say how long it took; both would write the same words.
        let is_others = matches!(op, Op::Sync { waits, .. } if *waits != self.links.actor);
        if is_others {
            self.report.reach(index);
            let outcome = self.perform_and_close(index);
            if let Err(fault) = &outcome {
                self.report.fail(fault);
            }
            return outcome;
        }
        let started = self.report.begin(index);
        let outcome = self.perform_and_close(index);
        self.report.end(index, started, &outcome);
        outcome
    }

    /// As [`Apply::step`], for the host after the clone: where the child is and what stopped it is
    /// the child's to write.
    pub fn step_beside(&mut self, index: usize) -> Outcome {
        let started = self.report.begin_beside(index);
        let outcome = self.perform_and_close(index);
        self.report.end_beside(index, started, &outcome);
        outcome
    }

    fn perform_and_close(&mut self, index: usize) -> Outcome {
        let outcome = fault::before(index).and_then(|()| self.perform(&self.plan.steps[index].op));
        self.table.close_unused_after(index);
        outcome
    }

    fn perform(&mut self, op: &Op) -> Outcome {
        match mounts::perform(&mut self.table, op) {
            Some(outcome) => outcome,
            None => match process::perform(&mut self.table, op) {
                Some(outcome) => outcome,
                None => host::perform(self, op),
            },
        }
    }
}

/// Making a step fail, or something happen before it: in builds for tests only.
pub(crate) mod fault {
    #[cfg(not(feature = "fault-injection"))]
    pub(crate) fn before(_index: usize) -> Result<(), super::Fault> {
        Ok(())
    }

    /// `RRUN_FAULT_STEP=N` makes step N (from 1) fail with EIO, or with `RRUN_FAULT_ERRNO`;
    /// `RRUN_FAULT_KILL=N` kills the process before it; `RRUN_FAULT_HOOK=N:COMMAND` runs a shell
    /// command before it.
    #[cfg(feature = "fault-injection")]
    pub(crate) fn before(index: usize) -> Result<(), super::Fault> {
        use std::ffi::CString;

        use crate::sys::spawn::{self, Program};

        let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<i32>().ok());
        let here = i32::try_from(index + 1).ok();
        if let Ok(text) = std::env::var("RRUN_FAULT_HOOK")
            && let Some((at, command)) = text.split_once(':')
            && at.parse().ok() == here
        {
            let arguments = ["sh", "-c", command].map(CString::new).into_iter();
            let program = Program {
                path: c"/bin/sh".to_owned(),
                arguments: arguments.collect::<Result<_, _>>().unwrap_or_default(),
                environment: vec![c"PATH=/usr/sbin:/usr/bin:/sbin:/bin".to_owned()],
                stdin: rustix::stdio::stdin(),
            };
            let _ = spawn::spawn(program).and_then(spawn::Child::wait);
        }
        if number("RRUN_FAULT_KILL") == here {
            // The first process of a pid namespace takes no signal from itself, but its own faults.
            std::process::abort();
        }
        if number("RRUN_FAULT_STEP") == here {
            let errno = number("RRUN_FAULT_ERRNO").unwrap_or(libc::EIO);
            return Err(rustix::io::Errno::from_raw_os_error(errno).into());
        }
        Ok(())
    }
}
