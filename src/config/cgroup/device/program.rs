//! Device rules as a program of the type BPF_PROG_TYPE_CGROUP_DEVICE.
//!
//! The kernel asks with a kind, two numbers and a set of accesses (opening for reading and
//! writing is one question with two bits). The program walks from the last rule to the first and
//! keeps the bits that no rule has decided yet: a deny of any of them refuses, an allow takes its
//! bits away, and when none is left the answer is yes.
//!
//! Rules that follow each other and are about the same kind, or the same driver, share the test
//! for it. That is for the kernel's verifier, whose time is most of what a filter costs: 60 µs
//! for the default rules, 200 µs with every test for every rule.

use super::{Access, DeviceKind, DeviceRule, DeviceRuleError, Verdict};
use crate::sys::bpf::Instruction;

// linux/bpf.h: classes, operations, sources.
const LOAD_WORD: u8 = 0x61;
const MOVE_CONSTANT: u8 = 0xb7;
const MOVE_REGISTER: u8 = 0xbf;
const SHIFT_RIGHT: u8 = 0x77;
const AND_CONSTANT: u8 = 0x57;
const JUMP: u8 = 0x05;
/// These compare 32 bits: a number above i32 would be sign-extended otherwise.
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
pub fn program(rules: &[DeviceRule]) -> Result<Vec<Instruction>, DeviceRuleError> {
    let mut code = Code {
        instructions: vec![
            Instruction::new(LOAD_WORD, [UNDECIDED, CONTEXT], CONTEXT_ACCESS, 0),
            Instruction::new(LOAD_WORD, [MAJOR, CONTEXT], CONTEXT_MAJOR, 0),
            Instruction::new(LOAD_WORD, [MINOR, CONTEXT], CONTEXT_MINOR, 0),
            Instruction::new(MOVE_REGISTER, [KIND, UNDECIDED], 0, 0),
            Instruction::new(AND_CONSTANT, [KIND, 0], 0, 0xffff),
            Instruction::new(SHIFT_RIGHT, [UNDECIDED, 0], 0, 16),
        ],
        jumps: Vec::new(),
    };
    let last_first: Vec<DeviceRule> = rules.iter().rev().copied().collect();
    let flow = code.test(&last_first, &[KIND, MAJOR, MINOR]);
    code.finish(flow, rules.len())
}

/// Can what follows be reached? The kernel refuses a program with a part that cannot.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    GoesOn,
    Ends,
}

/// The program while it is made.
struct Code {
    instructions: Vec<Instruction>,
    /// The jumps to an answer: which instruction, and which answer.
    jumps: Vec<(usize, Verdict)>,
}

impl Code {
    /// Tests the parts of the question in `registers` for `rules`, the first of which decides.
    fn test(&mut self, rules: &[DeviceRule], registers: &[u8]) -> Flow {
        let Some((register, inner)) = registers.split_first() else { return self.decide(rules) };
        for run in rules.chunk_by(|one, next| part(one, *register) == part(next, *register)) {
            let Some(value) = part(&run[0], *register) else {
                if self.test(run, inner) == Flow::Ends {
                    return Flow::Ends;
                }
                continue;
            };
            if let [only] = run
                && inner.iter().all(|register| part(only, *register).is_none())
                && only.access == Access::ALL
            {
                self.jump([JUMP_IF_EQUAL, *register], value, only.verdict);
                continue;
            }
            let skip = self.instructions.len();
            self.instructions.push(Instruction::new(JUMP_UNLESS_EQUAL, [*register, 0], 0, value));
            self.test(run, inner);
            self.point(skip, self.instructions.len());
        }
        Flow::GoesOn
    }

    /// Decides by rules that are all about the device in question.
    fn decide(&mut self, rules: &[DeviceRule]) -> Flow {
        for rule in rules {
            let bits = i32::from(rule.access.0);
            match rule.verdict {
                verdict if rule.access == Access::ALL => {
                    self.jump([JUMP, 0], 0, verdict);
                    return Flow::Ends;
                }
                Verdict::Allow => {
                    let rest = i32::from(Access::ALL.0) & !bits;
                    self.instructions.push(Instruction::new(AND_CONSTANT, [UNDECIDED, 0], 0, rest));
                    self.jump([JUMP_IF_EQUAL, UNDECIDED], 0, Verdict::Allow);
                }
                Verdict::Deny => {
                    self.instructions.extend([
                        Instruction::new(MOVE_REGISTER, [ANSWER, UNDECIDED], 0, 0),
                        Instruction::new(AND_CONSTANT, [ANSWER, 0], 0, bits),
                    ]);
                    self.jump([JUMP_UNLESS_EQUAL, ANSWER], 0, Verdict::Deny);
                }
            }
        }
        Flow::GoesOn
    }

    fn jump(&mut self, [code, register]: [u8; 2], value: i32, verdict: Verdict) {
        self.jumps.push((self.instructions.len(), verdict));
        self.instructions.push(Instruction::new(code, [register, 0], 0, value));
    }

    /// Lets the jump at `from` lead to `to`. What does not fit is found by [`Code::finish`].
    fn point(&mut self, from: usize, to: usize) {
        self.instructions[from].offset = i16::try_from(to - from - 1).unwrap_or(i16::MAX);
    }

    /// Adds the answers that are asked for, and leads the jumps there. What no rule has decided
    /// is denied.
    fn finish(mut self, flow: Flow, rules: usize) -> Result<Vec<Instruction>, DeviceRuleError> {
        let jumps = std::mem::take(&mut self.jumps);
        for verdict in [Verdict::Deny, Verdict::Allow] {
            let falls_here = verdict == Verdict::Deny && flow == Flow::GoesOn;
            let mut to_here = jumps.iter().filter(|(_, to)| *to == verdict).peekable();
            if !falls_here && to_here.peek().is_none() {
                continue;
            }
            let here = self.instructions.len();
            to_here.for_each(|(from, _)| self.point(*from, here));
            let value = i32::from(verdict == Verdict::Allow);
            self.instructions.extend([
                Instruction::new(MOVE_CONSTANT, [ANSWER, 0], 0, value),
                Instruction::new(EXIT, [0, 0], 0, 0),
            ]);
        }
        // Only a program of this length can have a jump that does not fit.
        if self.instructions.len() >= i16::MAX.unsigned_abs().into() {
            return Err(DeviceRuleError::TooMany { rules });
        }
        Ok(self.instructions)
    }
}

/// What a rule wants to find in a register; `None` for anything.
fn part(rule: &DeviceRule, register: u8) -> Option<i32> {
    match (register, rule.kind) {
        (KIND, DeviceKind::All) => None,
        (KIND, DeviceKind::Block) => Some(1),
        (KIND, DeviceKind::Char) => Some(2),
        (MAJOR, _) => rule.major.map(u32::cast_signed),
        _ => rule.minor.map(u32::cast_signed),
    }
}
