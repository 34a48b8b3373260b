//! Making the process: clone3, and the small things that a process sets for itself.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::AtomicU64;

use super::{Result, answer};

/// What clone3 made.
#[derive(Debug)]
pub enum Cloned {
    /// We are the child.
    Child,
    /// We are the parent; this is the child.
    Parent {
        /// Its process id, in our pid namespace.
        pid: i32,
        /// A descriptor that stays with this very process.
        pidfd: OwnedFd,
    },
}

/// Whose child does the new process become?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parentage {
    /// The caller's.
    Ours,
    /// The caller's parent's (CLONE_PARENT).
    Sibling,
}

/// What a new process is born into.
#[derive(Debug, Clone, Copy)]
pub struct Birth<'a> {
    /// New namespaces, as CLONE_NEW* flags.
    pub namespaces: u64,
    /// A cgroup, on a cgroup v2 host.
    pub cgroup: Option<BorrowedFd<'a>>,
    /// Its parent.
    pub parentage: Parentage,
    /// Memory that is told its process id before it runs (CLONE_PARENT_SETTID): shared memory
    /// is how a child in a new pid namespace learns what its parent calls it.
    pub announced: Option<&'a AtomicU64>,
}

impl Default for Birth<'_> {
    fn default() -> Self {
        Self { namespaces: 0, cgroup: None, parentage: Parentage::Ours, announced: None }
    }
}

/// clone3 without a stack of its own, as fork does it.
///
/// The caller must have one thread only: the child has a copy of this thread and of every lock as
/// it was.
pub fn clone_process(birth: Birth<'_>) -> Result<Cloned> {
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    let mut pidfd: libc::c_int = -1;
    // SAFETY: all-zero is a valid clone_args: no flag, no stack, no tid.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = birth.namespaces | u64::from(libc::CLONE_PIDFD.unsigned_abs());
    arguments.pidfd = (&raw mut pidfd) as u64;
    match birth.parentage {
        Parentage::Ours => arguments.exit_signal = u64::from(libc::SIGCHLD.unsigned_abs()),
        // With CLONE_PARENT the exit signal is that of the caller and must be 0 here.
        Parentage::Sibling => arguments.flags |= u64::from(libc::CLONE_PARENT.unsigned_abs()),
    }
    if let Some(word) = birth.announced {
        arguments.flags |= u64::from(libc::CLONE_PARENT_SETTID.unsigned_abs());
        // The kernel writes 32 bits: on the little endian machines we run on, the low ones.
        arguments.parent_tid = word.as_ptr() as u64;
    }
    if let Some(cgroup) = birth.cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = u64::from(cgroup.as_raw_fd().unsigned_abs());
    }
    // SAFETY: like fork: no CLONE_VM, so the child works on a copy of our memory, on our stack.
    // The struct is of the size given and, like the word for the process id, outlives the call.
    let returned = unsafe {
        libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<libc::clone_args>())
    };
    match answer(returned)? {
        0 => Ok(Cloned::Child),
        pid => Ok(Cloned::Parent {
            pid: i32::try_from(pid).map_err(|_| super::Errno::RANGE)?,
            // SAFETY: the kernel has just put a new descriptor there, and nobody else knows it.
            pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) },
        }),
    }
}

/// Ends this process at once, without running destructors or flushing what the parent will flush.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: _exit does not return and touches no memory.
    unsafe { libc::_exit(status) }
}

/// Puts a copy of `file` at the descriptor `number`, open across execve.
pub fn duplicate_to(file: impl AsFd, number: i32) -> Result<()> {
    let raw = file.as_fd().as_raw_fd();
    if raw == number {
        // SAFETY: fcntl(F_SETFD) takes integers only.
        return answer(unsafe { libc::fcntl(raw, libc::F_SETFD, 0) }.into()).map(drop);
    }
    // SAFETY: dup2 takes two integers. What was open at `number` is one of 0, 1, 2, which no
    // owner in this program holds.
    answer(unsafe { libc::dup2(raw, number) }.into()).map(drop)
}

/// Marks every descriptor from `first` on close-on-exec: close_range(2), Linux 5.11.
pub fn close_on_exec_from(first: u32) -> Result<()> {
    const CLOSE_RANGE_CLOEXEC: u32 = 4;
    // SAFETY: takes integers only; nothing is closed yet.
    let returned =
        unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, CLOSE_RANGE_CLOEXEC) };
    answer(returned).map(drop)
}

/// Sets one resource limit of the calling process.
pub fn set_limit(resource: u32, soft: u64, hard: u64) -> Result<()> {
    let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the struct outlives the call; no old limit is asked for.
    let returned = unsafe { libc::prlimit64(0, resource, &raw const limit, std::ptr::null_mut()) };
    answer(returned.into()).map(drop)
}

/// Sets the execution domain (personality(2)).
pub fn set_personality(persona: u64) -> Result<()> {
    // SAFETY: takes an integer only.
    answer(unsafe { libc::personality(persona) }.into()).map(drop)
}

/// Sets the I/O priority of the calling process (ioprio_set(2)).
pub fn set_io_priority(class_and_level: i32) -> Result<()> {
    const IOPRIO_WHO_PROCESS: i32 = 1;
    // SAFETY: takes integers only.
    let returned =
        unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, class_and_level) };
    answer(returned).map(drop)
}

/// `struct sched_attr`, in its first form (Linux 3.14).
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct SchedulerAttributes {
    /// The struct's own size; filled in by the call.
    pub size: u32,
    /// SCHED_*.
    pub policy: u32,
    /// SCHED_FLAG_*.
    pub flags: u64,
    /// For SCHED_OTHER and SCHED_BATCH.
    pub nice: i32,
    /// For SCHED_FIFO and SCHED_RR.
    pub priority: u32,
    /// For SCHED_DEADLINE, as the two that follow, in nanoseconds.
    pub runtime: u64,
    /// See `runtime`.
    pub deadline: u64,
    /// See `runtime`.
    pub period: u64,
}

/// Sets how the calling process is scheduled (sched_setattr(2)).
pub fn set_scheduler(attributes: SchedulerAttributes) -> Result<()> {
    let size = u32::try_from(size_of::<SchedulerAttributes>()).unwrap_or(0);
    let attributes = SchedulerAttributes { size, ..attributes };
    // SAFETY: the struct is of the size that it says and outlives the call.
    let returned = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    answer(returned).map(drop)
}

/// Sends the signal with this number; unlike nix and rustix also a real-time one.
pub fn send_signal(pidfd: impl AsFd, number: i32) -> Result<()> {
    // SAFETY: takes integers and a null pointer, which means no further information.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_fd().as_raw_fd(),
            number,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    answer(returned).map(drop)
}

/// A new session keyring without a name: one with a name is joined by all who ask for that name.
pub fn new_session_keyring() -> Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: i32 = 1;
    let unnamed = std::ptr::null::<libc::c_char>();
    // SAFETY: without a name the call touches no memory of ours.
    let returned = unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, unnamed) };
    answer(returned).map(drop)
}

/// Waits for process `pid` and returns its wait status, as waitpid(2) gives it.
pub fn wait(pid: i32) -> Result<i32> {
    let mut status = 0;
    loop {
        // SAFETY: the status outlives the call.
        match answer(unsafe { libc::waitpid(pid, &raw mut status, 0) }.into()) {
            Err(super::Errno::INTR) => {}
            other => return other.map(|_| status),
        }
    }
}

/// Unblocks every signal and gives each its default again.
///
/// What is ignored stays so over execve: SIGPIPE, which Rust's runtime ignores before main, and
/// what our caller ignores, as a shell does with SIGINT and SIGQUIT for a job in the background.
pub fn default_signals() {
    // SAFETY: the set is initialised by sigemptyset before it is read; no handler is installed.
    unsafe {
        let mut none = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
    // struct sigaction as the kernel has it is at most four words; SIG_DFL and no flag are zero.
    let default = [0_u64; 4];
    for number in (1..=64).filter(|n| ![libc::SIGKILL, libc::SIGSTOP].contains(n)) {
        // SAFETY: the kernel reads one struct, which no handler is in. By the call itself, because
        // libc keeps two of the numbers to itself.
        let _ = unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                number,
                default.as_ptr(),
                std::ptr::null_mut::<u64>(),
                size_of::<u64>(),
            )
        };
    }
}

/// Closes every descriptor from 3 on but those of `kept`: what a process that goes on by itself
/// holds open would keep others waiting.
///
/// Only for a process that never returns to code which owns one of the others.
pub fn close_all_but(kept: &[BorrowedFd<'_>]) -> Result<()> {
    let mut numbers: Vec<u32> = kept.iter().map(|file| file.as_raw_fd().unsigned_abs()).collect();
    numbers.sort_unstable();
    let mut first = 3;
    for number in numbers.into_iter().filter(|number| *number >= 3) {
        if number > first {
            close_range(first, number - 1)?;
        }
        first = number + 1;
    }
    close_range(first, u32::MAX)
}

fn close_range(first: u32, last: u32) -> Result<()> {
    // SAFETY: takes integers only. The caller says that no owner of these descriptors will use or
    // close them any more.
    let returned = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    answer(returned).map(drop)
}
