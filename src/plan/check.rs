//! Proving that a plan is sound before anything is done.

use super::dataflow::{Use, each_made, each_use};
use super::step::{Actor, Op, Plan, Slot, SlotKind, Step};

/// What makes a plan unsound. The number is the step's, counted from 1 as people see it.
#[expect(missing_docs, reason = "the messages name the fields")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsound {
    /// A slot is used that no earlier step made.
    #[error("step {step}: slot {slot} is used before it is made")]
    NotMade { step: usize, slot: u32 },
    /// A slot is made twice.
    #[error("step {step}: slot {slot} is made twice")]
    MadeTwice { step: usize, slot: u32 },
    /// A slot is used for what it is not.
    #[error("step {step}: slot {slot} is {kind:?} and cannot serve here")]
    WrongKind { step: usize, slot: u32, kind: SlotKind },
    /// A tree is attached twice.
    #[error("step {step}: the tree in slot {slot} is attached already")]
    AttachedTwice { step: usize, slot: u32 },
    /// A slot made on one side of the clone is used on the other, where it does not exist.
    #[error("step {step}: slot {slot} was made on the other side of the clone, after it")]
    NotInherited { step: usize, slot: u32 },
    /// The child acts before it exists, or there is not exactly one clone.
    #[error("step {step}: a plan has one clone, and the child acts after it")]
    Clone { step: usize },
    /// The last step of the child must replace it, or let it wait for its end.
    #[error("the child's last step must be exec, or to wait for its end")]
    NoExec,
    /// A step has no reason.
    #[error("step {step}: no reason is given")]
    NoReason { step: usize },
}

#[derive(Clone, Copy, Default)]
struct SlotState {
    made_by: Option<Actor>,
    /// Made after the clone: only its maker's side has it.
    after_clone: bool,
    attached: bool,
}

struct Checker<'a> {
    plan: &'a Plan,
    slots: Vec<SlotState>,
    cloned: bool,
}

/// Checks the plan; the first thing that is wrong with it is returned.
pub fn check(plan: &Plan) -> Result<(), Unsound> {
    let mut checker =
        Checker { plan, slots: vec![SlotState::default(); plan.slots.len()], cloned: false };
    for (slot, kind) in checker.slots.iter_mut().zip(&plan.slots) {
        if *kind == SlotKind::Given {
            slot.made_by = Some(Actor::Host);
        }
    }
    for (index, step) in plan.steps.iter().enumerate() {
        checker.step(index + 1, step)?;
    }
    let last = plan.steps.iter().rev().find(|step| step.actor == Actor::Child);
    match last {
        Some(Step { op: Op::Exec(_) | Op::AwaitEnd, .. }) => Ok(()),
        _ => Err(Unsound::NoExec),
    }
}

impl Checker<'_> {
    fn step(&mut self, number: usize, step: &Step) -> Result<(), Unsound> {
        if step.because.trim().is_empty() {
            return Err(Unsound::NoReason { step: number });
        }
        let is_clone = matches!(step.op, Op::Clone(_));
        if (is_clone && self.cloned) || (step.actor == Actor::Child && !self.cloned) {
            return Err(Unsound::Clone { step: number });
        }
        let mut found = Ok(());
        each_use(&step.op, |slot, wanted| {
            if found.is_ok() {
                found = self.used((number, step.actor), slot, wanted);
            }
        });
        each_made(&step.op, |slot| {
            if found.is_ok() {
                found = self.made((number, step.actor), slot);
            }
        });
        found?;
        if let Op::Attach { tree, .. } = step.op {
            let state = &mut self.slots[tree.0 as usize];
            if std::mem::replace(&mut state.attached, true) {
                return Err(Unsound::AttachedTwice { step: number, slot: tree.0 });
            }
        }
        self.cloned |= is_clone;
        Ok(())
    }

    fn used(
        &self,
        (number, actor): (usize, Actor),
        slot: Slot,
        wanted: Use,
    ) -> Result<(), Unsound> {
        let missing = Unsound::NotMade { step: number, slot: slot.0 };
        let Some(state) = self.slots.get(slot.0 as usize) else { return Err(missing) };
        match state.made_by {
            None => Err(missing),
            Some(maker) if maker != actor && state.after_clone => {
                Err(Unsound::NotInherited { step: number, slot: slot.0 })
            }
            Some(_) => match self.plan.slots[slot.0 as usize] {
                kind if wanted.accepts(kind) => Ok(()),
                kind => Err(Unsound::WrongKind { step: number, slot: slot.0, kind }),
            },
        }
    }

    fn made(&mut self, (number, actor): (usize, Actor), slot: Slot) -> Result<(), Unsound> {
        let missing = Unsound::NotMade { step: number, slot: slot.0 };
        let after_clone = self.cloned;
        let Some(state) = self.slots.get_mut(slot.0 as usize) else { return Err(missing) };
        if state.made_by.is_some() {
            return Err(Unsound::MadeTwice { step: number, slot: slot.0 });
        }
        state.made_by = Some(actor);
        state.after_clone = after_clone;
        Ok(())
    }
}
