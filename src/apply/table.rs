//! The table of open descriptors: one for a slot, closed after its last use.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use crate::plan::dataflow::{each_made, each_use};
use crate::plan::step::{Actor, Op, Parameter, Plan, Slot};

/// Was what a descriptor is open on there before?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Yes.
    Found,
    /// A Pin had to make it.
    Made,
}

/// A descriptor and what is known of how it came to be.
#[derive(Debug)]
struct Entry {
    file: OwnedFd,
    /// A Pin had to make what it is open on.
    origin: Origin,
}

/// The table of one side.
#[derive(Debug)]
pub struct Table {
    entries: Vec<Option<Entry>>,
    /// For each slot the step after which this side needs it no more.
    last_use: Vec<u32>,
    /// The slots, in the order of their last uses.
    ends: Vec<u32>,
    /// How many of `ends` are over.
    over: usize,
}

impl Table {
    /// The table of `actor` for `plan`. What the host opens early is the child's too.
    pub fn new(plan: &Plan, actor: Actor) -> Self {
        let mut steps = (0u32..).zip(&plan.steps);
        let clone = steps.find(|(_, step)| matches!(step.op, Op::Clone(_))).map(|(index, _)| index);
        let mut last_use = vec![0; plan.slots.len()];
        // Given as /proc/self/fd/N: the kernel opens the path when the file system is made.
        let mut named: Vec<(Slot, Slot)> = Vec::new();
        for (index, step) in (0u32..).zip(&plan.steps) {
            // What the child will use the host keeps open until the child has inherited it.
            let needed_at = match clone {
                Some(clone) if step.actor != actor && actor == Actor::Host => clone,
                _ => index,
            };
            let mut need = |slot: Slot| {
                let last = &mut last_use[slot.0 as usize];
                *last = needed_at.max(*last);
            };
            each_made(&step.op, &mut need);
            each_use(&step.op, |slot, _| need(slot));
            match &step.op {
                Op::Configure { context, value: Parameter::DirectoryPath(place), .. } => {
                    named.push((*context, *place));
                }
                Op::CreateFilesystem { context } => {
                    named
                        .iter()
                        .filter(|(of, _)| of == context)
                        .for_each(|(_, place)| need(*place));
                }
                _ => {}
            }
        }
        let mut ends: Vec<u32> = (0u32..).take(last_use.len()).collect();
        ends.sort_unstable_by_key(|&slot| last_use[slot as usize]);
        let mut entries = Vec::new();
        entries.resize_with(plan.slots.len(), || None);
        Self { entries, last_use, ends, over: 0 }
    }

    /// Puts a descriptor into its slot.
    pub fn put(&mut self, slot: Slot, file: OwnedFd) {
        self.put_from(slot, file, Origin::Found);
    }

    /// Puts a descriptor into its slot, with the note whether it had to be made.
    pub fn put_from(&mut self, slot: Slot, file: OwnedFd, origin: Origin) {
        if let Some(entry) = self.entries.get_mut(slot.0 as usize) {
            *entry = Some(Entry { file, origin });
        }
    }

    /// The descriptor in a slot. `check` has proved that it is there; EBADF if it is not.
    pub fn get(&self, slot: Slot) -> Result<BorrowedFd<'_>, Errno> {
        let entry = self.entries.get(slot.0 as usize).and_then(Option::as_ref);
        entry.map(|entry| entry.file.as_fd()).ok_or(Errno::BADF)
    }

    /// Did a Pin have to make it?
    pub fn was_made(&self, slot: Slot) -> bool {
        self.entries
            .get(slot.0 as usize)
            .and_then(Option::as_ref)
            .is_some_and(|entry| entry.origin == Origin::Made)
    }

    /// Takes a descriptor out of the table.
    pub fn take(&mut self, slot: Slot) -> Option<OwnedFd> {
        self.entries.get_mut(slot.0 as usize)?.take().map(|entry| entry.file)
    }

    /// Closes what no step after `index` needs on this side.
    pub fn close_unused_after(&mut self, index: usize) {
        // Nothing is freed on the way: the child's memory is shared with its parent's until one of
        // them writes to it.
        while let Some(&slot) = self.ends.get(self.over)
            && self.last_use[slot as usize] as usize <= index
        {
            self.entries[slot as usize] = None;
            self.over += 1;
        }
    }

    /// Moves what is open here to the other side's table: after the clone the child has it all.
    pub fn hand_over(self, plan: &Plan) -> Self {
        let mut child = Self::new(plan, Actor::Child);
        child.entries = self.entries;
        child
    }

    /// Closes what the host opened for the child only.
    pub fn close_inherited(&mut self, clone_step: usize) {
        for (entry, &last) in self.entries.iter_mut().zip(&self.last_use) {
            if last as usize <= clone_step {
                *entry = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::step::{Origin as Asker, SlotKind, Step};

    /// A directory that a file system is given by its path in /proc is open until the file system
    /// is made (kernels that take no descriptors there).
    #[test]
    fn a_directory_given_by_path_stays_open() {
        let (context, place) = (Slot(0), Slot(1));
        let ops = [
            Op::Configure { context, key: "k".into(), value: Parameter::DirectoryPath(place) },
            Op::Configure { context, key: "l".into(), value: Parameter::Flag },
            Op::CreateFilesystem { context },
        ];
        let step = |op| Step {
            op,
            actor: Actor::Child,
            origin: Asker::new("test"),
            because: "the test wants it",
        };
        let slots = vec![SlotKind::Context, SlotKind::Place];
        let plan = Plan { steps: ops.into_iter().map(step).collect(), slots, warnings: Vec::new() };
        let mut table = Table::new(&plan, Actor::Child);
        for slot in [context, place] {
            table.put(slot, std::fs::File::open("/").unwrap().into());
        }
        table.close_unused_after(1);
        assert!(table.get(place).is_ok());
        table.close_unused_after(2);
        assert!(table.get(place).is_err());
    }
}
