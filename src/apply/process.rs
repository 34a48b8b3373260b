//! The operations on the process itself.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Signal, WaitOptions};

use super::outcome::{Fault, Outcome, Taken};
use super::table::Table;
use crate::config::path::{HostPath, RootPath};
use crate::plan::step::{
    Ambient, CapabilitySets, Denied, LineEnds, Op, SetGroups, Slot, TerminalSpec,
};
use crate::sys::credentials::{self as sys, Capabilities};
use crate::sys::namespace::{self, Namespace};
use crate::sys::path::{self, Links};
use crate::sys::{mount, process};

/// Carries `op` out if it is one of ours.
pub fn perform(table: &mut Table, op: &Op) -> Option<Outcome> {
    Some(match op {
        Op::OpenNamespace { namespace, kind, path } => open_namespace(*kind, path).map(|file| {
            table.put(*namespace, file);
            Taken::Done
        }),
        Op::NewSession => new_session(),
        Op::NewSessionKeyring => new_session_keyring(),
        Op::JoinNamespace { namespace, kind } => table
            .get(*namespace)
            .and_then(|file| namespace::join(file, *kind))
            .map(taken)
            .map_err(Into::into),
        Op::JoinProcess { process, kinds } => {
            done(table.get(*process).and_then(|process| namespace::join_process(process, kinds)))
        }
        Op::Unshare { kind } => done(namespace::unshare(*kind)),
        Op::BecomeUser { uid, gid } => {
            done(sys::set_group(*gid).and_then(|()| sys::set_user(*uid)))
        }
        Op::OpenTerminal { devpts, master, peer, terminal } => {
            open_terminal(table, *devpts, *terminal).map(|(master_file, peer_file)| {
                table.put(*master, master_file);
                table.put(*peer, peer_file);
                Taken::Done
            })
        }
        Op::CloneTerminal { peer, tree } => clone_terminal(table, *peer, *tree),
        Op::ControllingTerminal { peer } => controlling_terminal(table, *peer),
        Op::Duplicate { file, number } => {
            done(table.get(*file).and_then(|file| process::duplicate_to(file, *number)))
        }
        Op::OwnStdio { owner } => own_stdio(*owner),
        Op::EnterDirectory { place } => done(table.get(*place).and_then(rustix::process::fchdir)),
        Op::PivotRoot => done(mount::pivot_root_here()),
        Op::DetachCover => done(mount::detach_here()),
        Op::DetachOldRoot => done(mount::detach_here().and_then(|()| rustix::process::chdir("/"))),
        Op::ChangeRoot => {
            done(rustix::process::chroot(".").and_then(|()| rustix::process::chdir("/")))
        }
        other => return settings(table, other),
    })
}

fn taken((): ()) -> Taken {
    Taken::Done
}

fn done(answer: Result<(), Errno>) -> Outcome {
    answer.map(taken).map_err(Fault::from)
}

/// The operations that set something for the process or its namespaces.
fn settings(table: &Table, op: &Op) -> Option<Outcome> {
    Some(match op {
        Op::LoopbackUp => done(crate::sys::network::loopback_up()),
        Op::SetHostname { name } => done(rustix::system::sethostname(name.as_bytes())),
        Op::SetDomainname { name } => done(rustix::system::setdomainname(name.as_bytes())),
        Op::SetSysctl { procfs, key, value } => set_sysctl(table, *procfs, (key, value)),
        Op::SetOomScore { procfs, value } => set_oom_score(table, *procfs, *value),
        Op::SetLimit { resource, soft, hard, .. } => {
            done(process::set_limit(*resource, *soft, *hard))
        }
        Op::SetUmask { mask } => {
            rustix::process::umask(Mode::from_raw_mode(*mask));
            Ok(Taken::Done)
        }
        Op::SetPersonality { persona } => done(process::set_personality(*persona)),
        Op::SetScheduler(attributes) => done(process::set_scheduler(*attributes)),
        Op::SetIoPriority { class_and_level } => done(process::set_io_priority(*class_and_level)),
        Op::NotDumpable => done(sys::set_not_dumpable()),
        Op::DropBounding { keep, last } => drop_bounding(*keep, *last),
        Op::SetUser { uid, gid, groups, set_groups } => set_user(*uid, *gid, (groups, *set_groups)),
        Op::SetCapabilities { sets, also, ambient } => set_capabilities(sets, *also, *ambient),
        Op::SetWorkingDirectory { path, denied } => set_working_directory(path, *denied),
        Op::NoNewPrivileges => done(sys::set_no_new_privileges()),
        Op::LoadSeccomp { program, flags } => {
            done(crate::sys::seccomp::load_filter(&program.0, *flags).map(drop))
        }
        _ => return None,
    })
}

fn open_namespace(kind: Namespace, path: &HostPath) -> Result<OwnedFd, Fault> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = rustix::fs::openat(CWD, path.as_path(), flags, Mode::empty())?;
    match namespace::kind_of(&file) {
        Ok(flag) if flag == kind.flag() => Ok(file),
        Ok(_) => Err(Fault::refused(Errno::INVAL, "it is a namespace of another kind")),
        Err(_) => Err(Fault::refused(Errno::INVAL, "it is no namespace")),
    }
}

fn new_session() -> Outcome {
    match rustix::process::setsid() {
        // The leader of a process group has its session already: that of a detached caller.
        Ok(_) | Err(Errno::PERM) => Ok(Taken::Done),
        Err(errno) => Err(errno.into()),
    }
}

fn new_session_keyring() -> Outcome {
    match process::new_session_keyring() {
        Ok(()) => Ok(Taken::Done),
        // A kernel without keys, or a filter around us, gives nothing that could leak.
        Err(Errno::NOSYS | Errno::PERM) => Ok(Taken::NotPermitted),
        Err(errno) => Err(errno.into()),
    }
}

fn open_terminal(
    table: &Table,
    devpts: Slot,
    terminal: TerminalSpec,
) -> Result<(OwnedFd, OwnedFd), Fault> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let master = rustix::fs::openat(table.get(devpts)?, "ptmx", flags, Mode::empty())?;
    if path::node(&master)?.device != (5, 2) {
        return Err(Fault::refused(Errno::NODEV, "ptmx is not the device 5:2"));
    }
    rustix::pty::unlockpt(&master)?;
    let open = rustix::pty::OpenptFlags::RDWR
        | rustix::pty::OpenptFlags::NOCTTY
        | rustix::pty::OpenptFlags::CLOEXEC;
    let peer = rustix::pty::ioctl_tiocgptpeer(&master, open)?;
    if let Some((rows, columns)) = terminal.size {
        let size =
            rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&master, size)?;
    }
    if terminal.line_ends == LineEnds::Plain {
        let mut modes = rustix::termios::tcgetattr(&peer)?;
        modes.output_modes.remove(rustix::termios::OutputModes::ONLCR);
        rustix::termios::tcsetattr(&peer, rustix::termios::OptionalActions::Now, &modes)?;
    }
    if terminal.owner.0 != 0 {
        let uid = rustix::fs::Uid::from_raw(terminal.owner.0);
        rustix::fs::fchown(&peer, Some(uid), None)?;
    }
    Ok((master, peer))
}

fn clone_terminal(table: &mut Table, peer: Slot, tree: Slot) -> Outcome {
    let clone = mount::clone_tree_at(table.get(peer)?, mount::Recursion::TopOnly)?;
    table.put(tree, clone);
    Ok(Taken::Done)
}

fn controlling_terminal(table: &Table, peer: Slot) -> Outcome {
    let peer = table.get(peer)?;
    rustix::process::ioctl_tiocsctty(peer)?;
    for number in 0..3 {
        process::duplicate_to(peer, number)?;
    }
    Ok(Taken::Done)
}

/// /dev/null is the whole machine's: its owner is never changed.
fn own_stdio((uid, gid): (u32, u32)) -> Outcome {
    let (uid, gid) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
    for file in [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()] {
        let Ok(seen) = path::node(file) else { continue };
        if seen.kind == rustix::fs::FileType::CharacterDevice {
            continue;
        }
        match rustix::fs::fchown(file, Some(uid), Some(gid)) {
            Ok(()) | Err(Errno::PERM | Errno::INVAL | Errno::ROFS) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(Taken::Done)
}

fn write_all(file: OwnedFd, value: &str) -> Outcome {
    let written = rustix::io::write(file, value.as_bytes())?;
    if written == value.len() { Ok(Taken::Done) } else { Err(Errno::IO.into()) }
}

fn set_sysctl(table: &Table, procfs: Slot, (key, value): (&str, &str)) -> Outcome {
    // With slashes the dots are part of a name (an interface such as eth0.1).
    let path = if key.contains('/') { key.to_owned() } else { key.replace('.', "/") };
    let path = format!("sys/{path}");
    let file = path::open_beneath_exact(table.get(procfs)?, Path::new(&path), OFlags::WRONLY)?;
    write_all(file, value)
}

fn set_oom_score(table: &Table, procfs: Slot, value: i32) -> Outcome {
    // `self` is a link, which NO_SYMLINKS refuses; the number behind it is the host's view of us.
    let own = rustix::fs::readlinkat(table.get(procfs)?, "self", Vec::new())?;
    let path = format!("{}/oom_score_adj", own.to_string_lossy());
    let file = path::open_beneath_exact(table.get(procfs)?, Path::new(&path), OFlags::WRONLY)?;
    write_all(file, &value.to_string())
}

fn drop_bounding(keep: u64, last: u8) -> Outcome {
    for capability in (0..=last).filter(|c| keep >> c & 1 == 0) {
        sys::drop_from_bounding_set(capability.into())?;
    }
    Ok(Taken::Done)
}

fn set_user(uid: u32, gid: u32, (groups, set_groups): (&[u32], SetGroups)) -> Outcome {
    sys::keep_capabilities()?;
    let taken = match (set_groups, sys::set_groups(groups)) {
        (_, Ok(())) => Taken::Done,
        (SetGroups::Perhaps, Err(Errno::PERM)) if groups.is_empty() => Taken::NotPermitted,
        (_, Err(errno)) => return Err(errno.into()),
    };
    sys::set_group(gid)?;
    sys::set_user(uid)?;
    Ok(taken)
}

/// The final sets, or those with what the remaining steps still need, as far as we have it.
fn set_capabilities(sets: &CapabilitySets, also: u64, ambient: Ambient) -> Outcome {
    let held = sys::capabilities()?;
    let also = also & held.permitted;
    sys::set_capabilities(Capabilities {
        effective: (sets.effective & held.permitted) | also,
        permitted: (sets.permitted & held.permitted) | also,
        inheritable: sets.inheritable & held.permitted,
    })?;
    if ambient == Ambient::Raised {
        sys::clear_ambient()?;
        for capability in (0..64u32).filter(|c| sets.ambient >> c & 1 == 1) {
            sys::raise_ambient(capability).map_err(|errno| {
                Fault::refused(errno, format!("can't raise ambient capability number {capability}"))
            })?;
        }
        sys::drop_capabilities_with_user()?;
    }
    Ok(Taken::Done)
}

fn set_working_directory(wanted: &RootPath, denied: Denied) -> Outcome {
    match (enter_directory(wanted), denied) {
        (Err(Fault { errno: Errno::ACCESS, .. }), Denied::TriedLater) => Ok(Taken::NotPermitted),
        // We began in `/`: elsewhere is where the step before the change of user has gone.
        (Err(Fault { errno: Errno::ACCESS, .. }), Denied::Fails)
            if rustix::process::getcwd(Vec::new())?.as_bytes() != b"/" =>
        {
            Ok(Taken::WasThere)
        }
        (outcome, _) => outcome,
    }
}

fn enter_directory(wanted: &RootPath) -> Outcome {
    if wanted.is_root() {
        // Our own root is never outside of itself.
        rustix::process::chdir("/")?;
        return Ok(Taken::Done);
    }
    let root = path::open_place(CWD, Path::new("/"))?;
    let directory = path::open_in_root(root, Path::new(wanted.as_str()), Links::InRoot)?;
    rustix::process::fchdir(&directory)?;
    // The kernel marks a directory outside of our root so, since Linux 2.6.36.
    let here = rustix::process::getcwd(Vec::new())?;
    if here.as_bytes().starts_with(b"(unreachable)") {
        return Err(Fault::refused(
            Errno::NOENT,
            "the directory is outside of the container's root",
        ));
    }
    Ok(Taken::Done)
}

/// Kills and reaps a child that must not go on.
pub fn end_child(pid: i32, pidfd: impl AsFd) {
    let _ = rustix::process::pidfd_send_signal(pidfd, Signal::KILL);
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        let _ =
            rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(pid), WaitOptions::empty()));
    }
}

/// A text without a null byte, for execve.
pub fn c_string(text: &str) -> Result<CString, Fault> {
    CString::new(text).map_err(|_| Fault::refused(Errno::INVAL, "a text with a null byte in it"))
}
