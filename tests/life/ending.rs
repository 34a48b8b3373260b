//! `stop`, `kill`, `wait`, `pause`.

use std::time::{Duration, Instant};

use crate::bench::{Bench, lives, until};

/// Starts a shell that ends with 3 on SIGTERM, and waits until it can.
fn ends_with_three(bench: &Bench, options: &[&str]) {
    let mut arguments = vec!["run", "-d", "--name", "web"];
    arguments.extend(options);
    let script =
        "trap 'exit 3' TERM; trap 'exit 4' USR1; touch /ready; while :; do sleep 0.1; done";
    arguments.extend(["alpine", "sh", "-c", script]);
    bench.ok(&arguments);
    let ready = format!("/proc/{}/root/ready", bench.pid("web"));
    until("the trap is set", || std::path::Path::new(&ready).exists());
}

/// V12.16: SIGTERM, the status is kept, the name is printed, also a second time.
#[test]
fn stop() {
    let Some(bench) = Bench::new("ending::stop") else { return };
    ends_with_three(&bench, &[]);
    assert_eq!(bench.ok(&["stop", "web"]), "web");
    assert_eq!(bench.inspect("web")["State"]["ExitCode"], 3);
    assert_eq!(bench.ok(&["stop", "web"]), "web");
    assert!(bench.fails(1, &["stop", "nosuch"]).contains("No such container: nosuch"));
}

/// V12.17: who does not end in time is killed: 137.
#[test]
fn stop_kills() {
    let Some(bench) = Bench::new("ending::stop_kills") else { return };
    bench.ok(&["run", "-d", "--name", "web", "alpine", "sleep", "1000"]);
    let began = Instant::now();
    bench.ok(&["stop", "-t", "1", "web"]);
    assert!(began.elapsed() >= Duration::from_millis(900));
    assert_eq!(bench.inspect("web")["State"]["ExitCode"], 137);
}

/// The signal to stop with: the command's, else the container's own.
#[test]
fn stop_signal() {
    let Some(bench) = Bench::new("ending::stop_signal") else { return };
    ends_with_three(&bench, &["--stop-signal", "USR1", "--stop-timeout", "60"]);
    bench.ok(&["stop", "web"]);
    assert_eq!(bench.inspect("web")["State"]["ExitCode"], 4);
    bench.ok(&["start", "web"]);
    let ready = format!("/proc/{}/root/ready", bench.pid("web"));
    until("the trap is set", || std::path::Path::new(&ready).exists());
    std::thread::sleep(Duration::from_millis(200));
    bench.ok(&["stop", "-s", "SIGTERM", "web"]);
    assert_eq!(bench.inspect("web")["State"]["ExitCode"], 3);
    assert!(
        bench
            .fails(125, &["run", "--stop-signal", "NOPE", "alpine"])
            .contains("invalid signal: NOPE")
    );
}

/// V12.19: any signal by name or number; SIGKILL if none is named; one that does not run says so.
#[test]
fn kill() {
    let Some(bench) = Bench::new("ending::kill") else { return };
    ends_with_three(&bench, &[]);
    assert_eq!(bench.ok(&["kill", "-s", "USR1", "web"]), "web");
    assert_eq!(bench.ok(&["wait", "web"]), "4");
    let said = bench.fails(1, &["kill", "web"]);
    assert!(
        said.contains("cannot kill container web") && said.contains("is not running"),
        "{said}"
    );
    bench.ok(&["start", "web"]);
    bench.ok(&["kill", "web"]);
    assert_eq!(bench.ok(&["wait", "web"]), "137");
    assert!(bench.fails(1, &["kill", "-s", "NOPE", "web"]).contains("invalid signal: NOPE"));
}

/// `wait` gives the status of each container, of one with --rm as well, and at once of one that
/// has ended.
#[test]
fn wait() {
    let Some(bench) = Bench::new("ending::wait") else { return };
    bench.ok(&["run", "-d", "--rm", "--name", "one", "alpine", "sh", "-c", "sleep 0.5; exit 7"]);
    bench.ok(&["run", "-d", "--name", "two", "alpine", "sh", "-c", "exit 8"]);
    assert_eq!(bench.ok(&["wait", "one", "two"]), "7\n8");
    assert_eq!(bench.containers().len(), 1, "--rm has removed it before anybody was told");
    assert_eq!(bench.ok(&["wait", "two"]), "8");
    assert!(bench.fails(1, &["wait", "one"]).contains("No such container"));
}

/// A paused container does nothing, is shown as paused, and can be ended all the same.
#[test]
fn pause() {
    let Some(bench) = Bench::new("ending::pause") else { return };
    let script = "while :; do echo x >> /data/ticks; sleep 0.02; done";
    bench.ok(&["run", "-d", "--name", "web", "-v", "data:/data", "alpine", "sh", "-c", script]);
    let ticks = bench.store().join("volumes/data/_data/ticks");
    let length = || std::fs::metadata(&ticks).map_or(0, |seen| seen.len());
    until("it ticks", || length() > 0);
    assert_eq!(bench.ok(&["pause", "web"]), "web");
    assert_eq!(bench.inspect("web")["State"]["Paused"], true);
    assert_eq!(bench.state("web"), "paused");
    assert!(bench.ok(&["ps"]).contains("(Paused)"));
    let held = length();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(length(), held);
    assert!(bench.fails(1, &["pause", "web"]).contains("is already paused"));
    bench.ok(&["unpause", "web"]);
    until("it goes on", || length() > held);
    assert!(bench.fails(1, &["unpause", "web"]).contains("is not paused"));
    bench.ok(&["pause", "web"]);
    bench.ok(&["stop", "-t", "1", "web"]);
    assert_eq!(bench.state("web"), "exited");
    bench.ok(&["start", "web"]);
    let pid = bench.pid("web");
    bench.ok(&["pause", "web"]);
    bench.ok(&["rm", "-f", "web"]);
    assert!(!lives(pid));
}
