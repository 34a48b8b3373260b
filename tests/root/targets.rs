//! Where a mount goes: missing places, links, `/` itself, and places where none may go.

use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::json;

use crate::harness::Bundle;
use crate::need;
use crate::support::Need;

/// Missing directories are made 0755 whatever the caller's umask is, a file for a file; links
/// stay inside, and one that dangles gets its target made (V1.34 to V1.39).
#[test]
fn places_are_made_inside() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let source = bundle.directory("src");
    std::fs::write(bundle.path("src/file"), "content").unwrap();
    let file = bundle.text("src/file");
    symlink("/real", bundle.root("absolute")).unwrap();
    symlink("../../../../escape", bundle.root("up")).unwrap();
    symlink("/nowhere/yet", bundle.root("dangling")).unwrap();
    symlink("nofile", bundle.root("dangling-file")).unwrap();
    bundle.bind(&source, "/made//deep/./place/", &["rbind"]);
    bundle.bind(&file, "/files/one", &["bind"]);
    bundle.bind(&source, "/absolute/in", &["rbind"]);
    bundle.bind(&source, "/up", &["rbind"]);
    bundle.bind(&source, "/dangling", &["rbind"]);
    bundle.bind(&file, "/dangling-file", &["bind"]);
    bundle.sh("cat /made/deep/place/file /files/one /real/in/file /escape/file /nowhere/yet/file \
        /nofile; echo; stat -c %a /made /made/deep /files");
    let ended = bundle.host("umask 077; $RUN");
    assert_eq!(ended.ok(), "contentcontentcontentcontentcontentcontent\n755\n755\n755\n");
    assert_eq!(bundle.root("files/one").metadata().unwrap().permissions().mode() & 0o777, 0o755);
    assert!(!bundle.path("escape").exists());
}

/// A directory that is made takes the group of a setgid parent, as any directory does.
#[test]
fn setgid_is_inherited() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    std::fs::create_dir(bundle.root("group")).unwrap();
    std::os::unix::fs::chown(bundle.root("group"), Some(0), Some(50)).unwrap();
    std::fs::set_permissions(bundle.root("group"), PermissionsExt::from_mode(0o2755)).unwrap();
    bundle.bind(&bundle.directory("src"), "/group/a/b", &["rbind"]);
    bundle.sh("stat -c '%a %g' /group/a");
    assert_eq!(bundle.run().ok(), "2755 50\n");
}

/// File, fifo and socket get a file as their place.
#[test]
fn sources_that_are_no_directories() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let fifo = bundle.text("fifo");
    let status = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(status.success());
    let socket = bundle.text("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    bundle.bind(&fifo, "/a/fifo", &["bind"]).bind(&socket, "/a/socket", &["bind"]);
    bundle.bind("/dev/zero", "/a/zero", &["bind"]);
    bundle.sh("test -p /a/fifo && test -S /a/socket && head -c 4 /a/zero | wc -c");
    assert_eq!(bundle.run().ok(), "4\n");
}

/// A mount on `/` becomes the root.
#[test]
fn the_root_itself() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let other = bundle.directory("other");
    for name in ["bin", "proc", "dev", "sys", "later"] {
        std::fs::create_dir_all(bundle.path("other").join(name)).unwrap();
    }
    std::fs::copy("/bin/busybox", bundle.path("other/bin/sh")).unwrap();
    std::fs::write(bundle.path("other/mark"), "the other root").unwrap();
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    mounts.insert(
        0,
        json!({
            "type": "bind", "source": other, "destination": "/", "options": ["rbind", "nodev"],
        }),
    );
    bundle.bind(&bundle.directory("src"), "/later", &["rbind"]);
    bundle
        .sh("read -r x < /mark; echo $x; while read -r l; do echo $l; done < /proc/self/mountinfo");
    let ended = bundle.run();
    // `read` gives 1 at the end of a file without a newline, and prints what it got.
    ended.says(&["the other root"]);
    assert_eq!(crate::harness::flags(&ended.out, "/"), "nodev,relatime");
    assert_eq!(ended.out.matches(" / / ").count(), 0, "the old root is seen: {}", ended.out);
}

/// A link at /proc, /sys or /dev is refused, in the words that engines look for.
#[test]
fn links_at_the_kernel_s_places() {
    need!(Need::Root);
    for name in ["proc", "sys", "dev"] {
        let mut bundle = Bundle::new();
        std::fs::remove_dir(bundle.root(name)).unwrap();
        std::fs::create_dir(bundle.root("elsewhere")).unwrap();
        symlink("/elsewhere", bundle.root(name)).unwrap();
        bundle.args(&["true"]);
        bundle.run().refused("must be mounted on ordinary directory");
        assert_eq!(std::fs::read_dir(bundle.root("elsewhere")).unwrap().count(), 0);
    }
}

/// Nothing goes into /proc but the few files of the list; a procfs at /proc must be one.
#[test]
fn inside_proc() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let source = bundle.directory("src");
    bundle.bind(&source, "/proc/self/attr", &["rbind"]).args(&["true"]);
    bundle.run().refused("cannot be mounted because it is inside /proc");
    let mut bundle = Bundle::new();
    std::fs::write(bundle.path("meminfo"), "mine\n").unwrap();
    bundle.bind(&bundle.text("meminfo"), "/proc/meminfo", &["bind", "ro"]);
    bundle.args(&["cat", "/proc/meminfo"]);
    assert_eq!(bundle.run().ok(), "mine\n");
    let mut bundle = Bundle::new();
    bundle.bind(&bundle.directory("src"), "/proc", &["rbind"]).args(&["true"]);
    bundle.run().refused("it is not on a proc file system");
}

/// A loop of links ends, with its errno.
#[test]
fn loops() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    symlink("two", bundle.root("one")).unwrap();
    symlink("one", bundle.root("two")).unwrap();
    bundle.bind(&bundle.directory("src"), "/one/x", &["rbind"]).args(&["true"]);
    bundle.run().refused("Too many levels of symbolic links");
}

/// A read-only root: nothing can be written, mounts keep their own.
#[test]
fn read_only_root() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.config["root"]["readonly"] = json!(true);
    bundle.bind(&bundle.directory("src"), "/new/place", &["rbind"]);
    bundle.sh("touch /x 2>&1; touch /new/place/x && echo written");
    assert_eq!(bundle.run().ok(), "touch: /x: Read-only file system\nwritten\n");
}

/// The root of a container may be a mount with others below it, and a path with links in it.
#[test]
fn root_with_mounts_below() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    std::fs::create_dir(bundle.root("below")).unwrap();
    symlink("rootfs", bundle.path("way")).unwrap();
    bundle.config["root"]["path"] = json!("way");
    bundle.sh("cat /below/file");
    let ended =
        bundle.host("mount -t tmpfs t $B/rootfs/below; echo there > $B/rootfs/below/file; $RUN");
    assert_eq!(ended.ok(), "there\n");
}
