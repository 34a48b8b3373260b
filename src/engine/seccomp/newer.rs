//! A prologue for system calls that are newer than libseccomp, or than the profile.
//!
//! An allow list answers EPERM to what it does not know. To a system call of a newer kernel that
//! is wrong: a C library tries the new call and falls back to the old one only on ENOSYS. So
//! calls whose number is above all that the profile names get ENOSYS, as runc does it. Names that
//! the profile has and libseccomp does not know (Debian 12's ends with Linux 5.17) are decided
//! here by their number, instead of being lost.

use std::collections::{BTreeMap, BTreeSet};

use libseccomp::{ScmpAction, ScmpArch, ScmpSyscall};
use oci_spec::runtime::{Arch, LinuxSeccomp, LinuxSyscall};

use super::arch::OciArch;
use super::{INSTRUCTION, SeccompError};

/// Names and numbers since Linux 6.5. Since 5.1 a new call has one number on all architectures.
const NEWER: &[(&str, u32)] = &[
    ("cachestat", 451),
    ("fchmodat2", 452),
    ("map_shadow_stack", 453),
    ("futex_wake", 454),
    ("futex_wait", 455),
    ("futex_requeue", 456),
    ("statmount", 457),
    ("listmount", 458),
    ("lsm_get_self_attr", 459),
    ("lsm_set_self_attr", 460),
    ("lsm_list_modules", 461),
    ("mseal", 462),
    ("setxattrat", 463),
    ("getxattrat", 464),
    ("listxattrat", 465),
    ("removexattrat", 466),
    ("open_tree_attr", 467),
    ("file_getattr", 468),
    ("file_setattr", 469),
];

/// Only x86_64 has it; a traced program that cannot call it is killed.
const URETPROBE: (&str, u32) = ("uretprobe", 335);

/// The bit that makes a number one of x32.
const X32_BIT: u32 = 0x4000_0000;

/// On 32-bit ARM private calls (cacheflush, set_tls) begin here: no "newest" is above them.
const ARM_PRIVATE: u32 = 0x000f_0000;

/// The prologue while rules are added.
pub(super) struct Prologue {
    architectures: Vec<Numbers>,
    answers_enosys: bool,
}

/// What is known of one architecture.
struct Numbers {
    arch: Arch,
    scmp: ScmpArch,
    /// The highest number the profile names.
    highest: u32,
    /// Numbers decided here.
    decided: BTreeMap<u32, u32>,
}

impl Prologue {
    /// An empty one for the architectures of a filter.
    pub(super) fn new(
        profile: &LinuxSeccomp,
        default: ScmpAction,
        architectures: &BTreeSet<OciArch>,
    ) -> Result<Self, SeccompError> {
        let mut numbers = Vec::new();
        for architecture in architectures.iter().filter(|arch| numbers_are_uniform(arch.0)) {
            let scmp = architecture.to_scmp()?;
            let mut of_one =
                Numbers { arch: architecture.0, scmp, highest: 0, decided: BTreeMap::new() };
            for rule in profile.syscalls().iter().flatten() {
                for name in rule.names() {
                    of_one.highest = of_one.highest.max(of_one.number(name).unwrap_or(0));
                }
            }
            numbers.push(of_one);
        }
        Ok(Self { architectures: numbers, answers_enosys: refuses(default) })
    }

    /// Takes what libseccomp cannot: names it does not know. Conditions on their arguments are
    /// not supported; such a rule is skipped, as any rule with an unknown name.
    pub(super) fn add_rule(&mut self, rule: &LinuxSyscall, action: ScmpAction) {
        if rule.args().as_ref().is_some_and(|args| !args.is_empty()) {
            return;
        }
        for name in rule.names() {
            if ScmpSyscall::from_name(name).is_ok() {
                continue;
            }
            for of_one in &mut self.architectures {
                if let Some(number) = of_one.number_by_table(name) {
                    of_one.decided.entry(number).or_insert(answer(action));
                }
            }
        }
    }

    /// The instructions, to be followed by libseccomp's.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        let mut blocks: BTreeMap<u32, Vec<Instruction>> = BTreeMap::new();
        let x32 = self.architectures.iter().find(|one| one.arch == Arch::ScmpArchX32);
        for of_one in self.architectures.iter().filter(|one| one.arch != Arch::ScmpArchX32) {
            let mut block = Vec::new();
            match (of_one.arch, x32) {
                // x32 comes with the architecture number of x86_64 and a bit in the call's.
                (Arch::ScmpArchX86_64, Some(x32)) => {
                    let own = self.block(x32);
                    block.push(jump_if_less(X32_BIT, own.len()));
                    block.extend(own);
                }
                (Arch::ScmpArchX86_64, None) => block.extend([jump_if_less(X32_BIT, 1), LEAVE]),
                (Arch::ScmpArchArm, _) => block.extend([jump_if_less(ARM_PRIVATE, 1), LEAVE]),
                _ => {}
            }
            block.extend(self.block(of_one));
            blocks.insert(of_one.arch as u32, block);
        }
        assemble(&blocks)
    }

    fn block(&self, of_one: &Numbers) -> Vec<Instruction> {
        let mut block = Vec::new();
        for (number, answer) in &of_one.decided {
            block.extend([Instruction::new(JUMP_EQUAL, 0, 1, *number), give(*answer)]);
        }
        if self.answers_enosys && of_one.highest > 0 {
            let enosys = answer(ScmpAction::Errno(libc::ENOSYS));
            block.extend([Instruction::new(JUMP_GREATER, 0, 1, of_one.highest), give(enosys)]);
        }
        block.push(LEAVE);
        block
    }
}

impl Numbers {
    fn number(&self, name: &str) -> Option<u32> {
        let known = ScmpSyscall::from_name_by_arch(name, self.scmp)
            .ok()
            .and_then(|syscall| u32::try_from(syscall.as_raw_syscall()).ok())
            .filter(|number| self.arch != Arch::ScmpArchArm || *number < ARM_PRIVATE);
        known.or_else(|| self.number_by_table(name))
    }

    fn number_by_table(&self, name: &str) -> Option<u32> {
        if name == URETPROBE.0 {
            return (self.arch == Arch::ScmpArchX86_64).then_some(URETPROBE.1);
        }
        let bit = if self.arch == Arch::ScmpArchX32 { X32_BIT } else { 0 };
        NEWER.iter().find(|(known, _)| *known == name).map(|(_, number)| number | bit)
    }
}

/// MIPS adds a base of its own to every number, PA-RISC, SuperH and m68k are nobody's servers:
/// their filters stay as libseccomp makes them.
fn numbers_are_uniform(arch: Arch) -> bool {
    matches!(
        arch,
        Arch::ScmpArchX86
            | Arch::ScmpArchX86_64
            | Arch::ScmpArchX32
            | Arch::ScmpArchArm
            | Arch::ScmpArchAarch64
            | Arch::ScmpArchS390
            | Arch::ScmpArchS390x
            | Arch::ScmpArchPpc
            | Arch::ScmpArchPpc64
            | Arch::ScmpArchPpc64le
            | Arch::ScmpArchRiscv64
            | Arch::ScmpArchLoongarch64
    )
}

/// Is what is not named refused? Tracers and agents know what to do with new calls themselves.
fn refuses(default: ScmpAction) -> bool {
    !matches!(
        default,
        ScmpAction::Allow | ScmpAction::Log | ScmpAction::Trace(_) | ScmpAction::Notify
    ) && default != ScmpAction::Errno(libc::ENOSYS)
}

/// The filter's answer for an action (linux/seccomp.h).
fn answer(action: ScmpAction) -> u32 {
    match action {
        ScmpAction::KillProcess => 0x8000_0000,
        ScmpAction::Trap => 0x0003_0000,
        ScmpAction::Notify => 0x7fc0_0000,
        ScmpAction::Errno(errno) => 0x0005_0000 | u32::try_from(errno & 0xffff).unwrap_or(0),
        ScmpAction::Trace(message) => 0x7ff0_0000 | u32::from(message),
        ScmpAction::Log => 0x7ffc_0000,
        ScmpAction::Allow => 0x7fff_0000,
        // KillThread, and what this code does not know yet.
        _ => 0,
    }
}

// Classic BPF (linux/bpf_common.h).
const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const JUMP_GREATER_EQUAL: u16 = 0x35;
const RETURN: u16 = 0x06;

/// Offsets in `struct seccomp_data`.
const DATA_NUMBER: u32 = 0;
const DATA_ARCH: u32 = 4;

#[derive(Clone, Copy)]
struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    k: u32,
}

/// A jump to libseccomp's program; the distance is filled in when all lengths are known.
const LEAVE: Instruction = Instruction::new(JUMP, 0, 0, u32::MAX);

impl Instruction {
    const fn new(code: u16, if_true: u8, if_false: u8, k: u32) -> Self {
        Self { code, if_true, if_false, k }
    }

    fn bytes(self) -> [u8; INSTRUCTION] {
        let code = self.code.to_ne_bytes();
        let k = self.k.to_ne_bytes();
        [code[0], code[1], self.if_true, self.if_false, k[0], k[1], k[2], k[3]]
    }
}

fn give(answer: u32) -> Instruction {
    Instruction::new(RETURN, 0, 0, answer)
}

/// Skips `count` instructions if the number is below `bound`. A block has some fifty
/// instructions, the limit of a conditional jump is 255.
fn jump_if_less(bound: u32, count: usize) -> Instruction {
    let count = u8::try_from(count).unwrap_or(u8::MAX);
    Instruction::new(JUMP_GREATER_EQUAL, 0, count, bound)
}

/// One block an architecture, chosen by its number; whatever is left goes on to what follows.
fn assemble(blocks: &BTreeMap<u32, Vec<Instruction>>) -> Vec<u8> {
    let mut all = vec![Instruction::new(LOAD, 0, 0, DATA_ARCH)];
    for (arch, block) in blocks {
        let past = u8::try_from(block.len() + 1).unwrap_or(u8::MAX);
        all.push(Instruction::new(JUMP_EQUAL, 0, past, *arch));
        all.push(Instruction::new(LOAD, 0, 0, DATA_NUMBER));
        all.extend(block);
    }
    let end = all.len();
    for (at, instruction) in all.iter_mut().enumerate() {
        if instruction.code == JUMP {
            instruction.k = u32::try_from(end - at - 1).unwrap_or(u32::MAX);
        }
    }
    all.into_iter().flat_map(Instruction::bytes).collect()
}
