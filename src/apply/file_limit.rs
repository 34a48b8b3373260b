//! Descriptors for a set-up that needs many: in a user namespace the host opens every source before
//! the clone, and the child inherits them all.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::plan::step::{Op, Plan};

/// What else is open: streams, pipes, the report, what a single step needs for itself.
const OTHERS: u64 = 32;

/// The limit as it was; dropping this restores it.
#[derive(Debug)]
pub struct FileLimit {
    before: Rlimit,
}

impl FileLimit {
    /// Lifts the soft limit to the hard one if `plan` needs more descriptors before its clone.
    pub fn lift(plan: &Plan) -> Option<Self> {
        let early = plan.steps.iter().take_while(|step| !matches!(step.op, Op::Clone(_)));
        let needed = early.count() as u64 + OTHERS;
        let before = getrlimit(Resource::Nofile);
        before.current.filter(|soft| *soft < needed)?;
        setrlimit(Resource::Nofile, Rlimit { current: before.maximum, ..before }).ok()?;
        Some(Self { before })
    }

    /// The limit is the process's own from here on: `plan` has set it if its config names one.
    pub fn leave_to_process(self, plan: &Plan) {
        const NOFILE: u32 = libc::RLIMIT_NOFILE;
        let sets = |op: &Op| matches!(op, Op::SetLimit { resource: NOFILE, .. });
        if plan.steps.iter().any(|step| sets(&step.op)) {
            std::mem::forget(self);
        }
    }
}

impl Drop for FileLimit {
    fn drop(&mut self) {
        // Lowering the soft limit needs no right, and closes nothing that is open.
        let _ = setrlimit(Resource::Nofile, self.before);
    }
}
