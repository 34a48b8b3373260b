//! Namespaces: which there are, entering one, asking what a descriptor is.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::process::{Signal, pidfd_send_signal, set_parent_process_death_signal};

use super::process::{Birth, Cloned, clone_process, exit_now, wait};
use super::{Result, answer};

/// The kinds of namespaces, by the kernel's flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Namespace {
    /// User and group ids, capabilities.
    User,
    /// Mount trees.
    Mount,
    /// Process ids.
    Pid,
    /// Network devices, addresses, ports.
    Network,
    /// System V IPC and POSIX message queues.
    Ipc,
    /// Host and domain name.
    Uts,
    /// The root of the cgroup tree.
    Cgroup,
    /// Offsets of the monotonic and boot-time clocks.
    Time,
}

impl Namespace {
    /// All kinds, in the order in which they are joined.
    pub const ALL: [Namespace; 8] = [
        Namespace::User,
        Namespace::Mount,
        Namespace::Pid,
        Namespace::Network,
        Namespace::Ipc,
        Namespace::Uts,
        Namespace::Cgroup,
        Namespace::Time,
    ];

    /// The CLONE_NEW* flag.
    pub fn flag(self) -> u64 {
        let flag = match self {
            Namespace::User => libc::CLONE_NEWUSER,
            Namespace::Mount => libc::CLONE_NEWNS,
            Namespace::Pid => libc::CLONE_NEWPID,
            Namespace::Network => libc::CLONE_NEWNET,
            Namespace::Ipc => libc::CLONE_NEWIPC,
            Namespace::Uts => libc::CLONE_NEWUTS,
            Namespace::Cgroup => libc::CLONE_NEWCGROUP,
            Namespace::Time => 0x80,
        };
        u64::from(flag.unsigned_abs())
    }

    /// The name that strace and unshare(2) use.
    pub fn flag_name(self) -> &'static str {
        match self {
            Namespace::User => "CLONE_NEWUSER",
            Namespace::Mount => "CLONE_NEWNS",
            Namespace::Pid => "CLONE_NEWPID",
            Namespace::Network => "CLONE_NEWNET",
            Namespace::Ipc => "CLONE_NEWIPC",
            Namespace::Uts => "CLONE_NEWUTS",
            Namespace::Cgroup => "CLONE_NEWCGROUP",
            Namespace::Time => "CLONE_NEWTIME",
        }
    }
}

/// Joins the namespace that `namespace` is open on; it must be of `kind`, else EINVAL.
pub fn join(namespace: impl AsFd, kind: Namespace) -> Result<()> {
    let flag = i32::try_from(kind.flag()).unwrap_or(0);
    // SAFETY: setns takes two integers and touches no memory of ours.
    let returned = unsafe { libc::setns(namespace.as_fd().as_raw_fd(), flag) };
    answer(returned.into()).map(drop)
}

/// Joins several namespaces of the process that `process` (a pidfd) is open on, all or none.
///
/// Linux 5.8. One call, because its order is the kernel's business: what the host owns has to be
/// entered with the host's rights, and all else with those in the process's user namespace.
pub fn join_process(process: impl AsFd, kinds: &[Namespace]) -> Result<()> {
    let flags = kinds.iter().fold(0, |flags, kind| flags | kind.flag());
    let flags = i32::try_from(flags).unwrap_or(0);
    // SAFETY: setns takes two integers and touches no memory of ours.
    let returned = unsafe { libc::setns(process.as_fd().as_raw_fd(), flags) };
    answer(returned.into()).map(drop)
}

/// Leaves the current namespace of `kind` for a new one.
pub fn unshare(kind: Namespace) -> Result<()> {
    let flag = i32::try_from(kind.flag()).unwrap_or(0);
    // SAFETY: unshare takes one integer; only CLONE_FILES and CLONE_FS could touch shared state.
    let returned = unsafe { libc::unshare(flag) };
    answer(returned.into()).map(drop)
}

/// The user namespace that owns the namespace `file` is open on (NS_GET_USERNS, Linux 4.9).
pub fn owner(file: impl AsFd) -> Result<OwnedFd> {
    const NS_GET_USERNS: libc::c_ulong = 0xb701;
    // SAFETY: this ioctl takes no argument and returns a new descriptor.
    let returned = unsafe { libc::ioctl(file.as_fd().as_raw_fd(), NS_GET_USERNS as _) };
    answer(returned.into())?;
    // SAFETY: the kernel just made this descriptor for us; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(returned) })
}

/// The CLONE_NEW* flag of the namespace that `file` is open on (NS_GET_NSTYPE, Linux 4.11).
pub fn kind_of(file: impl AsFd) -> Result<u64> {
    const NS_GET_NSTYPE: libc::c_ulong = 0xb703;
    // SAFETY: this ioctl takes no argument and returns a number.
    let returned = unsafe { libc::ioctl(file.as_fd().as_raw_fd(), NS_GET_NSTYPE as _) };
    answer(returned.into()).map(i64::unsigned_abs)
}

/// A new network namespace, kept by its descriptor: a process is born into it and ends again.
pub fn new_network() -> Result<OwnedFd> {
    let birth = Birth { namespaces: Namespace::Network.flag(), ..Birth::default() };
    match clone_process(birth)? {
        Cloned::Child => {
            let _ = set_parent_process_death_signal(Some(Signal::KILL));
            nix::unistd::pause();
            exit_now(0)
        }
        Cloned::Parent { pid, pidfd } => {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let path = format!("/proc/{pid}/ns/net");
            let namespace = rustix::fs::openat(CWD, path, flags, Mode::empty());
            let _ = pidfd_send_signal(&pidfd, Signal::KILL);
            wait(pid)?;
            namespace
        }
    }
}
