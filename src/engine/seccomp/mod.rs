//! From the OCI form of a seccomp profile to the program that seccomp(2) takes.
//!
//! libseccomp makes the program; in front of it goes a short prologue of ours (`newer`) that
//! knows the system calls which are newer than the library. The result is plain bytes, so that it
//! can be made before the clone, kept in a cache, and shown. Not here: loading it, and handing the
//! listener of a notifying profile to its agent.

mod arch;
pub mod cache;
mod compile;
mod newer;

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction, LinuxSeccompFilterFlag};

pub use compile::compile;

/// What is wrong with a profile.
#[derive(Debug, thiserror::Error)]
pub enum SeccompError {
    /// errnoRet with an action that returns none.
    #[error("seccomp: errnoRet is not supported by the action {action}")]
    ErrnoNotSupported {
        /// The action, as in the config.
        action: LinuxSeccompAction,
    },
    /// An errnoRet that is not an errno, or does not fit into the 16 bits of a filter's answer.
    #[error("seccomp: errnoRet {value} of the action {action} is out of range")]
    ErrnoRange {
        /// The action, as in the config.
        action: LinuxSeccompAction,
        /// The number given.
        value: u32,
    },
    /// A system call has six arguments.
    #[error("seccomp: {syscall}: there is no argument with the index {index}")]
    ArgumentIndex {
        /// The system call's name.
        syscall: String,
        /// The index given.
        index: usize,
    },
    /// libseccomp does not know the architecture.
    #[error("seccomp: architecture {name}: {source}")]
    Architecture {
        /// Its OCI name.
        name: String,
        /// The library's words.
        source: libseccomp::error::SeccompError,
    },
    /// libseccomp does not take a rule.
    #[error("seccomp: rule {action} for {syscall}: {source}")]
    Rule {
        /// The system call's name.
        syscall: String,
        /// The rule's action.
        action: LinuxSeccompAction,
        /// The library's words.
        source: libseccomp::error::SeccompError,
    },
    /// libseccomp could not start, or does not take the default action.
    #[error("seccomp: default action {action}: {source}")]
    DefaultAction {
        /// The action, as in the config.
        action: LinuxSeccompAction,
        /// The library's words.
        source: libseccomp::error::SeccompError,
    },
    /// The program could not be got out of libseccomp.
    #[error("seccomp: export of the program: {0}")]
    Export(libseccomp::error::SeccompError),
    /// The memory file that takes the program.
    #[error("seccomp: {call} of the program's memory file: {source}")]
    MemoryFile {
        /// What was tried.
        call: &'static str,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// More instructions than the kernel takes.
    #[error(
        "seccomp: the profile makes {0} instructions, more than the 4096 that the kernel takes"
    )]
    TooLong(usize),
}

/// A program and the flags to load it with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Instructions of 8 bytes, in this machine's byte order (`struct sock_filter`).
    pub bytes: Vec<u8>,
    /// The flags for seccomp(2), SECCOMP_FILTER_FLAG_NEW_LISTENER among them if it notifies.
    pub flags: u32,
}

/// Bytes of one instruction.
const INSTRUCTION: usize = size_of::<libc::sock_filter>();

/// BPF_MAXINSNS.
const MAX_INSTRUCTIONS: usize = 4096;

impl Program {
    /// The instructions for seccomp(2).
    pub fn instructions(&self) -> Vec<[u8; INSTRUCTION]> {
        let (whole, _) = self.bytes.as_chunks();
        whole.to_vec()
    }

    /// Does loading it return a listener?
    pub fn notifies(&self) -> bool {
        self.flags & NEW_LISTENER != 0
    }
}

// linux/seccomp.h.
const TSYNC: u32 = 1;
const LOG: u32 = 1 << 1;
const SPEC_ALLOW: u32 = 1 << 2;
const NEW_LISTENER: u32 = crate::sys::seccomp::NEW_LISTENER;
const TSYNC_ESRCH: u32 = 1 << 4;
const WAIT_KILLABLE_RECV: u32 = 1 << 5;

/// The flags for seccomp(2).
///
/// Without `flags` it is SPEC_ALLOW, as in runc and crun: until 5.16 a filter switched on costly
/// mitigations of speculation, which help nobody who is not also attacking himself. The kernel
/// refuses (EINVAL) WAIT_KILLABLE_RECV without a listener, and TSYNC with one unless TSYNC_ESRCH
/// says how to tell a failure from a descriptor.
fn load_flags(profile: &LinuxSeccomp) -> u32 {
    let Some(flags) = profile.flags() else {
        return SPEC_ALLOW | if notifies(profile) { NEW_LISTENER } else { 0 };
    };
    let asked = flags.iter().fold(0, |bits, flag| {
        bits | match flag {
            LinuxSeccompFilterFlag::SeccompFilterFlagTsync => TSYNC,
            LinuxSeccompFilterFlag::SeccompFilterFlagLog => LOG,
            LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => SPEC_ALLOW,
            LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => WAIT_KILLABLE_RECV,
        }
    });
    match (notifies(profile), asked & TSYNC != 0) {
        (true, true) => asked | NEW_LISTENER | TSYNC_ESRCH,
        (true, false) => asked | NEW_LISTENER,
        (false, _) => asked & !WAIT_KILLABLE_RECV,
    }
}

/// Does any rule hand system calls to an agent?
fn notifies(profile: &LinuxSeccomp) -> bool {
    let notify = LinuxSeccompAction::ScmpActNotify;
    profile.default_action() == notify
        || profile.syscalls().iter().flatten().any(|rule| rule.action() == notify)
}

#[cfg(test)]
mod tests;
