//! Attaching the device rules of a container to its cgroup on v2.
//!
//! The rules and the program are values of `config::cgroup::device`; here it only meets the
//! kernel. On v1 the rules are lines and are written as any limit.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{Resource, Rlimit};

use crate::sys::bpf::{self, Instruction};

/// Why a container would be without its device rules.
#[derive(Debug, thiserror::Error)]
pub enum DeviceFilterError {
    /// The kernel does not take the program.
    #[error("bpf(BPF_PROG_LOAD, CGROUP_DEVICE, {instructions} instructions): {source}")]
    Load {
        /// The program's length.
        instructions: usize,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The program does not go on the cgroup.
    #[error("bpf(BPF_PROG_ATTACH, CGROUP_DEVICE): {0}")]
    Attach(io::Error),
}

/// What became of the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// It is in force.
    Attached,
    /// The kernel lets nobody in a user namespace load one. Nothing is lost: a device node made
    /// there cannot be opened either, and others are reached only if they were mounted in.
    NotPermitted,
}

/// Loads `program` and attaches it to the cgroup (of v2) that is open as `cgroup`.
///
/// Beside filters that are there already: all of them must agree.
pub fn attach(cgroup: impl AsFd, program: &[Instruction]) -> Result<Filter, DeviceFilterError> {
    let loaded = match load(program) {
        Ok(loaded) => loaded,
        Err(e) if is_refusal(&e) && in_user_namespace() => return Ok(Filter::NotPermitted),
        Err(source) => {
            return Err(DeviceFilterError::Load { instructions: program.len(), source });
        }
    };
    match bpf::attach_device_program(cgroup, loaded) {
        Ok(()) => Ok(Filter::Attached),
        Err(e) if is_refusal(&e) && in_user_namespace() => Ok(Filter::NotPermitted),
        Err(e) => Err(DeviceFilterError::Attach(e)),
    }
}

/// Before Linux 5.11 a program counts as locked memory, and too little of that is EPERM as well.
fn load(program: &[Instruction]) -> io::Result<OwnedFd> {
    match bpf::load_device_program(program) {
        Err(e) if is_refusal(&e) && raise_locked_memory() => bpf::load_device_program(program),
        answer => answer,
    }
}

fn is_refusal(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EPERM)
}

/// Raises RLIMIT_MEMLOCK: without limit where that is allowed, else to the hard limit. Is there
/// more than before?
fn raise_locked_memory() -> bool {
    let before = rustix::process::getrlimit(Resource::Memlock);
    let unlimited = Rlimit { current: None, maximum: None };
    let hard = Rlimit { current: before.maximum, maximum: before.maximum };
    before.current.is_some()
        && (rustix::process::setrlimit(Resource::Memlock, unlimited).is_ok()
            || (before.current != before.maximum
                && rustix::process::setrlimit(Resource::Memlock, hard).is_ok()))
}

/// The first user namespace maps every id to itself.
fn in_user_namespace() -> bool {
    fs::read_to_string("/proc/self/uid_map")
        .is_ok_and(|map| map.split_whitespace().ne(["0", "0", "4294967295"]))
}
