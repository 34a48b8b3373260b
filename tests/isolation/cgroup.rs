//! A cgroup of its own: where it is, what is written into it, and that nothing of it remains.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use rrun::config::cgroup::layout::{Kind, Version};
use rrun::facts::cgroup::{CgroupHost, read};
use serde_json::{Value, json};

use crate::bundle::{Bundle, ID, all_cgroups, is_sandbox};

/// Where the file of a controller is for a process that sees its own cgroup as the top.
fn inside(host: &CgroupHost, controller: &str, file: &str) -> Option<String> {
    Some(match host.controller(controller)? {
        Version::V2 => format!("/sys/fs/cgroup/{file}"),
        Version::V1 => format!("/sys/fs/cgroup/{controller}/{file}"),
    })
}

/// The process is in it in every hierarchy, sees it as the top, and it is gone afterwards.
#[test]
#[ignore = "in scripts/sandbox"]
fn made_and_removed() {
    if !is_sandbox() {
        return;
    }
    let before = all_cgroups();
    let mut bundle = Bundle::new("cat /proc/self/cgroup");
    let said = bundle.run();
    assert_eq!(said.status, 0, "{said:?}");
    assert!(said.out.lines().all(|line| line.ends_with(":/")), "{said:?}");
    bundle.without_namespace("cgroup");
    let said = bundle.run();
    let own = format!(":/{ID}");
    let host = read();
    for line in said.out.lines() {
        let controller = line.split(':').nth(1).unwrap();
        let mounted = match controller {
            "" => host.unified.is_some(),
            name => name.split(',').any(|name| host.v1.contains_key(name)),
        };
        assert_eq!(line.ends_with(&own), mounted, "{line}");
    }
    assert_eq!(all_cgroups(), before);
}

/// What the container sees below /sys/fs/cgroup is its own, read-only.
#[test]
#[ignore = "in scripts/sandbox"]
fn seen_from_inside() {
    if !is_sandbox() {
        return;
    }
    let script = "find /sys/fs/cgroup -name cgroup.procs -maxdepth 2 | while read f; do \
        echo $(dirname $f) $(grep -c ^1$ $f); done | sort; mkdir /sys/fs/cgroup/x";
    let said = Bundle::new(script).run();
    let mut lines: Vec<_> = said.out.lines().collect();
    assert!(!lines.is_empty() && said.status != 0, "{said:?}");
    assert!(lines.iter().all(|line| line.ends_with(" 1")), "{said:?}");
    assert!(said.err.contains("Read-only file system"), "{said:?}");
    let host = read();
    if host.kind() == Kind::V2 {
        assert_eq!(lines, ["/sys/fs/cgroup 1"]);
    } else {
        lines.retain(|line| line.contains("/systemd"));
        assert_eq!(lines, ["/sys/fs/cgroup/systemd 1"], "the named hierarchy is there too");
    }
}

/// Limits arrive; one without its controller is an error that names it, and nothing is left.
#[test]
#[ignore = "in scripts/sandbox"]
fn limits() {
    if !is_sandbox() {
        return;
    }
    let host = read();
    let before = all_cgroups();
    let v1 = |controller| host.controller(controller) == Some(Version::V1);
    let memory = if v1("memory") { "memory.limit_in_bytes" } else { "memory.max" };
    let (cpu, quota) =
        if v1("cpu") { ("cpu.cfs_quota_us", "30000") } else { ("cpu.max", "30000 100000") };
    let cases: [(&str, &str, &str, Value); 4] = [
        ("pids", "pids.max", "17", json!({"pids": {"limit": 17}})),
        ("memory", memory, "16777216", json!({"memory": {"limit": 16_777_216}})),
        ("cpu", cpu, quota, json!({"cpu": {"quota": 30000, "period": 100_000}})),
        ("cpuset", "cpuset.cpus", "0", json!({"cpu": {"cpus": "0"}})),
    ];
    for (controller, file, value, resources) in cases {
        let path = inside(&host, controller, file);
        let mut bundle = Bundle::new(&format!("cat {}", path.as_deref().unwrap_or("/none")));
        bundle.config["linux"]["resources"] = resources;
        let said = bundle.run();
        if path.is_some() {
            assert_eq!((said.status, said.out.trim()), (0, value), "{controller}: {said:?}");
        } else {
            let lack = format!("needs the cgroup controller {controller}");
            assert!(said.status == 1 && said.err.contains(&lack), "{controller}: {said:?}");
        }
        assert_eq!(all_cgroups(), before, "{controller}");
    }
    let mut bundle = Bundle::new("cat /sys/fs/cgroup/cgroup.max.depth");
    bundle.config["linux"]["resources"] = json!({"unified": {"cgroup.max.depth": "3"}});
    let said = bundle.run();
    match host.kind() {
        Kind::V2 => assert_eq!(said.out, "3\n", "{said:?}"),
        // Mounts of v1 do not show the unified hierarchy; the write is what counts.
        Kind::Hybrid => assert_eq!(said.status, 1, "{said:?}"),
        _ => assert!(said.err.contains("cgroup2"), "{said:?}"),
    }
}

/// A limit of no processes lets the container's own start, and no other.
#[test]
#[ignore = "in scripts/sandbox"]
fn no_processes_at_all() {
    if !is_sandbox() || read().controller("pids").is_none() {
        return;
    }
    let mut bundle = Bundle::new("echo begun; /bin/true; echo never");
    bundle.config["linux"]["resources"] = json!({"pids": {"limit": 0}});
    let said = bundle.run();
    assert!(said.out.starts_with("begun"), "{said:?}");
    assert!(said.err.contains("fork"), "{said:?}");
}

/// A host without cgroups, or with ones that we may not change, works until a limit is asked for.
#[test]
#[ignore = "in scripts/sandbox"]
fn hosts_without() {
    if !is_sandbox() {
        return;
    }
    let mut plain = Bundle::new("echo ran");
    let mut limited = Bundle::new("echo ran");
    for bundle in [&mut plain, &mut limited] {
        bundle.without_namespace("cgroup");
    }
    limited.config["linux"]["resources"] = json!({"pids": {"limit": 17}});
    let none = "umount --recursive --lazy /sys/fs/cgroup";
    let said = plain.run_after(none);
    assert_eq!((said.status, said.out.as_str()), (0, "ran\n"), "{said:?}");
    let said = limited.run_after(none);
    assert!(said.err.contains("needs the cgroup controller pids"), "{said:?}");
    let read_only = "for d in $(grep -o '/sys/fs/cgroup[^ ]*' /proc/self/mountinfo); do \
        mount -o remount,bind,ro $d; done";
    let said = plain.run_after(read_only);
    assert_eq!((said.status, said.out.as_str()), (0, "ran\n"), "{said:?}");
    let said = limited.run_after(read_only);
    let words = match read().controller("pids") {
        Some(_) => "pids.max cannot be set: no cgroup can be made at",
        None => "needs the cgroup controller pids",
    };
    assert!(said.status == 1 && said.err.contains(words), "{said:?}");
}

/// Processes and cgroups that outlive the first process are ended and removed.
#[test]
#[ignore = "in scripts/sandbox"]
fn what_is_left_is_ended() {
    if !is_sandbox() {
        return;
    }
    let before = all_cgroups();
    let script = "for d in $(find /sys/fs/cgroup -name cgroup.procs | xargs -n1 dirname); do \
        mkdir -p $d/sub/deep || exit 3; done; setsid sleep 987 > /dev/null 2>&1 & echo $!";
    let mut bundle = Bundle::new(script);
    bundle.writable_cgroups();
    bundle.without_namespace("pid");
    let said = bundle.run();
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(all_cgroups(), before);
    let left: Vec<i32> = pids_of("sleep 987");
    assert_eq!(left, [0; 0], "{said:?}");
}

fn pids_of(command: &str) -> Vec<i32> {
    let found = Command::new("pgrep").args(["-f", command]).output().unwrap();
    let text = String::from_utf8(found.stdout).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// `cgroupsPath` from the top: what was made goes again; systemd's form is refused.
#[test]
#[ignore = "in scripts/sandbox"]
fn paths_of_the_config() {
    if !is_sandbox() {
        return;
    }
    let before = all_cgroups();
    let mut bundle = Bundle::new("cat /proc/self/cgroup");
    bundle.without_namespace("cgroup");
    bundle.config["linux"]["cgroupsPath"] = json!("/isolation/deep/er");
    let said = bundle.run();
    assert!(said.out.contains(":/isolation/deep/er\n"), "{said:?}");
    assert_eq!(all_cgroups(), before);
    bundle.config["linux"]["cgroupsPath"] = json!("system.slice:rrun:x");
    let said = bundle.run();
    assert!(said.status == 1 && said.err.contains("systemd cgroup manager"), "{said:?}");
    bundle.config["linux"]["cgroupsPath"] = json!("/../up");
    let said = bundle.run();
    assert!(said.status == 1 && said.err.contains("bad cgroup path"), "{said:?}");
}

/// A cgroup in which somebody is is refused and left alone; an empty one that is ours by its name
/// (of a run that was killed) is used and goes.
#[test]
#[ignore = "in scripts/sandbox"]
fn cgroups_that_exist() {
    if !is_sandbox() {
        return;
    }
    let before = all_cgroups();
    let host = read();
    let (controller, place) = host.v1.iter().next().map_or_else(
        || ("", host.unified.as_ref().unwrap().hierarchy.mount.clone()),
        |(name, hierarchy)| (name.as_str(), hierarchy.mount.clone()),
    );
    let own = place.join(ID);
    fs::create_dir(&own).unwrap();
    if controller == "cpuset" {
        for file in ["cpuset.cpus", "cpuset.mems"] {
            fs::write(own.join(file), fs::read(place.join(file)).unwrap()).unwrap();
        }
    }
    let mut sleeper = Command::new("sleep").arg("100").stdin(Stdio::null()).spawn().unwrap();
    fs::write(own.join("cgroup.procs"), sleeper.id().to_string()).unwrap();
    let bundle = Bundle::new("echo ran");
    let said = bundle.run();
    assert!(said.status == 1 && said.err.contains("container's cgroup is not empty"), "{said:?}");
    assert!(sleeper.try_wait().unwrap().is_none(), "another's process was ended");
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    std::thread::sleep(Duration::from_millis(20));
    let said = bundle.run();
    assert_eq!((said.status, said.out.as_str()), (0, "ran\n"), "{said:?}");
    assert_eq!(all_cgroups(), before);
}

/// A step that fails after the cgroup was made takes it away again.
#[test]
#[ignore = "in scripts/sandbox"]
fn failures_leave_nothing() {
    if !is_sandbox() {
        return;
    }
    let before = all_cgroups();
    let mut bundle = Bundle::new("true");
    bundle.config["process"]["args"] = json!(["/no/such/program"]);
    let said = bundle.run();
    assert!(said.status == 1 && said.err.contains("no such file or directory"), "{said:?}");
    assert_eq!(all_cgroups(), before);
    bundle.config["mounts"].as_array_mut().unwrap().push(
        json!({"destination": "/x", "type": "bind", "source": "/no/such", "options": ["bind"]}),
    );
    let said = bundle.run();
    assert_eq!(said.status, 1, "{said:?}");
    assert_eq!(all_cgroups(), before);
}
