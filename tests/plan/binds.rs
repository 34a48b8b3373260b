//! Bind mounts: who opens the source, what is set while it is detached, and in which order.

use rrun::plan::error::CompileError;
use rrun::plan::step::{Op, Step};
use serde_json::{Value, json};

use crate::plan_of::Case;
use crate::sequence::{asked_for, changes, names};

fn bind(options: &[&str]) -> Value {
    json!({"destination": "/t", "type": "bind", "source": "/src", "options": options})
}

fn steps_and_changes(case: Case, mount: Value) -> (String, Vec<String>) {
    let plan = case.with_mount("it", mount).plan();
    let steps = asked_for(&plan, "it");
    (names(steps.iter().copied()), changes(steps))
}

/// A request becomes steps of its own, all before the tree can be seen.
#[test]
fn attributes_are_set_between_the_copy_and_the_attach() {
    let cases: [(&[&str], &str, &[&str]); 10] = [
        // options      steps, by the kernel's names; what they change
        (&["bind"], "open_tree mount_setattr openat2 move_mount", &["{propagation=MS_PRIVATE}"]),
        (
            &["bind", "ro"],
            "open_tree mount_setattr openat2 move_mount",
            &["{attr_set=RDONLY, attr_clr=NOSYMFOLLOW, propagation=MS_PRIVATE}"],
        ),
        (
            &["rbind"],
            "open_tree mount_setattr openat2 move_mount",
            &["AT_RECURSIVE, {propagation=MS_PRIVATE}"],
        ),
        (
            &["rbind", "ro"],
            "open_tree mount_setattr mount_setattr openat2 move_mount",
            &["AT_RECURSIVE, {propagation=MS_PRIVATE}", "{attr_set=RDONLY, attr_clr=NOSYMFOLLOW}"],
        ),
        (
            &["rbind", "rro"],
            "open_tree mount_setattr openat2 move_mount",
            &["AT_RECURSIVE, {attr_set=RDONLY, propagation=MS_PRIVATE}"],
        ),
        (
            &["rbind", "rro", "rw"],
            "open_tree mount_setattr mount_setattr openat2 move_mount",
            &[
                "AT_RECURSIVE, {attr_set=RDONLY, propagation=MS_PRIVATE}",
                "{attr_clr=RDONLY|NOSYMFOLLOW}",
            ],
        ),
        (
            &["bind", "nosuid", "nodev", "noexec", "nosymfollow"],
            "open_tree mount_setattr openat2 move_mount",
            &["{attr_set=NOSUID|NODEV|NOEXEC|NOSYMFOLLOW, propagation=MS_PRIVATE}"],
        ),
        (
            &["bind", "noatime"],
            "open_tree mount_setattr openat2 move_mount",
            &["{attr_set=NOATIME, attr_clr=NOSYMFOLLOW|_ATIME, propagation=MS_PRIVATE}"],
        ),
        (
            &["bind", "strictatime", "nodiratime"],
            "open_tree mount_setattr openat2 move_mount",
            &["{attr_set=NODIRATIME|STRICTATIME, attr_clr=NOSYMFOLLOW|_ATIME, \
                 propagation=MS_PRIVATE}"],
        ),
        (
            &["rbind", "rnoatime"],
            "open_tree mount_setattr openat2 move_mount",
            &["AT_RECURSIVE, {attr_set=NOATIME, attr_clr=_ATIME, propagation=MS_PRIVATE}"],
        ),
    ];
    for (options, steps, change) in cases {
        let seen = steps_and_changes(Case::bare(), bind(options));
        assert_eq!((seen.0.as_str(), seen.1), (steps, strings(change)), "{options:?}");
    }
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The kernel's own type for each word; a shared source must be cloned from the host's namespace,
/// because the child's is a slave of it already.
///
/// The kernel reaches one mount or all: `slave` makes those below slaves, too, and `shared` leaves
/// them as they are. Nothing but `shared` leaves a mount below in the host's peer group.
#[test]
fn propagation_is_set_while_detached() {
    let all_private = "AT_RECURSIVE, {propagation=MS_PRIVATE}";
    let private = "{propagation=MS_PRIVATE}";
    let cases: [(&str, &str, &[&str], &[&str]); 8] = [
        // word, who acts, what changes with rbind, what changes with bind
        ("private", "", &[all_private], &[private]),
        ("rprivate", "", &[all_private], &[private]),
        ("slave", "", &["AT_RECURSIVE, {propagation=MS_SLAVE}"], &["{propagation=MS_SLAVE}"]),
        ("rslave", "", &["AT_RECURSIVE, {propagation=MS_SLAVE}"], &["{propagation=MS_SLAVE}"]),
        ("shared", "host:", &["{propagation=MS_SHARED}"], &["{propagation=MS_SHARED}"]),
        (
            "rshared",
            "host:",
            &["AT_RECURSIVE, {propagation=MS_SHARED}"],
            &["{propagation=MS_SHARED}"],
        ),
        (
            "unbindable",
            "",
            &[all_private, "{propagation=MS_UNBINDABLE}"],
            &[private, "{propagation=MS_UNBINDABLE}"],
        ),
        (
            "runbindable",
            "",
            &["AT_RECURSIVE, {propagation=MS_UNBINDABLE}"],
            &["{propagation=MS_UNBINDABLE}"],
        ),
    ];
    for (word, who, recursive, single) in cases {
        for (bind_word, change) in [("rbind", recursive), ("bind", single)] {
            let seen = steps_and_changes(Case::bare(), bind(&[bind_word, word]));
            let set = format!("{who}mount_setattr ").repeat(change.len());
            let steps = format!("{who}open_tree {set}openat2 move_mount");
            assert_eq!(seen, (steps, strings(change)), "{bind_word} {word}");
        }
    }
}

/// Each word is a change of its own, in the order given: a slave can be shared as well.
#[test]
fn several_words_of_propagation() {
    let change = |words: &[&str]| steps_and_changes(Case::bare(), bind(words)).1;
    assert_eq!(
        change(&["rbind", "slave", "shared"]),
        ["AT_RECURSIVE, {propagation=MS_SLAVE}", "{propagation=MS_SHARED}"]
    );
    assert_eq!(
        change(&["rbind", "rshared", "rprivate"]),
        ["AT_RECURSIVE, {propagation=MS_SHARED}", "AT_RECURSIVE, {propagation=MS_PRIVATE}"]
    );
}

/// MOUNT_ATTR_NOSYMFOLLOW is Linux 5.14: before it must not be named, also not to be cleared.
#[test]
fn an_older_kernel_is_not_asked_for_newer_flags() {
    let case = Case::bare().on((5, 12));
    let seen = steps_and_changes(case, bind(&["bind", "ro"]));
    assert_eq!(seen.1, ["{attr_set=RDONLY, propagation=MS_PRIVATE}"]);
}

/// The mapping comes from a user namespace made for it, before the clone.
#[test]
fn idmapped_mounts() {
    let rows = json!([{"containerID": 0, "hostID": 1000, "size": 10}]);
    let mapped = |options: &[&str]| {
        let mut mount = bind(options);
        mount["uidMappings"] = rows.clone();
        mount["gidMappings"] = rows.clone();
        mount
    };
    let early = "host:clone3 host:open_tree host:mount_setattr host:mount_setattr openat2 \
                 move_mount";
    let cases: [(&[&str], &str, &str); 3] = [
        (&["rbind", "idmap"], early, ""),
        (&["rbind", "ridmap"], early, "AT_RECURSIVE, "),
        // The rows alone ask for it, too.
        (&["rbind"], "host:clone3 open_tree mount_setattr mount_setattr openat2 move_mount", ""),
    ];
    for (options, steps, recursive) in cases {
        let plan = Case::bare().with_mount("it", mapped(options)).plan();
        let seen = asked_for(&plan, "it");
        assert_eq!(names(seen.iter().copied()), steps, "{options:?}");
        let change = changes(seen).pop().unwrap();
        let wanted = format!("{recursive}{{attr_set=IDMAP, userns_fd=#");
        assert!(change.starts_with(&wanted), "{options:?}: {change}");
    }
}

/// One user namespace serves all mounts with the same mapping.
#[test]
fn one_user_namespace_for_each_mapping() {
    let mapped = |host: u32| {
        let mut mount = bind(&["rbind", "idmap"]);
        let rows = json!([{"containerID": 0, "hostID": host, "size": 10}]);
        mount["uidMappings"] = rows.clone();
        mount["gidMappings"] = rows;
        mount
    };
    let mut case = Case::bare();
    for host in [1000, 2000, 1000, 1000, 2000] {
        case = case.with_mount("it", mapped(host));
    }
    let plan = case.plan();
    let made = plan.steps.iter().filter(|step| matches!(step.op, Op::NewIdmap { .. })).count();
    let given = |step: &&Step| match &step.op {
        Op::SetAttributes { change, .. } => change.idmap.is_some(),
        _ => false,
    };
    assert_eq!((made, plan.steps.iter().filter(given).count()), (2, 5));
}

/// Without rows the mapping is that of the container's user namespace, new or joined.
#[test]
fn idmap_of_the_containers_own_user_namespace() {
    let early = |first: &str| {
        format!("{first} host:open_tree host:mount_setattr host:mount_setattr openat2 move_mount")
    };
    let new = Case::bare().in_user_namespace();
    let joined = Case::bare().with_namespace("user", Some("/proc/1/ns/user"));
    let idmap = || bind(&["rbind", "idmap"]);
    assert_eq!(steps_and_changes(new, idmap()).0, early("host:clone3"));
    assert_eq!(steps_and_changes(joined, idmap()).0, early("host:open"));
    let refused = Case::bare().with_mount("it", idmap()).try_plan();
    assert_eq!(refused, Err(CompileError::NoMapping { origin: "it".into(), word: "idmap" }));
}

/// Where a source lies decides who looks it up, and when.
#[test]
fn sources() {
    let usual = "mount_setattr openat2 move_mount";
    let in_order = format!("open_tree {usual}");
    let cases = [
        ("of the host", Case::bare().with_mount("it", bind(&["rbind"])), in_order.clone()),
        (
            "in the root",
            Case::bare().with_mount("it", bind(&["rbind"])).source_in_root("/in"),
            in_order.clone(),
        ),
        (
            "in the root, in a user namespace",
            Case::bare()
                .in_user_namespace()
                .with_mount("it", bind(&["rbind"]))
                .source_in_root("/in"),
            in_order.clone(),
        ),
        (
            "below a volume",
            Case::bare().with_mount("it", bind(&["rbind"])).source_beneath("/v", "sub/path"),
            in_order,
        ),
        (
            "of the host, in a user namespace",
            Case::bare().in_user_namespace().with_mount("it", bind(&["rbind"])),
            "host:open_tree host:mount_setattr openat2 move_mount".into(),
        ),
        (
            "of the host, in a joined mount namespace",
            Case::bare()
                .with_namespace("mount", Some("/proc/1/ns/mnt"))
                .with_mount("it", bind(&["rbind"])),
            "host:open_tree host:mount_setattr openat2 move_mount".into(),
        ),
    ];
    for (what, case, steps) in cases {
        let plan = case.plan();
        assert_eq!(names(asked_for(&plan, "it")), steps, "{what}");
    }
}

/// The lookup itself: in the root below its descriptor, in a volume without links and never out.
#[test]
fn sources_are_looked_up_where_they_lie() {
    let first_call = |case: Case| rrun::say::call::call(&asked_for(&case.plan(), "it")[0].op);
    let one = || Case::bare().with_mount("it", bind(&["rbind"]));
    let cases = [
        (one(), "open_tree(\"/src\", OPEN_TREE_CLONE|AT_RECURSIVE)"),
        (
            one().source_in_root("/in/side"),
            "open_tree(openat2(#0, \"/in/side\", RESOLVE_IN_ROOT), OPEN_TREE_CLONE|AT_RECURSIVE)",
        ),
        (
            one().source_beneath("/v/_data", "sub/path"),
            "open_tree(openat2(\"/v/_data\", \"sub/path\", RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS), \
             OPEN_TREE_CLONE|AT_RECURSIVE)",
        ),
    ];
    for (case, call) in cases {
        assert_eq!(first_call(case), call);
    }
}

/// A source in the root that an earlier mount brings is looked up after that mount.
#[test]
fn sources_in_the_root_keep_the_listed_order() {
    let tmpfs = json!({"destination": "/a", "type": "tmpfs", "source": "tmpfs"});
    let plan = Case::bare()
        .with_mount("first", tmpfs)
        .with_mount("it", bind(&["rbind"]))
        .source_in_root("/a/b")
        .plan();
    let at = |origin: &str| plan.steps.iter().position(|s| s.origin.to_string() == origin);
    let last = plan.steps.iter().rposition(|s| s.origin.to_string() == "first");
    assert!(at("it") > last && last.is_some());
}

/// A mount on `/` becomes the root of everything after it.
#[test]
fn a_mount_on_the_root_replaces_it() {
    let mut over = bind(&["rbind"]);
    over["destination"] = json!("/");
    let plan = Case::bare().with_mount("over", over).with_mount("it", bind(&["bind"])).plan();
    let tree = match asked_for(&plan, "over")[0].op {
        rrun::plan::Op::CloneTree { tree, .. } => tree,
        _ => panic!("a bind begins with its clone"),
    };
    let pins: Vec<_> = asked_for(&plan, "it")
        .into_iter()
        .filter_map(|step| match step.op {
            rrun::plan::Op::Pin { root, .. } => Some(root),
            _ => None,
        })
        .collect();
    assert_eq!(pins, [tree]);
}

/// V1.42: nothing is mounted over the kernel's own view, but for the known files.
#[test]
fn mounts_inside_proc_are_refused() {
    let onto = |target: &str, kind: &str| {
        let mut mount = bind(&["bind"]);
        if kind != "bind" {
            mount = json!({"type": kind, "source": kind});
        }
        mount["destination"] = json!(target);
        Case::bare().with_mount("it", mount).try_plan().map(drop)
    };
    for target in
        ["/proc/1", "/proc/self/attr", "/proc//sys/", "/proc/x/../sys/kernel", "/a/../proc/1"]
    {
        let refusal = onto(target, "bind").unwrap_err().to_string();
        assert!(refusal.ends_with("cannot be mounted because it is inside /proc"), "{refusal}");
    }
    for file in ["cpuinfo", "meminfo", "stat", "uptime", "loadavg", "sys/kernel/ns_last_pid"] {
        assert_eq!(onto(&format!("/proc/{file}"), "bind"), Ok(()), "{file}");
        assert!(onto(&format!("/proc/{file}"), "tmpfs").is_err(), "{file}");
    }
    assert_eq!(onto("/proc", "bind"), Ok(()));
    assert_eq!(onto("/process", "bind"), Ok(()));
}

/// Only a procfs may stand in for procfs, and that is checked on the tree itself.
#[test]
fn a_bind_onto_proc_is_checked() {
    let mut mount = bind(&["rbind"]);
    mount["destination"] = json!("/proc");
    let seen = steps_and_changes(Case::bare(), mount);
    assert_eq!(seen.0, "open_tree fstatfs mount_setattr openat2 move_mount");
}
