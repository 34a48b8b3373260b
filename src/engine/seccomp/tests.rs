//! Programs, asked twice: by an interpreter of BPF for what this machine cannot try (other
//! architectures, agents), and by real system calls under a loaded filter.

use std::process::Command;

use caps::Capability;
use oci_spec::runtime::LinuxSeccomp;

use super::*;
use crate::config::capability::CapabilitySet;
use crate::config::seccomp::default_profile;

const X86_64: u32 = 0xc000_003e;
const I386: u32 = 0x4000_0003;
const ARM64: u32 = 0xc000_00b7;
const X32_BIT: u32 = 0x4000_0000;

const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0;
const fn errno(number: i32) -> u32 {
    0x0005_0000 | number.unsigned_abs()
}

/// What the program answers to one system call: the classic BPF that libseccomp makes.
fn ask(program: &Program, arch: u32, number: u32, args: &[u64]) -> u32 {
    let mut data = [number, arch, 0, 0].map(u32::to_ne_bytes).concat();
    for at in 0..6 {
        data.extend(args.get(at).unwrap_or(&0).to_ne_bytes());
    }
    let code = program.instructions();
    let (mut at, mut a) = (0usize, 0u32);
    loop {
        let [code0, code1, jt, jf, k @ ..] = code[at];
        let k = u32::from_ne_bytes(k);
        at += 1;
        let mut jump = |taken: bool| at += usize::from(if taken { jt } else { jf });
        match u16::from_ne_bytes([code0, code1]) {
            0x20 => a = u32::from_ne_bytes(data[k as usize..][..4].try_into().unwrap()),
            0x05 => at += k as usize,
            0x15 => jump(a == k),
            0x25 => jump(a > k),
            0x35 => jump(a >= k),
            0x45 => jump(a & k != 0),
            0x54 => a &= k,
            0x06 => return k,
            other => panic!("instruction {other:#x} at {at}"),
        }
    }
}

fn profile(text: serde_json::Value) -> LinuxSeccomp {
    serde_json::from_value(text).unwrap()
}

fn program(text: serde_json::Value) -> Program {
    compile(&profile(text)).unwrap()
}

fn docker_default() -> Program {
    compile(&default_profile(CapabilitySet::docker_default()).unwrap()).unwrap()
}

/// The default profile, on x86_64 and the two architectures that come with it.
#[test]
#[cfg(target_arch = "x86_64")]
fn default_profile_answers() {
    let program = docker_default();
    let eperm = errno(libc::EPERM);
    let cases: &[(u32, u32, &[u64], u32)] = &[
        (X86_64, 0, &[], ALLOW),                 // read
        (X86_64, 165, &[], eperm),               // mount
        (X86_64, 250, &[], eperm),               // keyctl
        (X86_64, 435, &[], errno(libc::ENOSYS)), // clone3
        (X86_64, 56, &[0x11], ALLOW),            // clone: SIGCHLD only
        (X86_64, 56, &[0x1000_0011], eperm),     // clone: NEWUSER
        (X86_64, 56, &[0x0002_0000], eperm),     // clone: NEWNS
        (X86_64, 135, &[0], ALLOW),              // personality
        (X86_64, 135, &[0xffff_ffff], ALLOW),
        (X86_64, 135, &[0x0040_0000], eperm), // ADDR_NO_RANDOMIZE
        (X86_64, 41, &[1], ALLOW),            // socket: UNIX
        (X86_64, 41, &[38], eperm),           // ALG
        (X86_64, 41, &[40], eperm),           // VSOCK
        (X86_64, 41, &[44], ALLOW),           // XDP
        (X86_64, 41, &[46], eperm),
        (X86_64, 425, &[], eperm),               // io_uring_setup
        (X86_64, 452, &[], ALLOW),               // fchmodat2, unknown to libseccomp 2.5
        (X86_64, 335, &[], ALLOW),               // uretprobe
        (X86_64, 459, &[], eperm),               // lsm_get_self_attr: needs CAP_SYS_ADMIN
        (X86_64, 470, &[], errno(libc::ENOSYS)), // newer than the profile
        (X86_64, u32::MAX, &[], errno(libc::ENOSYS)),
        (X86_64, X32_BIT, &[], ALLOW),       // x32 read
        (X86_64, X32_BIT | 165, &[], eperm), // x32 mount
        (X86_64, X32_BIT | 452, &[], ALLOW),
        (X86_64, X32_BIT | 600, &[], errno(libc::ENOSYS)),
        (I386, 3, &[], ALLOW),  // read
        (I386, 21, &[], eperm), // mount
        (I386, 435, &[], errno(libc::ENOSYS)),
        (I386, 452, &[], ALLOW),
        (I386, 470, &[], errno(libc::ENOSYS)),
        (ARM64, 63, &[], KILL), // not of this machine
    ];
    for (arch, number, args, answer) in cases {
        let got = ask(&program, *arch, *number, args);
        assert_eq!(got, *answer, "{arch:#x} {number} {args:x?}: {got:#x}");
    }
}

/// With CAP_SYS_ADMIN the same calls are left to the kernel.
#[test]
#[cfg(target_arch = "x86_64")]
fn sys_admin_opens_mounts() {
    let capabilities = CapabilitySet::from(Capability::CAP_SYS_ADMIN);
    let program = compile(&default_profile(capabilities).unwrap()).unwrap();
    for number in [165, 272, 435, 428, 442, 467] {
        assert_eq!(ask(&program, X86_64, number, &[]), ALLOW, "{number}");
    }
    assert_eq!(ask(&program, X86_64, 56, &[0x1000_0000]), ALLOW);
}

/// Every action of the specification.
#[test]
#[cfg(target_arch = "x86_64")]
fn actions() {
    let cases = [
        ("SCMP_ACT_KILL", None, KILL),
        ("SCMP_ACT_KILL_THREAD", None, KILL),
        ("SCMP_ACT_KILL_PROCESS", None, 0x8000_0000),
        ("SCMP_ACT_TRAP", None, 0x0003_0000),
        ("SCMP_ACT_ERRNO", None, errno(libc::EPERM)),
        ("SCMP_ACT_ERRNO", Some(95), errno(95)),
        ("SCMP_ACT_ERRNO", Some(0), errno(0)),
        ("SCMP_ACT_TRACE", None, 0x7ff0_0001),
        ("SCMP_ACT_TRACE", Some(9999), 0x7ff0_270f),
        ("SCMP_ACT_LOG", None, 0x7ffc_0000),
        ("SCMP_ACT_NOTIFY", None, 0x7fc0_0000),
    ];
    for (action, ret, answer) in cases {
        let mut rule = serde_json::json!({"names": ["mkdir", "no_such_call"], "action": action});
        if let Some(ret) = ret {
            rule["errnoRet"] = ret.into();
        }
        let program =
            program(serde_json::json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}));
        assert_eq!(ask(&program, X86_64, 83, &[]), answer, "{action}");
        assert_eq!(ask(&program, X86_64, 0, &[]), ALLOW);
        assert_eq!(ask(&program, X86_64, 9999, &[]), ALLOW, "no ENOSYS where all is allowed");
        assert_eq!(program.notifies(), action == "SCMP_ACT_NOTIFY");
    }
}

/// Comparisons, all arguments together, and one argument named twice (any of the conditions).
#[test]
#[cfg(target_arch = "x86_64")]
fn arguments() {
    let cases: &[(serde_json::Value, &[u64], bool)] = &[
        (serde_json::json!([{"index": 0, "value": 5, "op": "SCMP_CMP_NE"}]), &[6], true),
        (serde_json::json!([{"index": 0, "value": 5, "op": "SCMP_CMP_NE"}]), &[5], false),
        (serde_json::json!([{"index": 1, "value": 5, "op": "SCMP_CMP_LT"}]), &[9, 4], true),
        (serde_json::json!([{"index": 1, "value": 5, "op": "SCMP_CMP_LE"}]), &[9, 5], true),
        (serde_json::json!([{"index": 1, "value": 5, "op": "SCMP_CMP_LE"}]), &[0, 6], false),
        (serde_json::json!([{"index": 5, "value": 5, "op": "SCMP_CMP_GE"}]), &[0; 6], false),
        (serde_json::json!([{"index": 0, "value": 5, "op": "SCMP_CMP_GT"}]), &[1 << 40], true),
        (
            serde_json::json!([
                {"index": 0, "value": 6, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"},
            ]),
            &[0xf3],
            true,
        ),
        (serde_json::json!([{"index": 0, "value": 6, "op": "SCMP_CMP_MASKED_EQ"}]), &[2], false),
        (
            serde_json::json!([{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"},
            {"index": 1, "value": 2, "op": "SCMP_CMP_EQ"}]),
            &[1, 2],
            true,
        ),
        (
            serde_json::json!([{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"},
            {"index": 1, "value": 2, "op": "SCMP_CMP_EQ"}]),
            &[1, 3],
            false,
        ),
        (
            serde_json::json!([{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"},
            {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]),
            &[2],
            true,
        ),
    ];
    for (args, values, matches) in cases {
        let program = program(serde_json::json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
            [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 9, "args": args}]}));
        let got = ask(&program, X86_64, 83, values);
        assert_eq!(got, if *matches { errno(9) } else { ALLOW }, "{args} {values:?}");
    }
}

/// What a profile must not say.
#[test]
fn malformed_profiles() {
    let rule = |extra: serde_json::Value| {
        let mut rule = serde_json::json!({"names": ["mkdir"], "action": "SCMP_ACT_ALLOW"});
        rule.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        serde_json::json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]})
    };
    let cases = [
        (
            rule(serde_json::json!({"errnoRet": 1})),
            "seccomp: errnoRet is not supported by the action SCMP_ACT_ALLOW",
        ),
        (
            serde_json::json!({"defaultAction": "SCMP_ACT_KILL", "defaultErrnoRet": 1}),
            "seccomp: errnoRet is not supported by the action SCMP_ACT_KILL",
        ),
        (
            rule(serde_json::json!({"action": "SCMP_ACT_ERRNO", "errnoRet": 4096})),
            "seccomp: errnoRet 4096 of the action SCMP_ACT_ERRNO is out of range",
        ),
        (
            rule(serde_json::json!({"action": "SCMP_ACT_TRACE", "errnoRet": 65536})),
            "seccomp: errnoRet 65536 of the action SCMP_ACT_TRACE is out of range",
        ),
        (
            rule(serde_json::json!({"args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]})),
            "seccomp: mkdir: there is no argument with the index 6",
        ),
        (
            rule(serde_json::json!({"action": "SCMP_ACT_ERRNO",
            "args": [{"index": 9, "value": 0, "op": "SCMP_CMP_EQ"}]})),
            "seccomp: mkdir: there is no argument with the index 9",
        ),
    ];
    for (text, words) in cases {
        assert_eq!(compile(&profile(text)).unwrap_err().to_string(), words);
    }
}

/// A profile as engines write it: every architecture and flag of the specification has its type.
#[test]
fn architectures_and_flags() {
    let names = [
        "NATIVE",
        "X86",
        "X86_64",
        "X32",
        "ARM",
        "AARCH64",
        "MIPS",
        "MIPS64",
        "MIPS64N32",
        "MIPSEL",
        "MIPSEL64",
        "MIPSEL64N32",
        "PPC",
        "PPC64",
        "PPC64LE",
        "S390",
        "S390X",
        "PARISC",
        "PARISC64",
        "RISCV64",
    ];
    for name in names {
        // libseccomp cannot mix byte orders; what matters is that the name is known to both.
        let text = serde_json::json!({"defaultAction": "SCMP_ACT_KILL",
            "architectures": [format!("SCMP_ARCH_{name}")],
            "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]});
        match compile(&profile(text)) {
            Ok(_) => {}
            Err(SeccompError::Architecture { name: failed, source }) => {
                assert_eq!(failed, format!("SCMP_ARCH_{name}"));
                assert!(!source.to_string().contains("Unknown"), "{source}");
            }
            Err(other) => panic!("{name}: {other}"),
        }
    }
    let flags = |flags: serde_json::Value, action: &str| {
        let mut text = serde_json::json!({"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["mkdir"], "action": action}]});
        if !flags.is_null() {
            text["flags"] = flags;
        }
        program(text).flags
    };
    let all = serde_json::json!([
        "SECCOMP_FILTER_FLAG_TSYNC",
        "SECCOMP_FILTER_FLAG_LOG",
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"
    ]);
    assert_eq!(flags(serde_json::Value::Null, "SCMP_ACT_LOG"), 4);
    assert_eq!(flags(serde_json::json!([]), "SCMP_ACT_LOG"), 0);
    assert_eq!(flags(all.clone(), "SCMP_ACT_LOG"), 1 | 2 | 4);
    assert_eq!(flags(all, "SCMP_ACT_NOTIFY"), 1 | 2 | 4 | 8 | 16 | 32);
    assert_eq!(flags(serde_json::Value::Null, "SCMP_ACT_NOTIFY"), 4 | 8);
}

/// Runs `script` in perl (its `syscall` makes any call) under the loaded program: a filter is a
/// matter of one thread and of what it starts.
fn perl_under(program: &Program, script: &str) -> String {
    let (instructions, flags) = (program.instructions(), program.flags);
    let script = format!(
        "sub t {{ my $n = shift; my $r = syscall($n, @_); \
         print $r < 0 ? $!+0 : 'ok', ' ' }} {script}"
    );
    std::thread::spawn(move || {
        nix::sys::prctl::set_no_new_privs().unwrap();
        crate::sys::seccomp::load_filter(&instructions, flags).unwrap();
        let output = Command::new("perl").arg("-e").arg(script).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    })
    .join()
    .unwrap()
}

/// The real thing: the kernel, the default profile, root.
#[test]
#[cfg(target_arch = "x86_64")]
fn default_profile_in_the_kernel() {
    let said = perl_under(
        &docker_default(),
        "t(165, 0, 0, 0, 0, 0);        # mount
         t(272, 0x10000000);           # unshare(CLONE_NEWUSER)
         t(435, 0, 0);                 # clone3
         t(250, 0, 0, 0);              # keyctl
         t(135, 0xffffffff);           # personality: ask
         t(135, 8);
         t(135, 0x40000);              # personality: ADDR_NO_RANDOMIZE
         t(39);                        # getpid
         t(41, 40, 1, 0);              # socket(AF_VSOCK)
         t(41, 1, 1, 0);               # socket(AF_UNIX)
         t(470);                       # newer than the profile
         t(452, -1, 0, 0, 0);          # fchmodat2: reaches the kernel, which faults
         t(56, 0x10000011, 0, 0, 0, 0) # clone(CLONE_NEWUSER)",
    );
    assert_eq!(said, "1 1 38 1 ok ok 1 ok 1 ok 38 14 1 ");
}

/// A listener comes back from the kernel for a notifying profile.
#[test]
fn a_notifying_profile_gives_a_listener() {
    let program = program(serde_json::json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
        [{"names": ["swapoff"], "action": "SCMP_ACT_NOTIFY"}]}));
    let listener = std::thread::spawn(move || {
        nix::sys::prctl::set_no_new_privs().unwrap();
        crate::sys::seccomp::load_filter(&program.instructions(), program.flags).unwrap()
    });
    assert!(listener.join().unwrap().is_some());
}
