//! From config and facts to a plan: the order of things, each part in its own module.

use oci_spec::runtime::{LinuxSeccomp, Process, Spec};

use super::builder::Builder;
use super::error::CompileError;
use super::namespaces::Namespaces;
use super::step::{Actor, Op, Origin, Plan, Program, Slot};
use super::{cgroup, hooks, mounts, namespaces, process, root, settings, terminal};
use crate::config::path::{HostPath, RootPath};
use crate::facts::Facts;

/// Where the container's root file system comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootSource {
    /// A directory of the host.
    Directory(HostPath),
    /// Layers and a writable directory, as an overlay that only the container sees.
    Overlay(OverlayDirectories),
}

/// The directories of an overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverlayDirectories {
    /// Read-only layers, the topmost first.
    pub lower: Vec<HostPath>,
    /// Where changes go.
    pub upper: HostPath,
    /// The kernel's work place, on the same file system as `upper`.
    pub work: HostPath,
}

/// What is known of a mount beside its entry in the config.
#[derive(Debug, Clone, Default)]
pub struct MountNote {
    /// What asked for it, in the user's words.
    pub origin: Option<Origin>,
    /// The source is this path below a directory, and must not leave it.
    pub beneath: Option<(HostPath, RootPath)>,
}

/// Where the process's standard streams come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdio {
    /// The caller's own, as engines expect it.
    Inherited,
    /// Three files that the caller of the plan gives: the first three slots.
    Given,
}

/// Does the container end with its supervisor?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// A parent-death signal is set.
    Supervised,
    /// It may outlive the command that made it.
    Independent,
}

/// All that a plan is made from.
#[derive(Debug)]
pub struct Input<'a> {
    /// The config.
    pub spec: &'a Spec,
    /// This machine.
    pub facts: &'a Facts,
    /// The root file system.
    pub root: RootSource,
    /// Notes, by the number of the mount.
    pub mounts: &'a [MountNote],
    /// The compiled seccomp filter, where the config has one.
    pub seccomp: Option<(Program, u32)>,
    /// The cgroup and what to write into it.
    pub cgroup: cgroup::CgroupRequest,
    /// The standard streams.
    pub stdio: Stdio,
    /// Whether it ends with us.
    pub lifetime: Lifetime,
}

impl Input<'_> {
    /// What asked for the mount with this number.
    pub(super) fn mount_origin(&self, index: usize) -> Origin {
        let note = self.mounts.get(index).and_then(|note| note.origin.clone());
        note.unwrap_or_else(|| {
            let mount = self.spec.mounts().as_ref().and_then(|mounts| mounts.get(index));
            let Some(mount) = mount else { return Origin::new(&format!("/mounts/{index}")) };
            // A number alone would have to be looked up in the config.
            let kind = mount.typ().as_deref().filter(|kind| !kind.is_empty() && *kind != "none");
            let target = mount.destination().display();
            Origin::new(&format!("/mounts/{index} ({} on {target})", kind.unwrap_or("bind")))
        })
    }

    /// The process of the config.
    pub(super) fn process(&self) -> Result<&Process, CompileError> {
        self.spec.process().as_ref().ok_or(CompileError::Missing { field: "/process" })
    }

    /// The seccomp part of the config.
    pub fn seccomp_config(spec: &Spec) -> Option<&LinuxSeccomp> {
        spec.linux().as_ref()?.seccomp().as_ref()
    }
}

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
}

/// Compiles a plan.
pub fn compile(input: &Input<'_>) -> Result<Plan, CompileError> {
    let mut plan = Builder::new();
    let given = match input.stdio {
        Stdio::Given => [(); 3].map(|()| plan.slot(super::SlotKind::Given)).to_vec(),
        Stdio::Inherited => Vec::new(),
    };
    let namespaces = namespaces::read(input)?;
    let root = plan.slot(super::SlotKind::Tree);
    let mut compiler = Compiler { input, plan, namespaces, procfs: None, root, covers: 0 };
    compiler.isolation()?;
    compiler.file_systems()?;
    compiler.process_steps(&given)?;
    Ok(compiler.plan.finish())
}

impl Compiler<'_> {
    /// Namespaces, cgroup and the clone; then the child gets its rights.
    fn isolation(&mut self) -> Result<(), CompileError> {
        let joined = namespaces::open_joined(self);
        let cgroup = cgroup::prepare(self);
        namespaces::clone_child(self, &joined, &cgroup)?;
        namespaces::enter(self, &joined);
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

    /// Writes the next step.
    pub(super) fn push(&mut self, op: Op, because: &'static str) {
        self.plan.push(op, because);
    }
}
