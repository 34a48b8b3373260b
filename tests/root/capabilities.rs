//! The five sets of capabilities, and noNewPrivileges.

use serde_json::{Value, json};

use crate::harness::{Bundle, Ended};
use crate::need;
use crate::support::Need;

const CHOWN: u64 = 1;
const KILL: u64 = 1 << 5;
const NET_BIND: u64 = 1 << 10;

/// The line of a status, as a number.
fn mask(ended: &Ended, name: &str) -> u64 {
    let line = ended.ok().lines().find_map(|line| line.strip_prefix(&format!("{name}:\t")));
    u64::from_str_radix(line.unwrap(), 16).unwrap()
}

fn sets(ended: &Ended) -> [u64; 5] {
    ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|name| mask(ended, name))
}

fn status(capabilities: Value, uid: u32) -> Ended {
    let mut bundle = Bundle::new();
    bundle.config["process"]["capabilities"] = capabilities;
    bundle.config["process"]["user"] = json!({"uid": uid, "gid": uid});
    bundle.args(&["cat", "/proc/self/status"]);
    bundle.run()
}

/// Root gets what is bounding; the inheritable set is empty unless asked for.
#[test]
fn of_root() {
    need!(Need::Root);
    let three = json!(["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    let all = CHOWN | KILL | NET_BIND;
    let ended = status(json!({"bounding": three, "effective": three, "permitted": three}), 0);
    assert_eq!(sets(&ended), [0, all, all, all, 0]);
    let ended = status(json!({"bounding": ["CAP_KILL"], "permitted": three}), 0);
    assert_eq!(sets(&ended), [0, KILL, KILL, KILL, 0]);
    assert_eq!(sets(&status(Value::Null, 0)), [0; 5]);
    assert_eq!(sets(&status(json!({}), 0)), [0; 5]);
}

/// Another user keeps only what is ambient; ambient needs permitted and inheritable.
#[test]
fn of_another_user() {
    need!(Need::Root);
    let two = json!(["CAP_CHOWN", "CAP_KILL"]);
    let both = CHOWN | KILL;
    let ended = status(json!({"bounding": two, "effective": two, "permitted": two}), 1000);
    assert_eq!(sets(&ended), [0, 0, 0, both, 0]);
    let all = json!({
        "bounding": two, "effective": two, "permitted": two, "inheritable": two,
        "ambient": ["CAP_KILL"],
    });
    assert_eq!(sets(&status(all, 1000)), [both, KILL, KILL, both, KILL]);
    // The kernel refuses an inheritable set beyond the bounding one.
    let unbounded = json!({
        "bounding": [], "effective": two, "permitted": two, "inheritable": two, "ambient": two,
    });
    status(unbounded, 1000).refused("Operation not permitted");
    let not_inheritable = json!({"bounding": two, "permitted": two, "ambient": two});
    assert_eq!(sets(&status(not_inheritable, 1000)), [0, 0, 0, both, 0]);
}

/// An ambient capability works: a low port, another's file.
#[test]
fn they_work() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    std::fs::write(bundle.root("file"), "").unwrap();
    for (names, refused) in [(&["CAP_CHOWN"][..], false), (&["CAP_KILL"], true)] {
        bundle.capabilities(names).sh("chown 1000 /file");
        let ended = bundle.host("chown 0 $B/rootfs/file; $RUN");
        assert_eq!(ended.status == 1, refused, "{names:?} {}", ended.err);
        assert_eq!(ended.err.contains("Operation not permitted"), refused, "{}", ended.err);
    }
}

/// A name that this kernel does not know is a warning, and the others count.
#[test]
fn unknown_ones() {
    need!(Need::Root);
    let names = json!(["CAP_KILL", "CAP_SIDEWAYS"]);
    let ended = status(json!({"bounding": names, "effective": names, "permitted": names}), 0);
    assert_eq!(sets(&ended), [0, KILL, KILL, KILL, 0]);
    let warning = "ignoring unknown or unavailable capabilities: [CAP_SIDEWAYS]";
    assert!(ended.err.contains(warning), "{}", ended.err);
}

/// Every capability of the kernel can be given.
#[test]
fn all_of_them() {
    need!(Need::Root);
    let known = rrun::config::capability::CapabilitySet::all(40);
    let own = std::fs::read_to_string("/proc/self/status").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("CapBnd:\t")).unwrap();
    let own = u64::from_str_radix(own, 16).unwrap();
    let names: Vec<String> = caps::all().into_iter().map(|cap| cap.to_string()).collect();
    let ended = status(json!({"bounding": names, "effective": names, "permitted": names}), 0);
    let want = known.bits() & own;
    assert_eq!(sets(&ended), [0, want, want, want, 0]);
}

/// With noNewPrivileges a set-user-id program gives nothing.
#[test]
fn no_new_privileges() {
    need!(Need::Root);
    for (value, flag, uid) in [(true, "1", "1000"), (false, "0", "0")] {
        let mut bundle = Bundle::new();
        bundle.config["process"]["noNewPrivileges"] = json!(value);
        bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        // Busybox gives up its rights but in some programs; head's own is not asked for.
        bundle.sh("while read -r k v; do case $k in NoNewPrivs:) echo $v;; esac; done \
            < /proc/self/status; /suid/busybox-copy");
        let suid = bundle.directory("suid");
        bundle.bind(&suid, "/suid", &["rbind"]);
        let source = "#include <stdio.h>\n#include <unistd.h>\n\
            int main(void) { printf(\"%d\\n\", (int)geteuid()); return 0; }\n";
        std::fs::write(bundle.path("who.c"), source).unwrap();
        let ended = bundle.host(
            "cc -static -o $B/suid/busybox-copy $B/who.c; chmod 4755 $B/suid/busybox-copy; $RUN",
        );
        assert_eq!(ended.ok(), format!("{flag}\n{uid}\n"), "{}", ended.err);
    }
}
