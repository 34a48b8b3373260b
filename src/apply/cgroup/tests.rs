//! The file system of cgroups, for real.
//!
//! These make cgroups, so they run only inside `scripts/sandbox`, which shows them a part of the
//! host's: [`in_sandboxes`] starts them there, once for each way to mount cgroups.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use oci_spec::runtime::LinuxResources;
use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;

use super::*;
use crate::config::cgroup::device;
use crate::config::cgroup::layout::{Kind, Version};
use crate::config::cgroup::path::CgroupPath;
use crate::config::cgroup::site::sites;
use crate::config::name::ContainerId;
use crate::facts::cgroup::{CgroupHost, read as read_host};

/// Runs the ignored tests of this file in sandboxes.
#[test]
fn in_sandboxes() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    let sandbox = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/sandbox");
    for layout in ["v2", "v1", "hybrid"] {
        let output = Command::new(sandbox)
            .arg(layout)
            .arg(std::env::current_exe().unwrap())
            .args(["--ignored", "--show-output", "--test-threads", "1", "apply::cgroup::tests"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let ran = !text.contains(" 0 passed") && !text.contains("skipped:");
        assert!(output.status.success() && ran, "{layout}: {text}");
    }
}

/// The host's cgroups, in a sandbox only.
fn host() -> Option<CgroupHost> {
    if std::env::var_os("RRUN_SANDBOX").is_none() {
        println!("skipped: makes cgroups, only in a sandbox");
        return None;
    }
    let host = read_host();
    assert_ne!(host.kind(), Kind::None);
    Some(host)
}

fn path(text: &str) -> CgroupPath {
    CgroupPath::parse(text).unwrap()
}

fn limits_of(text: serde_json::Value, host: &CgroupHost) -> Vec<CgroupWrite> {
    let resources: LinuxResources = serde_json::from_value(text).unwrap();
    crate::config::cgroup::resources::writes(&resources, host).unwrap()
}

fn create(
    host: &CgroupHost,
    path: &CgroupPath,
    limits: &[CgroupWrite],
) -> Result<Cgroup, CgroupError> {
    let mut cgroup = Cgroup::default();
    for site in sites(host, path, limits) {
        match Place::make(&site) {
            Ok(place) => cgroup.add(place),
            Err(e) => {
                remove(&cgroup).unwrap();
                return Err(e);
            }
        }
    }
    Ok(cgroup)
}

fn write(cgroup: &Cgroup, limit: &CgroupWrite) {
    let directory = cgroup.directory(limit.version, &limit.controller).unwrap();
    write_limit(rustix::fs::CWD, directory, limit).unwrap();
}

fn join(cgroup: &Cgroup, pid: Pid) {
    let pid = pid.as_raw_nonzero().to_string();
    for place in &cgroup.places {
        files::write(rustix::fs::CWD, &place.directory.join("cgroup.procs"), &pid).unwrap();
    }
}

fn open_unified(cgroup: &Cgroup) -> Option<std::os::fd::OwnedFd> {
    let place = cgroup.places.iter().find(|place| place.version == Version::V2);
    place.map(|place| place.open().unwrap())
}

fn sleeper(cgroup: &Cgroup) -> Child {
    let child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
    join(cgroup, pid(&child));
    child
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed()).unwrap()
}

/// Every directory below the mounts of the sandbox.
fn all_cgroups(host: &CgroupHost) -> Vec<PathBuf> {
    let mounts = host.v1.values().chain(host.unified.iter().map(|unified| &unified.hierarchy));
    let mut to_visit: Vec<PathBuf> = mounts.map(|hierarchy| hierarchy.mount.clone()).collect();
    let mut all = Vec::new();
    while let Some(at) = to_visit.pop() {
        for entry in fs::read_dir(&at).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                to_visit.push(entry.path());
            }
        }
        all.push(at);
    }
    all.sort();
    all.dedup();
    all
}

/// Made in every hierarchy, joined there, removed to the last directory.
#[test]
#[ignore = "makes cgroups: only in a sandbox"]
fn made_joined_and_removed() {
    let Some(host) = host() else { return };
    let before = all_cgroups(&host);
    let cgroup = create(&host, &path("/made/deep/er"), &[]).unwrap();
    let mut child = sleeper(&cgroup);
    let text = fs::read_to_string(format!("/proc/{}/cgroup", child.id())).unwrap();
    let places = text.lines().filter(|line| line.ends_with(":/made/deep/er")).count();
    let hierarchies = all_cgroups(&host).iter().filter(|dir| dir.ends_with("made/deep/er")).count();
    assert!(places > 0 && places >= hierarchies, "{text}");
    assert_eq!(open_unified(&cgroup).is_some(), host.unified.is_some());
    let record = serde_json::to_string(&cgroup).unwrap();
    let cgroup: Cgroup = serde_json::from_str(&record).unwrap();
    kill_all(&cgroup).unwrap();
    assert!(!child.wait().unwrap().success());
    remove(&cgroup).unwrap();
    remove(&cgroup).unwrap();
    assert_eq!(all_cgroups(&host), before);
}

/// Limits arrive in the files.
#[test]
#[ignore = "makes cgroups: only in a sandbox"]
fn limits_are_written() {
    let Some(host) = host() else { return };
    let read = |cgroup: &Cgroup, write: &CgroupWrite| {
        let directory = cgroup.directory(write.version, &write.controller).unwrap();
        fs::read_to_string(directory.join(&write.file)).unwrap().trim().to_owned()
    };
    let mut tried = 0;
    for (controller, text) in [
        ("pids", serde_json::json!({"pids": {"limit": 17}})),
        ("pids", serde_json::json!({"pids": {"limit": -1}})),
        ("memory", serde_json::json!({"memory": {"limit": 16_777_216}})),
        ("cpu", serde_json::json!({"cpu": {"shares": 512, "quota": 20000, "period": 50000}})),
        ("cpuset", serde_json::json!({"cpu": {"cpus": "0", "mems": "0"}})),
        ("cgroup", serde_json::json!({"unified": {"cgroup.max.depth": "3"}})),
        (
            "hugetlb",
            serde_json::json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 4_194_304}]}),
        ),
    ] {
        let core = controller == "cgroup" && host.unified.is_some();
        if host.controller(controller).is_none() && !core {
            continue;
        }
        tried += 1;
        let limits = limits_of(text, &host);
        let cgroup = create(&host, &path("/limits"), &limits).unwrap();
        for limit in &limits {
            write(&cgroup, limit);
            if limit.if_absent != IfAbsent::Skip {
                assert_eq!(read(&cgroup, limit), limit.value, "{}", limit.file);
            }
        }
        let mut child = sleeper(&cgroup);
        kill_all(&cgroup).unwrap();
        child.wait().unwrap();
        remove(&cgroup).unwrap();
    }
    assert!(tried > 0, "no controller here that could be tried");
}

/// Somebody in it: refused, and left as it was. Frozen: refused.
#[test]
#[ignore = "makes cgroups: only in a sandbox"]
fn occupied_and_frozen_are_refused() {
    let Some(host) = host() else { return };
    let cgroup = create(&host, &path("/occupied"), &[]).unwrap();
    let mut child = sleeper(&cgroup);
    let during = all_cgroups(&host);
    let refused = create(&host, &path("/occupied"), &[]).unwrap_err();
    assert!(refused.to_string().starts_with("container's cgroup is not empty"), "{refused}");
    assert_eq!(all_cgroups(&host), during, "nothing of others is removed");
    kill_all(&cgroup).unwrap();
    child.wait().unwrap();
    // Empty again, it may be used by the next.
    let again = create(&host, &path("/occupied"), &[]).unwrap();
    remove(&again).unwrap();

    let (file, hold, release) = match cgroup.unified() {
        Some(unified) => (unified.join("cgroup.freeze"), "1", "0"),
        None => {
            let freezer = cgroup.directory(Version::V1, "freezer").unwrap();
            (freezer.join("freezer.state"), "FROZEN", "THAWED")
        }
    };
    fs::write(&file, hold).unwrap();
    let refused = create(&host, &path("/occupied"), &[]).unwrap_err();
    assert!(refused.to_string().starts_with("container's cgroup unexpectedly frozen"), "{refused}");
    let below = create(&host, &path("/occupied/below"), &[]).unwrap_err();
    assert!(matches!(below, CgroupError::Frozen(_)), "{below}");
    fs::write(&file, release).unwrap();
    remove(&cgroup).unwrap();
}

/// A frozen container with cgroups and processes below its own is ended and removed all the same.
#[test]
#[ignore = "makes cgroups: only in a sandbox"]
fn frozen_trees_are_killed_and_removed() {
    let Some(host) = host() else { return };
    let before = all_cgroups(&host);
    let cgroup = create(&host, &path("/tree"), &[]).unwrap();
    let mut children = vec![sleeper(&cgroup)];
    for place in &cgroup.places {
        for name in ["a", "a/b", "c"] {
            fs::create_dir(place.directory.join(name)).unwrap();
        }
    }
    let below = match (cgroup.unified(), cgroup.directory(Version::V1, "freezer")) {
        (Some(unified), _) => unified.join("a/b"),
        (None, freezer) => freezer.unwrap().join("a/b"),
    };
    let child = sleeper(&cgroup);
    fs::write(below.join("cgroup.procs"), child.id().to_string()).unwrap();
    children.push(child);
    if let Some(freezer) = cgroup.directory(Version::V1, "freezer") {
        fs::write(freezer.join("freezer.state"), "FROZEN").unwrap();
    } else if let Some(unified) = cgroup.unified() {
        fs::write(unified.join("cgroup.freeze"), "1").unwrap();
    }
    kill_all(&cgroup).unwrap();
    let reaper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        assert!(children.iter_mut().all(|child| child.wait().is_ok()));
    });
    remove(&cgroup).unwrap();
    reaper.join().unwrap();
    assert_eq!(all_cgroups(&host), before);
}

/// A forking container cannot run away from the killer.
#[test]
#[ignore = "makes cgroups: only in a sandbox"]
fn forking_processes_are_killed() {
    let Some(host) = host() else { return };
    let cgroup = create(&host, &path("/forking"), &[]).unwrap();
    let script = "read go; while :; do (sleep 100 & sleep 0.01) & sleep 0.01; done";
    let mut child = Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap();
    join(&cgroup, pid(&child));
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"go\n").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    kill_all(&cgroup).unwrap();
    child.wait().unwrap();
    remove(&cgroup).unwrap();
}

/// Removal gives up at its deadline, and says where.
#[test]
#[ignore = "makes cgroups: only in a sandbox"]
fn removal_is_bounded() {
    let Some(host) = host() else { return };
    let cgroup = create(&host, &path("/busy"), &[]).unwrap();
    let mut child = sleeper(&cgroup);
    let stuck = remove::remove_until(&cgroup, Instant::now() + Duration::from_millis(50));
    let words = stuck.unwrap_err().to_string();
    assert!(words.starts_with("rmdir(") && words.contains("/busy"), "{words}");
    kill_all(&cgroup).unwrap();
    child.wait().unwrap();
    remove(&cgroup).unwrap();
}

/// Containers of rrun share a parent, which goes with the last, also when they race.
#[test]
#[ignore = "makes cgroups: only in a sandbox"]
fn shared_parent_goes_with_the_last() {
    let Some(host) = host() else { return };
    let before = all_cgroups(&host);
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let host = host.clone();
            std::thread::spawn(move || {
                for round in 0..50 {
                    let id = ContainerId::parse(&format!("w{worker}r{round}")).unwrap();
                    let cgroup = create(&host, &CgroupPath::of_rrun(&id), &[]).unwrap();
                    remove(&cgroup).unwrap();
                }
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    assert_eq!(all_cgroups(&host), before);
}

/// Without a controller a limit is refused, by name; and nothing stays.
#[test]
#[ignore = "makes cgroups: only in a sandbox"]
fn limits_without_a_controller() {
    let Some(host) = host() else { return };
    let before = all_cgroups(&host);
    let limit = CgroupWrite {
        controller: "nosuch".into(),
        version: if host.unified.is_some() { Version::V2 } else { Version::V1 },
        file: "nosuch.max".into(),
        value: "1".into(),
        if_absent: IfAbsent::Refuse,
    };
    match create(&host, &path("/nosuch/x"), std::slice::from_ref(&limit)) {
        Err(e) => assert!(e.to_string().starts_with("the cgroup controller nosuch"), "{e}"),
        // v1 has no hierarchy for it.
        Ok(cgroup) => {
            assert_eq!(cgroup.directory(limit.version, "nosuch"), None);
            remove(&cgroup).unwrap();
        }
    }
    assert_eq!(all_cgroups(&host), before);
}

/// The default rules, asked of the kernel: by the program on v2, by lines on v1.
#[test]
#[ignore = "makes cgroups: only in a sandbox"]
fn device_rules_hold() {
    let Some(host) = host() else { return };
    let rules = device::rules(&[], &[]).unwrap();
    let cgroup = create(&host, &path("/devices"), &[]).unwrap();
    if cgroup.directory(Version::V1, "devices").is_some() {
        device::v1_writes(&rules).unwrap().iter().for_each(|line| write(&cgroup, line));
    } else {
        let unified = open_unified(&cgroup).unwrap();
        let attached = device_filter::attach(&unified, &device::program(&rules).unwrap()).unwrap();
        assert_eq!(attached, Taken::Done);
    }
    // fuse is not among the defaults: it can be made, and not opened.
    let script = "read go; d=$(mktemp -d); mknod $d/fuse c 10 229; mknod $d/mem c 1 1; \
        for f in /dev/null /dev/zero /dev/full /dev/urandom $d/fuse $d/mem; do \
        if (: <>$f) 2>/dev/null; then echo ok; else echo no; fi; done; rm -r $d";
    let mut child = Command::new("sh")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    join(&cgroup, pid(&child));
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"go\n").unwrap();
    let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(said.split_whitespace().collect::<Vec<_>>(), ["ok", "ok", "ok", "ok", "no", "no"]);
    remove(&cgroup).unwrap();
}

/// Prints what a cgroup costs.
#[test]
#[ignore = "makes cgroups: only in a sandbox"]
fn measure() {
    let Some(host) = host() else { return };
    let rules = device::rules(&[], &[]).unwrap();
    let program = device::program(&rules).unwrap();
    let mut spent = [Duration::ZERO; 4];
    for _ in 0..50 {
        let mut begin = Instant::now();
        let mut lap = |at: &mut Duration| {
            *at += begin.elapsed();
            begin = Instant::now();
        };
        let host = read_host();
        lap(&mut spent[0]);
        let cgroup = create(&host, &path("/measure/x"), &[]).unwrap();
        lap(&mut spent[1]);
        if let Some(unified) = open_unified(&cgroup) {
            device_filter::attach(&unified, &program).unwrap();
        }
        lap(&mut spent[2]);
        remove(&cgroup).unwrap();
        lap(&mut spent[3]);
    }
    let begin = Instant::now();
    for _ in 0..50 {
        crate::sys::bpf::load_device_program(
            &device::program(&device::rules_of_privileged()).unwrap(),
        )
        .unwrap();
    }
    println!("the shortest program {:?}", begin.elapsed() / 50);
    let begin = Instant::now();
    (0..50).for_each(|_| drop(crate::sys::bpf::load_device_program(&program).unwrap()));
    println!("the default program {:?}", begin.elapsed() / 50);
    let [read, create, filter, remove] = spent.map(|spent| spent / 50);
    let length = program.len();
    println!("read {read:?} create {create:?} filter({length}) {filter:?} remove {remove:?}");
    drop(host);
}

/// Deeper than a path can say: removal goes by descriptor. No cgroup needed, any tmpfs does.
#[test]
fn deep_trees_are_removed() {
    let scratch = tempfile::tempdir_in("/dev/shm").unwrap();
    let top = scratch.path().join("top");
    fs::create_dir(&top).unwrap();
    let mut at = rustix::fs::open(&top, OFlags::RDONLY, Mode::empty()).unwrap();
    for _ in 0..1500 {
        rustix::fs::mkdirat(&at, "dd", Mode::RWXU).unwrap();
        rustix::fs::mkdirat(&at, "side", Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, "dd", OFlags::RDONLY, Mode::empty()).unwrap();
    }
    let place = Place {
        version: Version::V1,
        controllers: vec![],
        directory: top.clone(),
        made: vec![top.clone()],
    };
    assert!(kill::processes(&top).unwrap().is_empty());
    remove(&Cgroup { places: vec![place] }).unwrap();
    assert!(!top.exists());
}
