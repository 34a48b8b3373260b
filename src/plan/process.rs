//! The process: its terminal, its limits, its rights, and its execution.

use std::borrow::Cow;

use oci_spec::runtime::{
    LinuxPersonalityDomain, LinuxSchedulerFlag, LinuxSchedulerPolicy, PosixRlimitType, Scheduler,
};

use super::compiler::Compiler;
use super::error::CompileError;
use super::hooks;
use super::input::{Lifetime, Stdio};
use super::source::PROC_SUPER_MAGIC;
use super::step::{
    Actor, Ambient, CapabilitySets, Denied, ExecSpec, IdRange, Missing, Op, SetGroups, Slot,
    SlotKind,
};
use crate::config::capability::CapabilitySet;
use crate::config::path::{HostPath, RootPath};
use crate::sys::namespace::Namespace;
use crate::sys::path::Links;
use crate::sys::process::SchedulerAttributes;
use crate::sys::stub::Executor;

/// CAP_SYS_ADMIN, for what has to be done after the user is set.
const CAP_SYS_ADMIN: u64 = 1 << 21;
/// CAP_SETPCAP, for the bounding set.
const CAP_SETPCAP: u64 = 1 << 8;

/// The host's procfs, where a step will write to it.
pub(super) fn open_procfs(c: &mut Compiler<'_>) {
    let linux = c.input.spec.linux().as_ref();
    let sysctl = linux.and_then(|l| l.sysctl().as_ref()).is_some_and(|s| !s.is_empty());
    let oom = c.input.spec.process().as_ref().and_then(|p| p.oom_score_adj()).is_some();
    if !sysctl && !oom {
        return;
    }
    let place = c.plan.slot(SlotKind::Place);
    c.plan.origin_text("default");
    c.push(
        Op::OpenPlace { place, path: HostPath::new("/proc") },
        "settings are written through the host's procfs, never through the container's own",
    );
    c.push(
        Op::ExpectFilesystem { place, magic: PROC_SUPER_MAGIC, name: "proc" },
        "a write to a file that only looks like procfs goes astray (CVE-2019-16884)",
    );
    c.procfs = Some(place);
}

/// The directory that the process starts in is made where it is missing (V12.04).
pub(super) fn working_directory_made(c: &mut Compiler<'_>) -> Result<(), CompileError> {
    let path = working_directory(c)?;
    if path.is_root() {
        return Ok(());
    }
    c.plan.origin_text("/process/cwd");
    let place = c.plan.slot(SlotKind::Place);
    let (root, links) = (c.root, Links::InRoot);
    c.push(
        Op::Pin { place, root, path, links, missing: Missing::MakeDirectory },
        "it is made below the root's descriptor: a link in it stays inside (CVE-2026-55686)",
    );
    Ok(())
}

fn working_directory(c: &Compiler<'_>) -> Result<RootPath, CompileError> {
    let cwd = c.input.process()?.cwd();
    let invalid = |what| CompileError::Invalid {
        origin: "/process/cwd".into(),
        what,
        value: cwd.display().to_string(),
    };
    let text = cwd.to_str().ok_or_else(|| invalid("text in UTF-8"))?;
    if !text.starts_with('/') {
        return Err(invalid("absolute path"));
    }
    // A path through procfs means a descriptor of whoever looks it up; cleaned it still does.
    Ok(RootPath::clean(text))
}

/// Standard input, output and error.
pub(super) fn standard_streams(c: &mut Compiler<'_>, given: &[Slot]) -> Result<(), CompileError> {
    let process = c.input.process()?;
    if process.terminal().unwrap_or(false) {
        return Ok(());
    }
    c.plan.origin_text("default");
    for (&file, number) in given.iter().zip(0..) {
        c.push(
            Op::Duplicate { file, number },
            "a pipe of the supervisor's: a container must not read the caller's terminal",
        );
    }
    own_streams(c, (process.user().uid(), process.user().gid()));
    Ok(())
}

/// A process must be able to open its own /dev/stdout again.
fn own_streams(c: &mut Compiler<'_>, owner: (u32, u32)) {
    let because = "a process must be able to open its own /dev/stdout again";
    if c.namespaces.is_new(Namespace::User) && c.input.stdio == Stdio::Inherited {
        let outside = |rows: &[IdRange], id| rows.iter().find_map(|row| row.outside_of(id));
        let (uids, gids) = (&c.namespaces.uids, &c.namespaces.gids);
        if let (Some(uid), Some(gid)) = (outside(uids, owner.0), outside(gids, owner.1)) {
            // Inside, nobody may change the owner of a file of the host's.
            c.plan.early(Op::OwnStdio { owner: (uid, gid) }, because);
        }
    } else if owner.0 != 0 || c.namespaces.is_own(Namespace::User) {
        c.push(Op::OwnStdio { owner }, because);
    }
}

fn limit_name(typ: PosixRlimitType) -> (&'static str, u32) {
    use PosixRlimitType as R;
    match typ {
        R::RlimitCpu => ("RLIMIT_CPU", 0),
        R::RlimitFsize => ("RLIMIT_FSIZE", 1),
        R::RlimitData => ("RLIMIT_DATA", 2),
        R::RlimitStack => ("RLIMIT_STACK", 3),
        R::RlimitCore => ("RLIMIT_CORE", 4),
        R::RlimitRss => ("RLIMIT_RSS", 5),
        R::RlimitNproc => ("RLIMIT_NPROC", 6),
        R::RlimitNofile => ("RLIMIT_NOFILE", 7),
        R::RlimitMemlock => ("RLIMIT_MEMLOCK", 8),
        R::RlimitAs => ("RLIMIT_AS", 9),
        R::RlimitLocks => ("RLIMIT_LOCKS", 10),
        R::RlimitSigpending => ("RLIMIT_SIGPENDING", 11),
        R::RlimitMsgqueue => ("RLIMIT_MSGQUEUE", 12),
        R::RlimitNice => ("RLIMIT_NICE", 13),
        R::RlimitRtprio => ("RLIMIT_RTPRIO", 14),
        R::RlimitRttime => ("RLIMIT_RTTIME", 15),
    }
}

/// Resource limits and the like.
pub(super) fn limits(c: &mut Compiler<'_>) -> Result<(), CompileError> {
    let process = c.input.process()?;
    if let (Some(value), Some(procfs)) = (process.oom_score_adj(), c.procfs) {
        c.plan.origin_text("/process/oomScoreAdj");
        let because = "inherited from rrun otherwise; lowering it needs the rights still held here";
        c.push(Op::SetOomScore { procfs, value }, because);
    }
    for (index, entry) in process.rlimits().iter().flatten().enumerate() {
        let origin = format!("/process/rlimits/{index}");
        let (name, resource) = limit_name(entry.typ());
        let (soft, hard) = (entry.soft(), entry.hard());
        if soft > hard {
            let value = format!("{name} {soft} above {hard}");
            return Err(CompileError::Invalid { origin, what: "soft limit", value });
        }
        let before = &process.rlimits().as_deref().unwrap_or_default()[..index];
        if before.iter().any(|other| other.typ() == entry.typ()) {
            return Err(CompileError::Invalid { origin, what: "new limit", value: name.into() });
        }
        c.plan.origin_text(&origin);
        let because = "raising a hard limit needs the rights still held here";
        c.push(Op::SetLimit { name, resource, soft, hard }, because);
    }
    if let Some(scheduler) = process.scheduler() {
        c.plan.origin_text("/process/scheduler");
        c.push(Op::SetScheduler(attributes(scheduler)), "inherited from rrun otherwise");
    }
    if let Some(priority) = process.io_priority() {
        c.plan.origin_text("/process/ioPriority");
        let class = priority.class() as i32 + 1;
        let level = i32::try_from(priority.priority()).unwrap_or(0);
        let because = "inherited from rrun otherwise";
        c.push(Op::SetIoPriority { class_and_level: class << 13 | level }, because);
    }
    let linux = c.input.spec.linux().as_ref();
    if let Some(personality) = linux.and_then(|l| l.personality().as_ref()) {
        let persona = match personality.domain() {
            LinuxPersonalityDomain::PerLinux => 0,
            LinuxPersonalityDomain::PerLinux32 => 8,
        };
        c.plan.origin_text("/linux/personality");
        c.push(Op::SetPersonality { persona }, "the filter may forbid the call later on");
    }
    Ok(())
}

/// The scheduler of the config as the kernel takes it.
fn attributes(scheduler: &Scheduler) -> SchedulerAttributes {
    use LinuxSchedulerFlag as F;
    use LinuxSchedulerPolicy as P;
    let flag = |flag: &LinuxSchedulerFlag| match flag {
        F::SchedResetOnFork => 0x01,
        F::SchedFlagReclaim => 0x02,
        F::SchedFlagDLOverrun => 0x04,
        F::SchedFlagKeepPolicy => 0x08,
        F::SchedFlagKeepParams => 0x10,
        F::SchedFlagUtilClampMin => 0x20,
        F::SchedFlagUtilClampMax => 0x40,
    };
    SchedulerAttributes {
        size: 0,
        policy: match scheduler.policy() {
            P::SchedOther => 0,
            P::SchedFifo => 1,
            P::SchedRr => 2,
            P::SchedBatch => 3,
            P::SchedIso => 4,
            P::SchedIdle => 5,
            P::SchedDeadline => 6,
        },
        flags: scheduler.flags().iter().flatten().map(flag).sum(),
        nice: scheduler.nice().unwrap_or(0),
        priority: u32::try_from(scheduler.priority().unwrap_or(0)).unwrap_or(u32::MAX),
        runtime: scheduler.runtime().unwrap_or(0),
        deadline: scheduler.deadline().unwrap_or(0),
        period: scheduler.period().unwrap_or(0),
    }
}

fn capability_sets(c: &Compiler<'_>) -> Result<CapabilitySets, CompileError> {
    let Some(sets) = c.input.process()?.capabilities() else {
        // The specification leaves it open; no list means nothing is given.
        return Ok(CapabilitySets::default());
    };
    let known = CapabilitySet::all(c.input.facts.kernel.last_capability);
    let mask = |names: &Option<std::collections::HashSet<_>>| {
        names.as_ref().map_or(0, |names| CapabilitySet::from_oci(names).intersection(known).bits())
    };
    let (permitted, inheritable) = (mask(sets.permitted()), mask(sets.inheritable()));
    Ok(CapabilitySets {
        effective: mask(sets.effective()) & permitted,
        permitted,
        inheritable,
        bounding: mask(sets.bounding()),
        // The kernel raises in the ambient set only what is permitted and inheritable.
        ambient: mask(sets.ambient()) & permitted & inheritable,
    })
}

/// User, groups and capabilities; after this the process has what it will have.
pub(super) fn credentials(c: &mut Compiler<'_>) -> Result<(), CompileError> {
    let process = c.input.process()?;
    let user = process.user();
    let sets = capability_sets(c)?;
    c.plan.origin_text("/process/capabilities");
    let last = c.input.facts.kernel.last_capability;
    c.push(
        Op::DropBounding { keep: sets.bounding, last },
        "a set-user-id program could win back what is not removed here",
    );
    if user.uid() != 0 {
        let path = working_directory(c)?;
        c.plan.origin_text("/process/cwd");
        c.push(
            Op::SetWorkingDirectory { path, denied: Denied::TriedLater },
            "as root: the process may start in a directory that its user cannot search",
        );
    }
    c.plan.origin_text("/process/user");
    c.push(
        Op::SetUmask { mask: user.umask().unwrap_or(0o022) },
        "inherited from rrun's caller otherwise",
    );
    let mut groups = user.additional_gids().clone().unwrap_or_default();
    groups.dedup();
    let joined = c.namespaces.is_own(Namespace::User) && !c.namespaces.is_new(Namespace::User);
    let set_groups = if joined { SetGroups::Perhaps } else { SetGroups::Allowed };
    c.push(
        Op::SetUser { uid: user.uid(), gid: user.gid(), groups: Cow::Owned(groups), set_groups },
        "groups first: a user without rights cannot change them any more",
    );
    c.plan.origin_text("/process/capabilities");
    c.push(
        Op::SetCapabilities { sets, also: CAP_SYS_ADMIN | CAP_SETPCAP, ambient: Ambient::Later },
        "a change of user clears the sets in force; CAP_SYS_ADMIN is kept for the filter only",
    );
    if c.input.lifetime == Lifetime::Supervised {
        c.plan.origin_text("default");
        c.push(
            Op::DieWithParent,
            "the kernel forgets the parent-death signal when the user or the rights change",
        );
    }
    Ok(())
}

/// The last steps, in an order that leaves the filter as little to allow as possible.
pub(super) fn execute(c: &mut Compiler<'_>) -> Result<(), CompileError> {
    own_directory(c)?;
    hooks::run(c, "startContainer", "run in the container, right before its process")?;
    program(c, Executor::Itself)?;
    c.plan.actor(Actor::Host);
    // They are no steps, but a mistake in them is told before anything is done.
    hooks::hooks(c.input.spec, "poststop")?;
    hooks::run(c, "poststart", "the process has been started")
}

/// The working directory of the process.
pub(super) fn own_directory(c: &mut Compiler<'_>) -> Result<(), CompileError> {
    let path = working_directory(c)?;
    c.plan.origin_text("/process/cwd");
    c.push(
        Op::SetWorkingDirectory { path, denied: Denied::Fails },
        "as the container's user, and checked: a path through a leaked descriptor ends outside \
         (CVE-2024-21626)",
    );
    Ok(())
}

/// What takes the last of our own rights, and the program, executed by `executor`.
pub(super) fn program(c: &mut Compiler<'_>, executor: Executor) -> Result<(), CompileError> {
    let process = c.input.process()?;
    if process.no_new_privileges().unwrap_or(false) {
        c.plan.origin_text("/process/noNewPrivileges");
        c.push(Op::NoNewPrivileges, "set-user-id programs give no rights from here on");
    }
    last_capabilities(c)?;
    c.plan.origin_text("/process/args");
    let args = process.args().clone().filter(|args| !args.is_empty());
    let args = args.ok_or(CompileError::Missing { field: "/process/args" })?;
    let env = environment(process.env().as_deref().unwrap_or_default());
    let user = process.user().uid();
    let home_of = env.iter().all(|e| !e.starts_with("HOME=")).then_some(user);
    let because = match executor {
        Executor::Itself => {
            "through a sealed stub: /proc/self/exe must never be rrun's own file (CVE-2019-5736)"
        }
        Executor::Sibling | Executor::Orphan => {
            "the stub makes the process: nothing of rrun itself is ever in the container's pid \
             namespace, where CAP_SYS_PTRACE could take hold of it (CVE-2019-5736)"
        }
    };
    c.push(Op::MakeStub, because);
    if let Some((program, flags)) = c.input.seccomp.clone() {
        c.plan.origin_text("/linux/seccomp");
        let because = "after everything that the filter may forbid: what is left is one execveat";
        c.push(Op::LoadSeccomp { program, flags }, because);
    }
    c.plan.origin_text("/process/args");
    let spec = ExecSpec { args, env, home_of, executor };
    c.push(Op::Exec(spec), "all that it needs is open and in memory");
    Ok(())
}

/// What the process may do. Without no_new_privs the filter takes CAP_SYS_ADMIN, which execve
/// drops: what a program may do follows from the other sets, not from what was permitted before.
fn last_capabilities(c: &mut Compiler<'_>) -> Result<(), CompileError> {
    let sets = capability_sets(c)?;
    let confined = c.input.process()?.no_new_privileges().unwrap_or(false);
    let (also, because) = match &c.input.seccomp {
        Some(_) if !confined => (
            CAP_SYS_ADMIN,
            "without no_new_privs the filter needs CAP_SYS_ADMIN; the execution drops it again",
        ),
        _ => (0, "nothing is left to do that needs more than the process is to have"),
    };
    c.plan.origin_text("/process/capabilities");
    c.push(Op::SetCapabilities { sets, also, ambient: Ambient::Raised }, because);
    Ok(())
}

/// The environment with the last of a doubled name only, and without an empty HOME.
fn environment(given: &[String]) -> Vec<String> {
    let name = |entry: &str| entry.split('=').next().unwrap_or_default().to_owned();
    let mut kept: Vec<String> = Vec::with_capacity(given.len());
    for entry in given {
        if entry == "HOME=" {
            continue;
        }
        kept.retain(|known| name(known) != name(entry));
        kept.push(entry.clone());
    }
    kept
}
