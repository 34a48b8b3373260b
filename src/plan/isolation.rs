//! The one clone that makes the child in its namespaces, and the child's first steps.

use super::cgroup;
use super::compiler::Compiler;
use super::error::CompileError;
use super::input::Lifetime;
use super::step::{Actor, CloneSpec, IdRange, Op, Slot, SlotKind};
use crate::config::cgroup::layout::Kind;
use crate::sys::namespace::Namespace;

/// Opens the namespaces that are joined, with the host's rights.
pub(super) fn open_joined(c: &mut Compiler<'_>) -> Vec<(Namespace, Slot)> {
    let mut opened = Vec::new();
    for (kind, path) in c.namespaces.joined.clone() {
        let namespace = c.plan.slot(SlotKind::Namespace);
        c.plan.origin_text("/linux/namespaces");
        c.plan.early(
            Op::OpenNamespace { namespace, kind, path },
            "opened before anything is entered, where the path still means the host's",
        );
        opened.push((kind, namespace));
    }
    opened
}

/// Joined namespaces that the host owns, where the container has a user namespace: once inside of
/// that, nobody has the right to join them.
fn entered_before(c: &Compiler<'_>, joined: &[(Namespace, Slot)]) -> Vec<(Namespace, Slot)> {
    let has_user = c.namespaces.is_own(Namespace::User);
    let before = |kind| kind != Namespace::User && !c.namespaces.foreign.contains(&kind);
    joined.iter().copied().filter(|(kind, _)| has_user && before(*kind)).collect()
}

fn slot_of(joined: &[(Namespace, Slot)], kind: Namespace) -> Option<Slot> {
    joined.iter().find(|(k, _)| *k == kind).map(|(_, slot)| *slot)
}

/// The clone, and what the host does for the child before it can act.
pub(super) fn clone_child(
    c: &mut Compiler<'_>,
    joined: &[(Namespace, Slot)],
    cgroup: &cgroup::Prepared,
) -> Result<(), CompileError> {
    let time_offsets = time_offsets(c)?;
    let entered = entered_before(c, joined);
    let joined_later = !cgroup.joined_by_host.is_empty();
    let later = |kind: &Namespace| *kind == Namespace::Cgroup && joined_later;
    let spec = CloneSpec {
        new: c.namespaces.new.iter().copied().filter(|kind| !later(kind)).collect(),
        user: slot_of(joined, Namespace::User),
        pid: slot_of(joined, Namespace::Pid).filter(|slot| entered.iter().all(|e| e.1 != *slot)),
        entered,
        cgroup: cgroup.born_into,
        time_offsets,
    };
    c.plan.origin_text("/linux/namespaces").actor(Actor::Host);
    c.push(Op::Clone(Box::new(spec)), "one clone makes the process and all its new namespaces");
    if c.namespaces.is_new(Namespace::User) {
        c.plan.origin_text("/linux/uidMappings");
        c.push(
            Op::WriteUidMap { ranges: c.namespaces.uids.clone() },
            "a process may not map ids for itself that its user does not own",
        );
        c.push(
            Op::WriteGidMap { ranges: c.namespaces.gids.clone() },
            "a process may not map groups for itself that its user does not own",
        );
    }
    for &slot in &cgroup.joined_by_host {
        c.plan.origin_text("/linux/cgroupsPath");
        c.push(
            Op::JoinCgroup { cgroup: slot },
            "clone3 can put a child into a v2 cgroup only; v1 hierarchies are joined by pid",
        );
    }
    for (slot, limit) in &cgroup.written_after_clone {
        c.plan.origin_text("/linux/resources");
        c.push(
            Op::WriteCgroup { cgroup: *slot, limit: Box::new(limit.clone()) },
            "a limit of no processes at all would refuse the container's own",
        );
    }
    if c.namespaces.is_new(Namespace::User) || cgroup.child_waits() {
        c.push(
            Op::Sync { waits: Actor::Child, until: "the host has written id maps and cgroups" },
            "until its ids are mapped the child has no rights in its own namespaces",
        );
    }
    Ok(())
}

fn time_offsets(c: &Compiler<'_>) -> Result<Vec<(String, i64, u32)>, CompileError> {
    let linux = c.input.spec.linux().as_ref();
    let Some(offsets) = linux.and_then(|l| l.time_offsets().as_ref()) else {
        return Ok(Vec::new());
    };
    let mut rows: Vec<_> = offsets
        .iter()
        .map(|(clock, o)| (clock.clone(), o.secs().unwrap_or(0), o.nanosecs().unwrap_or(0)))
        .collect();
    rows.sort();
    if !rows.is_empty() && !c.namespaces.is_new(Namespace::Time) {
        return Err(CompileError::Unsupported {
            origin: "/linux/timeOffsets".into(),
            what: "offsets need a new time namespace".into(),
        });
    }
    Ok(rows)
}

/// Who makes the mount tree in a user namespace: its root, or the process's user where the
/// mapping has no root. The rights are the same, but a file needs an owner that is mapped.
fn first_user(c: &Compiler<'_>) -> (u32, u32) {
    let has_root = |rows: &[IdRange]| rows.is_empty() || rows.iter().any(|row| row.inside == 0);
    let user = c.input.spec.process().as_ref().map(|process| process.user());
    let (uid, gid) = user.map_or((0, 0), |user| (user.uid(), user.gid()));
    let uid = if has_root(&c.namespaces.uids) { 0 } else { uid };
    let gid = if has_root(&c.namespaces.gids) { 0 } else { gid };
    (uid, gid)
}

/// The child's first steps: bound to its parent, in its namespaces, with its rights.
pub(super) fn enter(c: &mut Compiler<'_>, joined: &[(Namespace, Slot)]) {
    c.plan.actor(Actor::Child).origin_text("default");
    if c.input.lifetime == Lifetime::Supervised {
        c.push(
            Op::DieWithParent,
            "a container must not outlive its supervisor, also if that is killed in set-up",
        );
    }
    c.plan.origin_text("/linux/namespaces");
    let entered = entered_before(c, joined);
    for &(kind, namespace) in joined {
        // The user and pid namespace are the clone's business: a setns of our own comes too late.
        let by_clone = matches!(kind, Namespace::User | Namespace::Pid);
        if !by_clone && !entered.contains(&(kind, namespace)) {
            c.push(
                Op::JoinNamespace { namespace, kind },
                "the config names an existing namespace instead of a new one",
            );
        }
    }
    let own_hierarchies = c.input.facts.cgroups.kind() != Kind::V2;
    if c.namespaces.is_new(Namespace::Cgroup) && own_hierarchies && c.input.cgroup.is_some() {
        c.push(
            Op::Unshare { kind: Namespace::Cgroup },
            "a cgroup namespace has its root where its maker is: the v1 cgroups are joined first",
        );
    }
    if c.namespaces.is_own(Namespace::User) {
        let (uid, gid) = first_user(c);
        c.push(
            Op::BecomeUser { uid, gid },
            "after the clone the child still has the host's user, which is nobody in here",
        );
    }
    c.plan.origin_text("default");
    if !c.namespaces.is_new(Namespace::Pid) {
        c.push(
            Op::NotDumpable,
            "who lives in this pid namespace already must not look into us (CVE-2016-9962)",
        );
    }
    apart(c);
}

/// What the child must not have in common with its caller.
pub(super) fn apart(c: &mut Compiler<'_>) {
    c.push(Op::NewSession, "the container must not have the caller's terminal as its own");
    c.push(
        Op::NewSessionKeyring,
        "a keyring is in no namespace: tickets and passwords in the caller's would be found inside",
    );
}
