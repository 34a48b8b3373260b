//! Idmapped mounts: owners as the container and as the host see them.

use serde_json::json;

use crate::harness::Bundle;
use crate::need;
use crate::support::Need;

/// A source with an owner each in the mount and in the one below it. The store of ids on disk is
/// 0, 1000 and 5.
const SOURCE: &str = "mkdir -p $B/src; touch $B/src/root $B/src/app; chown 1000:1000 $B/src/app; \
    chmod 777 $B/src; mkdir $B/src/sub; mount -t tmpfs -o mode=777 t $B/src/sub; \
    touch $B/src/sub/root;";

const OWNERS: &str = "cd /m; stat -c '%n %u:%g' root app sub/root; touch new sub/new; \
    stat -c '%n %u:%g' new sub/new";

fn rows(inside: u32, outside: u32, size: u32) -> serde_json::Value {
    json!([{"containerID": inside, "hostID": outside, "size": size}])
}

fn mapped(bundle: &mut Bundle, words: &[&str], rows: &serde_json::Value) {
    let source = bundle.text("src");
    bundle.mount(json!({
        "type": "bind", "source": source, "destination": "/m", "options": words,
        "uidMappings": rows, "gidMappings": rows,
    }));
}

/// Owners on the host's file system (where the bundle is) and on a tmpfs, without a user
/// namespace: what is 0 on disk is 100000 inside; what root inside cannot map it cannot make.
#[test]
fn without_a_user_namespace() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    mapped(&mut bundle, &["rbind", "ridmap"], &rows(0, 100_000, 65_536));
    bundle.config["process"]["user"] = json!({"uid": 100_000, "gid": 100_000});
    bundle.sh(OWNERS);
    let ended = bundle.host(&format!(
        "{SOURCE} $RUN; stat -c '%n %u:%g' $B/src/new $B/src/sub/new | sed s,.*/src/,,"
    ));
    assert_eq!(
        ended.ok(),
        "root 100000:100000\napp 101000:101000\nsub/root 100000:100000\n\
         new 100000:100000\nsub/new 100000:100000\nnew 0:0\nsub/new 0:0\n"
    );
}

/// `idmap` leaves what is below alone, `ridmap` reaches it; a mapping without either word is
/// `idmap`.
#[test]
fn reach() {
    need!(Need::Root);
    for (words, below) in [
        (&["rbind", "idmap"][..], "0:0"),
        (&["rbind"], "0:0"),
        (&["rbind", "ridmap"], "100000:100000"),
    ] {
        let mut bundle = Bundle::new();
        mapped(&mut bundle, words, &rows(0, 100_000, 65_536));
        bundle.sh("cd /m; stat -c %u:%g root sub/root");
        let ended = bundle.host(&format!("{SOURCE} $RUN"));
        assert_eq!(ended.ok(), format!("100000:100000\n{below}\n"), "{words:?}");
    }
}

/// In a user namespace an idmap with the container's own mapping shows owners as they are on
/// disk; without it they are nobody's.
#[test]
fn with_the_container_s_own_mapping() {
    need!(Need::Root);
    for (word, want) in [("idmap", "0:0\n1000:1000\n"), ("rw", "65534:65534\n65534:65534\n")] {
        let mut bundle = Bundle::new();
        bundle.namespace("user").namespace("network");
        bundle.config["linux"]["uidMappings"] = rows(0, 200_000, 65_536);
        bundle.config["linux"]["gidMappings"] = rows(0, 200_000, 65_536);
        std::fs::create_dir(bundle.root("m")).unwrap();
        let source = bundle.text("src");
        bundle.bind(&source, "/m", &["bind", word]);
        bundle.sh("cd /m; stat -c %u:%g root app");
        let ended = bundle.host(&format!("{SOURCE} $RUN"));
        assert_eq!(ended.ok(), want, "{word}");
    }
}

/// Different mappings for different mounts, and no descriptor of a namespace is left open.
#[test]
fn a_mapping_each() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let source = bundle.text("src");
    for number in 1..=3_u32 {
        let rows = rows(0, number * 100_000, 65_536);
        bundle.mount(json!({
            "type": "bind", "source": source, "destination": format!("/m{number}"),
            "options": ["bind", "idmap"], "uidMappings": rows, "gidMappings": rows,
        }));
    }
    bundle.sh("stat -c %u /m1/root /m2/root /m3/root; ls /proc/self/fd");
    let ended = bundle.host(&format!("{SOURCE} $RUN"));
    assert_eq!(ended.ok(), "100000\n200000\n300000\n0\n1\n2\n3\n", "3 is that of ls");
}

/// Without a mapping and without a user namespace there is nothing to map by.
#[test]
fn no_mapping() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.bind(&bundle.directory("src"), "/m", &["bind", "idmap"]).args(&["true"]);
    bundle.run().refused("idmap needs uidMappings and gidMappings");
}

/// A file system that knows no idmapped mounts says so.
#[test]
fn unsupported_file_system() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let rows = rows(0, 100_000, 65_536);
    bundle.mount(json!({
        "type": "bind", "source": "/proc/sys", "destination": "/m", "options": ["bind", "idmap"],
        "uidMappings": rows, "gidMappings": rows,
    }));
    bundle.args(&["true"]);
    bundle.run().refused("Invalid argument");
}
