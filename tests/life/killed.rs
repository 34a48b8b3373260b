//! kill -9 of whoever has to do with a container: the next command shows what is true, and nothing
//! is left.

use crate::bench::{Bench, cgroups, kill, lives, until};

/// The supervisor is killed: its container goes with it, the state is mended, the data stays, and
/// it can be started again.
#[test]
fn the_supervisor() {
    let Some(bench) = Bench::new("killed::the_supervisor") else { return };
    for user in ["0", "5"] {
        let id = bench.ok(&[
            "run",
            "-d",
            "--name",
            "web",
            "-u",
            user,
            "-v",
            "data:/data",
            "alpine",
            "sh",
            "-c",
            "echo x > /tmp/here; sleep 1000",
        ]);
        let (pid, supervisor) = (bench.pid("web"), bench.supervisor("web"));
        kill(supervisor);
        until("the container ends", || !lives(pid));
        assert_eq!(bench.state("web"), "exited", "user {user}");
        assert_eq!(bench.inspect("web")["State"]["ExitCode"], 137);
        assert_eq!(cgroups(&id), Vec::<std::path::PathBuf>::new());
        bench.ok(&["start", "web"]);
        assert_eq!(bench.state("web"), "running");
        bench.ok(&["rm", "-f", "web"]);
    }
    assert!(bench.store().join("volumes/data/_data").exists());
}

/// The first process is killed: the supervisor sees it, and cleans up.
#[test]
fn the_first_process() {
    let Some(bench) = Bench::new("killed::the_first_process") else { return };
    let id = bench.ok(&["run", "-d", "--name", "web", "alpine", "sleep", "1000"]);
    kill(bench.pid("web"));
    assert_eq!(bench.ok(&["wait", "web"]), "137");
    assert_eq!(bench.state("web"), "exited");
    assert_eq!(cgroups(&id), Vec::<std::path::PathBuf>::new());
}

/// The command is killed at any moment: there is a container that runs, one that was created, or
/// none; and whatever there is can be removed.
#[test]
fn the_command() {
    let Some(bench) = Bench::new("killed::the_command") else { return };
    for delay_ms in (0..40).map(|n| n * 2) {
        let mut run = bench.spawn(&["run", "-d", "-v", "data:/data", "alpine", "sleep", "1000"]);
        std::thread::sleep(std::time::Duration::from_millis(delay_ms));
        kill(i32::try_from(run.id()).unwrap());
        run.wait().unwrap();
    }
    // One that was just being started may still be coming.
    std::thread::sleep(std::time::Duration::from_millis(300));
    for id in bench.ok(&["ps", "-aq", "--no-trunc"]).lines() {
        let state = bench.state(id);
        assert!(["created", "running"].contains(&state.as_str()), "{state}");
        bench.ok(&["rm", "-f", id]);
    }
    // What was being made when its maker died goes with the next removal.
    bench.ok(&["run", "--rm", "alpine", "true"]);
    assert_eq!(bench.containers(), Vec::<String>::new());
    assert_eq!(bench.ok(&["ps", "-aq"]), "");
    bench.ok(&["volume", "rm", "data"]);
}
