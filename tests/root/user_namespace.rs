//! User namespaces: mappings, joined ones, what the container may still do.

use serde_json::{Value, json};

use crate::harness::{Bundle, at, flags};
use crate::need;
use crate::support::Need;

fn rows(inside: u32, outside: u32, size: u32) -> Value {
    json!([{"containerID": inside, "hostID": outside, "size": size}])
}

/// A bundle whose root belongs to the container's root, 100000 on the host.
fn bundle() -> Bundle {
    let mut bundle = Bundle::new();
    bundle.namespace("user");
    bundle.config["linux"]["uidMappings"] = rows(0, 100_000, 65_536);
    bundle.config["linux"]["gidMappings"] = rows(0, 100_000, 65_536);
    give_root_to(&bundle, 100_000);
    bundle
}

fn give_root_to(bundle: &Bundle, id: u32) {
    let owner = format!("{id}:{id}");
    let mut chown = std::process::Command::new("chown");
    assert!(chown.args(["-hR", &owner]).arg(bundle.root("")).status().unwrap().success());
}

/// Root and another user inside are what the mapping says outside; the mounts, devices and nodes
/// of the config are all there.
#[test]
fn mapped() {
    need!(Need::Root, Need::UserNamespaces);
    for (uid, outside) in [(0, 100_000), (1000, 101_000)] {
        let mut bundle = bundle();
        bundle.config["process"]["user"] = json!({"uid": uid, "gid": uid});
        bundle.bind(&bundle.directory("talk"), "/talk", &["rbind"]);
        bundle.sh("id -u; id -g; cat /proc/self/uid_map; touch /talk/new; \
            stat -c '%n %t:%T %u:%g' /dev/null /dev/zero /dev/tty; echo x > /dev/null && \
            test -e /proc/self/exe && test -d /sys/class && echo fine");
        let ended = bundle.host("chmod 777 $B/talk; $RUN; stat -c %u:%g $B/talk/new");
        let map = "         0     100000      65536";
        let nodes =
            "/dev/null 1:3 65534:65534\n/dev/zero 1:5 65534:65534\n/dev/tty 5:0 65534:65534";
        let want = format!("{uid}\n{uid}\n{map}\n{nodes}\nfine\n{outside}:{outside}\n");
        assert_eq!(ended.ok(), want, "{}", ended.err);
    }
}

/// Without mappings every id is itself.
#[test]
fn without_mappings() {
    need!(Need::Root, Need::UserNamespaces);
    let mut bundle = Bundle::new();
    bundle.namespace("user").sh("id -u; cat /proc/self/uid_map /proc/self/gid_map; touch /x");
    let ended = bundle.run();
    let row = "         0          0 4294967295\n";
    assert_eq!(ended.ok(), format!("0\n{row}{row}"));
    let mut bundle = Bundle::new();
    bundle.config["linux"]["uidMappings"] = rows(0, 1, 1);
    bundle.join("user", "/proc/self/ns/user");
    bundle.run().refused("has its mappings already");
}

/// A mapping without a root: the process's user makes the mount tree.
#[test]
fn no_root_inside() {
    need!(Need::Root, Need::UserNamespaces);
    let mut bundle = Bundle::new();
    bundle.namespace("user");
    bundle.config["linux"]["uidMappings"] = rows(1000, 100_000, 1);
    bundle.config["linux"]["gidMappings"] = rows(1000, 100_000, 1);
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    // The group 5 of devpts is not mapped.
    mounts.retain(|mount| mount["destination"] != "/dev/pts");
    give_root_to(&bundle, 100_000);
    bundle.sh("id -u; id -g; stat -c %u /dev /tmp; touch /dev/shm/x && echo fine");
    assert_eq!(bundle.run().ok(), "1000\n1000\n1000\n1000\nfine\n");
}

/// A source that only the host's root may reach, and one whose flags cannot be cleared inside.
#[test]
fn sources_with_the_host_s_rights() {
    need!(Need::Root, Need::UserNamespaces);
    let mut bundle = bundle();
    let inner = bundle.directory("closed/inner");
    bundle.bind(&inner, "/m", &["rbind", "ro"]);
    bundle.sh("cat /m/file; touch /m/x 2>&1");
    let ended = bundle.host("chmod 700 $B/closed; echo there > $B/closed/inner/file; $RUN");
    assert_eq!(ended.out, "there\ntouch: /m/x: Read-only file system\n", "{}", ended.err);
}

/// A tmpfs inside has its size, and the owner that was asked for.
#[test]
fn tmpfs() {
    need!(Need::Root, Need::UserNamespaces);
    let mut bundle = bundle();
    bundle.mount(json!({"type": "tmpfs", "source": "t", "destination": "/t",
        "options": ["size=64k", "mode=1770", "uid=1000", "gid=1000"]}));
    bundle.sh("stat -c '%a %u:%g' /t; cat /proc/self/mountinfo");
    let ended = bundle.run();
    assert!(ended.ok().starts_with("1770 1000:1000\n"), "{}", ended.out);
    assert!(at(&ended.out, "/t").options.contains(&"size=64k".to_owned()), "{}", ended.out);
}

/// The kernel makes no sysfs, procfs or message queue for namespaces of the host: these are
/// bound, with the flags of the config.
#[test]
fn file_systems_of_the_host_s_namespaces() {
    need!(Need::Root, Need::UserNamespaces);
    let mut bundle = bundle();
    bundle.without_namespace("network").without_namespace("pid");
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    mounts[0]["options"] = json!(["nosuid", "nodev", "noexec"]);
    bundle.sh("cat /proc/self/mountinfo; test -d /sys/class/net/lo; test -d /proc/$$");
    let ended = bundle.run();
    ended.ok();
    assert_eq!(at(&ended.out, "/sys").kind, "sysfs");
    assert_eq!(flags(&ended.out, "/sys"), "ro,nosuid,nodev,noexec,relatime");
    assert_eq!(flags(&ended.out, "/proc"), "nosuid,nodev,noexec,relatime");
}

/// Message queues of the host, where it has them mounted.
#[test]
fn message_queues_of_the_host() {
    need!(Need::Root, Need::UserNamespaces);
    let mut bundle = bundle();
    bundle.without_namespace("ipc").args(&["cat", "/proc/self/mountinfo"]);
    let ended = bundle.host(
        "mkdir -p $B/dev; mount -t tmpfs t /dev/shm; \
        mkdir -p /dev/mqueue 2>/dev/null; mount -t mqueue m /dev/mqueue && $RUN; s=$?; \
        umount /dev/mqueue; rmdir /dev/mqueue; exit $s",
    );
    assert_eq!(at(ended.ok(), "/dev/mqueue").kind, "mqueue");
}

/// Standard streams belong to the container's user, so that /dev/stdout can be opened again; the
/// null device never changes its owner.
#[test]
fn standard_streams() {
    need!(Need::Root, Need::UserNamespaces);
    let before = std::fs::metadata("/dev/null").unwrap();
    let mut bundle = bundle();
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    bundle.sh("echo once > /dev/stdout; echo more > /dev/stderr; stat -Lc %u:%g /dev/stdout");
    let ended = bundle.run();
    assert_eq!(ended.ok(), "once\n1000:1000\n");
    assert_eq!(ended.err, "more\n");
    use std::os::unix::fs::MetadataExt;
    let after = std::fs::metadata("/dev/null").unwrap();
    assert_eq!((before.uid(), before.gid()), (after.uid(), after.gid()));
}

/// A holder of a user namespace and of others that it owns; its pid is in `$H`.
const HOLDER: &str = "unshare --user --net --uts --ipc --pid --fork --mount-proc=/proc \
    sh -c 'echo 1 > $B/ready; exec sleep 60' & U=$!; \
    while [ ! -e $B/ready ]; do sleep 0.01; done; \
    H=$(pgrep -P $U); echo '0 100000 65536' > /proc/$H/uid_map; \
    echo '0 100000 65536' > /proc/$H/gid_map; sed -i s,HOLDER,$H, $B/config.json; ";

/// A user namespace by path: alone, with others that it owns beside it, and with one of the host.
#[test]
fn joined() {
    need!(Need::Root, Need::UserNamespaces);
    let kinds = [("network", "net"), ("uts", "uts"), ("ipc", "ipc"), ("pid", "pid")];
    for beside in [&[][..], &kinds[..]] {
        let mut bundle = Bundle::new();
        give_root_to(&bundle, 100_000);
        bundle.join("user", "/proc/HOLDER/ns/user");
        for (kind, name) in beside {
            bundle.join(kind, &format!("/proc/HOLDER/ns/{name}"));
        }
        bundle.config["hostname"] = json!("joined");
        bundle.sh("id -u; hostname; cat /proc/self/uid_map; \
            for n in user net uts ipc pid; do readlink /proc/self/ns/$n; done; \
            touch /x; mount | grep -c sysfs");
        let ended = bundle.host(&format!(
            "{HOLDER} for n in user net uts ipc pid; do readlink /proc/$H/ns/$n; done; $RUN; \
             kill -9 $H; wait $U 2>/dev/null; true"
        ));
        let lines: Vec<&str> = ended.ok().lines().collect();
        assert_eq!(lines.len(), 14, "{}{}", ended.out, ended.err);
        assert_eq!(lines[5..8], ["0", "joined", "         0     100000      65536"]);
        for (index, name) in ["user", "net", "uts", "ipc", "pid"].into_iter().enumerate() {
            let same = lines[index] == lines[8 + index];
            let wanted = name == "user" || !beside.is_empty();
            assert_eq!(same, wanted, "{name}: {}", ended.out);
        }
        assert_eq!(lines[13], "1");
    }
}

/// Namespaces of the host can be joined beside a new user namespace and beside a joined one.
#[test]
fn namespaces_of_the_host_beside() {
    need!(Need::Root, Need::UserNamespaces);
    for joined in [false, true] {
        let mut bundle = bundle();
        if joined {
            bundle.join("user", "/proc/HOLDER/ns/user");
            bundle.config["linux"]["uidMappings"] = json!([]);
            bundle.config["linux"]["gidMappings"] = json!([]);
        }
        bundle.join("network", "/proc/OTHER/ns/net").join("ipc", "/proc/OTHER/ns/ipc");
        bundle.sh("id -u; readlink /proc/self/ns/net; readlink /proc/self/ns/ipc; echo fine");
        let mounts = bundle.config["mounts"].as_array_mut().unwrap();
        mounts.retain(|mount| mount["destination"] != "/dev/mqueue");
        let ended = bundle.host(&format!(
            "unshare --net --ipc sleep 60 & O=$!; {HOLDER} sed -i s,OTHER,$O, $B/config.json; \
             readlink /proc/$O/ns/net; readlink /proc/$O/ns/ipc; $RUN; kill -9 $H $O; \
             wait 2>/dev/null; true"
        ));
        let lines: Vec<&str> = ended.ok().lines().collect();
        assert_eq!(lines.len(), 6, "{}{}", ended.out, ended.err);
        assert_eq!([lines[2], lines[5]], ["0", "fine"]);
        assert_eq!(lines[..2], lines[3..5], "{}", ended.out);
    }
}

/// Groups that the mapping does not have cannot be set, and the kernel's word is told.
#[test]
fn unmapped_ids() {
    need!(Need::Root, Need::UserNamespaces);
    let mut bundle = bundle();
    bundle.config["process"]["user"] = json!({"uid": 70_000, "gid": 0});
    bundle.run().refused("Invalid argument");
}

/// The hooks of a container in a joined user namespace are told of its own process: whose number
/// does not come by the pipe that child and host wait for each other with.
#[test]
fn joined_with_hooks() {
    need!(Need::Root, Need::UserNamespaces);
    let mut bundle = Bundle::new();
    give_root_to(&bundle, 100_000);
    bundle.join("user", "/proc/HOLDER/ns/user");
    let script = format!(
        "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); readlink /proc/$pid/ns/user >> {}",
        bundle.text("seen")
    );
    let hook =
        json!({"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin"]});
    bundle.config["hooks"] = json!({"prestart": [hook], "createRuntime": [hook]});
    bundle.sh("readlink /proc/self/ns/user");
    let ended =
        bundle.host(&format!("{HOLDER} $RUN; cat $B/seen; kill -9 $H; wait 2>/dev/null; true"));
    let lines: Vec<&str> = ended.ok().lines().collect();
    assert_eq!(lines.len(), 3, "{}", ended.out);
    assert!(lines[0].starts_with("user:[") && lines.iter().all(|l| *l == lines[0]), "{lines:?}");
}

/// The kernel locks the flags of every mount that a user namespace inherits: also those of a mount
/// below the source, and only where an option reaches them.
#[test]
fn locked_flags_below_a_source() {
    need!(Need::Root, Need::UserNamespaces);
    for (options, refused) in [
        (&["rbind", "rrw"][..], true),
        (&["rbind", "rsuid"], false),
        (&["rbind", "rw"], false),
        (&["bind", "rrw"], false),
        (&["rbind", "rro"], false),
    ] {
        let mut bundle = bundle();
        let source = bundle.directory("tree/below");
        let source = source.strip_suffix("/below").unwrap();
        bundle.bind(source, "/m", options);
        bundle.args(&["true"]);
        let ended = bundle.host("mount -t tmpfs -o ro none $B/tree/below; $RUN");
        if refused {
            ended.refused("operation not permitted");
        } else {
            assert_eq!(ended.ok(), "", "{options:?}");
        }
    }
}
