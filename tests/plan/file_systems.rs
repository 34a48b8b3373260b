//! File systems that are made new, and the cgroup mount, which is what the host has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rrun::config::cgroup::layout::{CgroupHost, Hierarchy, Unified, Version};
use rrun::config::cgroup::site::Site;
use rrun::plan::input::{CgroupDirectory, CgroupRequest};
use rrun::plan::step::{Missing, Op};
use rrun::sys::path::Links;
use serde_json::{Value, json};

use crate::plan_of::Case;
use crate::sequence::{asked_for, changes, names};

fn of(kind: &str, target: &str, options: &[&str]) -> Value {
    json!({"destination": target, "type": kind, "source": kind, "options": options})
}

/// Each parameter is a step of its own; attributes are there from fsmount on.
#[test]
fn new_file_systems() {
    let cases: [(&str, &str, &[&str], &str); 9] = [
        ("proc", "/proc", &[], "openat2 fsopen fsconfig:source create fsmount move_mount"),
        ("sysfs", "/sys", &["ro"], "openat2 fsopen fsconfig:source create fsmount move_mount"),
        ("mqueue", "/dev/mqueue", &[], "openat2 fsopen fsconfig:source create fsmount move_mount"),
        (
            "devpts",
            "/dev/pts",
            &["newinstance", "ptmxmode=0666", "gid=5"],
            "openat2 fsopen fsconfig:source fsconfig:newinstance fsconfig:ptmxmode fsconfig:gid \
             create fsmount move_mount",
        ),
        (
            "tmpfs",
            "/t",
            &[],
            "openat2 fsopen fsconfig:source fsconfig:mode=target's create fsmount move_mount",
        ),
        (
            "tmpfs",
            "/t",
            &["mode=700", "size=1m"],
            "openat2 fsopen fsconfig:source fsconfig:mode fsconfig:size create fsmount move_mount",
        ),
        (
            "tmpfs",
            "/t",
            &["ro"],
            "openat2 fsopen fsconfig:source fsconfig:mode=target's create fsmount move_mount",
        ),
        (
            "tmpfs",
            "/t",
            &["tmpcopyup"],
            "openat2 fsopen fsconfig:source fsconfig:mode=target's create fsmount \
             copy_file_range move_mount",
        ),
        (
            "tmpfs",
            "/t",
            &["rshared"],
            "openat2 fsopen fsconfig:source fsconfig:mode=target's create fsmount mount_setattr \
             move_mount",
        ),
    ];
    for (kind, target, options, steps) in cases {
        let plan = Case::bare().with_mount("it", of(kind, target, options)).plan();
        assert_eq!(names(asked_for(&plan, "it")), steps, "{kind} {options:?}");
    }
}

/// The attributes of fsmount, by the kernel's names.
#[test]
fn attributes_of_new_file_systems() {
    let cases: [(&[&str], &str); 6] = [
        (&[], "0"),
        (&["nosuid", "noexec", "nodev", "ro"], "RDONLY|NOSUID|NODEV|NOEXEC"),
        (&["ro", "rw"], "0"),
        (&["strictatime"], "STRICTATIME"),
        (&["noatime", "relatime"], "0"),
        (&["rro", "nosuid"], "RDONLY|NOSUID"),
    ];
    for (options, wanted) in cases {
        let plan = Case::bare().with_mount("it", of("sysfs", "/s", options)).plan();
        let steps = asked_for(&plan, "it");
        let fsmount = steps.iter().find(|s| matches!(s.op, Op::MountDetached { .. })).unwrap();
        let call = rrun::say::call::call(&fsmount.op).replace("MOUNT_ATTR_", "");
        assert!(call.ends_with(&format!(", {wanted})")), "{options:?}: {call}");
    }
}

/// A read-only tmpfs with mounts below stays writable until their places are made in it.
#[test]
fn read_only_comes_last_where_something_is_mounted_below() {
    let plan = Case::bare()
        .with_mount("it", of("tmpfs", "/t", &["ro", "mode=755"]))
        .with_mount("below", of("tmpfs", "/t/deeper", &["mode=755"]))
        .plan();
    let steps = asked_for(&plan, "it");
    let sequence = "openat2 fsopen fsconfig:source fsconfig:mode create fsmount move_mount \
                    mount_setattr";
    assert_eq!(names(steps.iter().copied()), sequence);
    assert_eq!(changes(steps), ["{attr_set=RDONLY}"]);
    let last = |origin: &str| plan.steps.iter().rposition(|s| s.origin.to_string() == origin);
    assert!(last("it") > last("below"));
    // A name that merely begins alike is not below.
    let plan = Case::bare()
        .with_mount("it", of("tmpfs", "/t", &["ro", "mode=755"]))
        .with_mount("beside", of("tmpfs", "/tt", &["mode=755"]))
        .plan();
    assert_eq!(changes(asked_for(&plan, "it")), [""; 0]);
}

/// The kernel's own trees are pinned without links; other targets may lie behind one.
#[test]
fn the_kernels_own_places_refuse_links() {
    let cases = [
        ("proc", "/proc", Links::Refused),
        ("sysfs", "/sys", Links::Refused),
        ("tmpfs", "/dev", Links::Refused),
        ("devpts", "/dev/pts", Links::Refused),
        ("proc", "/elsewhere", Links::Refused),
        ("tmpfs", "/run/x", Links::InRoot),
    ];
    for (kind, target, links) in cases {
        let plan = Case::bare().with_mount("it", of(kind, target, &[])).plan();
        let pin = asked_for(&plan, "it")[0].op.clone();
        let Op::Pin { links: seen, missing, path, .. } = pin else { panic!("{pin:?}") };
        assert_eq!((seen, missing), (links, Missing::MakeDirectory), "{target}");
        assert_eq!(path.as_str(), target);
    }
}

/// The default devices and links go into the tmpfs of /dev while it is detached; in a user
/// namespace they are the host's, bound after it is attached.
#[test]
fn devices() {
    let dev = || of("tmpfs", "/dev", &["mode=755"]);
    let plan = Case::bare().with_mount("it", dev()).plan();
    let made = format!("{}{}", "mknodat ".repeat(6), "symlinkat ".repeat(5));
    assert_eq!(
        names(asked_for(&plan, "it")),
        format!("openat2 fsopen fsconfig:source fsconfig:mode create fsmount {made}move_mount")
    );
    let plan = Case::bare().in_user_namespace().with_mount("it", dev()).plan();
    let bound = format!(
        "{}openat2 fsopen fsconfig:source fsconfig:mode create fsmount {}{}move_mount {}",
        "host:open_tree host:fstat host:mount_setattr ".repeat(6),
        "mknodat ".repeat(6),
        "symlinkat ".repeat(5),
        "move_mount ".repeat(6)
    );
    assert_eq!(names(asked_for(&plan, "it")), bound.trim_end());
}

/// The container's place in each of the v1 hierarchies, and in v2's.
fn cgroup(host: &CgroupHost) -> CgroupRequest {
    let site = |mount: &Path, version| CgroupDirectory {
        site: Site {
            mount: mount.into(),
            version,
            controllers: Vec::new(),
            directories: vec![mount.join("box")],
            ours: 1,
            needed: BTreeSet::new(),
            counted: Vec::new(),
        },
        limits: Vec::new(),
        devices: None,
    };
    let v1 = host.v1.values().map(|hierarchy| site(&hierarchy.mount, Version::V1));
    let v2 = host.unified.iter().map(|it| site(&it.hierarchy.mount, Version::V2));
    CgroupRequest { directories: v1.chain(v2).collect(), ..CgroupRequest::default() }
}

fn hierarchy(mount: &str) -> Hierarchy {
    Hierarchy { mount: mount.into(), own: PathBuf::new() }
}

fn unified(mount: &str) -> Option<Unified> {
    Some(Unified { hierarchy: hierarchy(mount), controllers: BTreeSet::new() })
}

/// What a mount of type cgroup is depends on what the host has.
#[test]
fn cgroup_mounts() {
    let mount = || of("cgroup", "/sys/fs/cgroup", &["ro", "nosuid"]);
    let case = |host: &CgroupHost, request: CgroupRequest| {
        let mut case = Case::bare().with_namespace("cgroup", None).with_mount("it", mount());
        case.facts.cgroups = host.clone();
        case.cgroup = request;
        case
    };
    let v2 = CgroupHost { unified: unified("/sys/fs/cgroup"), ..CgroupHost::default() };
    let v1 = ["memory", "cpu,cpuacct"]
        .map(|name| (name.to_owned(), hierarchy(&format!("/sys/fs/cgroup/{name}"))));
    let hybrid = CgroupHost { v1: v1.into(), unified: unified("/sys/fs/cgroup/unified") };
    let none = CgroupHost::default();
    let tmpfs = "openat2 fsopen fsconfig:source fsconfig:mode create fsmount";
    let show = "open_tree mount_setattr openat2 move_mount";
    let cases = [
        (
            "v2, a namespace of its own",
            case(&v2, cgroup(&v2)),
            "openat2 fsopen fsconfig:source create fsmount move_mount".to_owned(),
        ),
        (
            "v2, in a user namespace",
            case(&v2, cgroup(&v2)).in_user_namespace(),
            "host:open_tree host:mount_setattr openat2 move_mount".to_owned(),
        ),
        (
            "hybrid: a controller with its second name, and the limits of the memory one",
            case(&hybrid, cgroup(&hybrid)),
            format!("{tmpfs} move_mount {show} symlinkat symlinkat {show} mount_setattr"),
        ),
        ("none", case(&none, cgroup(&none)), format!("{tmpfs} move_mount")),
    ];
    for (what, case, steps) in cases {
        assert_eq!(names(asked_for(&case.plan(), "it")), steps, "{what}");
    }
}
