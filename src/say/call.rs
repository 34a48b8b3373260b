//! An operation as a system call, the way strace writes it.

use std::fmt::Write;

use crate::config::mount_option::attribute;
use crate::plan::step::{
    Ambient, Change, IdRange, LineEnds, Missing, NodeKind, Op, Parameter, Slot, Source,
};
use crate::sys::mount::Recursion;
use crate::sys::path::Links;

/// The call with its arguments; descriptors are written as the slots of the plan, `#7`.
pub fn call(op: &Op) -> String {
    tree_call(op).or_else(|| host_call(op)).unwrap_or_else(|| process_call(op))
}

fn fd(slot: Slot) -> String {
    format!("#{}", slot.0)
}

fn source(source: &Source, recursion: Recursion) -> String {
    let flags = match recursion {
        Recursion::Recursive => "OPEN_TREE_CLONE|AT_RECURSIVE",
        Recursion::TopOnly => "OPEN_TREE_CLONE",
    };
    match source {
        Source::Host(path) | Source::Seen { path, .. } => format!("open_tree(\"{path}\", {flags})"),
        Source::InRoot { root, path } => {
            format!("open_tree(openat2({}, \"{path}\", RESOLVE_IN_ROOT), {flags})", fd(*root))
        }
        Source::Beneath { directory, path } => {
            let resolve = "RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS";
            let path = path.relative();
            format!("open_tree(openat2(\"{directory}\", \"{path}\", {resolve}), {flags})")
        }
        Source::Place(place) => format!("open_tree({}, \"\", {flags})", fd(*place)),
    }
}

fn change(tree: Slot, change: &Change, recursion: Recursion) -> String {
    let mut parts = Vec::new();
    if change.attributes.set != 0 {
        parts.push(format!("attr_set={}", attribute::names(change.attributes.set)));
    }
    if change.attributes.clear != 0 {
        parts.push(format!("attr_clr={}", attribute::names(change.attributes.clear)));
    }
    if let Some(propagation) = change.propagation {
        parts.push(format!("propagation={}", propagation.flag_name()));
    }
    if let Some(user) = change.idmap {
        parts.push(format!("attr_set=MOUNT_ATTR_IDMAP, userns_fd={}", fd(user)));
    }
    let recursive = if recursion == Recursion::Recursive { ", AT_RECURSIVE" } else { "" };
    format!("mount_setattr({}{recursive}, {{{}}})", fd(tree), parts.join(", "))
}

fn configure(context: Slot, key: &str, value: &Parameter) -> String {
    let value = match value {
        Parameter::Flag => {
            return format!("fsconfig({}, FSCONFIG_SET_FLAG, \"{key}\")", fd(context));
        }
        Parameter::Directory(place) => {
            return format!(
                "fsconfig({}, FSCONFIG_SET_FD, \"{key}\", {})",
                fd(context),
                fd(*place)
            );
        }
        Parameter::Text(text) => text.clone(),
        Parameter::ModeOf(place) => format!("<mode of {}>", fd(*place)),
        Parameter::DirectoryPath(place) => format!("/proc/self/fd/{}", fd(*place)),
    };
    format!("fsconfig({}, FSCONFIG_SET_STRING, \"{key}\", \"{value}\")", fd(context))
}

fn tree_call(op: &Op) -> Option<String> {
    Some(match op {
        Op::OpenPlace { path, .. } => format!("open(\"{path}\", O_PATH)"),
        Op::ExpectDevice { place, kind, device } => {
            let kind = if *kind == NodeKind::Block { "S_IFBLK" } else { "S_IFCHR" };
            format!("fstat({}) == {kind}, makedev({}, {})", fd(*place), device.0, device.1)
        }
        Op::ExpectFilesystem { place, name, .. } => {
            format!("fstatfs({}) == {}_SUPER_MAGIC", fd(*place), name.to_uppercase())
        }
        Op::CloneTree { source: from, recursion, .. } => source(from, *recursion),
        Op::OpenMounts { .. } => "open(\"/\", O_PATH)".into(),
        Op::NewFilesystem { kind, .. } => format!("fsopen(\"{kind}\")"),
        Op::Configure { context, key, value } => configure(*context, key, value),
        Op::CreateFilesystem { context } => {
            format!("fsconfig({}, FSCONFIG_CMD_CREATE)", fd(*context))
        }
        Op::MountDetached { context, attributes, .. } => {
            format!("fsmount({}, {})", fd(*context), attribute::names(*attributes))
        }
        Op::SetAttributes { tree, change: what, recursion } => change(*tree, what, *recursion),
        Op::CopyUp { from, tree } => format!("copy_file_range({} → {})", fd(*from), fd(*tree)),
        Op::Pin { root, path, links, missing, .. } => {
            let resolve = match links {
                Links::InRoot => "RESOLVE_IN_ROOT",
                Links::Refused => "RESOLVE_IN_ROOT|RESOLVE_NO_SYMLINKS",
            };
            let or = match missing {
                Missing::Fails => "",
                Missing::MakeDirectory => " or mkdirat",
                Missing::MakeFile => " or mknodat",
                Missing::MakeLike(_) => " or mkdirat/mknodat like the source",
            };
            format!("openat2({}, \"{path}\", O_PATH, {resolve}){or}", fd(*root))
        }
        Op::Attach { tree, place } => format!("move_mount({} → {})", fd(*tree), fd(*place)),
        other => return made_call(other),
    })
}

/// What is made in a directory, and what is done to a path.
fn made_call(op: &Op) -> Option<String> {
    Some(match op {
        Op::MakeNode { directory, node } => {
            let kind = match node.kind {
                NodeKind::Character => "S_IFCHR",
                NodeKind::Block => "S_IFBLK",
                NodeKind::Fifo => "S_IFIFO",
            };
            let (major, minor) = node.device;
            format!(
                "mknodat({}, \"{}\", {kind}|{:#o}, makedev({major}, {minor}))",
                fd(*directory),
                node.name,
                node.mode
            )
        }
        Op::MakeFile { directory, name, .. } => {
            format!("mknodat({}, \"{name}\", S_IFREG|0644)", fd(*directory))
        }
        Op::MakeLink { directory, name, target } => {
            format!("symlinkat(\"{target}\", {}, \"{name}\")", fd(*directory))
        }
        Op::Mask { path, null, empty, .. } => format!(
            "move_mount(open_tree({} or {}, OPEN_TREE_CLONE) → \"{path}\")",
            fd(*null),
            fd(*empty)
        ),
        Op::ReadOnlyPath { path, .. } => {
            let clone = format!("open_tree(\"{path}\", OPEN_TREE_CLONE|AT_RECURSIVE)");
            format!("move_mount({clone} + MOUNT_ATTR_RDONLY → \"{path}\")")
        }
        _ => return None,
    })
}

fn map(ranges: &[IdRange]) -> String {
    let mut text = String::new();
    for range in ranges {
        let _ = write!(text, "{} {} {}\\n", range.inside, range.outside, range.length);
    }
    text
}

fn host_call(op: &Op) -> Option<String> {
    Some(match op {
        Op::OpenNamespace { path, .. } => format!("open(\"{path}\")"),
        Op::NewIdmap { uids, gids, .. } => format!(
            "clone3(CLONE_NEWUSER) with uid_map \"{}\" gid_map \"{}\"",
            map(uids),
            map(gids)
        ),
        Op::MakeCgroup { site, .. } => {
            format!("mkdir(\"{}\", 0755)", site.directory().display())
        }
        Op::OpenCgroup { path, .. } => format!("open(\"{path}\")"),
        Op::WriteCgroup { cgroup, limit } => {
            format!("write({}/{}, \"{}\")", fd(*cgroup), limit.file, limit.value)
        }
        Op::CgroupDevices { cgroup, program } => {
            format!(
                "bpf(BPF_PROG_ATTACH, BPF_CGROUP_DEVICE, {}, {} instructions)",
                fd(*cgroup),
                program.0.len()
            )
        }
        Op::JoinCgroup { cgroup } => format!("write({}/cgroup.procs, pid)", fd(*cgroup)),
        Op::Clone(spec) => {
            let mut flags: Vec<&str> = spec.new.iter().map(|kind| kind.flag_name()).collect();
            flags.extend(spec.cgroup.map(|_| "CLONE_INTO_CGROUP"));
            flags.push("CLONE_PIDFD");
            format!("clone3({})", flags.join("|"))
        }
        Op::WriteUidMap { ranges } => format!("write(/proc/PID/uid_map, \"{}\")", map(ranges)),
        Op::WriteGidMap { ranges } => format!("write(/proc/PID/gid_map, \"{}\")", map(ranges)),
        Op::Sync { until, .. } => format!("read(pipe) until {until}"),
        Op::RunHook(hook) => format!("execve(\"{}\", {:?})", hook.path, hook.args),
        Op::SendTerminal { master: file } | Op::SendTree { tree: file } => {
            format!("sendmsg(SCM_RIGHTS, {})", fd(*file))
        }
        Op::AwaitEnd => "read(pipe) until its end".into(),
        _ => return None,
    })
}

fn process_call(op: &Op) -> String {
    match op {
        Op::DieWithParent => "prctl(PR_SET_PDEATHSIG, SIGKILL)".into(),
        Op::NewSession => "setsid()".into(),
        Op::NewSessionKeyring => "keyctl(KEYCTL_JOIN_SESSION_KEYRING)".into(),
        Op::JoinNamespace { namespace, kind } => {
            format!("setns({}, {})", fd(*namespace), kind.flag_name())
        }
        Op::JoinProcess { process, kinds } => {
            let flags: Vec<&str> = kinds.iter().map(|kind| kind.flag_name()).collect();
            format!("setns({}, {})", fd(*process), flags.join("|"))
        }
        Op::Unshare { kind } => format!("unshare({})", kind.flag_name()),
        Op::BecomeUser { uid, gid } => format!("setresgid({gid}), setresuid({uid})"),
        Op::OpenTerminal { devpts, terminal, .. } => {
            let cleared = if terminal.line_ends == LineEnds::Plain { ", -ONLCR" } else { "" };
            format!("ioctl(openat({}, \"ptmx\"), TIOCGPTPEER{cleared})", fd(*devpts))
        }
        Op::CloneTerminal { peer, .. } => {
            format!("open_tree({}, \"\", OPEN_TREE_CLONE)", fd(*peer))
        }
        Op::ControllingTerminal { peer } => {
            format!("ioctl({}, TIOCSCTTY), dup2 to 0, 1, 2", fd(*peer))
        }
        Op::Duplicate { file, number } => format!("dup2({}, {number})", fd(*file)),
        Op::OwnStdio { owner } => format!("fchown(0 1 2, {}, {})", owner.0, owner.1),
        Op::EnterDirectory { place } => format!("fchdir({})", fd(*place)),
        Op::PivotRoot => "pivot_root(\".\", \".\")".into(),
        Op::DetachCover => "umount2(\".\", MNT_DETACH)".into(),
        Op::DetachOldRoot => "umount2(\".\", MNT_DETACH), chdir(\"/\")".into(),
        Op::ChangeRoot => "chroot(\".\")".into(),
        Op::LoopbackUp => "ioctl(SIOCSIFFLAGS, {\"lo\", IFF_UP})".into(),
        Op::SetHostname { name } => format!("sethostname(\"{name}\")"),
        Op::SetDomainname { name } => format!("setdomainname(\"{name}\")"),
        Op::SetSysctl { key, value, .. } => {
            format!("write(/proc/sys/{}, \"{value}\")", key.replace('.', "/"))
        }
        Op::SetOomScore { value, .. } => format!("write(/proc/self/oom_score_adj, \"{value}\")"),
        Op::SetLimit { name, soft, hard, .. } => format!("prlimit64({name}, {soft}, {hard})"),
        other => rights_call(other),
    }
}

fn rights_call(op: &Op) -> String {
    match op {
        Op::SetUmask { mask } => format!("umask({mask:#o})"),
        Op::SetPersonality { persona } => format!("personality({persona:#x})"),
        Op::SetScheduler(attributes) => format!("sched_setattr({attributes:?})"),
        Op::SetIoPriority { class_and_level } => format!("ioprio_set({class_and_level:#x})"),
        Op::NotDumpable => "prctl(PR_SET_DUMPABLE, 0)".into(),
        Op::DropBounding { keep, .. } => format!("prctl(PR_CAPBSET_DROP) for all but {keep:#x}"),
        Op::SetUser { uid, gid, groups, .. } => {
            format!("setgroups({groups:?}), setresgid({gid}), setresuid({uid})")
        }
        Op::SetCapabilities { sets, also, ambient: Ambient::Raised } => format!(
            "capset(effective={:#x}, permitted={:#x}, inheritable={:#x}), ambient={:#x}",
            sets.effective | also,
            sets.permitted | also,
            sets.inheritable,
            sets.ambient
        ),
        Op::SetCapabilities { sets, also, ambient: Ambient::Later } => {
            format!(
                "capset(effective={:#x}, permitted={:#x})",
                sets.effective | also,
                sets.permitted | also
            )
        }
        Op::SetWorkingDirectory { path, .. } => format!("chdir(\"{path}\")"),
        Op::NoNewPrivileges => "prctl(PR_SET_NO_NEW_PRIVS, 1)".into(),
        Op::LoadSeccomp { program, .. } => {
            format!("seccomp(SECCOMP_SET_MODE_FILTER, {} instructions)", program.0.len())
        }
        Op::MakeStub => "memfd_create(\"rrun-stub\")".into(),
        Op::Exec(spec) => format!("execve({:?})", spec.args),
        // Everything else has been written by the other functions.
        other => format!("{other:?}"),
    }
}
