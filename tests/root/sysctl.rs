//! Settings of the kernel that belong to a namespace, and those that do not.

use serde_json::json;

use crate::harness::Bundle;
use crate::need;
use crate::support::Need;

/// Settings of the network, of IPC and of message queues are the container's alone.
#[test]
fn of_the_container() {
    need!(Need::Root);
    for user_namespace in [false, true] {
        let mut bundle = Bundle::new();
        bundle.config["linux"]["sysctl"] = json!({
            "net.ipv4.ip_forward": "1",
            "net/ipv4/conf/lo/forwarding": "0",
            "kernel.msgmax": "4096",
            "kernel.shm_rmid_forced": "1",
            "fs.mqueue.msg_max": "20",
        });
        if user_namespace {
            bundle.namespace("user");
        }
        bundle.sh("cd /proc/sys; cat net/ipv4/ip_forward net/ipv4/conf/lo/forwarding \
            kernel/msgmax kernel/shm_rmid_forced fs/mqueue/msg_max");
        let own = std::fs::read_to_string("/proc/sys/kernel/msgmax").unwrap();
        let ended = bundle.run();
        assert_eq!(ended.ok(), "1\n0\n4096\n1\n20\n", "{user_namespace}");
        assert_eq!(std::fs::read_to_string("/proc/sys/kernel/msgmax").unwrap(), own);
    }
}

/// What is the whole machine's, or whose namespace is the host's, is refused before anything is
/// done; a value that the kernel does not take, and a name that it does not have, are told.
#[test]
fn refused() {
    need!(Need::Root);
    let cases = [
        ("kernel.panic", "1", "is not confined to a namespace"),
        ("vm.swappiness", "1", "is not confined to a namespace"),
        ("net.ipv4.ip_forward", "1", "is not allowed in the hosts namespace"),
        ("kernel.msgmax", "many", "Invalid argument"),
        ("kernel.msgmax", "1", ""),
        ("net.ipv4.nothing", "1", ""),
    ];
    for (key, value, words) in cases {
        let mut bundle = Bundle::new();
        if words.ends_with("hosts namespace") {
            bundle.without_namespace("network");
            bundle.config["mounts"].as_array_mut().unwrap().retain(|m| m["type"] != "sysfs");
        }
        bundle.config["linux"]["sysctl"] = json!({key: value});
        bundle.sh("cat /proc/sys/kernel/msgmax");
        let ended = bundle.run();
        if key == "kernel.msgmax" && value == "1" {
            assert_eq!(ended.ok(), "1\n");
        } else {
            ended.refused(words);
            assert!(ended.err.contains(key), "{}", ended.err);
        }
    }
}

/// A setting is written through the host's procfs, never to a file that the container put there.
#[test]
fn not_through_the_container_s_proc() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.config["mounts"].as_array_mut().unwrap().retain(|m| m["destination"] != "/proc");
    bundle.config["linux"]["maskedPaths"] = json!([]);
    bundle.config["linux"]["readonlyPaths"] = json!([]);
    bundle.config["linux"]["sysctl"] = json!({"kernel.msgmax": "4096"});
    std::fs::create_dir_all(bundle.root("proc/sys/kernel")).unwrap();
    std::fs::write(bundle.root("proc/sys/kernel/msgmax"), "mine").unwrap();
    bundle.sh("cat /proc/sys/kernel/msgmax");
    assert_eq!(bundle.run().ok(), "mine");
}
