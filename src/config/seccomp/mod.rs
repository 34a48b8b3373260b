//! The seccomp profile of `rrun run`: what Docker's default profile blocks is blocked here.
//!
//! An allow list. What is not in it fails with EPERM, except clone3 without CAP_SYS_ADMIN, which
//! fails with ENOSYS so that libraries fall back to clone, whose flags a filter can read. System
//! calls that need a capability are allowed where the container holds it. Not here: making a
//! program of it (`engine::seccomp`).

pub mod profile;
mod table;

use caps::Capability;
use oci_spec::OciSpecError;
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompArgBuilder,
    LinuxSeccompBuilder, LinuxSeccompOperator, LinuxSyscall, LinuxSyscallBuilder,
};

use crate::config::capability::CapabilitySet;

/// The flags of clone(2) that make namespaces: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID
/// and NEWNET. NEWTIME is missing because in clone(2) its bit is part of the exit signal.
const NEW_NAMESPACES: u64 = 0x7e02_0000;

/// The personalities that change nothing dangerous: PER_LINUX and PER_LINUX32, each also with
/// UNAME26, and the value that only asks.
const PERSONALITIES: [u64; 5] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// The default profile for a container whose bounding set is `capabilities`, on this machine's
/// architecture.
pub fn default_profile(capabilities: CapabilitySet) -> Result<LinuxSeccomp, OciSpecError> {
    let mut syscalls = vec![allow(&table::always())?];
    syscalls.push(allow(table::native())?);
    for (capability, names) in table::BY_CAPABILITY {
        if capabilities.contains(*capability) {
            syscalls.push(allow(names)?);
        }
    }
    syscalls.extend(sockets()?);
    for value in PERSONALITIES {
        let same = argument(0, LinuxSeccompOperator::ScmpCmpEq, value)?;
        syscalls.push(allow_if("personality", same)?);
    }
    if !capabilities.contains(Capability::CAP_SYS_ADMIN) {
        syscalls.push(allow_if("clone", no_new_namespace()?)?);
        syscalls.push(
            LinuxSyscallBuilder::default()
                .names(vec!["clone3".to_owned()])
                .action(LinuxSeccompAction::ScmpActErrno)
                .errno_ret(libc::ENOSYS.unsigned_abs())
                .build()?,
        );
    }
    LinuxSeccompBuilder::default()
        .default_action(LinuxSeccompAction::ScmpActErrno)
        .default_errno_ret(libc::EPERM.unsigned_abs())
        .architectures(architectures())
        .syscalls(syscalls)
        .build()
}

/// This machine's architecture and those whose programs its kernel also runs: without them every
/// 32-bit program would be killed.
fn architectures() -> Vec<Arch> {
    match std::env::consts::ARCH {
        "x86_64" => vec![Arch::ScmpArchX86_64, Arch::ScmpArchX86, Arch::ScmpArchX32],
        "aarch64" => vec![Arch::ScmpArchAarch64, Arch::ScmpArchArm],
        "s390x" => vec![Arch::ScmpArchS390x, Arch::ScmpArchS390],
        "riscv64" => vec![Arch::ScmpArchRiscv64],
        "loongarch64" => vec![Arch::ScmpArchLoongarch64],
        _ => vec![Arch::ScmpArchNative],
    }
}

/// Every address family but the blocked ones, as ranges between them. The kernel takes the family
/// as an int; a filter compares 64 bits, and a caller may leave anything in the upper half, which
/// then matches no rule: refused, as it should be.
fn sockets() -> Result<Vec<LinuxSyscall>, OciSpecError> {
    let mut rules = Vec::new();
    let mut next = 0;
    for blocked in table::BLOCKED_FAMILIES.iter().copied().chain([table::FAMILIES_END]) {
        if next == 0 {
            let below = argument(0, LinuxSeccompOperator::ScmpCmpLt, blocked)?;
            rules.push(allow_if("socket", below)?);
        } else {
            for family in next..blocked {
                let same = argument(0, LinuxSeccompOperator::ScmpCmpEq, family)?;
                rules.push(allow_if("socket", same)?);
            }
        }
        next = blocked + 1;
    }
    Ok(rules)
}

fn no_new_namespace() -> Result<LinuxSeccompArg, OciSpecError> {
    // On s390 the flags are the second argument of clone.
    let flags = usize::from(std::env::consts::ARCH == "s390x");
    LinuxSeccompArgBuilder::default()
        .index(flags)
        .value(NEW_NAMESPACES)
        .value_two(0u64)
        .op(LinuxSeccompOperator::ScmpCmpMaskedEq)
        .build()
}

fn argument(
    index: usize,
    op: LinuxSeccompOperator,
    value: u64,
) -> Result<LinuxSeccompArg, OciSpecError> {
    LinuxSeccompArgBuilder::default().index(index).value(value).op(op).build()
}

fn allow(names: &str) -> Result<LinuxSyscall, OciSpecError> {
    LinuxSyscallBuilder::default()
        .names(names.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .action(LinuxSeccompAction::ScmpActAllow)
        .build()
}

fn allow_if(name: &str, condition: LinuxSeccompArg) -> Result<LinuxSyscall, OciSpecError> {
    LinuxSyscallBuilder::default()
        .names(vec![name.to_owned()])
        .action(LinuxSeccompAction::ScmpActAllow)
        .args(vec![condition])
        .build()
}

#[cfg(test)]
mod tests;
