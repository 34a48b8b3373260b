//! Bind mounts: which flags they inherit, which a word changes, and how deep it reaches.

use crate::harness::{Bundle, flags};
use crate::need;
use crate::support::Need;

/// A source with flags of its own and a mount below it.
const SOURCE: &str = "mkdir -p $B/src && mount -t tmpfs -o nodev,noatime t $B/src && \
    mkdir $B/src/sub && mount -t tmpfs -o noexec t $B/src/sub && $RUN";

/// Flags that no word names come from the source; words change only theirs (V1.08).
#[test]
fn words_change_only_what_they_name() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let source = bundle.text("src");
    let cases: [(&[&str], &str, &str); 12] = [
        (&["rbind"], "nodev,noatime", "noexec,relatime"),
        (&["rbind", "ro"], "ro,nodev,noatime", "noexec,relatime"),
        (&["rbind", "rro"], "ro,nodev,noatime", "ro,noexec,relatime"),
        (&["rbind", "nosuid", "dev"], "nosuid,noatime", "noexec,relatime"),
        (&["rbind", "rexec", "rnosuid"], "nosuid,nodev,noatime", "nosuid,relatime"),
        (&["rbind", "strictatime"], "nodev", "noexec,relatime"),
        (&["rbind", "rstrictatime"], "nodev", "noexec"),
        (&["rbind", "relatime", "nodiratime"], "nodev,nodiratime,relatime", "noexec,relatime"),
        (&["rbind", "rnodiratime"], "nodev,noatime,nodiratime", "noexec,nodiratime,relatime"),
        (&["rbind", "rro", "rw"], "nodev,noatime", "ro,noexec,relatime"),
        (&["rbind", "rnosymfollow"], "nodev,noatime,nosymfollow", "noexec,relatime,nosymfollow"),
        (&["rbind", "rnoatime", "rdev"], "noatime", "noexec,noatime"),
    ];
    let mut places = Vec::new();
    for (index, (words, _, _)) in cases.iter().enumerate() {
        let place = format!("/m{index}");
        bundle.bind(&source, &place, words);
        places.push(place);
    }
    bundle.args(&["cat", "/proc/self/mountinfo"]);
    let ended = bundle.host(SOURCE);
    let table = ended.ok();
    for (place, (words, top, below)) in places.iter().zip(cases) {
        assert_eq!(flags(table, place), top, "{words:?}");
        assert_eq!(flags(table, &format!("{place}/sub")), below, "{words:?}, below");
    }
}

/// What mountinfo says holds: each flag refuses what it must with its errno, and its opposite
/// allows it.
#[test]
fn flags_hold() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let source = bundle.text("src");
    for (place, words) in [
        ("/plain", &["rbind"][..]),
        ("/ro", &["rbind", "ro"]),
        ("/rro", &["rbind", "rro"]),
        ("/noexec", &["rbind", "noexec"]),
        ("/nodev", &["rbind", "nodev"]),
        ("/nosymfollow", &["rbind", "nosymfollow"]),
        ("/nosuid", &["rbind", "nosuid"]),
    ] {
        bundle.bind(&source, place, words);
    }
    bundle.sh("for m in plain ro rro noexec nodev nosymfollow nosuid; do cd /$m; echo \"[$m]\"; \
        (: > new) 2>&1; (: > sub/new) 2>&1; ./true 2>&1; (: < zero) 2>&1; cat link 2>&1; done; \
        exit 0");
    let ended = bundle.host(
        "mkdir $B/src; mount -t tmpfs t $B/src; mkdir $B/src/sub; mount -t tmpfs t $B/src/sub; \
         cp /bin/busybox $B/src/true; mknod -m 666 $B/src/zero c 1 5; echo linked > $B/src/file; \
         ln -s file $B/src/link; $RUN",
    );
    let said = ended.ok();
    let about = |mount: &str| {
        let (_, rest) = said.split_once(&format!("[{mount}]\n")).unwrap();
        rest.split("\n[").next().unwrap().trim_end().to_owned()
    };
    let refused = |what: &str, why: &str| format!("sh: can't {what}: {why}");
    let read_only = |name: &str| refused(&format!("create {name}"), "Read-only file system");
    assert_eq!(about("plain"), "linked");
    assert_eq!(about("ro"), format!("{}\nlinked", read_only("new")));
    assert_eq!(about("rro"), format!("{}\n{}\nlinked", read_only("new"), read_only("sub/new")));
    assert_eq!(about("noexec"), "sh: ./true: Permission denied\nlinked");
    let denied = refused("open zero", "Permission denied");
    assert_eq!(about("nodev"), format!("{denied}\nlinked"));
    let too_many = "cat: can't open 'link': Too many levels of symbolic links";
    assert_eq!(about("nosymfollow"), too_many);
    assert_eq!(about("nosuid"), "linked");
}

/// `bind` takes the mount alone, `rbind` what is below it too.
#[test]
fn reach() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let source = bundle.text("src");
    bundle.bind(&source, "/top", &["bind"]).bind(&source, "/all", &["rbind"]);
    bundle.mount(serde_json::json!({"source": source, "destination": "/type", "type": "bind"}));
    bundle.sh("cat /proc/self/mountinfo; test -e /top/sub/in || echo top-only; \
        test -e /all/sub/in && test -e /type/sub/in && echo all");
    let ended = bundle.host(
        "mkdir $B/src; mount -t tmpfs t $B/src; mkdir $B/src/sub; mount -t tmpfs t $B/src/sub; \
         touch $B/src/sub/in; $RUN",
    );
    ended.ok();
    ended.says(&["top-only\n", "all\n"]);
    assert!(!ended.out.contains(" /top/sub "), "{}", ended.out);
    assert_eq!(flags(&ended.out, "/all/sub"), "relatime");
}

/// Data of a file system on a bind is tolerated, and changes nothing.
#[test]
fn data_on_a_bind_is_tolerated() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let source = bundle.directory("src");
    bundle.bind(&source, "/m", &["rbind", "mode=755", "size=1k"]);
    bundle.sh("head -c 4096 /dev/zero > /m/file && stat -c %s /m/file");
    assert_eq!(bundle.run().ok(), "4096\n");
}

/// Relative sources count from the bundle, whatever way the bind is asked for.
#[test]
fn relative_sources() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.directory("near");
    std::fs::write(bundle.path("near/file"), "near").unwrap();
    bundle.bind("near", "/a", &["rbind"]);
    bundle.bind("near/file", "/b", &["bind"]);
    bundle.mount(serde_json::json!({"source": "near", "destination": "/c", "type": "bind"}));
    let none = serde_json::json!({
        "source": "./near/../near", "destination": "/d", "type": "none", "options": ["ro", "rbind"],
    });
    bundle.mount(none);
    bundle.sh("cat /a/file /b /c/file /d/file");
    let mut command = bundle.command();
    command.current_dir("/");
    let ended: crate::harness::Ended = command.output().unwrap().into();
    assert_eq!(ended.ok(), "nearnearnearnear");
}

/// A source in the root is looked up there, after the mounts before it.
#[test]
fn sources_in_the_root() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let outside = bundle.directory("outside");
    std::fs::write(bundle.path("outside/file"), "outside").unwrap();
    bundle.bind(&outside, "/first", &["rbind"]);
    let inside = bundle.text("rootfs/first/file");
    bundle.bind(&inside, "/second", &["bind"]);
    // A link in the root means a path in the root, also one that would lead out.
    std::os::unix::fs::symlink("/first", bundle.root("link")).unwrap();
    bundle.bind(&bundle.text("rootfs/link/file"), "/third", &["bind"]);
    bundle.sh("cat /second /third");
    assert_eq!(bundle.run().ok(), "outsideoutside");
}

/// A source that does not exist is refused with how far it exists, and nothing is made.
#[test]
fn missing_source() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let source = bundle.text("nowhere/deeper");
    bundle.bind(&source, "/m", &["rbind"]).args(&["true"]);
    let ended = bundle.run();
    ended.refused("No such file or directory");
    assert!(ended.err.contains(&source), "{}", ended.err);
    assert!(!bundle.path("nowhere").exists());
}

/// A directory goes onto a directory, a file onto a file, and Docker's words say so.
#[test]
fn kinds_must_agree() {
    need!(Need::Root);
    let words = "Are you trying to mount a directory onto a file (or vice-versa)?";
    for (source, target) in [("src", "/etc/passwd"), ("rootfs/etc/passwd", "/tmp")] {
        let mut bundle = Bundle::new();
        bundle.directory("src");
        bundle.bind(&bundle.text(source), target, &["bind"]).args(&["true"]);
        bundle.run().refused(words);
    }
}
