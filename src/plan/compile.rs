//! From config and facts to a plan: the order of things, each part in its own module.

use super::builder::Builder;
use super::compiler::Compiler;
use super::error::CompileError;
pub use super::input::{Input, Lifetime, MountNote, OverlayDirectories, RootSource, Stdio};
use super::step::{Actor, Plan, Slot};
use super::{
    cgroup, hooks, isolation, mounts, namespaces, process, root, settings, terminal, values,
};

/// Compiles a plan.
pub fn compile(input: &Input<'_>) -> Result<Plan, CompileError> {
    values::check(input)?;
    let mut plan = Builder::new();
    let given = match input.stdio {
        Stdio::Given => [(); 3].map(|()| plan.slot(super::SlotKind::Given)).to_vec(),
        Stdio::Inherited => Vec::new(),
    };
    let namespaces = namespaces::read(input)?;
    let root = plan.slot(super::SlotKind::Tree);
    let mut compiler = Compiler::new(input, (plan, root), namespaces);
    compiler.isolation()?;
    compiler.file_systems()?;
    compiler.process_steps(&given)?;
    let warnings = input.cgroup.left_out.clone();
    Ok(Plan { warnings, ..compiler.plan.finish() })
}

impl Compiler<'_> {
    /// Namespaces, cgroup and the clone; then the child gets its rights.
    fn isolation(&mut self) -> Result<(), CompileError> {
        let joined = isolation::open_joined(self);
        let cgroup = cgroup::prepare(self);
        isolation::clone_child(self, &joined, &cgroup)?;
        isolation::enter(self, &joined);
        Ok(())
    }

    /// The mount tree, up to the new root.
    fn file_systems(&mut self) -> Result<(), CompileError> {
        self.plan.actor(Actor::Child);
        if !self.namespaces.has_own_mounts() {
            return root::without_mount_namespace(self);
        }
        process::open_procfs(self);
        root::take_from_host_propagation(self);
        let masks = mounts::prepare_masks(self);
        root::make(self)?;
        let mounted = mounts::all(self)?;
        mounts::hide(self, masks);
        terminal::in_tree(self, mounted)?;
        process::working_directory_made(self)?;
        hooks::before_pivot(self)?;
        root::finish(self)
    }

    /// What the process is and may do, and its execution.
    fn process_steps(&mut self, given: &[Slot]) -> Result<(), CompileError> {
        settings::all(self)?;
        process::standard_streams(self, given)?;
        process::limits(self)?;
        process::credentials(self)?;
        process::execute(self)
    }

    /// The tree that was just attached on `/` is the root from here on, on top of what was it.
    pub(super) fn root_is_covered_by(&mut self, tree: Slot) {
        self.root = tree;
        self.covers += 1;
    }
}
