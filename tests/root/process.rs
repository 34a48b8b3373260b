//! The process: user, groups, environment, working directory, limits, streams.

use std::process::Stdio;

use serde_json::json;

use crate::harness::{Bundle, Ended};
use crate::need;
use crate::support::Need;

/// User, group, other groups (also doubled ones) and umask.
#[test]
fn user() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.config["process"]["user"] =
        json!({"uid": 1000, "gid": 7, "additionalGids": [9, 8, 9, 9], "umask": 0o027});
    bundle.sh("id -u; id -g; grep Groups /proc/self/status; umask; touch /tmp/x; \
        stat -c %a:%u:%g /tmp/x");
    let want = "1000\n7\nGroups:\t8 9 9 \n0027\n640:1000:7\n";
    assert_eq!(bundle.run().ok(), want);
    let mut bundle = Bundle::new();
    bundle.sh("grep Groups /proc/self/status; umask; touch /x; stat -c %a /x");
    let ended = bundle.host("umask 077; $RUN");
    assert_eq!(ended.ok(), "Groups:\t \n0022\n644\n", "nothing of the caller's");
}

/// HOME is that of the container's passwd unless it is given; the last of a doubled name counts;
/// nothing of the caller's environment comes in.
#[test]
fn environment() {
    need!(Need::Root);
    for (uid, given, home) in [
        (0, &["PATH=/bin"][..], "/root"),
        (1000, &["PATH=/bin", "HOME="], "/home/app"),
        (4711, &["PATH=/bin"], "/"),
        (0, &["PATH=/nowhere", "HOME=/mine", "PATH=/bin"], "/mine"),
    ] {
        let mut bundle = Bundle::new();
        bundle.config["process"]["user"] = json!({"uid": uid, "gid": 0});
        bundle.config["process"]["env"] = json!(given);
        bundle.args(&["env"]);
        let ended = bundle.host("export LEAK=1; $RUN");
        let mut lines: Vec<&str> = ended.ok().lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, [&format!("HOME={home}"), "PATH=/bin"], "{uid} {given:?}");
    }
}

/// A passwd that is a fifo, a device or endless is as if it were not there (CVE-2024-9676).
#[test]
fn hostile_passwd() {
    need!(Need::Root);
    for make in ["mkfifo P", "mknod P c 1 5", "truncate -s 10G P", "ln -s /dev/zero P", "mkdir P"] {
        let mut bundle = Bundle::new();
        bundle.args(&["env"]);
        let make = make.replace('P', "$B/rootfs/etc/passwd");
        let ended = bundle.host(&format!("rm $B/rootfs/etc/passwd; {make}; $RUN"));
        assert!(ended.ok().contains("HOME=/\n"), "{make}: {}", ended.out);
    }
}

/// The working directory is made where it is missing, below the root whatever links say.
#[test]
fn working_directory() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    std::os::unix::fs::symlink("../../../..", bundle.root("up")).unwrap();
    bundle.args(&["/bin/sh", "-c", "pwd; stat -c %a ."]);
    for (cwd, want) in [
        ("/", "/\n755\n"),
        ("/new/deep", "/new/deep\n755\n"),
        ("/up/made", "/made\n755\n"),
        ("/tmp/../etc/.", "/etc\n755\n"),
    ] {
        bundle.config["process"]["cwd"] = json!(cwd);
        assert_eq!(bundle.run().ok(), want, "{cwd}");
    }
    bundle.config["process"]["cwd"] = json!("relative");
    bundle.run().refused("is no absolute path");
    bundle.config["process"]["cwd"] = json!("/etc/passwd");
    bundle.run().refused("Not a directory");
}

/// A directory that the user cannot search may still be where it starts, as in other runtimes.
#[test]
fn working_directory_of_root() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    bundle.config["process"]["cwd"] = json!("/root/inner");
    bundle.args(&["/bin/readlink", "/proc/self/cwd"]);
    let ended = bundle.host("mkdir $B/rootfs/root/inner; chmod 700 $B/rootfs/root; $RUN");
    assert_eq!(ended.ok(), "/root/inner\n");
}

/// A path through a descriptor of ours is refused, whatever its number (CVE-2024-21626).
#[test]
fn working_directory_through_a_descriptor() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.sh("pwd; ls");
    for number in 3..20 {
        for path in [format!("/proc/self/fd/{number}"), format!("/proc/thread-self/fd/{number}/x")]
        {
            bundle.config["process"]["cwd"] = json!(path);
            let ended = bundle.host("exec 9</; exec 10<$B; $RUN");
            assert_eq!((ended.status, ended.out.as_str()), (1, ""), "{path}");
            assert!(ended.err.starts_with("error: cannot set up /process/cwd"), "{}", ended.err);
        }
    }
}

/// Limits, and the ones that cannot be.
#[test]
fn limits() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.config["process"]["rlimits"] = json!([
        {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
        {"type": "RLIMIT_STACK", "soft": 4_194_304_u32, "hard": u64::MAX},
        {"type": "RLIMIT_NICE", "soft": 0, "hard": 0},
    ]);
    bundle.args(&["cat", "/proc/self/limits"]);
    let ended = bundle.run();
    let line = |name: &str| {
        let line = ended.ok().lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("Max open files"), "100 200");
    assert_eq!(line("Max core file size"), "0 0");
    assert_eq!(line("Max stack size"), "4194304 unlimited");
    for (limits, words) in [
        (json!([{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}]), "RLIMIT_CORE 2 above 1"),
        (json!([{"type": "RLIMIT_SIDEWAYS", "soft": 1, "hard": 1}]), "RLIMIT_SIDEWAYS"),
        (
            json!([{"type": "RLIMIT_CORE", "soft": 0, "hard": 1},
                {"type": "RLIMIT_CORE", "soft": 1, "hard": 1}]),
            "RLIMIT_CORE",
        ),
    ] {
        bundle.config["process"]["rlimits"] = limits;
        bundle.run().refused(words);
    }
}

/// oomScoreAdj; here even root may only raise it, which the failure says.
#[test]
fn oom_score() {
    need!(Need::Root);
    let own: i32 =
        std::fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse().unwrap();
    for namespace in ["mount", "user"] {
        let mut bundle = Bundle::new();
        bundle.namespace(namespace);
        bundle.config["process"]["oomScoreAdj"] = json!(own + 100);
        bundle.args(&["cat", "/proc/self/oom_score_adj"]);
        assert_eq!(bundle.run().ok(), format!("{}\n", own + 100));
    }
    let mut bundle = Bundle::new();
    bundle.config["process"]["oomScoreAdj"] = json!(-1000);
    bundle.args(&["true"]);
    let ended = bundle.run();
    if ended.status != 0 {
        ended.refused("ermission denied");
        assert!(ended.err.contains("oomScoreAdj"), "{}", ended.err);
    }
}

/// How the process is scheduled, and its priority for input and output.
#[test]
fn scheduling() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.config["process"]["scheduler"] = json!({"policy": "SCHED_BATCH", "nice": 7});
    bundle.config["process"]["ioPriority"] = json!({"class": "IOPRIO_CLASS_IDLE", "priority": 0});
    // Fields 19 and 41 of stat.
    bundle.sh("set -- $(cat /proc/self/stat); shift 18; echo $1; shift 22; echo $1");
    assert_eq!(bundle.run().ok(), "7\n3\n");
    bundle.config["process"]["scheduler"] = json!({"policy": "SCHED_FIFO", "priority": 1000});
    bundle.run().refused("/process/scheduler");
}

/// Standard streams are the caller's own; no other descriptor comes in.
#[test]
fn streams() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.sh("cat; echo out; echo err >&2; ls /proc/self/fd");
    let ended = bundle.host("exec 7</etc/passwd 12</; echo in | $RUN");
    assert_eq!((ended.ok(), ended.err.as_str()), ("in\nout\n0\n1\n2\n3\n", "err\n"));
    // A closed one is not replaced by something of ours.
    let mut bundle = Bundle::new();
    bundle.args(&["ls", "-l", "/proc/self/fd"]);
    let ended = bundle.host("$RUN <&- 2>&-");
    assert!(!ended.ok().contains("rrun"), "{}", ended.out);
    assert!(!ended.out.contains("pipe:") || ended.out.matches("pipe:").count() == 1);
}

/// What the process reads is a file, a pipe, or nothing.
#[test]
fn streams_that_are_files() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.sh("readlink /proc/self/fd/0; cat; echo x >> /dev/stdout");
    let mut command = bundle.command();
    command.stdin(Stdio::null());
    let ended: Ended = command.output().unwrap().into();
    assert_eq!(ended.ok(), "/dev/null\nx\n");
    let ended = bundle.host("echo file > $B/in; $RUN < $B/in > $B/out; cat $B/out");
    assert!(ended.ok().ends_with("file\nx\n"), "{}", ended.out);
}

/// The domain of execution.
#[test]
fn personality() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.config["linux"]["personality"] = json!({"domain": "LINUX32"});
    bundle.args(&["uname", "-m"]);
    let own = std::process::Command::new("uname").arg("-m").output().unwrap().stdout;
    let want = if own == b"x86_64\n" { "i686\n" } else { "armv8l\n" };
    assert_eq!(bundle.run().ok(), want);
}

/// A config that lacks what it must have, or has what it must not.
#[test]
fn bad_configs() {
    need!(Need::Root);
    for (pointer, value, words) in [
        ("/process", json!(null), "/process is missing"),
        ("/root", json!(null), "/root is missing"),
        ("/process/args", json!([]), "/process/args is missing"),
        ("/process/args", json!("sh"), "invalid type"),
        ("/ociVersion", json!("2.0"), "is invalid"),
        ("/root/path", json!("nowhere"), "No such file or directory"),
        ("/root/path", json!("config.json"), "not a directory"),
        ("/process/env", json!(["PATH=/bin", "A=\u{0}"]), "null byte"),
    ] {
        let mut bundle = Bundle::new();
        *bundle.config.pointer_mut(pointer).unwrap() = value;
        bundle.run().refused(words);
    }
}
