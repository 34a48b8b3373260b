//! The nodes of /dev: default ones, listed ones, and where they may not go.

use std::os::unix::fs::symlink;

use serde_json::json;

use crate::harness::Bundle;
use crate::need;
use crate::support::Need;

/// The default nodes and links of the specification.
#[test]
fn default_ones() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.sh("cd /dev; stat -c '%n %F %a %t:%T %u:%g' null zero full random urandom tty; \
        for l in fd stdin stdout stderr ptmx; do echo $l $(readlink $l); done; \
        echo x > null; echo x > full; head -c 2 zero | od -An -tx1");
    let ended = bundle.run();
    let node =
        |name: &str, number: &str| format!("{name} character special file 666 {number} 0:0\n");
    let nodes: String = [
        ("null", "1:3"),
        ("zero", "1:5"),
        ("full", "1:7"),
        ("random", "1:8"),
        ("urandom", "1:9"),
        ("tty", "5:0"),
    ]
    .iter()
    .map(|(name, number)| node(name, number))
    .collect();
    let links = "fd /proc/self/fd\nstdin /proc/self/fd/0\nstdout /proc/self/fd/1\n\
        stderr /proc/self/fd/2\nptmx pts/ptmx\n";
    assert_eq!(ended.ok(), format!("{nodes}{links} 00 00\n"));
    assert!(ended.err.contains("No space left on device"), "{}", ended.err);
}

/// Listed devices of every type, with mode and owner, in /dev and elsewhere; a default one that
/// is listed is as listed.
#[test]
fn listed_ones() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.config["linux"]["devices"] = json!([
        {"path": "/dev/char", "type": "c", "major": 1, "minor": 5,
            "fileMode": 0o640, "uid": 7, "gid": 8},
        {"path": "/dev/block", "type": "b", "major": 7, "minor": 99, "fileMode": 0o600},
        {"path": "/dev/fifo", "type": "p", "fileMode": 0o4622, "uid": 9},
        {"path": "/dev/unbuffered", "type": "u", "major": 1, "minor": 7},
        {"path": "/dev/net/tun", "type": "c", "major": 10, "minor": 200},
        {"path": "/elsewhere/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666},
        {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600},
    ]);
    bundle.sh("stat -c '%n %F %a %t:%T %u:%g' /dev/char /dev/block /dev/fifo /dev/unbuffered \
        /dev/net/tun /elsewhere/null /dev/null; umask");
    let ended = bundle.host("umask 077; $RUN");
    assert_eq!(
        ended.ok(),
        "/dev/char character special file 640 1:5 7:8\n\
         /dev/block block special file 600 7:63 0:0\n\
         /dev/fifo fifo 4622 0:0 9:0\n\
         /dev/unbuffered character special file 666 1:7 0:0\n\
         /dev/net/tun character special file 666 a:c8 0:0\n\
         /elsewhere/null character special file 666 1:3 0:0\n\
         /dev/null character special file 600 1:3 0:0\n0022\n"
    );
}

/// Without a /dev among the mounts the default nodes are made in the root's own.
#[test]
fn without_a_mount_on_dev() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
    bundle.sh("stat -c %t:%T /dev/null /dev/tty; echo x > /dev/null");
    assert_eq!(bundle.run().ok(), "1:3\n5:0\n");
    // Again: what is there and is what it should be stays.
    assert_eq!(bundle.run().ok(), "1:3\n5:0\n");
    // What is there and is something else is refused.
    std::fs::remove_file(bundle.root("dev/zero")).unwrap();
    std::fs::write(bundle.root("dev/zero"), "").unwrap();
    bundle.run().refused("File exists");
}

/// A bound /dev is left as it is; listed devices are still made in it.
#[test]
fn bound_dev() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let source = bundle.directory("devices");
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
    bundle.bind(&source, "/dev", &["rbind"]);
    bundle.sh("ls /dev");
    assert_eq!(bundle.run().ok(), "");
    bundle.config["linux"]["devices"] =
        json!([{"path": "/dev/mine", "type": "c", "major": 1, "minor": 3}]);
    assert_eq!(bundle.run().ok(), "mine\n");
}

/// A link must not let a node be made outside of the root (CVE-2026-41579).
#[test]
fn links_do_not_lead_out() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.directory("outside");
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
    std::fs::remove_dir(bundle.root("dev")).unwrap();
    symlink("../outside", bundle.root("dev")).unwrap();
    bundle.run().refused("must be mounted on ordinary directory");
    assert_eq!(std::fs::read_dir(bundle.path("outside")).unwrap().count(), 0);
}

/// In a user namespace the host's nodes are bound, and must be what the config means.
#[test]
fn in_a_user_namespace() {
    need!(Need::Root, Need::UserNamespaces);
    let mut bundle = Bundle::new();
    bundle.namespace("user");
    bundle.config["linux"]["devices"] = json!([
        {"path": "/dev/full", "type": "c", "major": 1, "minor": 7},
        {"path": "/dev/fifo", "type": "p"},
    ]);
    bundle.sh("stat -c '%F %t:%T' /dev/full /dev/fifo; echo x > /dev/full");
    let ended = bundle.run();
    assert_eq!(ended.out, "character special file 1:7\nfifo 0:0\n", "{}", ended.err);
    assert!(ended.err.contains("No space left on device"), "{}", ended.err);
    bundle.config["linux"]["devices"] =
        json!([{"path": "/dev/full", "type": "c", "major": 1, "minor": 5}]);
    bundle.run().refused("it is not the character device 1:5");
}

/// A block device is bound from its own path, and must be the one that is meant.
#[test]
fn block_devices_in_a_user_namespace() {
    need!(Need::Root, Need::UserNamespaces);
    for (minor, fine) in [(7, true), (6, false)] {
        let mut bundle = Bundle::new();
        bundle.namespace("user");
        bundle.config["linux"]["devices"] =
            json!([{"path": "/dev/shm/b", "type": "b", "major": 7, "minor": minor}]);
        bundle.sh("stat -c '%F %t:%T' /dev/shm/b");
        let ended = bundle.host("mount -t tmpfs none /dev/shm; mknod /dev/shm/b b 7 7; $RUN");
        if fine {
            assert_eq!(ended.ok(), "block special file 7:7\n");
        } else {
            ended.refused("it is not the block device 7:6");
        }
    }
}

/// Devices that cannot be.
#[test]
fn refused() {
    need!(Need::Root);
    for (device, words) in [
        (json!({"path": "/dev/x", "type": "a"}), "is no device of one type"),
        (json!({"path": "/", "type": "c", "major": 1, "minor": 3}), "is no path of a device"),
        (json!({"path": "/dev/x", "type": "c", "major": -1, "minor": 3}), "numbers of 32 bits"),
        (json!({"path": "/dev/x", "type": "q"}), "unknown variant"),
    ] {
        let mut bundle = Bundle::new();
        bundle.config["linux"]["devices"] = json!([device]);
        bundle.run().refused(words);
    }
}
