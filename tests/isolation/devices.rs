//! Device rules: by a program on v2, by lines on v1.

use serde_json::json;

use crate::bundle::{Bundle, is_sandbox};

/// Opens each of the files for reading: `ok`, or `no` where that is EPERM.
const TRY: &str = "for f in $FILES; do \
    if (: < $f) 2>/tmp/e; then echo ok; \
    elif grep -q 'not permitted' /tmp/e; then echo no; else cat /tmp/e; fi; done";

fn bundle(files: &str) -> Bundle {
    let make = "mknod /tmp/kmsg c 1 11; mknod /tmp/loop b 7 0; mknod /tmp/zero c 1 5;";
    let mut bundle = Bundle::new(&format!("{make} FILES='{files}'; {TRY}"));
    bundle.capability("CAP_MKNOD");
    bundle.capability("CAP_SYSLOG");
    bundle
}

/// The default devices work; a node of another can be made and not opened, whoever owns it.
#[test]
#[ignore = "in scripts/sandbox"]
fn only_the_default_devices() {
    if !is_sandbox() {
        return;
    }
    let said = bundle("/dev/null /dev/full /dev/urandom /tmp/zero /tmp/kmsg /tmp/loop").run();
    let lines: Vec<_> = said.out.lines().collect();
    assert_eq!(lines, ["ok", "ok", "ok", "ok", "no", "no"], "{said:?}");
}

/// A rule, or a listed device, opens what it names.
#[test]
#[ignore = "in scripts/sandbox"]
fn what_the_config_gives() {
    if !is_sandbox() {
        return;
    }
    let mut ruled = bundle("/tmp/kmsg /tmp/loop");
    ruled.config["linux"]["resources"]["devices"] = json!([
        {"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"},
    ]);
    let said = ruled.run();
    assert_eq!(said.out, "ok\nno\n", "{said:?}");

    let mut listed = bundle("/dev/given /tmp/loop");
    listed.config["linux"]["devices"] =
        json!([{"path": "/dev/given", "type": "c", "major": 1, "minor": 11}]);
    let said = listed.run();
    assert_eq!(said.out, "ok\nno\n", "{said:?}");

    let mut all = bundle("/tmp/kmsg /tmp/zero");
    all.config["linux"]["resources"]["devices"] = json!([{"allow": true, "access": "rwm"}]);
    let said = all.run();
    assert_eq!(said.out, "ok\nok\n", "{said:?}");
}

/// A rule that is none is an error.
#[test]
#[ignore = "in scripts/sandbox"]
fn malformed_rules() {
    if !is_sandbox() {
        return;
    }
    let mut bundle = bundle("");
    bundle.config["linux"]["resources"]["devices"] = json!([{"allow": true, "access": "rx"}]);
    let said = bundle.run();
    assert!(said.status == 1 && said.err.contains("not made of r, w and m"), "{said:?}");
}
