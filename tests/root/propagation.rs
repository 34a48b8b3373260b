//! Propagation: of single mounts and of the root, seen from both sides.

use serde_json::json;

use crate::harness::{Bundle, at};
use crate::need;
use crate::support::Need;

/// The host's side: a shared mount with one below it.
const SHARED: &str = "mkdir -p $B/src; mount -t tmpfs t $B/src; mount --make-shared $B/src; \
    mkdir -p $B/src/sub $B/src/late; mount -t tmpfs t $B/src/sub;";

/// How mountinfo shows the propagation, without the numbers of the groups.
fn shown(table: &str, target: &str) -> String {
    let words = at(table, target).propagation;
    let words: Vec<&str> = words.iter().map(|word| word.split(':').next().unwrap()).collect();
    words.join(",")
}

/// Every word, on the mount and on what is below it; without a word a bind is private.
///
/// The kernel cannot change only what is below: with `slave` that receives too, and with `shared`
/// it stays what the source's is.
#[test]
fn words() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let source = bundle.text("src");
    let cases: [(&[&str], &str, &str); 11] = [
        (&[], "", ""),
        (&["private"], "", ""),
        (&["rprivate"], "", ""),
        (&["slave"], "master", "master"),
        (&["rslave"], "master", "master"),
        (&["shared"], "shared", "shared"),
        (&["rshared"], "shared", "shared"),
        (&["unbindable"], "unbindable", ""),
        (&["runbindable"], "unbindable", "unbindable"),
        (&["slave", "shared"], "shared,master", "master"),
        (&["rshared", "rprivate"], "", ""),
    ];
    for (index, (words, _, _)) in cases.iter().enumerate() {
        let words: Vec<&str> = ["rbind"].iter().chain(*words).copied().collect();
        bundle.bind(&source, &format!("/m{index}"), &words);
    }
    bundle.args(&["cat", "/proc/self/mountinfo"]);
    let ended = bundle.host(&format!("{SHARED} $RUN"));
    let table = ended.ok();
    for (index, (words, top, below)) in cases.into_iter().enumerate() {
        assert_eq!(shown(table, &format!("/m{index}")), top, "{words:?}");
        assert_eq!(shown(table, &format!("/m{index}/sub")), below, "{words:?}, below");
    }
    for target in ["/", "/proc", "/dev", "/sys"] {
        assert_eq!(shown(table, target), "", "{target}");
    }
}

/// A mount made in the container appears on the host where it is rshared, and only there; one
/// made on the host appears in the container where it is a slave or a peer.
#[test]
fn events() {
    need!(Need::Root);
    for (word, outward, inward) in
        [("rshared", true, true), ("rslave", false, true), ("rprivate", false, false)]
    {
        let mut bundle = Bundle::new();
        let source = bundle.text("src");
        bundle.bind(&source, "/m", &["rbind", word]);
        bundle.bind(&bundle.directory("talk"), "/talk", &["rbind"]);
        bundle.capabilities(&["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]);
        bundle.sh("mkdir /m/made; mount -t tmpfs t /m/made; touch /talk/ready; \
            while [ ! -e /talk/done ]; do usleep 1000; done; cat /proc/self/mountinfo");
        let ended = bundle.host(&format!(
            "{SHARED} $RUN > $B/table & while [ ! -e $B/talk/ready ]; do sleep 0.01; done; \
             mount -t tmpfs t $B/src/late; cat /proc/self/mountinfo; touch $B/talk/done; wait"
        ));
        let on_host = ended.ok().contains("/src/made ");
        assert_eq!(on_host, outward, "{word}: outward");
        let table = std::fs::read_to_string(bundle.path("table")).unwrap();
        assert_eq!(table.contains(" /m/late "), inward, "{word}: inward\n{table}");
    }
}

/// rootfsPropagation, where the bundle lies on a shared mount of the host.
#[test]
fn of_the_root() {
    need!(Need::Root);
    for (word, top, below) in [
        ("private", "", ""),
        ("rprivate", "", ""),
        ("slave", "master", ""),
        ("rslave", "master", "master"),
        ("shared", "shared", ""),
        ("rshared", "shared", "shared"),
        ("unbindable", "unbindable", ""),
        ("runbindable", "unbindable", "unbindable"),
    ] {
        let mut bundle = Bundle::new();
        bundle.config["linux"]["rootfsPropagation"] = json!(word);
        std::fs::create_dir(bundle.root("sub")).unwrap();
        bundle.args(&["cat", "/proc/self/mountinfo"]);
        let ended = bundle.host(
            "mount --bind $B $B; mount --make-shared $B; cd $B; mount -t tmpfs t $B/rootfs/sub; \
             $RUN",
        );
        let table = ended.ok();
        assert_eq!(shown(table, "/"), top, "{word}");
        if word != "slave" {
            assert_eq!(shown(table, "/sub"), below, "{word}, below");
        }
    }
}

/// With `shared` a mount that the container makes in its root stays its own, all the same.
#[test]
fn a_shared_root_is_no_peer_of_the_host() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.config["linux"]["rootfsPropagation"] = json!("rshared");
    bundle.capabilities(&["CAP_SYS_ADMIN"]);
    bundle.sh("mount -t tmpfs t /tmp && grep ' /tmp ' /proc/self/mountinfo");
    let ended =
        bundle.host("mount --bind $B $B; mount --make-shared $B; $RUN; cat /proc/self/mountinfo");
    assert_eq!(shown(ended.ok(), "/tmp"), "shared");
    assert!(!ended.out.contains("/rootfs/tmp "), "{}", ended.out);
}

/// A word that is none is refused before anything is done.
#[test]
fn unknown_word() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.config["linux"]["rootfsPropagation"] = json!("sideways");
    bundle.run().refused("\"sideways\" is no mount propagation");
}
