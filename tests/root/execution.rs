//! The last step: which program is executed, and what is said where none is.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::harness::{Bundle, RRUN_OCI};
use crate::need;
use crate::support::Need;

fn script(bundle: &Bundle, name: &str, text: &str) {
    std::fs::write(bundle.root(name), text).unwrap();
    std::fs::set_permissions(bundle.root(name), PermissionsExt::from_mode(0o755)).unwrap();
}

/// What cannot be executed, in the one line that engines look for.
#[test]
fn refused() {
    need!(Need::Root);
    let bundle = || {
        let bundle = Bundle::new();
        script(&bundle, "no-interpreter", "#!/nowhere/sh\n");
        script(&bundle, "no-program", "what is this");
        std::fs::write(bundle.root("not-executable"), "#!/bin/sh\n").unwrap();
        std::fs::create_dir(bundle.root("directory")).unwrap();
        bundle
    };
    for (program, line) in [
        ("/nowhere", "exec /nowhere: no such file or directory\n"),
        ("/no-interpreter", "exec /no-interpreter: no such file or directory\n"),
        ("/not-executable", "exec /not-executable: permission denied\n"),
        ("/no-program", "exec /no-program: exec format error\n"),
        ("/etc/passwd/x", "exec /etc/passwd/x: not a directory\n"),
    ] {
        let mut bundle = bundle();
        bundle.args(&[program]);
        let ended = bundle.run();
        assert_eq!((ended.status, ended.err.as_str()), (1, line), "{program}");
    }
    for (program, words) in [
        ("nowhere", "executable file \"nowhere\" not found in $PATH"),
        ("", "executable file \"\" not found in $PATH"),
        ("/directory", "permission denied"),
    ] {
        let mut bundle = bundle();
        bundle.args(&[program]);
        bundle.run().refused(words);
    }
}

/// A program without a slash is looked up along the container's PATH.
#[test]
fn along_the_path() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    std::fs::create_dir(bundle.root("first")).unwrap();
    std::fs::create_dir(bundle.root("second")).unwrap();
    std::fs::write(bundle.root("first/mine"), "#!/bin/sh\n").unwrap();
    script(&bundle, "second/mine", "#!/bin/sh\necho $0 $1\n");
    bundle.config["process"]["env"] = json!(["PATH=/nowhere:/first:/second"]);
    bundle.args(&["mine", "with one argument"]);
    assert_eq!(bundle.run().ok(), "/second/mine with one argument\n");
    bundle.config["process"]["env"] = json!(["PATH=/first"]);
    assert_eq!(bundle.run().err, "exec mine: permission denied\n");
    bundle.config["process"]["env"] = json!([]);
    bundle.run().refused("not found in $PATH");
}

/// An entry point that asks for the program which executes it gets the stub, which refuses:
/// rrun's own file is never to be had (CVE-2019-5736).
#[test]
fn the_caller_s_own_program() {
    need!(Need::Root);
    let before = std::fs::read(RRUN_OCI).unwrap();
    for first in ["#!/proc/self/exe", "#!/proc/self/exe --help", "#!/proc/thread-self/exe"] {
        let mut bundle = Bundle::new();
        script(&bundle, "entry", &format!("{first}\n"));
        bundle.args(&["/entry", "spec"]);
        let ended = bundle.run();
        let said = format!("{}{}", ended.out, ended.err);
        let words = "exec: /proc/self/exe is no program of this container\n";
        assert_eq!((ended.status, said.as_str()), (127, words), "{first}");
    }
    let mut bundle = Bundle::new();
    std::os::unix::fs::symlink("/proc/self/exe", bundle.root("entry")).unwrap();
    bundle.args(&["/entry", "--help"]);
    let ended = bundle.run();
    assert!(!ended.out.contains("OCI") && ended.status != 0, "{} {}", ended.status, ended.out);
    assert_eq!(std::fs::read(RRUN_OCI).unwrap(), before);
}

/// The process is executed with argv[0] as given, and its own file is the container's.
#[test]
fn what_it_is() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.sh("readlink /proc/$$/exe; tr '\\0' ' ' < /proc/$$/cmdline | head -c 6; echo; \
        cat /proc/$$/comm; true");
    assert_eq!(bundle.run().ok(), "/bin/busybox\nsh -c \nsh\n");
}

/// Every status is passed on exactly.
#[test]
fn statuses() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.write();
    let config = bundle.text("config.json");
    bundle.sh("exit STATUS");
    let script = format!(
        "cp {config} $B/template; for s in $(seq 0 255); do \
         sed s/STATUS/$s/ $B/template > {config}; $RUN; r=$?; \
         [ $r = $s ] || echo $s gave $r; done; echo done"
    );
    assert_eq!(bundle.host(&script).ok(), "done\n");
}

/// Death by a signal is 128 and its number, also for real-time ones.
#[test]
fn signals() {
    need!(Need::Root);
    // Busybox's shell ignores SIGQUIT.
    for number in [1, 2, 6, 9, 11, 13, 14, 15, 24, 34, 64] {
        let mut bundle = Bundle::new();
        // Pid 1 is immune to its own signals, so the shell is not it.
        bundle.without_namespace("pid");
        bundle.sh(&format!("ulimit -c 0; kill -{number} $$; sleep 5"));
        let ended = bundle.run();
        assert_eq!(ended.status, 128 + number, "{}", ended.err);
    }
}

/// No signal is ignored or blocked, whatever the caller does about them.
#[test]
fn signals_of_the_caller() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.args(&["grep", "Sig[BI]", "/proc/self/status"]);
    let ended = bundle.host("trap '' INT QUIT HUP TERM 34 PIPE; $RUN");
    assert_eq!(ended.ok(), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}
