//! Many mounts: no descriptor is held for them.

use crate::harness::Bundle;
use crate::need;
use crate::support::Need;

/// 5,000 binds with 64 descriptors.
#[test]
fn five_thousand_binds() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let source = bundle.directory("src");
    for number in 0..5000 {
        let words: &[&str] = if number % 2 == 0 { &["rbind"] } else { &["bind", "ro", "nosuid"] };
        bundle.bind(&source, &format!("/m/{number}"), words);
    }
    bundle.config["process"]["rlimits"] = serde_json::json!([]);
    bundle.sh("grep -c ' /m/' /proc/self/mountinfo; ulimit -n; touch /m/4998/x && touch /m/4999/x");
    let ended = bundle.host("ulimit -n 64; $RUN");
    assert_eq!(ended.out, "5000\n64\n", "{}", ended.err);
    assert!(ended.err.contains("Read-only file system"), "{}", ended.err);
}

/// In a user namespace the host opens all sources before the clone: with more binds than the soft
/// limit has descriptors. The process has its caller's limit, or that of the config.
#[test]
fn more_binds_than_descriptors_in_a_user_namespace() {
    need!(Need::Root, Need::UserNamespaces);
    for limit in [None, Some(500)] {
        let mut bundle = Bundle::new();
        bundle.namespace("user");
        let source = bundle.directory("src");
        for number in 0..2000 {
            bundle.bind(&source, &format!("/m/{number}"), &["rbind"]);
        }
        bundle.config["process"]["rlimits"] = match limit {
            None => serde_json::json!([]),
            Some(limit) => {
                serde_json::json!([{"type": "RLIMIT_NOFILE", "soft": limit, "hard": limit}])
            }
        };
        bundle.sh("grep -c ' /m/' /proc/self/mountinfo; ulimit -n");
        let ended = bundle.host("ulimit -Sn 256; $RUN");
        assert_eq!(ended.ok(), format!("2000\n{}\n", limit.unwrap_or(256)));
    }
}
