//! A plan while it is compiled: what every part works on.

use super::builder::Builder;
use super::input::Input;
use super::namespaces::Namespaces;
use super::step::{IdRange, Op, Slot};

/// A plan while it is compiled: what every part needs to know.
pub(super) struct Compiler<'a> {
    pub(super) input: &'a Input<'a>,
    pub(super) plan: Builder,
    pub(super) namespaces: Namespaces,
    /// The procfs of the host, as a place, where a step needs one.
    pub(super) procfs: Option<Slot>,
    /// The container's root, attached; a mount on `/` replaces it.
    pub(super) root: Slot,
    /// How many mounts lie between the old root and the new one.
    pub(super) covers: u32,
    /// The mappings that there is a user namespace for.
    pub(super) idmaps: Vec<Idmap>,
}

/// A mapping of users and groups, and the user namespace that has it.
pub(super) struct Idmap {
    pub(super) uids: Vec<IdRange>,
    pub(super) gids: Vec<IdRange>,
    pub(super) namespace: Slot,
}

impl<'a> Compiler<'a> {
    /// A plan of which only slots are written yet, `root` among them.
    pub(super) fn new(
        input: &'a Input<'a>,
        (plan, root): (Builder, Slot),
        namespaces: Namespaces,
    ) -> Self {
        Self { input, plan, namespaces, procfs: None, root, covers: 0, idmaps: Vec::new() }
    }
}

impl Compiler<'_> {
    /// Writes the next step.
    pub(super) fn push(&mut self, op: Op, because: &'static str) {
        self.plan.push(op, because);
    }
}
