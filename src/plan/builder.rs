//! Writing a plan down: the next step, the next slot, who acts and what asked for it.

use super::step::{Actor, Op, Origin, Plan, Slot, SlotKind, Step};

/// A plan while it is written.
#[derive(Debug)]
pub struct Builder {
    /// What the host does before the clone.
    early: Vec<Step>,
    /// What has to wait until /dev is attached.
    waiting: Vec<Step>,
    plan: Plan,
    actor: Actor,
    origin: Origin,
}

impl Builder {
    /// An empty plan; the host acts first.
    pub fn new() -> Self {
        Self {
            early: Vec::new(),
            waiting: Vec::new(),
            plan: Plan::default(),
            actor: Actor::Host,
            origin: Origin::new("default"),
        }
    }

    /// From here on steps are done by `actor`.
    pub fn actor(&mut self, actor: Actor) -> &mut Self {
        self.actor = actor;
        self
    }

    /// From here on steps are asked for by `origin`.
    pub fn origin(&mut self, origin: &Origin) -> &mut Self {
        self.origin = origin.clone();
        self
    }

    /// From here on steps are asked for by `text`.
    pub fn origin_text(&mut self, text: &str) -> &mut Self {
        self.origin = Origin::new(text);
        self
    }

    /// A new slot.
    pub fn slot(&mut self, kind: SlotKind) -> Slot {
        // A config of 4 billion mounts does not fit into memory.
        let slot = Slot(u32::try_from(self.plan.slots.len()).unwrap_or(u32::MAX));
        self.plan.slots.push(kind);
        slot
    }

    /// Writes the next step.
    pub fn push(&mut self, op: Op, because: &'static str) {
        let step = Step { op, actor: self.actor, origin: self.origin.clone(), because };
        self.plan.steps.push(step);
    }

    /// Writes a step that the host does before the clone.
    pub fn early(&mut self, op: Op, because: &'static str) {
        let step = Step { op, actor: Actor::Host, origin: self.origin.clone(), because };
        self.early.push(step);
    }

    /// Writes a step of the child that has to wait until /dev is attached.
    pub fn after_dev(&mut self, op: Op, because: &'static str) {
        let step = Step { op, actor: Actor::Child, origin: self.origin.clone(), because };
        self.waiting.push(step);
    }

    /// Now the steps that waited for /dev come.
    pub fn flush_after_dev(&mut self) {
        self.plan.steps.append(&mut self.waiting);
    }

    /// The plan as written.
    pub fn finish(mut self) -> Plan {
        // The early ones are few; thousands of others are moved in their place, not copied.
        self.plan.steps.splice(0..0, self.early);
        self.plan
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}
