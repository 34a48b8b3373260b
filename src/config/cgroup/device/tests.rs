//! Rules, the program that is made of them (run by an interpreter here), and v1's lines.

use super::program as compile;
use super::*;
use crate::sys::bpf::Instruction;

const CHAR: u32 = 2;
const BLOCK: u32 = 1;
const MAKE: u32 = 1;
const READ: u32 = 2;
const WRITE: u32 = 4;

/// What the program answers: the few instructions that it uses.
fn ask(program: &[Instruction], [kind, major, minor]: [u32; 3], access: u32) -> bool {
    let context = [access << 16 | kind, major, minor];
    let mut r = [0u64; 11];
    let mut at = 0;
    loop {
        let step = program[at];
        at += 1;
        let [target, source] = step.registers().map(usize::from);
        let constant = i64::from(step.immediate).cast_unsigned();
        let same = r[target] & 0xffff_ffff == u64::from(step.immediate.cast_unsigned());
        let skip = usize::try_from(step.offset).unwrap();
        match step.code {
            0x61 => r[target] = context[skip / 4].into(),
            0xb7 => r[target] = constant,
            0xbf => r[target] = r[source],
            0x77 => r[target] >>= constant,
            0x57 => r[target] &= constant,
            0x05 => at += skip,
            0x16 => at += if same { skip } else { 0 },
            0x56 => at += if same { 0 } else { skip },
            0x95 => return r[0] != 0,
            other => panic!("instruction {other:#x}"),
        }
    }
}

fn configured(rules: &serde_json::Value) -> Vec<LinuxDeviceCgroup> {
    serde_json::from_value(rules.clone()).unwrap()
}

fn made_of(text: &serde_json::Value) -> Vec<DeviceRule> {
    rules(&[], &configured(text)).unwrap()
}

fn made_program(rules: &[DeviceRule]) -> Vec<Instruction> {
    compile(rules).unwrap()
}

/// Without rules: the default devices, mknod of anything, nothing else.
#[test]
fn defaults() {
    let program = made_program(&made_of(&serde_json::json!([])));
    let usable = [
        [CHAR, 1, 3],
        [CHAR, 1, 5],
        [CHAR, 1, 7],
        [CHAR, 1, 8],
        [CHAR, 1, 9],
        [CHAR, 5, 0],
        [CHAR, 5, 1],
        [CHAR, 5, 2],
        [CHAR, 136, 0],
        [CHAR, 136, 500],
    ];
    for device in usable {
        for access in 1..8 {
            assert!(ask(&program, device, access), "{device:?} {access}");
        }
    }
    let others = [
        [CHAR, 1, 1],
        [CHAR, 1, 4],
        [CHAR, 10, 200],
        [CHAR, 10, 229],
        [CHAR, 4, 0],
        [BLOCK, 1, 3],
        [BLOCK, 8, 0],
        [BLOCK, 5, 2],
        [CHAR, 137, 0],
    ];
    for device in others {
        assert!(ask(&program, device, MAKE), "{device:?}");
        for access in 2..8 {
            assert!(!ask(&program, device, access), "{device:?} {access}");
        }
    }
}

/// The last rule that speaks about a device and an access decides, bit by bit.
#[test]
fn last_rule_wins() {
    let fuse = [CHAR, 10, 229];
    let allow = |access: &str| {
        serde_json::json!({"allow": true, "type": "c", "major": 10, "minor": 229,
            "access": access})
    };
    let deny = |access: &str| serde_json::json!({"allow": false, "access": access});
    let cases = [
        (serde_json::json!([deny("rwm"), allow("rw")]), READ | WRITE, true),
        (serde_json::json!([allow("rw"), deny("rwm")]), READ, false),
        (serde_json::json!([allow("r"), allow("w")]), READ | WRITE, true),
        (serde_json::json!([allow("r")]), READ | WRITE, false),
        (serde_json::json!([allow("rwm"), deny("w")]), READ, true),
        (serde_json::json!([allow("rwm"), deny("w")]), READ | WRITE, false),
        (serde_json::json!([deny("w"), allow("w")]), WRITE, true),
        (serde_json::json!([{"allow": true}]), READ | WRITE | MAKE, true),
        (serde_json::json!([{"allow": true, "type": "a", "access": "r"}]), READ, true),
        (serde_json::json!([{"allow": true, "type": "b"}]), READ, false),
        (serde_json::json!([{"allow": true, "type": "u", "major": 10, "minor": -1}]), READ, true),
        (serde_json::json!([{"allow": true, "type": "c", "major": 11}]), READ, false),
        (serde_json::json!([{"allow": true, "type": "p", "major": 10, "minor": 229}]), READ, false),
    ];
    for (text, access, wanted) in cases {
        let got = ask(&made_program(&made_of(&text)), fuse, access);
        assert_eq!(got, wanted, "{text} {access}");
    }
    let all_denied = made_program(&made_of(&serde_json::json!([deny("rwm")])));
    assert!(ask(&all_denied, [CHAR, 1, 3], READ), "default devices cannot be taken away");
}

/// Any rules, any question: the program answers what the rules say, bit by bit.
#[test]
fn programs_agree_with_their_rules() {
    let mut state = 1u64;
    let mut pick = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    for _ in 0..2000 {
        let rules: Vec<DeviceRule> = (0..pick(8))
            .map(|_| DeviceRule {
                verdict: [Verdict::Allow, Verdict::Deny][pick(2)],
                kind: [DeviceKind::All, DeviceKind::Block, DeviceKind::Char][pick(3)],
                major: [None, Some(1), Some(2)][pick(3)],
                minor: [None, Some(1), Some(2)][pick(3)],
                access: Access([7, 7, 1, 2, 4, 6][pick(6)]),
            })
            .collect();
        let program = made_program(&rules);
        for question in 0..(2 * 3 * 3 * 7) {
            let device = [1 + question % 2, question / 2 % 3, question / 6 % 3];
            let access = 1 + question / 18;
            let about = |rule: &&DeviceRule| {
                let [kind, major, minor] = device;
                rule.kind != [DeviceKind::Char, DeviceKind::Block][kind as usize - 1]
                    && rule.major.is_none_or(|it| it == major)
                    && rule.minor.is_none_or(|it| it == minor)
            };
            let wanted = [1, 2, 4].into_iter().filter(|bit| access & bit != 0).all(|bit| {
                let has = |rule: &&DeviceRule| u32::from(rule.access.0) & bit != 0;
                let last = rules.iter().filter(about).rfind(has);
                last.is_some_and(|rule| rule.verdict == Verdict::Allow)
            });
            assert_eq!(ask(&program, device, access), wanted, "{device:?} {access} {rules:?}");
        }
    }
}

/// More rules than jumps can span are refused, not miscompiled.
#[test]
fn too_many_rules() {
    let many: Vec<_> = (0..40_000).map(|minor| char_device(240, minor)).collect();
    assert_eq!(compile(&many), Err(DeviceRuleError::TooMany { rules: 40_000 }));
    let some = made_program(&many[..20_000]);
    assert!(ask(&some, [CHAR, 240, 19_999], READ) && ask(&some, [CHAR, 240, 0], READ));
    assert!(!ask(&some, [CHAR, 240, 20_000], READ));
}

/// Numbers beyond i32 are compared as they are.
#[test]
fn large_numbers() {
    let text = serde_json::json!([{"allow": true, "type": "c", "major": 4_294_967_295u32,
        "minor": 2_147_483_648u32, "access": "r"}]);
    let program = made_program(&made_of(&text));
    assert!(ask(&program, [CHAR, u32::MAX, 1 << 31], READ));
    assert!(!ask(&program, [CHAR, u32::MAX, 0], READ));
}

/// A listed device may be used, unless a rule says no; what is not listed stays closed.
#[test]
fn listed_devices() {
    let listed: Vec<LinuxDevice> = serde_json::from_value(serde_json::json!([
        {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229},
        {"path": "/dev/fifo", "type": "p"}]))
    .unwrap();
    let open = made_program(&rules(&listed, &[]).unwrap());
    assert!(ask(&open, [CHAR, 10, 229], READ | WRITE));
    assert!(!ask(&open, [CHAR, 10, 200], READ));
    let denied = configured(&serde_json::json!([{"allow": false, "access": "rwm"}]));
    let closed = made_program(&rules(&listed, &denied).unwrap());
    assert!(!ask(&closed, [CHAR, 10, 229], READ));
}

#[test]
fn everything_needs_no_program() {
    assert!(allows_everything(&rules_of_privileged()));
    assert!(allows_everything(&made_of(&serde_json::json!([{"allow": true, "type": "a"}]))));
    assert!(!allows_everything(&made_of(&serde_json::json!([]))));
    let hole = serde_json::json!([{"allow": true}, {"allow": false, "type": "b"}]);
    assert!(!allows_everything(&made_of(&hole)));
    assert!(!allows_everything(&made_of(&serde_json::json!([{"allow": true, "access": "r"}]))));
}

#[test]
fn malformed_rules() {
    let wrong = |text: serde_json::Value| rules(&[], &configured(&text)).unwrap_err().to_string();
    assert_eq!(
        wrong(serde_json::json!([{"allow": true, "type": "c", "major": 1, "access": "rx"}])),
        "device rule c 1:* rx: access \"rx\" is not made of r, w and m"
    );
    assert_eq!(
        wrong(serde_json::json!([{"allow": true, "type": "b", "major": -2, "access": "r"}])),
        "device rule b -2:* r: -2 is no device number"
    );
}

fn lines(text: &serde_json::Value) -> Vec<String> {
    let writes = v1_writes(&made_of(text)).unwrap();
    let short = |file: &str| file.trim_start_matches("devices.").to_owned();
    // The defaults are at the end, the same every time.
    let own = writes.len() - 11;
    writes[..own].iter().map(|write| format!("{} {}", short(&write.file), write.value)).collect()
}

/// v1: the default first, then only exceptions to it.
#[test]
fn v1_lines() {
    let cases = [
        (serde_json::json!([]), vec!["deny a"]),
        (
            serde_json::json!([{"allow": false, "access": "rwm"},
            {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}]),
            vec!["deny a", "allow c 10:229 rw"],
        ),
        (
            serde_json::json!([{"allow": true, "type": "c", "major": 10, "access": "rwm"},
            {"allow": false, "type": "c", "access": "w"}]),
            vec!["deny a", "allow c 10:* rm"],
        ),
        (
            serde_json::json!([{"allow": true, "type": "c", "major": 10, "access": "w"},
            {"allow": false, "access": "w"}]),
            vec!["deny a"],
        ),
        (
            serde_json::json!([{"allow": true, "major": 7}]),
            vec!["deny a", "allow b 7:* rwm", "allow c 7:* rwm"],
        ),
    ];
    for (text, wanted) in cases {
        assert_eq!(lines(&text), wanted, "{text}");
    }
    let all = v1_writes(&made_of(&serde_json::json!([{"allow": true},
        {"allow": false, "type": "b", "major": 8, "access": "rwm"}])))
    .unwrap();
    let said: Vec<_> = all.iter().map(|w| format!("{} {}", w.file, w.value)).collect();
    assert_eq!(said, ["devices.allow a", "devices.deny b 8:* rw"], "mknod is always given");
    let defaults = v1_writes(&made_of(&serde_json::json!([]))).unwrap();
    assert_eq!(defaults[10].value, "b *:* m");
    assert_eq!(defaults[11].value, "c *:* m");
    assert_eq!(defaults[9].value, "c 136:* rwm");
}

/// v1 has no holes; to leave one out would be to allow what was denied.
#[test]
fn v1_holes_are_refused() {
    let text = serde_json::json!([{"allow": true, "type": "c", "major": 10, "access": "rwm"},
        {"allow": false, "type": "c", "major": 10, "minor": 1, "access": "w"}]);
    assert_eq!(
        v1_writes(&made_of(&text)).unwrap_err().to_string(),
        "device rule c 10:1 w takes a part of c 10:* rwm away: cgroup v1 cannot express that"
    );
}
