//! `run -d` and `start`: a container that runs on when the command has ended.

use std::fs;
use std::path::Path;

use crate::bench::{Bench, cgroups, lives, until};

/// V12.08: -d prints the id and returns while the container runs; `ps` shows it, `rm` refuses it.
#[test]
fn runs_on() {
    let Some(bench) = Bench::new("background::runs_on") else { return };
    let id = bench.ok(&["run", "-d", "--name", "web", "alpine", "sleep", "1000"]);
    assert_eq!(id.len(), 64);
    let pid = bench.pid("web");
    assert!(lives(pid));
    assert!(bench.ok(&["ps"]).contains("web") && bench.state("web") == "running");
    assert!(bench.fails(1, &["rm", "web"]).contains("container is running"));
    assert_eq!(bench.ok(&["rm", "-f", "web"]), "web");
    assert!(!lives(pid));
    assert_eq!(bench.containers(), Vec::<String>::new());
    until("the cgroup goes", || cgroups(&id).is_empty());
}

/// The supervisor has nothing of the command's: no descriptor, no directory, no session.
#[test]
fn the_supervisor_is_alone() {
    let Some(bench) = Bench::new("background::the_supervisor_is_alone") else { return };
    let kept = bench.store().parent().unwrap().join("kept");
    let kept = fs::File::create(kept).unwrap();
    // What is not closed on exec comes along into any command.
    let kept = rustix::io::fcntl_dupfd_cloexec(&kept, 100).unwrap();
    rustix::io::fcntl_setfd(&kept, rustix::io::FdFlags::empty()).unwrap();
    bench.ok(&["run", "-d", "--name", "web", "alpine", "sleep", "1000"]);
    let supervisor = format!("/proc/{}", bench.supervisor("web"));
    let files: Vec<String> = fs::read_dir(format!("{supervisor}/fd"))
        .unwrap()
        .map(|entry| fs::read_link(entry.unwrap().path()).unwrap().display().to_string())
        .collect();
    assert!(files.iter().all(|file| !file.ends_with("/kept")), "{files:?}");
    assert_eq!(files.iter().filter(|file| *file == "/dev/null").count(), 3, "{files:?}");
    assert_eq!(fs::read_link(format!("{supervisor}/cwd")).unwrap(), Path::new("/"));
    let stat = fs::read_to_string(format!("{supervisor}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!(fields[3], bench.supervisor("web").to_string(), "a session of its own");
    assert_eq!(fields[4], "0", "no terminal");
}

/// A supervisor of a container that does nothing is not woken up.
#[test]
fn an_idle_supervisor_sleeps() {
    let Some(bench) = Bench::new("background::an_idle_supervisor_sleeps") else { return };
    bench.ok(&["run", "-d", "--name", "web", "alpine", "sleep", "1000"]);
    let switches = || {
        let text = fs::read_to_string(format!("/proc/{}/status", bench.supervisor("web")));
        let text = text.unwrap();
        text.lines().find(|line| line.starts_with("voluntary")).unwrap().to_owned()
    };
    let before = {
        // It may still be writing down that the container runs.
        std::thread::sleep(std::time::Duration::from_millis(200));
        switches()
    };
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(switches(), before);
}

/// What cannot be started says so before the command returns: 127 and 126; the container stays
/// (V6.09), with --rm nothing does.
#[test]
fn what_cannot_start() {
    let Some(bench) = Bench::new("background::what_cannot_start") else { return };
    let said = bench.fails(127, &["run", "-d", "--name", "web", "alpine", "nosuch"]);
    assert!(said.contains("executable file \"nosuch\" not found in $PATH"), "{said}");
    assert_eq!(bench.state("web"), "created");
    bench.fails(126, &["run", "-d", "--rm", "alpine", "/etc"]);
    bench.fails(1, &["start", "web"]);
    bench.ok(&["rm", "web"]);
    assert_eq!(bench.containers(), Vec::<String>::new());
}

/// V12.18: `start` prints what was typed, also of a container that runs already.
#[test]
fn start() {
    let Some(bench) = Bench::new("background::start") else { return };
    bench.ok(&["create", "--name", "web", "alpine", "sleep", "1000"]);
    assert_eq!(bench.ok(&["start", "web"]), "web");
    let pid = bench.pid("web");
    assert_eq!(bench.ok(&["start", "web"]), "web");
    assert_eq!(bench.pid("web"), pid);
    let said = bench.fails(1, &["start", "nosuch", "web"]);
    assert!(said.contains("No such container: nosuch"), "{said}");
    assert!(said.ends_with("Error: failed to start containers: nosuch\n"), "{said}");
}

/// Two who start one container at once: it runs once, and both succeed or one is told.
#[test]
fn started_twice_at_once() {
    let Some(bench) = Bench::new("background::started_twice_at_once") else { return };
    bench.ok(&[
        "create",
        "--name",
        "web",
        "-v",
        "data:/data",
        "alpine",
        "sh",
        "-c",
        "echo x >> /data/starts; sleep 1000",
    ]);
    let both: Vec<_> = (0..4).map(|_| bench.spawn(&["start", "web"])).collect();
    for one in both {
        let output = one.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let starts = bench.store().join("volumes/data/_data/starts");
    until("it runs", || starts.exists());
    assert_eq!(fs::read_to_string(starts).unwrap(), "x\n");
}

/// Many containers on one volume, started at once and removed at once: nothing is left but the
/// volume with what they wrote.
#[test]
fn many_on_one_volume() {
    const MANY: usize = 24;
    let Some(bench) = Bench::new("background::many_on_one_volume") else { return };
    let all: Vec<_> = (0..MANY)
        .map(|n| {
            let script = format!("echo {n} >> /data/lines; sleep 1000");
            bench.spawn(&["run", "-d", "-v", "data:/data", "alpine", "sh", "-c", &script])
        })
        .collect();
    let ids: Vec<String> = all
        .into_iter()
        .map(|one| {
            let output = one.wait_with_output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        })
        .collect();
    let lines = bench.store().join("volumes/data/_data/lines");
    until("all have written", || {
        fs::read_to_string(&lines).unwrap_or_default().lines().count() == MANY
    });
    let removals: Vec<_> = ids.iter().map(|id| bench.spawn(&["rm", "-f", id])).collect();
    for removal in removals {
        let output = removal.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(bench.containers(), Vec::<String>::new());
    assert_eq!(fs::read_to_string(lines).unwrap().lines().count(), MANY);
    assert_eq!(fs::read_dir(bench.store().join("volumes/data/refs")).unwrap().count(), 0);
    until("the cgroups go", || ids.iter().all(|id| cgroups(id).is_empty()));
}

/// A container has another name from now on; taken names and its own are refused.
#[test]
fn rename() {
    let Some(bench) = Bench::new("background::rename") else { return };
    bench.ok(&["create", "--name", "one", "alpine"]);
    bench.ok(&["create", "--name", "two", "alpine"]);
    assert!(bench.fails(1, &["rename", "one", "two"]).contains("Conflict. The container name"));
    assert!(bench.fails(1, &["rename", "one", "one"]).contains("same name"));
    bench.ok(&["rename", "one", "three"]);
    assert_eq!(bench.inspect("three")["Name"], "/three");
    assert!(bench.fails(1, &["start", "one"]).contains("No such container"));
}
