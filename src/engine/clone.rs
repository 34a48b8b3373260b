//! The one clone, in its three ways.
//!
//! - usually one clone3 with everything new;
//! - a pid namespace that is joined and a new time namespace take effect for children only, so
//!   the host enters them, clones, and goes home at once;
//! - a user namespace that is joined has to own the new namespaces, so a process in the middle
//!   enters it, makes the child as its sibling and ends.

use std::os::fd::OwnedFd;

use rustix::fs::Mode;
use rustix::io::Errno;

use crate::apply::Apply;
use crate::plan::step::CloneSpec;
use crate::sys::namespace::{self, Namespace};
use crate::sys::process::{Birth, Cloned, Parentage, clone_process, exit_now, wait};

/// A pipe: the end to read from, the end to write to.
type Pipe = (OwnedFd, OwnedFd);

/// Makes the child. `to_host` carries nothing yet and nobody else uses it meanwhile.
pub fn carry_out(host: &Apply<'_>, spec: &CloneSpec, to_host: &Pipe) -> Result<Cloned, Errno> {
    if spec.user.is_some() || !spec.entered.is_empty() {
        from_the_middle(host, spec, to_host)
    } else {
        here(host, spec)
    }
}

fn new_flags(spec: &CloneSpec) -> u64 {
    let time = Namespace::Time;
    spec.new.iter().filter(|kind| **kind != time).fold(0, |flags, kind| flags | kind.flag())
}

fn birth<'a>(host: &'a Apply<'_>, spec: &CloneSpec) -> Birth<'a> {
    let announced = Some(host.report.child_pid_word());
    Birth { namespaces: new_flags(spec), announced, ..Birth::default() }
}

/// Hooks must not land where the child goes, so what is entered here is left at once.
fn here(host: &Apply<'_>, spec: &CloneSpec) -> Result<Cloned, Errno> {
    let cgroup = spec.cgroup.map(|slot| host.table.get(slot)).transpose()?;
    let pid_home = match spec.pid {
        Some(slot) => {
            let home = open_own("pid")?;
            namespace::join(host.table.get(slot)?, Namespace::Pid)?;
            Some(home)
        }
        None => None,
    };
    let time_home = if spec.new.contains(&Namespace::Time) {
        let home = open_own("time")?;
        new_time(spec)?;
        Some(home)
    } else {
        None
    };
    let cloned = clone_process(Birth { cgroup, ..birth(host, spec) });
    if !matches!(cloned, Ok(Cloned::Child)) {
        if let Some(home) = pid_home {
            namespace::join(home, Namespace::Pid)?;
        }
        if let Some(home) = time_home {
            namespace::join(home, Namespace::Time)?;
        }
    }
    cloned
}

fn open_own(name: &str) -> Result<OwnedFd, Errno> {
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
    let path = format!("/proc/self/ns/{name}");
    rustix::fs::openat(rustix::fs::CWD, path, flags, Mode::empty())
}

/// A time namespace for the child; its offsets can be written only while it is empty, so
/// clone3(CLONE_NEWTIME) would make them unwritable.
fn new_time(spec: &CloneSpec) -> Result<(), Errno> {
    namespace::unshare(Namespace::Time)?;
    let lines: String =
        spec.time_offsets.iter().map(|(clock, s, ns)| format!("{clock} {s} {ns}\n")).collect();
    if !lines.is_empty() {
        std::fs::write("/proc/self/timens_offsets", lines)
            .map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
    }
    Ok(())
}

/// After a clone with all namespaces, setns(user) would leave the others owned by the wrong user
/// namespace: mount and sethostname are EPERM then. And what the host owns cannot be joined from
/// inside of a user namespace, so the middle process enters it before.
fn from_the_middle(host: &Apply<'_>, spec: &CloneSpec, to_host: &Pipe) -> Result<Cloned, Errno> {
    let cgroup = spec.cgroup.map(|slot| host.table.get(slot)).transpose()?;
    match clone_process(Birth { cgroup, ..Birth::default() })? {
        Cloned::Child => match in_the_middle(host, spec) {
            Ok(Cloned::Child) => Ok(Cloned::Child),
            Ok(Cloned::Parent { pid, .. }) => {
                let told = rustix::io::write(&to_host.1, &pid.to_le_bytes());
                exit_now(i32::from(told.is_err()));
            }
            Err(errno) => exit_now(errno.raw_os_error()),
        },
        Cloned::Parent { pid: middle, .. } => match wait(middle)? {
            0 => sibling(to_host),
            status => Err(Errno::from_raw_os_error(status >> 8 & 0xff)),
        },
    }
}

fn in_the_middle(host: &Apply<'_>, spec: &CloneSpec) -> Result<Cloned, Errno> {
    let after_user = [(Namespace::User, spec.user), (Namespace::Pid, spec.pid)];
    let after_user = after_user.into_iter().filter_map(|(kind, slot)| Some((kind, slot?)));
    for (kind, slot) in spec.entered.iter().copied().chain(after_user) {
        namespace::join(host.table.get(slot)?, kind)?;
    }
    if spec.new.contains(&Namespace::Time) {
        new_time(spec)?;
    }
    clone_process(Birth { parentage: Parentage::Sibling, ..birth(host, spec) })
}

fn sibling(to_host: &Pipe) -> Result<Cloned, Errno> {
    let mut bytes = [0; 4];
    if rustix::io::read(&to_host.0, &mut bytes)? != bytes.len() {
        return Err(Errno::PIPE);
    }
    let pid = i32::from_le_bytes(bytes);
    let process = rustix::process::Pid::from_raw(pid).ok_or(Errno::SRCH)?;
    let pidfd = rustix::process::pidfd_open(process, rustix::process::PidfdFlags::empty())?;
    Ok(Cloned::Parent { pid, pidfd })
}
