//! One more process in a container that runs: from its config and what is known of its first
//! process to a plan.
//!
//! The child enters everything of the container but its pid namespace, into which only a process
//! can be born. It stays in the host's until there is nothing left to do: what it was allowed to
//! do until then is gone when the container's processes can see its successor.

use super::builder::Builder;
use super::cgroup::Prepared;
use super::compiler::Compiler;
use super::error::CompileError;
use super::input::Input;
use super::namespaces::Namespaces;
use super::step::{Actor, Op, Plan, Slot, SlotKind};
use super::{isolation, process, terminal};
use crate::config::path::HostPath;
use crate::facts::process::Joinable;
use crate::sys::namespace::Namespace;
use crate::sys::stub::Executor;

/// Who waits for the new process?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parent {
    /// We do.
    Ours,
    /// Nobody of ours: the first process of the container does.
    Containers,
}

/// How many files the caller of the plan gives: three streams and the process that is joined.
pub const GIVEN: usize = 4;

/// Compiles the plan of one more process: that of `input`'s config, in `target`'s place.
pub fn compile(input: &Input<'_>, target: &Joinable, parent: Parent) -> Result<Plan, CompileError> {
    let mut plan = Builder::new();
    let given = [(); GIVEN].map(|()| plan.slot(SlotKind::Given));
    let [stdin, stdout, stderr, joined] = given;
    let namespaces = Namespaces {
        joined: target.namespaces.iter().map(|kind| (*kind, HostPath::new("/"))).collect(),
        ..Namespaces::default()
    };
    let root = plan.slot(SlotKind::Place);
    let mut compiler = Compiler::new(input, (plan, root), namespaces);
    let c = &mut compiler;
    let cgroup = cgroups(c, target);
    isolation::clone_child(c, &[], &cgroup)?;
    enter(c, (joined, &target.namespaces));
    let executor = match parent {
        Parent::Containers => Executor::Orphan,
        Parent::Ours if target.namespaces.contains(&Namespace::Pid) => Executor::Sibling,
        Parent::Ours => Executor::Itself,
    };
    terminal::in_running(c, executor)?;
    process::standard_streams(c, &[stdin, stdout, stderr])?;
    process::limits(c)?;
    process::credentials(c)?;
    process::own_directory(c)?;
    process::program(c, executor)?;
    Ok(compiler.plan.finish())
}

/// The cgroups that the container's first process is in.
fn cgroups(c: &mut Compiler<'_>, target: &Joinable) -> Prepared {
    let mut prepared = Prepared::default();
    c.plan.origin_text("/linux/cgroupsPath");
    for path in target.cgroups.iter().chain(&target.unified) {
        let cgroup = c.plan.slot(SlotKind::Cgroup);
        c.plan.early(
            Op::OpenCgroup { cgroup, path: HostPath::new(path) },
            "limits count what runs in the container, whoever started it",
        );
        if target.cgroups.is_empty() {
            prepared.born_into = Some(cgroup);
        } else {
            prepared.joined_by_host.push(cgroup);
        }
    }
    prepared
}

/// All namespaces at once, then what a child must not bring along.
fn enter(c: &mut Compiler<'_>, (process, kinds): (Slot, &[Namespace])) {
    c.plan.actor(Actor::Child).origin_text("/linux/namespaces");
    c.push(
        Op::JoinProcess { process, kinds: kinds.to_vec() },
        "by a descriptor of the container's first process: its number could be another's by now",
    );
    if kinds.contains(&Namespace::User) {
        c.push(
            Op::BecomeUser { uid: 0, gid: 0 },
            "who has joined it still has the host's user, which is nobody in here",
        );
    }
    c.plan.origin_text("default");
    c.push(
        Op::NotDumpable,
        "who lives in the container already must not look into us (CVE-2016-9962)",
    );
    isolation::apart(c);
}
