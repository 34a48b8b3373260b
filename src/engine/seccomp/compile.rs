//! The profile into libseccomp, the program out of it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek};

use libseccomp::{ScmpAction, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompOperator, LinuxSyscall,
};
use rustix::fs::MemfdFlags;

use super::arch::OciArch;
use super::{INSTRUCTION, MAX_INSTRUCTIONS, Program, SeccompError, load_flags, newer};

/// What a rule does when it names no errno.
const EPERM: u32 = libc::EPERM.unsigned_abs();

/// Makes the program of `profile`.
///
/// Names that neither libseccomp nor we know are skipped: a profile is written for many kernels
/// and machines. Rules that do what the default does are skipped too (libseccomp refuses them).
pub fn compile(profile: &LinuxSeccomp) -> Result<Program, SeccompError> {
    let action = profile.default_action();
    let default = to_action(action, profile.default_errno_ret())?;
    let fail = |source| SeccompError::DefaultAction { action, source };
    let mut context = ScmpFilterContext::new(default).map_err(fail)?;
    let architectures = architectures(profile);
    for architecture in &architectures {
        add_architecture(&mut context, *architecture)?;
    }
    let mut newer = newer::Prologue::new(profile, default, &architectures)?;
    for rule in profile.syscalls().iter().flatten() {
        let action = to_action(rule.action(), rule.errno_ret())?;
        if action == default {
            check_arguments(rule)?;
        } else {
            add_rule(&mut context, rule, action)?;
            newer.add_rule(rule, action);
        }
    }
    let mut bytes = newer.into_bytes();
    bytes.extend(export(&context)?);
    let instructions = bytes.len() / INSTRUCTION;
    if instructions > MAX_INSTRUCTIONS {
        return Err(SeccompError::TooLong(instructions));
    }
    Ok(Program { bytes, flags: load_flags(profile) })
}

/// The architectures of the profile and the native one, which every filter has.
fn architectures(profile: &LinuxSeccomp) -> BTreeSet<OciArch> {
    let mut all: BTreeSet<_> = profile
        .architectures()
        .iter()
        .flatten()
        .map(|arch| if *arch == Arch::ScmpArchNative { OciArch::native() } else { OciArch(*arch) })
        .collect();
    all.insert(OciArch::native());
    all
}

fn add_architecture(
    context: &mut ScmpFilterContext,
    architecture: OciArch,
) -> Result<(), SeccompError> {
    let fail = |source| SeccompError::Architecture { name: architecture.0.to_string(), source };
    let scmp = architecture.to_scmp()?;
    if !context.is_arch_present(scmp).map_err(fail)? {
        context.add_arch(scmp).map_err(fail)?;
    }
    Ok(())
}

pub(super) fn to_action(
    action: LinuxSeccompAction,
    errno: Option<u32>,
) -> Result<ScmpAction, SeccompError> {
    use LinuxSeccompAction as Oci;
    if errno.is_some() && !matches!(action, Oci::ScmpActErrno | Oci::ScmpActTrace) {
        return Err(SeccompError::ErrnoNotSupported { action });
    }
    let value = errno.unwrap_or(EPERM);
    let short = u16::try_from(value).map_err(|_| SeccompError::ErrnoRange { action, value });
    Ok(match action {
        Oci::ScmpActKill | Oci::ScmpActKillThread => ScmpAction::KillThread,
        Oci::ScmpActKillProcess => ScmpAction::KillProcess,
        Oci::ScmpActTrap => ScmpAction::Trap,
        Oci::ScmpActErrno if value > MAX_ERRNO => {
            return Err(SeccompError::ErrnoRange { action, value });
        }
        Oci::ScmpActErrno => ScmpAction::Errno(i32::from(short?)),
        Oci::ScmpActNotify => ScmpAction::Notify,
        Oci::ScmpActTrace => ScmpAction::Trace(short?),
        Oci::ScmpActLog => ScmpAction::Log,
        Oci::ScmpActAllow => ScmpAction::Allow,
    })
}

/// The kernel cuts larger ones down to this.
const MAX_ERRNO: u32 = 4095;

fn add_rule(
    context: &mut ScmpFilterContext,
    rule: &LinuxSyscall,
    action: ScmpAction,
) -> Result<(), SeccompError> {
    check_arguments(rule)?;
    let conditions: Vec<Vec<ScmpArgCompare>> = conditions(rule.args().as_deref().unwrap_or(&[]));
    for name in rule.names() {
        let Ok(syscall) = ScmpSyscall::from_name(name) else { continue };
        for condition in &conditions {
            context.add_rule_conditional(action, syscall, condition).map_err(|source| {
                SeccompError::Rule { syscall: name.clone(), action: rule.action(), source }
            })?;
        }
    }
    Ok(())
}

fn check_arguments(rule: &LinuxSyscall) -> Result<(), SeccompError> {
    match rule.args().iter().flatten().find(|arg| arg.index() > 5) {
        Some(arg) => {
            Err(SeccompError::ArgumentIndex { syscall: rule.names().join(" "), index: arg.index() })
        }
        None => Ok(()),
    }
}

/// The conditions of a rule, each list a rule of its own for libseccomp.
///
/// All of a list must hold. A list cannot test one argument twice; runc reads such a rule as "one
/// of them", and profiles in use rely on it.
fn conditions(args: &[LinuxSeccompArg]) -> Vec<Vec<ScmpArgCompare>> {
    let different: BTreeSet<_> = args.iter().map(LinuxSeccompArg::index).collect();
    let compared = args.iter().map(to_compare);
    if different.len() == args.len() {
        vec![compared.collect()]
    } else {
        compared.map(|one| vec![one]).collect()
    }
}

fn to_compare(arg: &LinuxSeccompArg) -> ScmpArgCompare {
    use LinuxSeccompOperator as Oci;
    let (op, value) = match arg.op() {
        Oci::ScmpCmpNe => (ScmpCompareOp::NotEqual, arg.value()),
        Oci::ScmpCmpLt => (ScmpCompareOp::Less, arg.value()),
        Oci::ScmpCmpLe => (ScmpCompareOp::LessOrEqual, arg.value()),
        Oci::ScmpCmpEq => (ScmpCompareOp::Equal, arg.value()),
        Oci::ScmpCmpGe => (ScmpCompareOp::GreaterEqual, arg.value()),
        Oci::ScmpCmpGt => (ScmpCompareOp::Greater, arg.value()),
        // `value` is the mask and `valueTwo` what must be left after it.
        Oci::ScmpCmpMaskedEq => {
            (ScmpCompareOp::MaskedEqual(arg.value()), arg.value_two().unwrap_or(0))
        }
    };
    // The index is below 6: checked before.
    ScmpArgCompare::new(u32::try_from(arg.index()).unwrap_or(u32::MAX), op, value)
}

/// Takes the program by way of a memory file: export into a buffer came with libseccomp 2.6 only.
fn export(context: &ScmpFilterContext) -> Result<Vec<u8>, SeccompError> {
    let fail = |call| move |source| SeccompError::MemoryFile { call, source };
    let memory = rustix::fs::memfd_create("seccomp", MemfdFlags::CLOEXEC)
        .map_err(|e| fail("memfd_create")(e.into()))?;
    let mut file = File::from(memory);
    context.export_bpf(&file).map_err(SeccompError::Export)?;
    let mut bytes = Vec::new();
    file.rewind().map_err(fail("lseek"))?;
    file.read_to_end(&mut bytes).map_err(fail("read"))?;
    Ok(bytes)
}
