//! Signals for rrun are for its container.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::harness::Bundle;
use crate::need;
use crate::support::Need;

/// A container that is ready when it says so.
fn started(bundle: &Bundle) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut command = bundle.command();
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (child, out)
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

/// Each signal reaches the container's process as itself.
#[test]
fn forwarded() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    // The shell handles a signal once `wait` returns, so the sleep is a child's.
    bundle.sh("for s in HUP QUIT USR1 USR2 TERM INT WINCH 34; do trap \"echo got $s\" $s; done; \
        trap 'exit 7' ALRM; echo ready; while :; do sleep 1 & wait; done");
    let (mut child, mut out) = started(&bundle);
    for (signal, name) in [
        (Signal::SIGHUP, "HUP"),
        (Signal::SIGQUIT, "QUIT"),
        (Signal::SIGUSR1, "USR1"),
        (Signal::SIGUSR2, "USR2"),
        (Signal::SIGTERM, "TERM"),
        (Signal::SIGINT, "INT"),
    ] {
        kill(pid(&child), signal).unwrap();
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, format!("got {name}\n"));
    }
    // A real-time signal, which has no name in nix.
    let number = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-34", &number]).status().unwrap().success());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "got 34\n");
    kill(pid(&child), Signal::SIGALRM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

/// What pid 1 has no handler for the kernel ignores; three times ^C ends it all the same.
#[test]
fn without_a_handler() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.sh("echo ready; sleep 60; true");
    let (mut child, _out) = started(&bundle);
    kill(pid(&child), Signal::SIGTERM).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    assert!(child.try_wait().unwrap().is_none());
    for _ in 0..3 {
        kill(pid(&child), Signal::SIGINT).unwrap();
        // Pending signals of one kind are one signal.
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(child.wait().unwrap().code(), Some(137));
}

/// The container ends with rrun, however rrun ends, and whoever the container's user is.
#[test]
fn nothing_outlives_rrun() {
    need!(Need::Root);
    for (uid, namespace) in [(0, "mount"), (1000, "mount"), (0, "user")] {
        let mut bundle = Bundle::new();
        bundle.namespace(namespace);
        bundle.config["process"]["user"] = json!({"uid": uid, "gid": uid});
        bundle.sh("echo ready; sleep 60; true");
        let (mut child, mut out) = started(&bundle);
        kill(pid(&child), Signal::SIGKILL).unwrap();
        child.wait().unwrap();
        // The container's streams close when the last of its processes has ended.
        let begun = Instant::now();
        let mut rest = String::new();
        out.read_line(&mut rest).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(10), "user {uid}, {namespace}");
        // What a killed process leaves it cannot clean up: the next one of that name does.
        bundle.args(&["true"]);
        bundle.run().ok();
    }
}

/// Stopped and continued, rrun goes on.
#[test]
fn stop_and_continue() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.sh("trap 'exit 3' TERM; echo ready; while :; do sleep 1 & wait; done");
    let (mut child, _out) = started(&bundle);
    kill(pid(&child), Signal::SIGSTOP).unwrap();
    kill(pid(&child), Signal::SIGCONT).unwrap();
    kill(pid(&child), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
}
