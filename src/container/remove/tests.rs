//! Removal as several commands at once see it.

use std::process::{Child, Command};

use super::*;
use crate::container::record::Ownership::{Anonymous, Named};
use crate::container::record::{ContainerState, Status};
use crate::container::testing::{Bench, volume_mount};
use crate::tree::testing::is_root;

/// V6.02, V6.04: what goes with a container and what stays.
#[test]
fn volumes() {
    for (with_volumes, left) in
        [(WithVolumes::No, vec!["anon", "data"]), (WithVolumes::Yes, vec!["data"])]
    {
        let bench = Bench::new();
        let mounts = vec![volume_mount("anon", Anonymous), volume_mount("data", Named)];
        let web = bench.add("web", 'a', mounts);
        remove(&bench.store, &web, with_volumes, Force::No).unwrap();
        assert_eq!(bench.entries(), Vec::<String>::new());
        assert_eq!(bench.volume_names(), left);
        assert_eq!(bench.references("data"), Vec::<String>::new());
    }
}

/// V7.13, V7.14: a shared anonymous volume goes with its last user.
#[test]
fn shared_volumes() {
    let bench = Bench::new();
    let mounts = || vec![volume_mount("anon", Anonymous), volume_mount("anon", Anonymous)];
    let (one, two) = (bench.add("one", 'a', mounts()), bench.add("two", 'b', mounts()));
    remove(&bench.store, &one, WithVolumes::Yes, Force::No).unwrap();
    assert_eq!(bench.references("anon"), [two.record.id.as_str()]);
    remove(&bench.store, &two, WithVolumes::Yes, Force::No).unwrap();
    assert_eq!(bench.volume_names(), Vec::<String>::new());
}

/// A volume that was removed by hand is no reason to keep the container.
#[test]
fn missing_volume() {
    let bench = Bench::new();
    let web = bench.add("web", 'a', vec![volume_mount("anon", Anonymous)]);
    fs::remove_dir_all(bench.volumes.path(&"anon".parse().unwrap())).unwrap();
    remove(&bench.store, &web, WithVolumes::Yes, Force::No).unwrap();
    assert_eq!(bench.entries(), Vec::<String>::new());
}

/// What dead commands left goes, too; who comes second finds no container.
#[test]
fn leftovers_and_races() {
    let bench = Bench::new();
    let web = bench.add("web", 'a', Vec::new());
    for name in [".new-1", ".removing-2"] {
        fs::create_dir_all(bench.containers.directory().join(name).join("deep/er")).unwrap();
    }
    remove(&bench.store, &web, WithVolumes::No, Force::No).unwrap();
    assert_eq!(bench.entries(), Vec::<String>::new());
    let again = remove(&bench.store, &web, WithVolumes::No, Force::Yes).unwrap_err();
    assert!(matches!(again, ContainerError::Missing(_)), "{again}");
}

/// V12.12: a container that runs stays, with the words of Docker.
#[test]
fn running() {
    let bench = Bench::new();
    let web = bench.add("web", 'a', vec![volume_mount("data", Named)]);
    let _held = bench.containers.run_lock(&web).unwrap().unwrap();
    let refused = remove(&bench.store, &web, WithVolumes::Yes, Force::No).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "cannot remove container \"web\": container is running: stop the container before \
         removing or force remove"
    );
    assert_eq!(bench.references("data"), [web.record.id.as_str()]);
}

fn running_state(pid: u32) -> ContainerState {
    ContainerState {
        status: Status::Running,
        pid: i32::try_from(pid).unwrap(),
        start_ticks: process::start_ticks(i32::try_from(pid).unwrap()).unwrap(),
        ..ContainerState::default()
    }
}

/// The number of an ended container's process may be another's: that one is left alone.
#[test]
fn foreign_process() {
    let bench = Bench::new();
    let web = bench.add("web", 'a', Vec::new());
    let mut other = Command::new("sleep").arg("60").spawn().unwrap();
    let state = running_state(other.id());
    bench.state(&web, &ContainerState { start_ticks: state.start_ticks - 1, ..state });
    assert!(!process::signal(&web, libc::SIGKILL).unwrap());
    sleep(Duration::from_millis(50));
    assert!(other.try_wait().unwrap().is_none(), "a process that is no container was killed");
    other.kill().unwrap();
    other.wait().unwrap();
}

/// `rm -f`: the first process is killed, and the container removed once its supervisor lets go.
#[test]
fn forced() {
    if !is_root("container::remove::tests::forced") {
        return;
    }
    let bench = Bench::new();
    let web = bench.add("web", 'a', Vec::new());
    let lock = bench.containers.run_lock(&web).unwrap().unwrap();
    let mut outer = Command::new("unshare")
        .args(["--pid", "--fork", "sleep", "60"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    bench.state(&web, &running_state(child_of(&mut outer)));
    let supervisor = std::thread::spawn(move || {
        let status = outer.wait().unwrap();
        drop(lock);
        status
    });
    remove(&bench.store, &web, WithVolumes::No, Force::Yes).unwrap();
    assert!(!supervisor.join().unwrap().success());
    assert_eq!(bench.entries(), Vec::<String>::new());
}

/// The process that `unshare --fork` made, once it is the first of its namespace.
fn child_of(outer: &mut Child) -> u32 {
    let path = format!("/proc/{0}/task/{0}/children", outer.id());
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let children = fs::read_to_string(&path).unwrap_or_default();
        if let Ok(pid) = children.trim().parse::<u32>() {
            return pid;
        }
        assert!(Instant::now() < deadline && outer.try_wait().unwrap().is_none(), "no child");
        sleep(Duration::from_millis(2));
    }
}
