//! `rrun cp`: which entry goes where, in both directions, and that a hostile container gets
//! nothing of the host's.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use crate::container::Store;
use crate::need;
use crate::support::Need;

/// The files that are copied in, and a container that runs, one that never did.
fn bench() -> Store {
    let mut store = Store::new();
    store.start("run", &["-v", "vol:/vol", "-v", "/etc:/ro:ro"]);
    store.rrun(&["create", "--name", "off", "-v", "vol2:/vol", "box"]).ok();
    let made = store
        .sh("mkdir -p d/sub e; echo f > f; echo x > d/sub/x; chown 1234:2345 f; chmod 640 f; \
         chown -R 77:88 d; chmod 2755 d; ln -s f lf; ln -s d ld; mkfifo fi; echo 1 > e/sub");
    made.ok();
    store
}

/// Copies with `cp` and lists what a container has at `path`.
fn inside(store: &Store, container: &str, path: &str) -> String {
    let script = "cd \"$0\" && find . | sort | while read n; do stat -c '%n %u:%g %a %F' $n; done";
    let script = script.replace("\"$0\"", path);
    let out = match container {
        "run" => store.rrun(&["exec", "run", "sh", "-c", &script]),
        // One that does not run is looked at by another.
        _ => store.rrun(&["run", "--rm", "--volumes-from", container, "box", "sh", "-c", &script]),
    };
    out.ok().to_owned()
}

#[track_caller]
fn refused(store: &Store, from: &str, to: &str, words: &str) {
    let ended = store.rrun(&["cp", from, to]);
    assert_eq!(ended.status, 1, "{from} {to}: {}", ended.err);
    assert!(ended.err.contains(words), "{from} {to}: {}", ended.err);
}

/// The table of the Docker documentation, into a container.
#[test]
fn what_goes_where() {
    need!(Need::Root);
    let store = bench();
    for (from, to) in [
        ("f", "run:/f1"),
        ("d", "run:/nd"),
        ("d", "run:/nd"),
        ("d/.", "run:/nd2"),
        ("d/.", "run:/nd"),
        ("f", "run:/tmp"),
        ("f", "run:tmp/../rel"),
        ("ld/", "run:/ld2"),
        ("lf", "run:/tmp/"),
    ] {
        store.rrun(&["cp", "-q", from, to]).ok();
    }
    assert_eq!(
        inside(&store, "run", "/nd"),
        ". 77:88 2755 directory\n./d 77:88 2755 directory\n./d/sub 77:88 755 directory\n\
         ./d/sub/x 77:88 644 regular file\n./sub 77:88 755 directory\n\
         ./sub/x 77:88 644 regular file\n"
    );
    assert_eq!(
        inside(&store, "run", "/nd2"),
        ". 77:88 2755 directory\n./sub 77:88 755 directory\n./sub/x 77:88 644 regular file\n"
    );
    let script = "stat -c '%n %u:%g %a' /f1 /tmp/f /rel /ld2; readlink /tmp/lf; stat -c %a /tmp";
    let seen = store.rrun(&["exec", "run", "sh", "-c", script]);
    let want = "/f1 1234:2345 640\n/tmp/f 1234:2345 640\n/rel 1234:2345 640\n/ld2 77:88 2755\n\
                f\n1777\n";
    assert_eq!(seen.ok(), want);
    refused(&store, "f", "run:/no/pe", "Could not find the file /no in container run");
    refused(&store, "f", "run:/nope/", "no such directory");
    refused(&store, "d", "run:/f1", "cannot copy directory");
    refused(&store, "f", "run:/f1/", "no such directory");
    refused(&store, "nosuch", "run:/", "nosuch: no such file or directory");
    refused(&store, "d", "run:/dev/null", "must be a directory or a regular file");
    refused(&store, "f", "nobody:/", "No such container: nobody");
    refused(&store, "f", "d", "must specify at least one container source");
    refused(&store, "run:/f1", "run:/f2", "copying between containers is not supported");
    store.rrun(&["exec", "run", "mkdir", "-p", "/over/sub"]).ok();
    refused(&store, "e/.", "run:/over", "cannot overwrite directory \"sub\" with non-directory");
    store.rrun(&["exec", "run", "sh", "-c", "mkdir /o2; echo > /o2/sub"]).ok();
    refused(&store, "d/.", "run:/o2", "cannot overwrite non-directory \"sub\" with directory");
}

/// The same out of a container: the caller's files, unless -a says otherwise, and links as they
/// are, unless -L says otherwise.
#[test]
fn out_of_a_container() {
    need!(Need::Root);
    let store = bench();
    let script = "mkdir /x; echo q > /x/q; ln -s q /x/lq; chown -R 5:6 /x; chmod 4755 /x/q; \
                  ln -s /x /lx; mkfifo /pipe; mknod /x/node b 7 200; chmod 666 /x/node";
    store.rrun(&["exec", "run", "sh", "-c", script]).ok();
    for arguments in [
        &["run:/x", "y"][..],
        &["run:/x", "y"],
        &["run:/x/.", "y2"],
        &["-a", "run:/x", "kept"],
        &["run:/lx", "lx1"],
        &["-L", "run:/lx", "lx2"],
        &["run:/lx/", "lx3"],
        &["run:/pipe", "p"],
        &["run:/x/q", "d"],
        &["run:/proc/version", "version"],
    ] {
        store.rrun(&[&["cp", "-q"], arguments].concat()).ok();
    }
    let seen = |name: &str| std::fs::symlink_metadata(store.path(name)).unwrap();
    let about = |name: &str| (seen(name).uid(), seen(name).gid(), seen(name).mode() & 0o7777);
    assert_eq!(about("y/q"), (0, 0, 0o755), "no set-user-id bit of another's");
    assert_eq!(about("y/x/q"), (0, 0, 0o755));
    assert_eq!(about("kept/q"), (5, 6, 0o4755));
    assert_eq!(about("y/node"), (0, 0, 0o600), "a device is the caller's alone");
    assert!(seen("kept/node").file_type().is_block_device());
    assert_eq!(std::fs::read_link(store.path("y/lq")).unwrap(), Path::new("q"));
    assert_eq!(std::fs::read_link(store.path("lx1")).unwrap(), Path::new("/x"));
    assert!(seen("lx2").is_dir() && seen("lx3").is_dir() && seen("p").file_type().is_fifo());
    assert_eq!(std::fs::read_to_string(store.path("d/q")).unwrap(), "q\n");
    let version = std::fs::read_to_string("/proc/version").unwrap();
    assert_eq!(std::fs::read_to_string(store.path("version")).unwrap(), version);
    refused(&store, "run:/x/q", "nope/", "no such directory");
    refused(&store, "run:/x/q", "no/pe", "invalid output path: directory");
    refused(&store, "run:/x", "f", "cannot copy directory");
    refused(&store, "run:/nosuch", ".", "Could not find the file /nosuch in container run");
}

/// V12.28: volumes and binds, running and stopped; read-only ones are refused in Docker's words.
#[test]
fn through_mounts() {
    need!(Need::Root);
    let store = bench();
    for container in ["run", "off"] {
        store.rrun(&["cp", "d", &format!("{container}:/vol/d")]).ok();
        let listed = inside(&store, container, "/vol");
        assert!(listed.contains("./d/sub/x 77:88 644 regular file\n"), "{listed}");
        let back = format!("{container}-back");
        store.rrun(&["cp", &format!("{container}:/vol/."), &back]).ok();
        assert_eq!(std::fs::read_to_string(store.path(&back).join("d/sub/x")).unwrap(), "x\n");
    }
    refused(&store, "f", "run:/ro/rrun-test", "mounted volume is marked read-only");
    assert!(!Path::new("/etc/rrun-test").exists());
    store.rrun(&["create", "--name", "fast", "--read-only", "-v", "vol2:/vol", "box"]).ok();
    refused(&store, "f", "fast:/x", "container rootfs is marked read-only");
    store.rrun(&["cp", "f", "fast:/vol/again"]).ok();
    // What was copied while it was stopped is there when it runs.
    store.rrun(&["cp", "f", "off:/late"]).ok();
    store.rrun(&["cp", "off:/etc/hostname", "name"]).ok();
    assert_eq!(std::fs::read_to_string(store.path("name")).unwrap().trim().len(), 12);
    let diff = store.rrun(&["diff", "off"]);
    assert_eq!(diff.ok(), "A /late\nA /vol\n");
}

/// "-": a tar stream out, one in; one that is damaged or names what is outside changes nothing.
#[test]
fn streams() {
    need!(Need::Root, Need::Program("tar"));
    let store = bench();
    store.rrun(&["cp", "d", "run:/d"]).ok();
    let names = |from: &str| store.sh(&format!("$RRUN cp {from} - | tar t")).ok().to_owned();
    assert_eq!(names("run:/d"), "d/\nd/sub/\nd/sub/x\n");
    assert_eq!(names("run:/d/."), "./\n./sub/\n./sub/x\n");
    assert_eq!(names("run:/d/sub/x"), "x\n");
    store.sh("tar c d f | $RRUN cp - run:/tmp; tar cz f | $RRUN cp - off:/vol").ok();
    let listed = inside(&store, "run", "/tmp");
    assert!(listed.contains("./d/sub/x 77:88 644 regular file\n./f 1234:2345 640"), "{listed}");
    assert!(listed.starts_with(". 0:0 1777 directory\n"), "{listed}");
    assert!(inside(&store, "off", "/vol").contains("./f 1234:2345 640"));
    let refused = |script: &str, words: &str| {
        let ended = store.sh(script);
        assert_eq!(ended.status, 1, "{script}: {}", ended.err);
        assert!(ended.err.contains(words), "{script}: {}", ended.err);
    };
    refused("tar c f | $RRUN cp - run:/none", "destination \"run:/none\" must be a directory");
    refused("tar cP ../*/f | $RRUN cp - run:/tmp", "\"..\"");
    refused("tar c d | head -c 1500 | $RRUN cp - run:/root", "cut off");
    assert_eq!(inside(&store, "run", "/root"), ". 0:0 755 directory\n");
}

/// Holes, hard links, extended attributes and times are kept.
#[test]
fn everything_is_kept() {
    need!(Need::Root, Need::Program("tar"));
    let store = bench();
    let made = store.sh(
        "cd d; truncate -s 1G big; echo end >> big; ln sub/x hard; touch -d @1000000000.5 sub; \
         python3 -c 'import os; os.setxattr(\"sub/x\", \"user.k\", b\"v\")'",
    );
    made.ok();
    for container in ["run", "off"] {
        store.rrun(&["cp", "d", &format!("{container}:/vol/d")]).ok();
        store.rrun(&["cp", "-a", &format!("{container}:/vol/d"), container]).ok();
        let seen = |name: &str| std::fs::metadata(store.path(container).join(name)).unwrap();
        assert_eq!(seen("big").len(), (1 << 30) + 4);
        assert!(seen("big").blocks() < 1000);
        assert_eq!((seen("hard").ino(), seen("hard").nlink()), (seen("sub/x").ino(), 2));
        assert_eq!((seen("sub").mtime(), seen("sub").mtime_nsec()), (1_000_000_000, 500_000_000));
        let mut value = [0; 8];
        let path = store.path(container).join("sub/x");
        assert_eq!(rustix::fs::getxattr(path, "user.k", &mut value[..]), Ok(1));
    }
    // The stream has holes, too, and another program reads them.
    let script = "mkdir out; $RRUN cp off:/vol/d - | tar -C out --xattrs -x; stat -c %b out/d/big; \
                  tail -c 4 out/d/big; stat -c %h out/d/hard";
    let ended = store.sh(script);
    let lines: Vec<&str> = ended.ok().lines().collect();
    assert!(lines[0].parse::<u64>().unwrap() < 1000, "{lines:?}");
    assert_eq!(&lines[1..], ["end", "2"]);
}

/// CVE-2018-15664: a container that swaps a directory for a link to / while it is copied, in both
/// directions. Nothing of the host's comes out, and nothing is written to it.
#[test]
fn a_racing_renamer() {
    need!(Need::Root);
    let mut store = Store::new();
    std::fs::write(store.path("secret"), "of the host").unwrap();
    let host = store.path("").display().to_string();
    // In the container the same path leads to a file of its own.
    let script = format!(
        "mkdir -p {host} /a/in; echo mine > {host}/secret; echo mine > /a/in/secret; \
         ln -s {host} /link; while :; do mv /a/in /a/out; ln -s {host} /a/in; \
         rm /a/in; mv /a/out /a/in; done"
    );
    store.start_command("race", &[], &["sh", "-c", &script]);
    std::fs::write(store.path("payload"), "written").unwrap();
    for round in 0..60 {
        let target = format!("got{}", round % 3);
        // Whether it finds anything is a matter of luck.
        store.rrun(&["cp", "-q", "race:/a/in/secret", &target]);
        store.rrun(&["cp", "-q", "-L", "race:/a", &format!("tree{}", round % 3)]);
        store.rrun(&["cp", "-q", "payload", "race:/a/in/payload"]);
        for name in [target, format!("tree{}/in/secret", round % 3)] {
            // A link that was copied as a link leads where it leads.
            let above = store.path(&name).parent().unwrap().to_owned();
            if std::fs::symlink_metadata(above).is_ok_and(|above| above.is_symlink()) {
                continue;
            }
            if let Ok(text) = std::fs::read_to_string(store.path(&name)) {
                assert_eq!(text, "mine\n", "{name}");
            }
        }
        assert_eq!(std::fs::read_to_string(store.path("payload")).unwrap(), "written");
    }
    assert_eq!(std::fs::read_to_string(store.path("secret")).unwrap(), "of the host");
    let permissions = std::fs::metadata(store.path("secret")).unwrap().permissions();
    assert_eq!(permissions.mode() & 0o777, 0o644, "CVE-2021-41089: modes of the host's files");
}

/// Links that lead up and away end at the container's root.
#[test]
fn links_stay_inside() {
    need!(Need::Root);
    let store = bench();
    let path = store.path("").display().to_string();
    let script = format!(
        "ln -s ../../../../../../..{path} /up; ln -s {path} /abs; ln -s /proc/1/root{path} /magic; \
         mkdir -p {path}"
    );
    store.rrun(&["exec", "run", "sh", "-c", &script]).ok();
    for link in ["up", "abs"] {
        store.rrun(&["cp", "f", &format!("run:/{link}/new-{link}")]).ok();
        refused(&store, &format!("run:/{link}/d/sub/x"), "stolen", "Could not find the file");
    }
    let magic = store.rrun(&["cp", "run:/magic/d/sub/x", "stolen"]);
    assert_eq!(magic.status, 1, "{}", magic.err);
    assert!(!store.path("new-up").exists() && !store.path("new-abs").exists());
    assert!(!store.path("stolen").exists());
}

/// A stopped container cannot start while its files are copied, and a copy leaves no mount.
#[test]
fn locked_and_nothing_left() {
    need!(Need::Root);
    let store = bench();
    let before = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let ended = store.sh("$RRUN cp off:/ - 2>err | \
         (head -c 1 > /dev/null; $RRUN start -a off; echo $?; cat > /dev/null)");
    assert!(
        ended.out.ends_with("1\n") || ended.out.ends_with("125\n"),
        "{}{}",
        ended.out,
        ended.err
    );
    store.rrun(&["cp", "f", "off:/x"]).ok();
    assert_eq!(std::fs::read_to_string("/proc/self/mountinfo").unwrap(), before);
}

/// A directory that holds where the copy goes is refused, instead of filling the disk.
#[test]
fn into_itself() {
    need!(Need::Root);
    let mut store = Store::new();
    std::fs::create_dir_all(store.path("d/sub")).unwrap();
    let bind = format!("{}:/m", store.path("d").display());
    store.start("run", &["-v", &bind]);
    for (from, to) in [("d", "run:/m"), ("d/.", "run:/m/sub"), ("d/.", "run:/m")] {
        refused(&store, from, to, "a directory cannot be copied into itself");
    }
}
