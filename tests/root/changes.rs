//! `rrun diff`, `commit`, `export`: what a container has changed.

use crate::container::Store;
use crate::need;
use crate::support::Need;

/// What of everything a container can do to its files.
const WORK: &str = "echo new > /tmp/new; mkdir -p /n/deep; echo x > /n/deep/x; rm /etc/gone; \
    rm -r /opt/tree; chmod 700 /srv; touch -d @5 /etc/passwd; rm -r /opq; mkdir /opq; \
    echo y > /opq/y; rm -r /same; mkdir /same; chmod 755 /same; rm /file; mkdir /file; \
    echo v > /vol/v; ln -s a /n/link; chown 7:8 /n/deep; cat /lib/kept > /dev/null";

const ROOT: &str = "mkdir -p $R/opt/tree/sub $R/srv $R/opq/old $R/same $R/lib; \
    echo g > $R/etc/gone; echo f > $R/file; echo k > $R/lib/kept; echo o > $R/opq/z; \
    chmod 755 $R/srv $R/same $R/opq";

fn worked() -> Store {
    let mut store = Store::with_root(ROOT);
    store.start("one", &["-v", "vol:/vol"]);
    store.rrun(&["exec", "one", "sh", "-c", WORK]).ok();
    store
}

const CHANGES: &str = "C /etc\nD /etc/gone\nC /etc/passwd\nC /file\nA /n\nA /n/deep\n\
    A /n/deep/x\nA /n/link\nC /opq\nD /opq/old\nA /opq/y\nD /opq/z\nC /opt\nD /opt/tree\n\
    C /srv\nC /tmp\nA /tmp/new\nA /vol\n";

/// A line a change as Docker has it, while the container runs and when it has ended; what its
/// start made for its mounts is none.
#[test]
fn diff() {
    need!(Need::Root, Need::Program("tar"));
    let store = worked();
    assert_eq!(store.rrun(&["diff", "one"]).ok(), CHANGES);
    store.rrun(&["stop", "-t", "0", "one"]).ok();
    assert_eq!(store.rrun(&["container", "diff", "one"]).ok(), CHANGES);
    store.rrun(&["create", "--name", "two", "box"]).ok();
    assert_eq!(store.rrun(&["diff", "two"]).ok(), "");
    let missing = store.rrun(&["diff", "nobody"]);
    assert_eq!(missing.status, 1);
    assert!(missing.err.contains("No such container: nobody"), "{}", missing.err);
}

/// An image of the changes: containers of it see them, and nothing of the volume.
#[test]
fn commit() {
    need!(Need::Root, Need::Program("tar"));
    let store = worked();
    let made = store.rrun(&[
        "commit",
        "-m",
        "why",
        "-a",
        "who",
        "-c",
        "CMD [\"cat\", \"/opq/y\"]",
        "-c",
        "ENV A=1",
        "one",
        "img:t",
    ]);
    assert!(made.ok().starts_with("sha256:"), "{}", made.out);
    let inspect =
        "{{.Author}} {{.Comment}} {{json .Config.Cmd}} {{eq (index .Config.Env 1) \"A=1\"}}";
    let seen = store.rrun(&["image", "inspect", "-f", inspect, "img:t"]);
    assert_eq!(seen.ok(), "who why [\"cat\",\"/opq/y\"] true\n");
    assert_eq!(store.rrun(&["run", "--rm", "img:t"]).ok(), "y\n");
    let look = "ls /opq /opt /n/deep /vol /etc; stat -c '%a' /srv; stat -c %u:%g /n/deep; \
                test -d /file && readlink /n/link; stat -c %Y /etc/passwd; cat /lib/kept";
    let seen = store.rrun(&["run", "--rm", "--name", "look", "img:t", "sh", "-c", look]);
    let out = seen.ok();
    assert!(out.starts_with("/etc:\n"), "{out}");
    assert!(!out.contains("gone") && !out.contains("tree") && !out.contains("old"), "{out}");
    assert!(out.contains("/vol:\n") && !out.contains("/vol:\nv"), "{out}");
    assert!(out.ends_with("700\n7:8\na\n5\nk\n"), "{out}");
    // It went on meanwhile, and a second image of the same is the same layer.
    store.rrun(&["exec", "one", "true"]).ok();
    let layers = "{{json .RootFS.Layers}}";
    store.rrun(&["commit", "--pause=false", "one", "again"]).ok();
    let layers_of = |image: &str| store.rrun(&["image", "inspect", "-f", layers, image]);
    assert_eq!(layers_of("again").ok(), layers_of("img:t").ok());
    // Of a container of that image, one more.
    store.rrun(&["create", "--name", "two", "img:t"]).ok();
    store.rrun(&["cp", "-q", "/etc/hostname", "two:/third"]).ok();
    store.rrun(&["commit", "two", "img:u"]).ok();
    let third = store.rrun(&["run", "--rm", "img:u", "cat", "/third"]);
    assert_eq!(third.ok(), std::fs::read_to_string("/etc/hostname").unwrap());
    let refused = store.rrun(&["commit", "-c", "RUN x", "one"]);
    assert_eq!(refused.status, 1);
    assert!(refused.err.contains("RUN is not a valid change command"), "{}", refused.err);
}

/// V6.13: the root as it is, running and not, without what is mounted in it; another program
/// reads it, and it makes an image.
#[test]
fn export() {
    need!(Need::Root, Need::Program("tar"));
    let store = worked();
    let list = "$RRUN export one | tar t | grep -E '^(opq|vol|etc/gone|n|proc|dev)/?' | \
                grep -v '^proc/.' | grep -v ^dev/.";
    let want = "dev/\nn/\nn/deep/\nn/deep/x\nn/link\nopq/\nopq/y\nproc/\nvol/\n";
    assert_eq!(store.sh(list).ok(), want);
    store.rrun(&["export", "-o", "one.tar", "one"]).ok();
    store.rrun(&["stop", "-t", "0", "one"]).ok();
    assert_eq!(store.sh(list).ok(), want);
    store.sh("$RRUN import one.tar flat && $RRUN run --rm flat cat /opq/y").says(&["y\n"]);
    let missing = store.rrun(&["export", "nobody"]);
    assert_eq!(missing.status, 1);
}
