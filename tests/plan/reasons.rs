//! Every step says why it is there, in words of its own, and every call is written for people.

use rrun::config::path::HostPath;
use rrun::plan::step::{Plan, Step};
use rrun::say::call::call;
use serde_json::json;

use crate::plan_of::Case;

/// Plans that between them have most kinds of steps.
fn plans() -> Vec<Plan> {
    let rows = json!([{"containerID": 0, "hostID": 1000, "size": 10}]);
    let mut mapped = json!({
        "destination": "/t", "type": "bind", "source": "/src", "options": ["rbind", "ro", "idmap"],
    });
    mapped["uidMappings"] = rows.clone();
    mapped["gidMappings"] = rows;
    let hook = json!([{"path": "/hooks/x"}]);
    let full = Case::runc()
        .with_mount("-v /src:/t:ro", mapped)
        .with("/hooks/createRuntime", hook.clone())
        .with("/hooks/poststart", hook)
        .with("/linux/sysctl", json!({"net.ipv4.ip_forward": "1"}))
        .with("/process/oomScoreAdj", json!(100))
        .with("/process/ioPriority", json!({"class": "IOPRIO_CLASS_BE", "priority": 3}))
        .with("/linux/personality", json!({"domain": "LINUX32"}))
        .with("/domainname", json!("d"))
        .with("/process/cwd", json!("/work"))
        .with("/linux/rootfsPropagation", json!("rshared"));
    let joined = Case::runc()
        .with_namespace("pid", Some("/proc/1/ns/pid"))
        .with_namespace("network", Some("/proc/1/ns/net"));
    vec![
        full.plan(),
        joined.plan(),
        Case::runc().in_user_namespace().plan(),
        Case::runc().on((5, 12)).on_layers(&["a"]).plan(),
        Case::runc().on_layers(&["b", "a"]).plan(),
    ]
}

fn every(mut check: impl FnMut(&Step, &str)) {
    for plan in plans() {
        for step in &plan.steps {
            check(step, &call(&step.op));
        }
    }
}

/// A reason is a sentence about the user's wish or the kernel: no empty words, no call in it.
#[test]
fn reasons_are_no_paraphrase() {
    every(|step, call| {
        let because = step.because;
        assert!(because.split_whitespace().count() >= 3, "{call}: {because:?} says too little");
        assert!(!because.ends_with('.') && because.trim() == because, "{because:?}");
        let first = because.split_whitespace().next().unwrap_or_default();
        assert!(
            first.chars().next().is_some_and(|c| !c.is_uppercase())
                || first.chars().nth(1).is_some_and(|c| c.is_uppercase() || !c.is_alphabetic()),
            "{because:?} begins like a sentence"
        );
        // A paraphrase has the words of the call, whichever way they are put.
        let words = |text: &str| -> Vec<String> {
            let split = text.split(|c: char| !c.is_alphanumeric());
            split.filter(|word| word.len() > 3).map(str::to_lowercase).collect()
        };
        let (mine, its) = (words(because), words(call));
        let new = mine.iter().filter(|word| !its.contains(word)).count();
        assert!(new * 2 > mine.len(), "{call}: {because:?} only repeats it");
    });
}

/// A call looks like one: a name and its arguments, never the debug form of an operation.
#[test]
fn calls_are_written_out() {
    every(|_, call| {
        let name = call.split('(').next().unwrap_or_default();
        assert!(!name.is_empty() && name.chars().all(|c| !c.is_uppercase()), "{call}");
        assert!(call.contains('(') && !call.contains("Slot("), "{call}");
    });
}

/// What asked for a step can be found: a flag, a place in the config, or every container's default.
#[test]
fn origins_lead_somewhere() {
    every(|step, call| {
        let origin = step.origin.to_string();
        let known = origin == "default" || origin.starts_with(['/', '-']);
        assert!(known, "{call}: {origin:?}");
    });
}

/// A path that is no text is shown, and the JSON says that it cannot hold it.
#[test]
fn a_path_that_is_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let odd = std::path::Path::new(std::ffi::OsStr::from_bytes(b"/odd\xff"));
    let mut case = Case::bare();
    case.root = rrun::plan::compile::RootSource::Directory(HostPath::new(odd));
    let json = rrun::say::explain::json(&case.plan(), rrun::say::steps::Steps::All);
    let steps = json["steps"].as_array().unwrap();
    let root = steps.iter().find(|step| step["call"].as_str().unwrap().starts_with("open_tree"));
    let root = root.unwrap();
    assert!(root["op"].is_null() && root["call"].as_str().unwrap().contains("/odd\u{fffd}"));
}

/// A reason that several steps share is told once, with their numbers; none gets lost.
#[test]
fn a_shared_reason_is_told_once() {
    use rrun::say::paint::Style;
    use rrun::say::steps::Steps;
    for plan in plans() {
        let text = rrun::say::explain::text(&plan, Steps::All, Style::plain(1000));
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            assert_ne!(pair[0], pair[1], "{text}");
        }
        for step in &plan.steps {
            let told = |line: &&str| {
                **line == *step.because || line.ends_with(&format!(": {}", step.because))
            };
            assert!(lines.iter().any(told), "{}", step.because);
        }
    }
}

/// Who may mount in the container can take a read-only mount's flag away: that is told.
#[test]
fn read_only_is_no_lock_against_cap_sys_admin() {
    let volume = json!({
        "destination": "/data", "type": "bind", "source": "/src", "options": ["rbind", "ro"],
    });
    let case = |names: &[&str]| {
        let sets = json!({ "bounding": names, "permitted": names, "effective": names });
        Case::bare()
            .with_mount("-v data:/data:ro", volume.clone())
            .with("/process/capabilities", sets)
    };
    let notes =
        |case: Case| rrun::say::notes::notes(&case.with("/root/readonly", json!(false)).plan());
    let told = notes(case(&["CAP_CHOWN", "CAP_SYS_ADMIN"]));
    assert_eq!(
        told,
        ["the container keeps CAP_SYS_ADMIN, with which it can make writable again what is \
             mounted read-only here: -v data:/data:ro"]
    );
    assert!(notes(case(&["CAP_CHOWN"])).is_empty());
    let sets = json!({ "bounding": ["CAP_SYS_ADMIN"] });
    assert!(notes(Case::bare().with("/process/capabilities", sets)).is_empty());
}
