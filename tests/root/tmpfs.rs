//! New file systems, above all tmpfs: mode, size, tmpcopyup, read-only with mounts below.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::harness::{Bundle, at, flags};
use crate::need;
use crate::support::Need;

fn tmpfs(bundle: &mut Bundle, destination: &str, options: &[&str]) {
    bundle.mount(json!({
        "type": "tmpfs", "source": "tmpfs", "destination": destination, "options": options,
    }));
}

/// A tmpfs takes its target's mode; one that had to be made is 1777; mode= wins (V3.09).
#[test]
fn mode() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    for (name, mode) in [("a", 0o700), ("b", 0o2751), ("c", 0o755)] {
        std::fs::create_dir(bundle.root(name)).unwrap();
        std::fs::set_permissions(bundle.root(name), PermissionsExt::from_mode(mode)).unwrap();
    }
    tmpfs(&mut bundle, "/a", &[]);
    tmpfs(&mut bundle, "/b", &["nosuid"]);
    tmpfs(&mut bundle, "/c", &["mode=711", "uid=7", "gid=8", "size=64k"]);
    tmpfs(&mut bundle, "/made/deep", &[]);
    bundle.capabilities(&["CAP_DAC_OVERRIDE"]);
    bundle.sh("stat -c '%n %a %u:%g' /a /b /c /made /made/deep; cat /proc/self/mountinfo; \
        dd if=/dev/zero of=/c/big bs=100k count=1");
    let ended = bundle.run();
    ended.says(&["/a 700 0:0\n/b 2751 0:0\n/c 711 7:8\n/made 755 0:0\n/made/deep 1777 0:0\n"]);
    assert!(ended.err.contains("No space left on device"), "{}", ended.err);
    assert!(at(&ended.out, "/a").options.contains(&"mode=700".to_owned()), "{}", ended.out);
    assert!(at(&ended.out, "/c").options.contains(&"size=64k".to_owned()), "{}", ended.out);
    assert_eq!(flags(&ended.out, "/b"), "nosuid,relatime");
}

/// tmpcopyup keeps what the target held, with owners and modes, also read-only.
#[test]
fn copy_up() {
    need!(Need::Root);
    for words in [&["tmpcopyup"][..], &["tmpcopyup", "ro"], &["rro", "tmpcopyup", "nosuid"]] {
        let mut bundle = Bundle::new();
        std::fs::create_dir_all(bundle.root("data/sub")).unwrap();
        std::fs::write(bundle.root("data/file"), "kept").unwrap();
        std::os::unix::fs::chown(bundle.root("data/file"), Some(5), Some(6)).unwrap();
        std::os::unix::fs::symlink("file", bundle.root("data/link")).unwrap();
        std::fs::set_permissions(bundle.root("data/sub"), PermissionsExt::from_mode(0o2770))
            .unwrap();
        tmpfs(&mut bundle, "/data", words);
        bundle.sh("cat /data/link; stat -c ' %u:%g' /data/file; stat -c %a /data/sub; \
            touch /data/new 2>&1; echo x > /data/file; true");
        let ended = bundle.run();
        let want = match words.len() {
            1 => "kept 5:6\n2770\n",
            _ => "kept 5:6\n2770\ntouch: /data/new: Read-only file system\n",
        };
        assert_eq!(ended.ok(), want, "{words:?}: {}", ended.err);
        assert_eq!(std::fs::read_to_string(bundle.root("data/file")).unwrap(), "kept");
    }
}

/// Read-only comes last: what is mounted below found its place, and keeps its own flags.
#[test]
fn read_only_with_mounts_below() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    tmpfs(&mut bundle, "/t", &["ro", "nosuid"]);
    tmpfs(&mut bundle, "/t/below", &[]);
    bundle.bind(&bundle.directory("src"), "/t/bound/deep", &["rbind"]);
    bundle.sh("cat /proc/self/mountinfo; touch /t/x 2>&1; touch /t/below/x /t/bound/deep/x");
    let ended = bundle.run();
    ended.ok();
    ended.says(&["touch: /t/x: Read-only file system\n"]);
    assert_eq!(flags(&ended.out, "/t"), "ro,nosuid,relatime");
    assert!(bundle.path("src/x").exists());
}

/// A read-only /dev still has its nodes, links and mounts.
#[test]
fn read_only_dev() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    let dev = mounts.iter_mut().find(|mount| mount["destination"] == "/dev").unwrap();
    dev["options"].as_array_mut().unwrap().push(json!("ro"));
    bundle.sh("echo x > /dev/null && touch /dev/shm/x && test -c /dev/tty && readlink /dev/ptmx; \
        touch /dev/x 2>&1");
    let ended = bundle.run();
    assert_eq!(ended.out, "pts/ptmx\ntouch: /dev/x: Read-only file system\n", "{}", ended.err);
}

/// An option that the file system does not know is told in the kernel's words.
#[test]
fn the_kernel_s_words() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    tmpfs(&mut bundle, "/t", &["sise=1m"]);
    let ended = bundle.run();
    ended.refused("Invalid argument");
    assert!(ended.err.contains("Unknown parameter 'sise'"), "{}", ended.err);
    let mut bundle = Bundle::new();
    bundle.mount(json!({"type": "nosuchfs", "source": "x", "destination": "/t"}));
    let ended = bundle.run();
    ended.refused("No such device");
    assert!(ended.err.contains("nosuchfs"), "{}", ended.err);
}

/// Procfs, overlay and others take their data.
#[test]
fn other_file_systems() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    for name in ["lower", "upper", "work"] {
        bundle.directory(name);
    }
    std::fs::write(bundle.path("lower/file"), "lower").unwrap();
    let [lower, upper, work] = ["lower", "upper", "work"].map(|name| bundle.text(name));
    let proc = &mut bundle.config["mounts"].as_array_mut().unwrap()[0];
    proc["options"] = json!(["hidepid=2", "nosuid", "nodev", "noexec"]);
    let words =
        [format!("lowerdir={lower}"), format!("upperdir={upper}"), format!("workdir={work}")];
    bundle.mount(json!({
        "type": "overlay", "source": "overlay", "destination": "/o", "options": words,
    }));
    bundle.sh("cat /o/file; echo new > /o/new; cat /proc/self/mountinfo");
    // Overlay wants its upper directory on a file system that is none itself.
    let ended = bundle.host(
        "mount -t tmpfs t $B/upper; mount --bind $B/upper $B/upper; mkdir $B/upper/u $B/upper/w; \
         sed -i s,upperdir=[^\\\"]*,upperdir=$B/upper/u,\\;s,workdir=[^\\\"]*,workdir=$B/upper/w, \
         $B/config.json; $RUN; cat $B/upper/u/new",
    );
    ended.ok();
    ended.says(&["lower", "\nnew\n"]);
    assert!(at(&ended.out, "/proc").options.iter().any(|o| o.starts_with("hidepid=")));
    assert_eq!(flags(&ended.out, "/proc"), "nosuid,nodev,noexec,relatime");
}

/// Read-only is also the file system, not its mount alone: else a device that is read-only itself
/// could not be mounted.
#[test]
fn a_read_only_device() {
    need!(Need::Root, Need::Program("mkfs.ext4"), Need::Program("losetup"));
    let mut bundle = Bundle::new();
    bundle.mount(json!({
        "type": "ext4", "source": "/dev/LOOP", "destination": "/disk", "options": ["ro", "nodev"],
    }));
    // The container's cgroup is there before its mounts are.
    bundle.config["linux"]["resources"] = json!({"devices": [{"allow": true, "access": "rwm"}]});
    bundle.sh("ls /disk; grep ' /disk ' /proc/self/mountinfo");
    let ended = bundle.host(
        "truncate -s 4M $B/img; mkfs.ext4 -q $B/img; L=$(losetup --find --show -r $B/img); \
         sed -i s,/dev/LOOP,$L, $B/config.json; $RUN; S=$?; losetup -d $L; exit $S",
    );
    assert!(ended.ok().starts_with("lost+found\n"), "{}", ended.out);
    let line = ended.out.lines().last().unwrap();
    assert!(line.rsplit(' ').next().unwrap().split(',').any(|word| word == "ro"), "{line}");
    assert_eq!(flags(&ended.out, "/disk"), "ro,nodev,relatime");
}

/// More layers than one text of 255 bytes could name, as a list and one by one.
#[test]
fn an_overlay_of_many_long_layers() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let layer = |number: usize| format!("{}/layer-{number}", "deep".repeat(50));
    let layers: Vec<String> = (0..12).map(|number| bundle.directory(&layer(number))).collect();
    for (number, layer) in layers.iter().enumerate() {
        std::fs::write(format!("{layer}/name"), number.to_string()).unwrap();
        std::fs::write(format!("{layer}/only-{number}"), "").unwrap();
    }
    let one_by_one: Vec<String> = layers.iter().map(|path| format!("lowerdir+={path}")).collect();
    let list = vec![format!("lowerdir={}", layers.join(":"))];
    for (place, options) in [("/list", list), ("/one-by-one", one_by_one)] {
        bundle.mount(json!({
            "type": "overlay", "source": "overlay", "destination": place, "options": options,
        }));
    }
    bundle.sh("for o in /list /one-by-one; do cat $o/name; ls $o | wc -l; done");
    assert_eq!(bundle.run().ok(), "013\n013\n");
}

/// Masked: files by the null device, directories by one empty read-only file system; read-only
/// paths keep their other flags.
#[test]
fn masked_and_read_only_paths() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    std::fs::create_dir(bundle.root("hide")).unwrap();
    std::fs::write(bundle.root("hide/secret"), "secret").unwrap();
    std::fs::write(bundle.root("file"), "secret").unwrap();
    std::fs::create_dir(bundle.root("keep")).unwrap();
    bundle.config["linux"]["maskedPaths"] =
        json!(["/hide", "/file", "/nowhere", "/hide", "/proc/kcore", "/sys/firmware"]);
    bundle.config["linux"]["readonlyPaths"] = json!(["/keep", "/proc/sys", "/nowhere"]);
    let source = bundle.text("src");
    bundle.bind(&source, "/keep", &["rbind", "nosuid", "nodev", "noexec"]);
    bundle.config["root"]["readonly"] = json!(true);
    bundle.sh("ls /hide /sys/firmware; cat /file; stat -c '%t:%T' /file; \
        cat /proc/self/mountinfo; touch /keep/x /keep/sub/x /hide/x /x 2>&1; \
        echo 1 > /proc/sys/kernel/panic");
    let ended = bundle.host("mkdir -p $B/src/sub; mount -t tmpfs t $B/src/sub; $RUN");
    assert!(ended.out.starts_with("/hide:\n\n/sys/firmware:\n1:3\n"), "{}", ended.out);
    ended.says(&["touch: /keep/x: Read-only", "touch: /keep/sub/x: Read-only"]);
    ended.says(&["touch: /hide/x: Read-only", "touch: /x: Read-only"]);
    assert!(ended.err.contains("Read-only file system"), "{}", ended.err);
    assert_eq!(flags(&ended.out, "/keep"), "ro,nosuid,nodev,noexec,relatime");
    assert_eq!(at(&ended.out, "/hide").kind, "tmpfs");
    assert_eq!(flags(&ended.out, "/hide"), "ro,relatime");
}
