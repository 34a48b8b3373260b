//! A container's first process while it is ours: its end has to be awaited, and what was made for
//! it undone. Whoever cannot go on with it abandons it; to drop it would leave it unwatched.

use std::os::fd::{AsFd, OwnedFd};

use crate::apply::cgroup::{CgroupError, Undo};
use crate::apply::process::end_child;
use crate::apply::report::StepFailure;
use crate::plan::step::Plan;
use crate::sys::errno::words;

/// A container's first process, executed or about to be.
#[derive(Debug)]
pub struct Running {
    /// Its process id, in our pid namespace.
    pub pid: i32,
    /// A descriptor that stays with it.
    pub pidfd: OwnedFd,
    /// The controlling side of its terminal, where it has one.
    pub terminal: Option<OwnedFd>,
    /// What has to be undone when it is gone.
    pub undo: Undo,
    /// Failures of hooks after the start, to be told as warnings.
    pub late_failures: Vec<StepFailure>,
}

impl Running {
    /// Ends the process, reaps it and undoes what was made for it: for a caller that finds that it
    /// cannot watch over it. A process that has ended and is reaped already is no error.
    pub fn abandon(mut self) -> Result<(), CgroupError> {
        end_child(self.pid, self.pidfd.as_fd());
        self.undo.run()
    }

    /// What the steps after the start of `plan` could not do, a line each.
    pub fn late_warnings(&self, plan: &Plan) -> Vec<String> {
        let line = |failure: &StepFailure| {
            let origin = &plan.steps[failure.step].origin;
            match failure.words.as_str() {
                "" => format!("{origin}: {}", words(failure.errno)),
                words => format!("{origin}: {words}"),
            }
        };
        self.late_failures.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::step::{Actor, Op, Origin, Step};
    use crate::sys::process::{Birth, Cloned, clone_process, wait};
    use rustix::io::Errno;

    /// A process that only waits, as a container's first one may.
    fn waiting() -> Result<Running, Errno> {
        match clone_process(Birth::default())? {
            Cloned::Child => loop {
                let _ = rustix::event::poll(&mut [], None);
            },
            Cloned::Parent { pid, pidfd } => Ok(Running {
                pid,
                pidfd,
                terminal: None,
                undo: Undo::default(),
                late_failures: Vec::new(),
            }),
        }
    }

    /// An abandoned process is dead and reaped, also one that was reaped by somebody else.
    #[test]
    fn an_abandoned_process_is_gone() -> Result<(), Box<dyn std::error::Error>> {
        for reaped_before in [false, true] {
            let running = waiting()?;
            let pid = running.pid;
            assert!(std::fs::exists(format!("/proc/{pid}"))?);
            if reaped_before {
                crate::sys::process::send_signal(&running.pidfd, libc::SIGKILL)?;
                wait(pid)?;
            }
            running.abandon()?;
            assert_eq!(wait(pid), Err(Errno::CHILD), "reaped before: {reaped_before}");
        }
        Ok(())
    }

    /// A warning names what asked for the step, with the words of the failure or the kernel's.
    #[test]
    fn late_failures_name_their_origin() -> Result<(), Box<dyn std::error::Error>> {
        let step = |origin: &str| Step {
            op: Op::NewSession,
            actor: Actor::Host,
            origin: Origin::new(origin),
            because: "a step after the start",
        };
        let plan =
            Plan { steps: vec![step("default"), step("/hooks/poststart/1")], ..Plan::default() };
        let failure =
            |words: &str| StepFailure { step: 1, errno: Errno::PERM, words: words.to_owned() };
        let mut running = waiting()?;
        running.late_failures = vec![failure("it was killed"), failure("")];
        let told = running.late_warnings(&plan);
        running.abandon()?;
        let want =
            ["/hooks/poststart/1: it was killed", "/hooks/poststart/1: Operation not permitted"];
        assert_eq!(told, want);
        Ok(())
    }
}
