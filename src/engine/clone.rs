//! The one clone, in its three ways.
//!
//! - usually one clone3 with everything new;
//! - a pid namespace that is joined and a new time namespace take effect for children only, so
//!   the host enters them, clones, and goes home at once;
//! - a user namespace that is joined has to own the new namespaces, so a process in the middle
//!   enters it, makes the child as its sibling and ends.
//!
//! Whatever goes wrong after a child was made, it is ended and reaped here.

use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

use crate::apply::Apply;
use crate::apply::process::end_child;
use crate::plan::step::CloneSpec;
use crate::sys::namespace::{self, Namespace};
use crate::sys::process::{Birth, Cloned, Parentage, clone_process, exit_now, wait};

/// Why there is no child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoChild {
    /// A call failed.
    Refused(Errno),
    /// The process in the middle was killed; its wait status.
    Died(i32),
}

impl From<Errno> for NoChild {
    fn from(errno: Errno) -> Self {
        Self::Refused(errno)
    }
}

/// Makes the child.
pub fn carry_out(host: &Apply<'_>, spec: &CloneSpec) -> Result<Cloned, NoChild> {
    if spec.user.is_some() || !spec.entered.is_empty() {
        from_the_middle(host, spec)
    } else {
        Ok(here(host, spec)?)
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
    let mut away = Away::default();
    let entered = away.enter(host, spec);
    let cloned = entered.and_then(|()| clone_process(Birth { cgroup, ..birth(host, spec) }));
    match cloned {
        Ok(Cloned::Child) => cloned,
        _ => away.go_home(cloned),
    }
}

/// The namespaces that the host has left for those of the child's.
#[derive(Debug, Default)]
struct Away {
    home: Vec<(Namespace, OwnedFd)>,
}

impl Away {
    fn enter(&mut self, host: &Apply<'_>, spec: &CloneSpec) -> Result<(), Errno> {
        if let Some(slot) = spec.pid {
            self.home.push((Namespace::Pid, open_own("pid")?));
            namespace::join(host.table.get(slot)?, Namespace::Pid)?;
        }
        if spec.new.contains(&Namespace::Time) {
            self.home.push((Namespace::Time, open_own("time")?));
            new_time(spec)?;
        }
        Ok(())
    }

    /// Back to where the host belongs. A host that cannot is no host for the child.
    fn go_home(self, cloned: Result<Cloned, Errno>) -> Result<Cloned, Errno> {
        // All of them, also if one fails.
        let joined = self.home.into_iter().map(|(kind, file)| namespace::join(file, kind));
        let failed = joined.fold(Ok(()), Result::and);
        match (cloned, failed) {
            (Ok(Cloned::Parent { pid, pidfd }), Err(errno)) => {
                end_child(pid, pidfd);
                Err(errno)
            }
            (cloned, _) => cloned,
        }
    }
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
///
/// Which process the child is stands in the report, written by the kernel before the child runs:
/// the pipes between child and host are in use by then.
fn from_the_middle(host: &Apply<'_>, spec: &CloneSpec) -> Result<Cloned, NoChild> {
    let cgroup = spec.cgroup.map(|slot| host.table.get(slot)).transpose()?;
    host.report.child_pid_word().store(0, Ordering::Release);
    match clone_process(Birth { cgroup, ..Birth::default() })? {
        Cloned::Child => match in_the_middle(host, spec) {
            Ok(Cloned::Child) => Ok(Cloned::Child),
            Ok(Cloned::Parent { .. }) => exit_now(0),
            Err(errno) => exit_now(errno.raw_os_error()),
        },
        Cloned::Parent { pid: middle, .. } => {
            let ended = wait(middle).map_err(NoChild::from).and_then(verdict);
            adopt(host.report.child_pid(), ended)
        }
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

/// What the end of the process in the middle says: it exits with the errno that stopped it.
fn verdict(wait_status: i32) -> Result<(), NoChild> {
    match (wait_status & 0x7f, wait_status >> 8 & 0xff) {
        (0, 0) => Ok(()),
        (0, errno) => Err(NoChild::Refused(Errno::from_raw_os_error(errno))),
        _ => Err(NoChild::Died(wait_status)),
    }
}

/// Takes the sibling over that the middle process made; one that cannot be watched is ended.
fn adopt(pid: i32, ended: Result<(), NoChild>) -> Result<Cloned, NoChild> {
    // It is our child and nobody else reaps it, so that its number stays its own.
    let Some(process) = Pid::from_raw(pid) else {
        return Err(ended.err().unwrap_or(NoChild::Refused(Errno::SRCH)));
    };
    let pidfd = ended.and_then(|()| Ok(pidfd_open(process, PidfdFlags::empty())?));
    match pidfd {
        Ok(pidfd) => Ok(Cloned::Parent { pid, pidfd }),
        Err(error) => {
            let _ = rustix::process::kill_process(process, Signal::KILL);
            let _ = wait(pid);
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> Result<(i32, OwnedFd), Errno> {
        match clone_process(Birth::default())? {
            Cloned::Child => loop {
                let _ = rustix::event::poll(&mut [], None);
            },
            Cloned::Parent { pid, pidfd } => Ok((pid, pidfd)),
        }
    }

    /// A host that does not find home ends the child that it just made.
    #[test]
    fn a_child_whose_host_is_lost_is_ended() -> Result<(), Errno> {
        let (pid, pidfd) = waiting()?;
        // No way home: it is a namespace of another kind.
        let away = Away { home: vec![(Namespace::Pid, open_own("uts")?)] };
        let cloned = away.go_home(Ok(Cloned::Parent { pid, pidfd }));
        assert_eq!(cloned.err(), Some(Errno::INVAL));
        assert_eq!(wait(pid), Err(Errno::CHILD));
        Ok(())
    }

    /// A clone that failed keeps its own error, wherever the host is.
    #[test]
    fn the_first_error_is_told() -> Result<(), Errno> {
        let away = Away { home: vec![(Namespace::Pid, open_own("uts")?)] };
        assert_eq!(away.go_home(Err(Errno::NOSPC)).err(), Some(Errno::NOSPC));
        Ok(())
    }

    /// A middle process that was killed is no errno, least of all 0.
    #[test]
    fn ends_of_the_middle() {
        let cases = [
            (0, Ok(())),
            (libc::EPERM << 8, Err(NoChild::Refused(Errno::PERM))),
            (libc::SIGKILL, Err(NoChild::Died(libc::SIGKILL))),
            (libc::SIGSYS | 0x80, Err(NoChild::Died(libc::SIGSYS | 0x80))),
        ];
        for (status, want) in cases {
            assert_eq!(verdict(status), want, "{status:#x}");
        }
    }

    /// The child of a middle process that was killed is ended, and without a child there is none.
    #[test]
    fn only_a_child_of_a_whole_middle_is_adopted() -> Result<(), Errno> {
        let died = NoChild::Died(libc::SIGKILL);
        assert_eq!(adopt(0, Err(died)).err(), Some(died));
        assert_eq!(adopt(0, Ok(())).err(), Some(NoChild::Refused(Errno::SRCH)));
        let (pid, _pidfd) = waiting()?;
        assert_eq!(adopt(pid, Err(died)).err(), Some(died));
        assert_eq!(wait(pid), Err(Errno::CHILD));
        let (pid, _pidfd) = waiting()?;
        match adopt(pid, Ok(())) {
            Ok(Cloned::Parent { pid: adopted, pidfd }) => {
                assert_eq!(adopted, pid);
                end_child(pid, pidfd);
            }
            other => panic!("{other:?}"),
        }
        Ok(())
    }
}
