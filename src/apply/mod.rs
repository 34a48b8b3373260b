//! Applying a plan: a loop over its steps and a table of open descriptors.
//!
//! The host's steps run in the parent, the child's in the child, in its own mount namespace. The
//! child has no undo code: when a step fails it ends, and its namespaces and every detached tree
//! go with it. What the host made outside of them is on a list that is undone in reverse.
//!
//! Not here: choosing what to do (`plan`), the one clone (`engine`), words for people (`say`).

pub mod cgroup;
pub mod execution;
pub(crate) mod fault;
pub mod file_limit;
pub mod hook;
pub mod host;
pub mod links;
pub mod mounts;
pub mod outcome;
pub mod pin;
pub mod process;
pub mod report;
pub mod side;
pub mod table;

use crate::plan::step::Op;
pub use outcome::{Fault, Outcome};
pub use side::Apply;

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
