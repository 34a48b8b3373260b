//! Attaching the device rules of a container to its cgroup on v2.
//!
//! The rules and the program are values of `config::cgroup::device`; here it only meets the
//! kernel. On v1 the rules are lines and are written as any limit.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{Resource, Rlimit};

use crate::apply::outcome::{Outcome, Taken};
use crate::sys::bpf::{self, Instruction};

/// Loads `program` and attaches it to the cgroup (of v2) that is open as `cgroup`.
///
/// Beside filters that are there already: all of them must agree. The kernel lets nobody in a user
/// namespace load one. Nothing is lost there: a device node made there cannot be opened either,
/// and others are reached only if they were mounted in.
pub(super) fn attach(cgroup: impl AsFd, program: &[Instruction]) -> Outcome {
    match load(program).and_then(|loaded| bpf::attach_device_program(cgroup, loaded)) {
        Ok(()) => Ok(Taken::Done),
        Err(e) if is_refusal(&e) && in_user_namespace() => Ok(Taken::NotPermitted),
        Err(e) => Err(e.into()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::cgroup::device;

    /// The kernel's verifier takes every shape of program: it refuses parts that cannot be
    /// reached and jumps that lead out.
    #[test]
    fn the_verifier_takes_them() {
        if !rustix::process::geteuid().is_root() || in_user_namespace() {
            println!("skipped: needs root of the first user namespace");
            return;
        }
        let configs = [
            serde_json::json!([]),
            serde_json::json!([{"allow": true}]),
            serde_json::json!([{"allow": false}]),
            serde_json::json!([{"allow": true, "type": "c"}, {"allow": false, "type": "b"}]),
            serde_json::json!([{"allow": true, "access": "r"}, {"allow": false, "access": "w"}]),
            serde_json::json!([{"allow": true, "type": "c", "major": 10},
                {"allow": true, "type": "c", "major": 10, "minor": 1, "access": "r"},
                {"allow": false, "type": "c", "major": 10, "minor": 2}]),
            serde_json::json!([{"allow": false, "type": "c", "minor": 2},
                {"allow": true, "major": 4294967295u32, "access": "m"}]),
        ];
        for config in configs {
            let configured: Vec<_> = serde_json::from_value(config.clone()).unwrap();
            let rules = device::rules(&[], &configured).unwrap();
            for rules in [&rules[..], &rules[1..rules.len() - 10]] {
                let program = device::program(rules).unwrap();
                load(&program).unwrap_or_else(|e| panic!("{config}: {e} {program:?}"));
            }
        }
        load(&device::program(&device::rules_of_privileged()).unwrap()).unwrap();
    }
}
