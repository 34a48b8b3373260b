//! The operations between the two sides, and those of the host on the child.

use std::fs::File;
use std::io::{IoSlice, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::process::Signal;
use rustix::time::Timespec;

use super::execution::Execution;
use super::hook;
use super::links::Links;
use super::outcome::{Fault, Outcome, Taken};
use super::process::end_child;
use super::side::Apply;
use crate::plan::step::{Actor, ExecSpec, HookSpec, IdRange, Op, Plan};
use crate::sys::namespace::Namespace;
use crate::sys::process::{Birth, Cloned, clone_process};

/// Carries out the operations that are not on trees or on the process itself.
pub fn perform(apply: &mut Apply<'_>, op: &Op) -> Outcome {
    match op {
        Op::NewIdmap { namespace, uids, gids } => {
            let file = new_idmap(uids, gids)?;
            apply.table.put(*namespace, file);
            Ok(Taken::Done)
        }
        Op::MakeCgroup { .. }
        | Op::OpenCgroup { .. }
        | Op::WriteCgroup { .. }
        | Op::CgroupDevices { .. }
        | Op::JoinCgroup { .. } => {
            super::cgroup::perform(&mut apply.table, &mut apply.undo, (apply.links.child, op))
        }
        Op::WriteUidMap { ranges } => write_map(apply.links.child, "uid_map", ranges),
        Op::WriteGidMap { ranges } => write_map(apply.links.child, "gid_map", ranges),
        Op::DieWithParent => die_with_parent(&apply.links),
        Op::Sync { waits, .. } => sync(&apply.links, *waits),
        Op::RunHook(spec) => run_hook(apply, spec),
        Op::SendTerminal { master } => send(apply, *master),
        Op::SendTree { tree } => send(apply, *tree),
        Op::AwaitEnd => await_end(&apply.links),
        Op::MakeStub => {
            if let Some(limit) = apply.links.file_limit.take() {
                limit.leave_to_process(apply.plan);
            }
            let report = apply.links.report_pipe.as_ref().ok_or(Errno::BADF)?;
            apply.links.execution = Some(Execution::prepare(program(apply.plan)?, report)?);
            Ok(Taken::Done)
        }
        Op::Exec(_) => Err(match &apply.links.execution {
            Some(execution) => execution.carry_out(),
            None => Errno::BADF.into(),
        }),
        // The clone is the engine's; all others were carried out before they came here.
        _ => Err(Errno::NOSYS.into()),
    }
}

/// What the plan executes at its end.
fn program(plan: &Plan) -> Result<&ExecSpec, Fault> {
    let spec = plan.steps.iter().rev().find_map(|step| match &step.op {
        Op::Exec(spec) => Some(spec),
        _ => None,
    });
    spec.ok_or(Errno::NOEXEC.into())
}

fn run_hook(apply: &Apply<'_>, spec: &HookSpec) -> Outcome {
    let links = &apply.links;
    // From SetUmask on the child has the umask of its process.
    let umask = links.callers_umask.filter(|_| spec.phase != "startContainer");
    hook::run(spec, &links.hook_state, hook::Moment { pid: apply.report.child_pid(), umask })
}

/// The lines that uid_map and gid_map take.
fn map_text(ranges: &[IdRange]) -> String {
    ranges.iter().map(|r| format!("{} {} {}\n", r.inside, r.outside, r.length)).collect()
}

fn write_map(pid: i32, name: &str, ranges: &[IdRange]) -> Outcome {
    // One write: the kernel takes the map as a whole, once.
    let mut file = File::options().write(true).open(format!("/proc/{pid}/{name}"))?;
    file.write_all(map_text(ranges).as_bytes())?;
    Ok(Taken::Done)
}

/// A user namespace of its own for a mapping: its only process is ended as soon as it is open.
fn new_idmap(uids: &[IdRange], gids: &[IdRange]) -> Result<OwnedFd, Fault> {
    let birth = Birth { namespaces: Namespace::User.flag(), ..Birth::default() };
    let (pid, pidfd) = match clone_process(birth)? {
        Cloned::Child => loop {
            // Until the parent ends us: pause(2) without libc's signal handling.
            let _ = rustix::event::poll(&mut [], None);
        },
        Cloned::Parent { pid, pidfd } => (pid, pidfd),
    };
    let opened = write_map(pid, "uid_map", uids)
        .and_then(|_| write_map(pid, "gid_map", gids))
        .and_then(|_| {
            let path = format!("/proc/{pid}/ns/user");
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?)
        });
    end_child(pid, &pidfd);
    opened
}

/// The signal comes when the parent ends, not when it has ended already. In a new pid namespace
/// getppid(2) says nothing of that; the pipe whose other end only the parent has does.
fn die_with_parent(links: &Links) -> Outcome {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let wait = links.wait.as_ref().ok_or(Errno::BADF)?;
    let mut files = [PollFd::new(wait, PollFlags::empty())];
    rustix::io::retry_on_intr(|| poll(&mut files, Some(&Timespec::default())))?;
    if files[0].revents().contains(PollFlags::HUP) {
        return Err(Fault::refused(Errno::SRCH, "the parent has ended"));
    }
    Ok(Taken::Done)
}

fn sync(links: &Links, waits: Actor) -> Outcome {
    let mut byte = [0u8];
    if links.actor == waits {
        let wait = links.wait.as_ref().ok_or(Errno::BADF)?;
        let length = rustix::io::retry_on_intr(|| rustix::io::read(wait, &mut byte))?;
        if length == 0 {
            return Err(Fault::refused(Errno::PIPE, "the other side ended"));
        }
    } else {
        let signal = links.signal.as_ref().ok_or(Errno::BADF)?;
        rustix::io::retry_on_intr(|| rustix::io::write(signal, &byte))?;
    }
    Ok(Taken::Done)
}

fn send(apply: &Apply<'_>, file: crate::plan::Slot) -> Outcome {
    let socket = apply.links.socket.as_ref().ok_or(Errno::BADF)?;
    send_descriptor(socket.as_fd(), apply.table.get(file)?)?;
    Ok(Taken::Done)
}

/// Until the host closes its end, whether it wants to or dies.
fn await_end(links: &Links) -> Outcome {
    let wait = links.wait.as_ref().ok_or(Errno::BADF)?;
    rustix::io::retry_on_intr(|| rustix::io::read(wait, &mut [0u8]))?;
    Ok(Taken::Done)
}

/// Sends one descriptor over a socket (SCM_RIGHTS).
pub fn send_descriptor(socket: BorrowedFd<'_>, file: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let files = [file];
    if !control.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(Errno::NOBUFS);
    }
    let data = [IoSlice::new(b"rrun")];
    rustix::io::retry_on_intr(|| {
        rustix::net::sendmsg(socket, &data, &mut control, SendFlags::NOSIGNAL)
    })
    .map(drop)
}
