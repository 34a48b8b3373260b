//! `--restart` and `restart`.

use crate::bench::{Bench, until};

/// on-failure:2: three runs, then the last status stays. A success ends it at once.
#[test]
fn on_failure() {
    let Some(bench) = Bench::new("restart::on_failure") else { return };
    let script = "echo x >> /data/runs; exit 3";
    bench.ok(&[
        "run",
        "-d",
        "--name",
        "web",
        "--restart",
        "on-failure:2",
        "-v",
        "data:/data",
        "alpine",
        "sh",
        "-c",
        script,
    ]);
    until("it gives up", || bench.state("web") == "exited");
    let runs = std::fs::read_to_string(bench.store().join("volumes/data/_data/runs")).unwrap();
    assert_eq!(runs.lines().count(), 3);
    let seen = bench.inspect("web");
    assert_eq!((&seen["State"]["ExitCode"], &seen["RestartCount"]), (&3.into(), &2.into()));
    assert_eq!(seen["HostConfig"]["RestartPolicy"]["Name"], "on-failure");
    bench.ok(&["run", "-d", "--name", "fine", "--restart", "on-failure", "alpine", "true"]);
    until("it stays ended", || bench.state("fine") == "exited");
    assert_eq!(bench.inspect("fine")["RestartCount"], 0);
}

/// always: it comes back when it ends and when it is killed from outside; `stop` and `kill` end
/// it for good, also between two runs.
#[test]
fn always() {
    let Some(bench) = Bench::new("restart::always") else { return };
    bench.ok(&["run", "-d", "--name", "web", "--restart", "always", "alpine", "sleep", "1000"]);
    let first = bench.pid("web");
    crate::bench::kill(first);
    until("it runs again", || {
        let pid = bench.pid("web");
        pid != 0 && pid != first
    });
    bench.ok(&["stop", "-t", "0", "web"]);
    assert_eq!(bench.state("web"), "exited");
    bench.ok(&["run", "-d", "--name", "short", "--restart", "always", "alpine", "false"]);
    until("it waits to start again", || bench.inspect("short")["RestartCount"].as_i64() > Some(3));
    bench.ok(&["stop", "short"]);
    assert_eq!(bench.state("short"), "exited");
    let count = bench.inspect("short")["RestartCount"].clone();
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(bench.inspect("short")["RestartCount"], count);
}

/// A policy and --rm contradict each other; a policy must be one.
#[test]
fn refused() {
    let Some(bench) = Bench::new("restart::refused") else { return };
    let said = bench.fails(125, &["run", "-d", "--rm", "--restart", "always", "alpine"]);
    assert!(said.contains("conflicting options: cannot specify both --restart and --rm"), "{said}");
    assert!(bench.fails(125, &["run", "--restart", "often", "alpine"]).contains("unknown policy"));
}

/// `restart` stops a container and starts it again; one that does not run is started.
#[test]
fn command() {
    let Some(bench) = Bench::new("restart::command") else { return };
    bench.ok(&["run", "-d", "--name", "web", "alpine", "sleep", "1000"]);
    let first = bench.pid("web");
    assert_eq!(bench.ok(&["restart", "-t", "0", "web"]), "web");
    assert!(bench.pid("web") != first && bench.state("web") == "running");
    bench.ok(&["kill", "web"]);
    bench.ok(&["wait", "web"]);
    bench.ok(&["restart", "web"]);
    assert_eq!(bench.state("web"), "running");
}
