//! Namespaces: new, joined by path, and what is refused.

use serde_json::json;

use crate::harness::Bundle;
use crate::need;
use crate::support::Need;

const ALL: [(&str, &str); 8] = [
    ("user", "user"),
    ("mount", "mnt"),
    ("pid", "pid"),
    ("network", "net"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("cgroup", "cgroup"),
    ("time", "time"),
];

const SHOW: &str = "for n in user mnt pid net ipc uts cgroup time; do \
    echo $n $(readlink /proc/self/ns/$n); done;";

/// The inode numbers of the namespaces that the container saw.
fn seen(out: &str, name: &str) -> String {
    let line = out.lines().find(|line| line.starts_with(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {out}")).to_owned()
}

fn own(name: &str) -> String {
    let link = std::fs::read_link(format!("/proc/self/ns/{name}")).unwrap();
    format!("{name} {}", link.display())
}

/// Each kind is new where the config lists it, and the host's where it does not.
#[test]
fn new_or_the_host_s() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.sh(SHOW).namespace("time");
    let ended = bundle.run();
    for (_, name) in ALL {
        let same = seen(ended.ok(), name) == own(name);
        assert_eq!(same, name == "user", "{name}");
    }
    let mut bundle = Bundle::new();
    bundle.config["linux"]["namespaces"] = json!([{"type": "mount"}]);
    bundle.config["hostname"] = json!(null);
    bundle.config["process"]["noNewPrivileges"] = json!(false);
    bundle.sh(SHOW);
    let ended = bundle.run();
    for (_, name) in ALL {
        let same = seen(ended.ok(), name) == own(name);
        assert_eq!(same, name != "mnt", "{name}");
    }
}

/// Without a pid namespace the container's process is one of the host's, without a network
/// namespace its devices are the host's; a new network namespace has its loopback up.
#[test]
fn what_they_confine() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.sh("echo $$; cat /sys/class/net/lo/flags; ip -o link | wc -l; hostname");
    assert_eq!(bundle.run().ok(), "1\n0x9\n1\nrrun\n");
    let mut bundle = Bundle::new();
    bundle.without_namespace("pid").sh("echo $$");
    let pid: i32 = bundle.run().ok().trim().parse().unwrap();
    assert!(pid > 1, "{pid}");
}

/// A holder of namespaces: its pid is in `$H`.
const HOLDER: &str = "unshare $UNSHARE sleep 60 & H=$!; \
    for i in $(seq 200); do [ \"$(cat /proc/$H/comm)\" = sleep ] && break; sleep 0.01; done; ";

/// Every kind can be joined by path, alone and all together.
#[test]
fn joined_by_path() {
    need!(Need::Root);
    for (kind, name) in ALL.into_iter().filter(|(kind, _)| !["user", "pid", "time"].contains(kind))
    {
        let mut bundle = Bundle::new();
        bundle.join(kind, "/proc/HOLDER/ns/NAME").sh(SHOW);
        if kind == "uts" {
            bundle.config["hostname"] = json!(null);
        }
        let flag = format!("--{}", name.replace("mnt", "mount"));
        let ended = bundle.host(&format!(
            "UNSHARE='{flag}'; {HOLDER} sed -i s,HOLDER/ns/NAME,$H/ns/{name}, $B/config.json; \
             $RUN; kill $H; wait $H 2>/dev/null; true"
        ));
        assert_ne!(seen(ended.ok(), name), own(name), "{kind}: {}", ended.err);
    }
}

/// A joined pid namespace: the process has a pid there; hooks and rrun itself stay outside.
#[test]
fn pid_and_time_joined() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.join("pid", "/proc/HOLDER/ns/pid").join("time", "/proc/HOLDER/ns/time");
    bundle.sh("echo pid $$; cat /proc/uptime; readlink /proc/self/ns/pid");
    // A hook is the host's: it says which pid namespace it is in.
    let hook = json!({"path": "/bin/sh", "args": ["sh", "-c", "readlink /proc/self/ns/pid"]});
    bundle.config["hooks"] = json!({"createRuntime": [hook]});
    let ended = bundle.host(
        "unshare --pid --fork --time --boottime 1000000000 sleep 60 & U=$!; \
         for i in $(seq 200); do H=$(pgrep -P $U sleep) && break; sleep 0.01; done; \
         sed -i s,HOLDER,$H, $B/config.json; $RUN; kill -9 $H; wait $U 2>/dev/null; true",
    );
    let lines: Vec<&str> = ended.ok().lines().collect();
    assert_eq!(format!("pid {}", lines[0]), own("pid"));
    assert!(lines[1].starts_with("pid ") && lines[1] != "pid 1", "{lines:?}");
    let uptime: f64 = lines[2].split(' ').next().unwrap().parse().unwrap();
    assert!(uptime > 1e9, "{lines:?}");
    assert_ne!(format!("pid {}", lines[3]), own("pid"));
}

/// Offsets of a new time namespace.
#[test]
fn time_offsets() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.namespace("time");
    bundle.config["linux"]["timeOffsets"] =
        json!({"boottime": {"secs": 1_000_000_000, "nanosecs": 5}, "monotonic": {"secs": 100}});
    bundle.sh("cat /proc/self/timens_offsets /proc/uptime");
    let ended = bundle.run();
    let words: Vec<&str> = ended.ok().split_whitespace().collect();
    assert_eq!(words[..6], ["monotonic", "100", "0", "boottime", "1000000000", "5"]);
    assert!(words[6].parse::<f64>().unwrap() > 1e9, "{words:?}");
    // rrun itself, and so the host, has its own time.
    let own = std::fs::read_to_string("/proc/self/timens_offsets").unwrap();
    assert!(!own.contains("1000000000"));
    let mut bundle = Bundle::new();
    bundle.config["linux"]["timeOffsets"] = json!({"boottime": {"secs": 1}});
    bundle.run().refused("offsets need a new time namespace");
}

/// A path of another kind, one that is no namespace, one that is missing, one kind twice.
#[test]
fn refused() {
    need!(Need::Root);
    for (path, words) in [
        ("/proc/self/ns/uts", "it is a namespace of another kind"),
        ("/etc/passwd", "it is no namespace"),
        ("/proc/self/ns/nothing", "No such file or directory"),
    ] {
        let mut bundle = Bundle::new();
        bundle.join("network", path);
        let ended = bundle.run();
        ended.refused(words);
        assert!(ended.err.contains(path), "{}", ended.err);
    }
    let mut bundle = Bundle::new();
    bundle.config["linux"]["namespaces"] = json!([{"type": "mount"}, {"type": "mount"}]);
    bundle.run().refused("the mount namespace is listed twice");
    let mut bundle = Bundle::new();
    bundle.config["linux"]["namespaces"] = json!([{"type": "sideways"}]);
    bundle.run().refused("sideways");
}

/// Without a uts namespace the host's name stays, and a hostname is refused.
#[test]
fn names() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.config["hostname"] = json!("a-name.of.its-own");
    bundle.config["domainname"] = json!("its.domain");
    bundle.sh("uname -n; cat /proc/sys/kernel/domainname");
    assert_eq!(bundle.run().ok(), "a-name.of.its-own\nits.domain\n");
    let mut bundle = Bundle::new();
    bundle.without_namespace("uts");
    bundle.run().refused("needs a uts namespace");
    bundle.config["hostname"] = json!(null);
    bundle.args(&["uname", "-n"]);
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(bundle.run().ok(), own);
}

/// Where others live in the pid namespace already, rrun-oci runs from a sealed copy of itself
/// before it is seen there (CVE-2019-5736), and only then.
#[test]
fn a_sealed_copy() {
    need!(Need::Root);
    for joined in [true, false] {
        let mut bundle = Bundle::new();
        let log = bundle.text("log");
        let script = format!("readlink /proc/$PPID/exe > {log}");
        bundle.config["hooks"] = json!({"createRuntime": [
            {"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"]},
        ]});
        bundle.sh("echo ran");
        let ended = if joined {
            bundle.join("pid", "/proc/self/ns/pid");
            bundle.run()
        } else {
            bundle.run()
        };
        assert_eq!(ended.ok(), "ran\n");
        let program = std::fs::read_to_string(&log).unwrap();
        let sealed = program.trim() == "/memfd:rrun (deleted)";
        assert_eq!(sealed, joined, "{program}");
    }
}
