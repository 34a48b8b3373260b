//! Device rules as a program of the type BPF_PROG_TYPE_CGROUP_DEVICE.
//!
//! The kernel asks with a kind, two numbers and a set of accesses (opening for reading and
//! writing is one question with two bits). The program walks from the last rule to the first and
//! keeps the bits that no rule has decided yet: a deny of any of them refuses, an allow takes its
//! bits away, and when none is left the answer is yes.

use super::{Access, DeviceKind, DeviceRule, Verdict};
use crate::sys::bpf::Instruction;

// linux/bpf.h: classes, operations, sources.
const LOAD_WORD: u8 = 0x61;
const MOVE_CONSTANT: u8 = 0xb7;
const MOVE_REGISTER: u8 = 0xbf;
const SHIFT_RIGHT: u8 = 0x77;
const AND_CONSTANT: u8 = 0x57;
/// The jumps compare 32 bits: a number above i32 would be sign-extended otherwise.
const JUMP_IF_EQUAL: u8 = 0x16;
const JUMP_UNLESS_EQUAL: u8 = 0x56;
const EXIT: u8 = 0x95;

// Registers: the context, then its parts.
const ANSWER: u8 = 0;
const CONTEXT: u8 = 1;
const KIND: u8 = 2;
const UNDECIDED: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

// `struct bpf_cgroup_dev_ctx`: access << 16 | kind, major, minor.
const CONTEXT_ACCESS: i16 = 0;
const CONTEXT_MAJOR: i16 = 4;
const CONTEXT_MINOR: i16 = 8;

/// The program for `rules`.
pub fn program(rules: &[DeviceRule]) -> Vec<Instruction> {
    let mut code = vec![
        Instruction::new(LOAD_WORD, [UNDECIDED, CONTEXT], CONTEXT_ACCESS, 0),
        Instruction::new(LOAD_WORD, [MAJOR, CONTEXT], CONTEXT_MAJOR, 0),
        Instruction::new(LOAD_WORD, [MINOR, CONTEXT], CONTEXT_MINOR, 0),
        Instruction::new(MOVE_REGISTER, [KIND, UNDECIDED], 0, 0),
        Instruction::new(AND_CONSTANT, [KIND, 0], 0, 0xffff),
        Instruction::new(SHIFT_RIGHT, [UNDECIDED, 0], 0, 16),
    ];
    for rule in rules.iter().rev() {
        let decision = decision(rule);
        let conditions = conditions(rule);
        let ends = conditions.is_empty() && rule.access == Access::ALL;
        let past = conditions.len() + decision.len();
        for (at, (register, value)) in conditions.into_iter().enumerate() {
            let skip = i16::try_from(past - at - 1).unwrap_or(i16::MAX);
            code.push(Instruction::new(JUMP_UNLESS_EQUAL, [register, 0], skip, value));
        }
        code.extend(decision);
        if ends {
            // What follows cannot be reached, and the kernel refuses such programs.
            return code;
        }
    }
    code.extend(answer(Verdict::Deny));
    code
}

fn conditions(rule: &DeviceRule) -> Vec<(u8, i32)> {
    let kind = match rule.kind {
        DeviceKind::All => None,
        DeviceKind::Block => Some((KIND, 1)),
        DeviceKind::Char => Some((KIND, 2)),
    };
    let major = rule.major.map(|major| (MAJOR, major.cast_signed()));
    let minor = rule.minor.map(|minor| (MINOR, minor.cast_signed()));
    [kind, major, minor].into_iter().flatten().collect()
}

fn decision(rule: &DeviceRule) -> Vec<Instruction> {
    let bits = i32::from(rule.access.0);
    let mut code = match rule.verdict {
        _ if rule.access == Access::ALL => vec![],
        Verdict::Allow => vec![
            Instruction::new(AND_CONSTANT, [UNDECIDED, 0], 0, i32::from(Access::ALL.0) & !bits),
            Instruction::new(JUMP_UNLESS_EQUAL, [UNDECIDED, 0], 2, 0),
        ],
        Verdict::Deny => vec![
            Instruction::new(MOVE_REGISTER, [ANSWER, UNDECIDED], 0, 0),
            Instruction::new(AND_CONSTANT, [ANSWER, 0], 0, bits),
            Instruction::new(JUMP_IF_EQUAL, [ANSWER, 0], 2, 0),
        ],
    };
    code.extend(answer(rule.verdict));
    code
}

fn answer(verdict: Verdict) -> [Instruction; 2] {
    let value = i32::from(verdict == Verdict::Allow);
    [Instruction::new(MOVE_CONSTANT, [ANSWER, 0], 0, value), Instruction::new(EXIT, [0, 0], 0, 0)]
}
