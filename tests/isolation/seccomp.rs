//! Filters of system calls.

use std::os::unix::fs::MetadataExt;

use rrun::config::capability::CapabilitySet;
use rrun::config::seccomp::default_profile;
use serde_json::{Value, json};

use crate::bundle::{Bundle, is_sandbox};

fn refused(name: &str, errno: i32) -> Value {
    json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": [name, "mkdirat", "no_such_call"],
            "action": "SCMP_ACT_ERRNO", "errnoRet": errno}]})
}

/// The default profile: the container starts under it, mount is EPERM also with CAP_SYS_ADMIN in
/// the sets, and the kernel says that there is a filter.
#[test]
#[ignore = "in scripts/sandbox"]
fn the_default_profile() {
    if !is_sandbox() {
        return;
    }
    let script = "grep ^Seccomp: /proc/self/status; mount -t tmpfs none /tmp && echo mounted; \
        unshare -m true && echo unshared; echo end";
    let mut bundle = Bundle::new(script);
    bundle.capability("CAP_SYS_ADMIN");
    let profile = default_profile(CapabilitySet::docker_default()).unwrap();
    bundle.config["linux"]["seccomp"] = serde_json::to_value(profile).unwrap();
    for no_new_privileges in [true, false] {
        bundle.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        let said = bundle.run();
        assert_eq!(said.out, "Seccomp:\t2\nend\n", "{said:?}");
    }
    bundle.config["linux"].as_object_mut().unwrap().remove("seccomp");
    let said = bundle.run();
    assert_eq!(said.out, "Seccomp:\t0\nmounted\nunshared\nend\n", "{said:?}");
}

/// A filter holds for a user without rights too, with the errno that it names.
#[test]
#[ignore = "in scripts/sandbox"]
fn for_any_user() {
    if !is_sandbox() {
        return;
    }
    let mut bundle = Bundle::new("mkdir /tmp/x; echo end");
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    bundle.config["linux"]["seccomp"] = refused("mkdir", 38);
    for no_new_privileges in [true, false] {
        bundle.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        let said = bundle.run();
        assert!(said.err.contains("Function not implemented"), "{said:?}");
        assert_eq!(said.out, "end\n", "{said:?}");
    }
}

/// A program is compiled once, and kept where only we can write.
#[test]
#[ignore = "in scripts/sandbox"]
fn programs_are_kept() {
    if !is_sandbox() {
        return;
    }
    let mut bundle = Bundle::new("mkdir /tmp/x");
    bundle.config["linux"]["seccomp"] = refused("mkdir", 1);
    let files = |bundle: &Bundle| -> Vec<_> {
        let directory = bundle.beside("state/.seccomp");
        assert_eq!(directory.metadata().unwrap().mode() & 0o7777, 0o700);
        let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
        entries.map(|entry| (entry.path(), entry.metadata().unwrap().ino())).collect()
    };
    assert!(bundle.run().err.contains("not permitted"));
    let first = files(&bundle);
    assert!(bundle.run().err.contains("not permitted"));
    assert_eq!((first.len(), files(&bundle)), (1, first));
}

/// What cannot be done is refused before anything is made.
#[test]
#[ignore = "in scripts/sandbox"]
fn refused_profiles() {
    if !is_sandbox() {
        return;
    }
    let mut bundle = Bundle::new("echo ran");
    let notify = json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent",
        "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]});
    let index = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"],
        "action": "SCMP_ACT_ERRNO", "args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]}]});
    let errno = json!({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1});
    for (profile, words) in [
        (notify, "SCMP_ACT_NOTIFY needs an agent"),
        (index, "no argument with the index 6"),
        (errno, "errnoRet is not supported"),
    ] {
        bundle.config["linux"]["seccomp"] = profile;
        let said = bundle.run();
        assert!(said.status == 1 && said.err.contains(words), "{words}: {said:?}");
        assert_eq!(said.out, "");
    }
}

/// What a static `true` of busybox needs, as root and as another user.
const NEEDED: [&str; 19] = [
    "arch_prctl",
    "brk",
    "exit_group",
    "getgid",
    "getrandom",
    "getuid",
    "mmap",
    "mprotect",
    "newfstatat",
    "prctl",
    "prlimit64",
    "readlink",
    "readlinkat",
    "rseq",
    "set_robust_list",
    "set_tid_address",
    "setgid",
    "setuid",
    "write",
];

/// A filter may forbid all that the program itself does not need: of ours there are only the
/// execution of the stub, and in it that of the program and the fcntl that closes our pipe with it.
#[test]
#[ignore = "in scripts/sandbox"]
fn only_what_the_program_needs() {
    if !is_sandbox() {
        return;
    }
    const OURS: [&str; 3] = ["execveat", "execve", "fcntl"];
    let mut bundle = Bundle::new("");
    bundle.config["process"]["args"] = json!(["true"]);
    for action in ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS"] {
        for (no_new_privileges, uid) in [(true, 0), (false, 0), (true, 1000), (false, 1000)] {
            bundle.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
            bundle.config["process"]["user"] = json!({"uid": uid, "gid": uid});
            let mut run = |ours: &[&str]| {
                let names: Vec<&str> = NEEDED.iter().chain(ours).copied().collect();
                bundle.config["linux"]["seccomp"] = json!({"defaultAction": action,
                    "syscalls": [{"names": names, "action": "SCMP_ACT_ALLOW"}]});
                bundle.run()
            };
            let said = run(&OURS);
            let case = format!("{action} {no_new_privileges} {uid}");
            assert_eq!((said.status, said.err.as_str()), (0, ""), "{case}: {said:?}");
            for missing in OURS {
                let others: Vec<&str> = OURS.into_iter().filter(|name| *name != missing).collect();
                let said = run(&others);
                // Killed by SIGSYS, or refused: never started with less than it should have.
                let refused = said.status == 1 && said.err.contains("operation not permitted");
                let killed = said.status == 128 + libc::SIGSYS;
                let want = if action == "SCMP_ACT_ERRNO" { refused } else { killed };
                assert!(want, "{case} without {missing}: {said:?}");
            }
        }
    }
}
