//! The process: its terminal, its limits, its rights, and its execution.

use std::borrow::Cow;

use oci_spec::runtime::{Hook, LinuxPersonalityDomain, PosixRlimitType};

use super::compile::{Compiler, Stdio};
use super::error::CompileError;
use super::mounts::Mounted;
use super::source::PROC_SUPER_MAGIC;
use super::step::{
    Actor, CapabilitySets, ExecSpec, HookSpec, LineEnds, Missing, Op, SetGroups, Slot, SlotKind,
    TerminalSpec,
};
use crate::config::capability::CapabilitySet;
use crate::config::path::{HostPath, RootPath};
use crate::sys::namespace::Namespace;
use crate::sys::path::Links;

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

/// The pty that becomes the process's terminal.
pub(super) fn terminal(c: &mut Compiler<'_>, mounted: Mounted) -> Result<(), CompileError> {
    let process = c.input.process()?;
    if !process.terminal().unwrap_or(false) {
        return Ok(());
    }
    let (size, user) = (process.console_size(), process.user());
    let size = size.map(|s| (clamp(s.height()), clamp(s.width())));
    let line_ends = match c.input.stdio {
        Stdio::Inherited => LineEnds::Plain,
        Stdio::Given => LineEnds::Converted,
    };
    let terminal = TerminalSpec { size, owner: (user.uid(), user.gid()), line_ends };
    c.plan.origin_text("/process/terminal");
    let devpts = match mounted.devpts {
        Some(tree) => tree,
        None => pin(c, "/dev/pts", Missing::Fails),
    };
    let (master, peer) =
        (c.plan.slot(SlotKind::TerminalMaster), c.plan.slot(SlotKind::TerminalPeer));
    c.push(
        Op::OpenTerminal { devpts, master, peer, terminal },
        "a terminal of the container's own devpts, so that ttyname works inside",
    );
    let tree = c.plan.slot(SlotKind::Tree);
    c.push(
        Op::CloneTerminal { peer, tree },
        "/dev/console is bound from the descriptor: the name could be a link (CVE-2025-52565)",
    );
    let place = match mounted.dev {
        Some(directory) => {
            let place = c.plan.slot(SlotKind::Place);
            c.push(
                Op::MakeFile { directory, place, name: "console".into() },
                "a bind needs a place, and a device goes onto a file",
            );
            place
        }
        None => pin(c, "/dev/console", Missing::MakeFile),
    };
    c.push(Op::Attach { tree, place }, "programs write to the console when all else is gone");
    c.push(
        Op::SendTerminal { master },
        "the host moves bytes between it and the caller's terminal",
    );
    c.push(
        Op::ControllingTerminal { peer },
        "^C and window changes reach the processes of the session that owns the terminal",
    );
    Ok(())
}

fn clamp(length: u64) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

fn pin(c: &mut Compiler<'_>, path: &str, missing: Missing) -> Slot {
    let place = c.plan.slot(SlotKind::Place);
    let (root, path) = (c.root, RootPath::clean(path));
    c.push(
        Op::Pin { place, root, path, links: Links::Refused, missing },
        "a link here could lead the terminal to another file",
    );
    place
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

fn hook(phase: &'static str, index: usize, hook: &Hook) -> HookSpec {
    HookSpec {
        phase,
        index,
        path: HostPath::new(hook.path().clone()),
        args: hook.args().clone().unwrap_or_default(),
        env: hook.env().clone().unwrap_or_default(),
        timeout_s: hook.timeout().and_then(|t| u64::try_from(t).ok()),
    }
}

fn hooks(c: &Compiler<'_>, phase: &'static str) -> Vec<HookSpec> {
    let Some(all) = c.input.spec.hooks() else { return Vec::new() };
    let list = match phase {
        "prestart" => all.prestart(),
        "createRuntime" => all.create_runtime(),
        "createContainer" => all.create_container(),
        "startContainer" => all.start_container(),
        "poststart" => all.poststart(),
        _ => all.poststop(),
    };
    list.iter().flatten().enumerate().map(|(index, h)| hook(phase, index, h)).collect()
}

fn run(c: &mut Compiler<'_>, phase: &'static str, because: &'static str) {
    for spec in hooks(c, phase) {
        c.plan.origin_text(&format!("/hooks/{phase}/{}", spec.index));
        c.push(Op::RunHook(Box::new(spec)), because);
    }
}

/// The hooks that see the mount tree before it is entered.
pub(super) fn hooks_before_pivot(c: &mut Compiler<'_>) -> Result<(), CompileError> {
    let on_host = !hooks(c, "prestart").is_empty() || !hooks(c, "createRuntime").is_empty();
    if on_host {
        c.plan.origin_text("/hooks");
        c.push(
            Op::Sync { waits: Actor::Host, until: "the child has made its mount tree" },
            "these hooks are promised the namespaces and mounts of the container",
        );
        c.plan.actor(Actor::Host);
        run(c, "prestart", "run on the host while the container's root is not entered yet");
        run(c, "createRuntime", "run on the host while the container's root is not entered yet");
        c.plan.origin_text("/hooks").actor(Actor::Child);
        c.push(
            Op::Sync { waits: Actor::Child, until: "the host's hooks have run" },
            "what they prepare must be there before the container goes on",
        );
    }
    run(c, "createContainer", "run in the container's namespaces, with the host's paths");
    Ok(())
}

/// Host name, sysctl and what else the kernel keeps for the namespaces.
pub(super) fn system_settings(c: &mut Compiler<'_>) -> Result<(), CompileError> {
    c.plan.actor(Actor::Child);
    if let Some(name) = c.input.spec.hostname().clone() {
        c.plan.origin_text("/hostname");
        own_uts(c, "/hostname")?;
        c.push(Op::SetHostname { name }, "the uts namespace starts with a copy of the host's name");
    }
    if let Some(name) = c.input.spec.domainname().clone() {
        c.plan.origin_text("/domainname");
        own_uts(c, "/domainname")?;
        c.push(
            Op::SetDomainname { name },
            "the uts namespace starts with a copy of the host's name",
        );
    }
    sysctls(c)
}

fn own_uts(c: &Compiler<'_>, origin: &str) -> Result<(), CompileError> {
    if c.namespaces.is_own(Namespace::Uts) {
        return Ok(());
    }
    Err(CompileError::Unsupported {
        origin: origin.into(),
        what: "a name of its own needs a uts namespace; this one is the host's".into(),
    })
}

/// Which namespace confines a sysctl; none if it is the whole machine's.
fn sysctl_namespace(key: &str) -> Option<Namespace> {
    const IPC: [&str; 8] = [
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
        "kernel.shm_rmid_forced",
    ];
    if IPC.contains(&key) || key.starts_with("fs.mqueue.") {
        Some(Namespace::Ipc)
    } else if key.starts_with("net.") {
        Some(Namespace::Network)
    } else if key == "kernel.domainname" || key == "kernel.hostname" {
        Some(Namespace::Uts)
    } else {
        None
    }
}

fn sysctls(c: &mut Compiler<'_>) -> Result<(), CompileError> {
    let linux = c.input.spec.linux().as_ref();
    let Some(settings) = linux.and_then(|l| l.sysctl().as_ref()) else { return Ok(()) };
    let mut settings: Vec<_> = settings.iter().collect();
    settings.sort();
    for (key, value) in settings {
        // Both forms are in use; a name part with a dot in it (an interface) needs slashes.
        let dotted = if key.contains('/') { key.replace('/', ".") } else { key.clone() };
        let refuse = |reason| CompileError::Sysctl { key: key.clone(), reason };
        let kind = sysctl_namespace(&dotted)
            .ok_or_else(|| refuse("is not confined to a namespace and would change the host"))?;
        if !c.namespaces.is_own(kind) {
            return Err(refuse("is not allowed in the hosts namespace"));
        }
        if let Some(procfs) = c.procfs {
            c.plan.origin_text(&format!("/linux/sysctl/{key}"));
            c.push(
                Op::SetSysctl { procfs, key: key.clone(), value: value.clone() },
                "written from inside: the file shows the namespace of whoever opens it",
            );
        }
    }
    Ok(())
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
    let user = process.user();
    let moved = user.uid() != 0 || c.namespaces.is_own(Namespace::User);
    if moved && c.input.stdio == Stdio::Given {
        c.push(
            Op::OwnStdio { owner: (user.uid(), user.gid()) },
            "a process must be able to open its own /dev/stdout again",
        );
    }
    Ok(())
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
        c.plan.origin_text(&origin);
        let because = "raising a hard limit needs the rights still held here";
        c.push(Op::SetLimit { name, resource, soft, hard }, because);
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
    c.plan.origin_text("/process/user");
    c.push(
        Op::SetUmask { mask: user.umask().unwrap_or(0o022) },
        "inherited from rrun's caller otherwise",
    );
    let mut groups = user.additional_gids().clone().unwrap_or_default();
    groups.dedup();
    c.push(
        Op::SetUser {
            uid: user.uid(),
            gid: user.gid(),
            groups: Cow::Owned(groups),
            set_groups: SetGroups::Allowed,
        },
        "groups first: a user without rights cannot change them any more",
    );
    c.plan.origin_text("/process/capabilities");
    c.push(
        Op::SetCapabilities { sets, also: CAP_SYS_ADMIN | CAP_SETPCAP },
        "a change of user clears the sets in force; CAP_SYS_ADMIN is kept for the filter only",
    );
    Ok(())
}

/// The last steps, in an order that leaves the filter as little to allow as possible.
pub(super) fn execute(c: &mut Compiler<'_>) -> Result<(), CompileError> {
    let process = c.input.process()?;
    let path = working_directory(c)?;
    c.plan.origin_text("/process/cwd");
    c.push(
        Op::SetWorkingDirectory { path },
        "as the container's user, and checked: a path through a leaked descriptor ends outside \
         (CVE-2024-21626)",
    );
    run(c, "startContainer", "run in the container, right before its process");
    if process.no_new_privileges().unwrap_or(false) {
        c.plan.origin_text("/process/noNewPrivileges");
        c.push(Op::NoNewPrivileges, "set-user-id programs give no rights from here on");
    }
    if let Some((program, flags)) = c.input.seccomp.clone() {
        c.plan.origin_text("/linux/seccomp");
        let because = "after everything that the filter may forbid";
        c.push(Op::LoadSeccomp { program, flags }, because);
    }
    c.plan.origin_text("/process/capabilities");
    let sets = capability_sets(c)?;
    c.push(
        Op::SetCapabilities { sets, also: 0 },
        "nothing is left to do that needs more than the process is to have",
    );
    c.plan.origin_text("/process/args");
    let args = process.args().clone().filter(|args| !args.is_empty());
    let args = args.ok_or(CompileError::Missing { field: "/process/args" })?;
    let env = environment(process.env().as_deref().unwrap_or_default());
    let user = process.user().uid();
    let home_of = env.iter().all(|e| !e.starts_with("HOME=")).then_some(user);
    c.push(
        Op::Exec(ExecSpec { args, env, home_of, preserved_fds: 0 }),
        "through a sealed stub: /proc/self/exe must never be rrun's own file (CVE-2019-5736)",
    );
    c.plan.actor(Actor::Host);
    run(c, "poststart", "the process has been started");
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
