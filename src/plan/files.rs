//! A container's files for commands of the host's: not a process, but a tree to read and write.
//!
//! A child enters or makes the mount namespace that the tree is in, hands its top to the host, and
//! waits: the tree hangs together as long as somebody is in its namespace. The host resolves every
//! path below the top, as if that were `/`.

use super::builder::Builder;
use super::cgroup::Prepared;
use super::compiler::Compiler;
use super::error::CompileError;
use super::input::Input;
use super::namespaces::Namespaces;
use super::step::{Actor, Op, Plan, Slot, SlotKind, Source};
use super::{isolation, mounts, root};
use crate::config::path::HostPath;
use crate::sys::mount::Recursion;
use crate::sys::namespace::Namespace;

/// Which files of a container that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// All that its processes see.
    AllMounts,
    /// Its root file system, without what is mounted on it.
    RootOnly,
}

/// The plan for the files of a container that runs. One file is given: its first process.
pub fn of_running(input: &Input<'_>, reach: Reach) -> Result<Plan, CompileError> {
    let mut plan = Builder::new();
    let process = plan.slot(SlotKind::Given);
    let mut compiler = compiler(input, plan, Namespaces::default());
    let c = &mut compiler;
    isolation::clone_child(c, &[], &Prepared::default())?;
    c.plan.actor(Actor::Child).origin_text("/linux/namespaces");
    c.push(
        Op::JoinProcess { process, kinds: vec![Namespace::Mount] },
        "only the mounts: what is not in the container's other namespaces can be found by none of \
         its processes",
    );
    c.plan.origin_text("/root");
    let tree = match reach {
        Reach::AllMounts => c.root,
        Reach::RootOnly => c.plan.slot(SlotKind::Tree),
    };
    match reach {
        Reach::AllMounts => c.push(
            Op::OpenMounts { tree },
            "what the container sees now, with all that is mounted in it",
        ),
        Reach::RootOnly => {
            let source = Source::Host(HostPath::new("/"));
            c.push(
                Op::CloneTree { tree, source, recursion: Recursion::TopOnly },
                "a clone of the root alone: volumes and the like are not in it",
            );
        }
    }
    hand_over(c, tree);
    Ok(compiler.plan.finish())
}

/// The plan for the files of a container that does not run: its root, with the mounts of the
/// config at their places.
pub fn of_stopped(input: &Input<'_>) -> Result<Plan, CompileError> {
    let namespaces = Namespaces { new: vec![Namespace::Mount], ..Namespaces::default() };
    let mut compiler = compiler(input, Builder::new(), namespaces);
    let c = &mut compiler;
    isolation::clone_child(c, &[], &Prepared::default())?;
    c.plan.actor(Actor::Child);
    root::take_from_host_propagation(c);
    root::make(c)?;
    mounts::listed(c)?;
    root::read_only(c);
    let tree = c.root;
    c.plan.origin_text("/root");
    hand_over(c, tree);
    Ok(compiler.plan.finish())
}

fn compiler<'a>(input: &'a Input<'a>, mut plan: Builder, namespaces: Namespaces) -> Compiler<'a> {
    let root = plan.slot(SlotKind::Tree);
    Compiler::new(input, (plan, root), namespaces)
}

fn hand_over(c: &mut Compiler<'_>, tree: Slot) {
    c.push(
        Op::SendTree { tree },
        "the host works on it from outside: no program of the container's is near",
    );
    c.push(Op::AwaitEnd, "without anybody in it a mount namespace falls apart");
}
