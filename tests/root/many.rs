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
