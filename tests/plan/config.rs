//! The parts of a config that are no mounts: namespaces, root, rights, limits, terminal, filter.

use std::rc::Rc;

use rrun::plan::error::CompileError;
use rrun::plan::step::{Op, Plan, Program, Step};
use rrun::say::call::call;
use serde_json::{Value, json};

use crate::plan_of::Case;
use crate::sequence::{asked_for, changes, names};

/// The steps before the first that `origin` asked for.
fn before(plan: &Plan, wanted: impl Fn(&Step) -> bool) -> &[Step] {
    let at = plan.steps.iter().position(wanted).unwrap();
    &plan.steps[..at]
}

fn names_of_namespaces(case: &Case) -> String {
    let plan = case.plan();
    // What makes the mount tree begins with the way to all mounts.
    names(before(&plan, |step| matches!(step.op, Op::OpenMounts { .. })))
}

/// From the first step to the mount tree, for namespaces that are new, joined, or left alone.
#[test]
fn namespaces() {
    // Where mknod is EPERM, the six default devices are the host's own.
    let devices = "host:open_tree host:fstat host:mount_setattr ".repeat(6);
    let cases = [
        ("new", Case::bare(), "host:clone3 prctl setsid keyctl".to_owned()),
        (
            "a user namespace",
            Case::bare().in_user_namespace(),
            format!(
                "host:open_tree host:mount_setattr {devices}host:fchown host:clone3 host:write \
                 host:write child-waits prctl setresgid setsid keyctl"
            ),
        ),
        (
            "joined network and uts",
            Case::bare()
                .with_namespace("network", Some("/run/netns/a"))
                .with_namespace("uts", Some("/run/uts")),
            "host:open host:open host:clone3 prctl setns setns setsid keyctl".to_owned(),
        ),
        (
            "joined pid: others are there already",
            Case::bare().with_namespace("pid", Some("/proc/1/ns/pid")),
            "host:open host:clone3 prctl prctl setsid keyctl".to_owned(),
        ),
        (
            "joined user: the clone happens inside, with its ids",
            Case::bare().with_namespace("user", Some("/proc/1/ns/user")),
            format!(
                "host:open host:open_tree host:mount_setattr {devices}host:clone3 prctl \
                 setresgid setsid keyctl"
            ),
        ),
    ];
    for (what, case, steps) in cases {
        assert_eq!(names_of_namespaces(&case), steps, "{what}");
    }
}

/// The clone names what is new; user and pid namespaces that are joined are given to it.
#[test]
fn the_clone() {
    let clone = |case: Case| {
        let plan = case.plan();
        let steps: Vec<Op> = plan.steps.iter().map(|step| step.op.clone()).collect();
        steps.into_iter().find_map(|op| if let Op::Clone(spec) = op { Some(spec) } else { None })
    };
    let spec = clone(Case::bare().with_namespace("pid", Some("/proc/1/ns/pid"))).unwrap();
    assert!(spec.pid.is_some() && spec.user.is_none() && spec.new.len() == 4);
    let offsets = json!({"monotonic": {"secs": 5, "nanosecs": 7}, "boottime": {"secs": -1}});
    let case = Case::bare().with_namespace("time", None).with("/linux/timeOffsets", offsets);
    let spec = clone(case).unwrap();
    let rows = [("boottime".to_owned(), -1, 0), ("monotonic".to_owned(), 5, 7)];
    assert_eq!(spec.time_offsets, rows);
}

/// What contradicts itself, or would act on the host, is refused with the place in the config.
fn refused(cases: impl IntoIterator<Item = (&'static str, Case, &'static str)>) {
    for (what, case, text) in cases {
        let refusal = case.try_plan().map(drop).map_err(|error| error.to_string());
        assert_eq!(refusal, Err(text.to_owned()), "{what}");
    }
}

#[test]
fn what_would_reach_the_host_is_refused() {
    refused([
        (
            "a read-only root without a mount namespace",
            without_namespace("mount"),
            "/root/readonly: it needs a mount namespace, or it would change the host",
        ),
        (
            "offsets without a time namespace",
            Case::bare().with("/linux/timeOffsets", json!({"monotonic": {"secs": 5}})),
            "/linux/timeOffsets: offsets need a new time namespace",
        ),
        (
            "a namespace twice",
            twice("pid"),
            "/linux/namespaces/5: the pid namespace is listed twice",
        ),
        (
            "mounts on the host",
            without_namespace("mount")
                .with("/root/readonly", json!(false))
                .with_mount("it", tmpfs("/t")),
            "the config has mounts and no mount namespace: they would be made on the host",
        ),
        (
            "a mapping for a joined user namespace",
            Case::bare().in_user_namespace().with_namespace("user", Some("/proc/1/ns/user")),
            "/linux/uidMappings: a user namespace that is joined by path has its mappings already",
        ),
        (
            "the host's name",
            without_namespace("uts"),
            "/hostname: a name of its own needs a uts namespace; this one is the host's",
        ),
        (
            "a sysctl of the machine",
            sysctl("kernel.panic"),
            "/linux/sysctl: kernel.panic is not confined to a namespace and would change the host",
        ),
        (
            "a sysctl of vm",
            sysctl("vm/swappiness"),
            "/linux/sysctl: vm/swappiness is not confined to a namespace and would change the host",
        ),
        (
            "a sysctl in the host's namespace",
            without_namespace("network").with("/linux/sysctl", json!({"net.ipv4.ip_forward": "1"})),
            "/linux/sysctl: net.ipv4.ip_forward is not allowed in the hosts namespace",
        ),
    ]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    refused([
        (
            "soft above hard",
            rlimit(10, 5),
            "/process/rlimits/0: \"RLIMIT_CORE 10 above 5\" is no soft limit",
        ),
        (
            "no arguments",
            Case::bare().with("/process/args", json!([])),
            "/process/args is missing from the config",
        ),
        (
            "a relative cwd",
            Case::bare().with("/process/cwd", json!("a/b")),
            "/process/cwd: \"a/b\" is no absolute path",
        ),
        (
            "a propagation that is none",
            Case::bare().with("/linux/rootfsPropagation", json!("sharred")),
            "/linux/rootfsPropagation: \"sharred\" is no mount propagation",
        ),
        (
            "a device without a name",
            Case::bare().with("/linux/devices", device("/")),
            "/linux/devices/0: \"/\" is no path of a device",
        ),
        (
            "layers that an older kernel takes as one text only",
            Case::bare().on((6, 7)).on_layers(&["b", "a"]),
            "an overlay of 2 layers needs Linux 6.8 or newer",
        ),
        (
            "an overlay without a mount namespace",
            without_namespace("mount").with("/root/readonly", json!(false)).on_layers(&["a"]),
            "the config has mounts and no mount namespace: they would be made on the host",
        ),
    ]);
}

fn tmpfs(target: &str) -> Value {
    json!({"destination": target, "type": "tmpfs", "source": "tmpfs"})
}

fn device(path: &str) -> Value {
    json!([{"path": path, "type": "c", "major": 1, "minor": 3}])
}

fn sysctl(key: &str) -> Case {
    Case::bare().with("/linux/sysctl", json!({key: "1"}))
}

fn rlimit(soft: u64, hard: u64) -> Case {
    let limit = json!([{"type": "RLIMIT_CORE", "soft": soft, "hard": hard}]);
    Case::bare().with("/process/rlimits", limit)
}

fn without_namespace(kind: &str) -> Case {
    let mut case = Case::bare();
    let namespaces = case.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|namespace| namespace["type"] != kind);
    case
}

fn twice(kind: &str) -> Case {
    let mut case = Case::bare();
    let namespaces = case.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.push(json!({"type": kind}));
    case
}

/// Without a mount namespace there is chroot and nothing else.
#[test]
fn no_mount_namespace() {
    let plan = without_namespace("mount").with("/root/readonly", json!(false)).plan();
    assert_eq!(names(asked_for(&plan, "/root")), "open fchdir chroot");
}

/// A sysctl that a namespace confines is written through the host's procfs, from inside.
#[test]
fn sysctls_of_namespaces() {
    for key in [
        "net.ipv4.ip_forward",
        "net/ipv4/conf/eth0.1/rp_filter",
        "kernel.shmmax",
        "fs.mqueue.msg_max",
        "kernel.domainname",
    ] {
        let plan = sysctl(key).plan();
        let origin = format!("/linux/sysctl/{key}");
        assert_eq!(names(asked_for(&plan, &origin)), "write", "{key}");
        let opened = plan.steps.iter().find_map(|step| match &step.op {
            Op::OpenPlace { place, path } if path.as_path().ends_with("proc") => Some(*place),
            _ => None,
        });
        let used = asked_for(&plan, &origin).iter().find_map(|step| match step.op {
            Op::SetSysctl { procfs, .. } => Some(procfs),
            _ => None,
        });
        assert!(used.is_some() && used == opened, "{key}");
    }
}

/// Set on the root's own tree: at once where it keeps events out, after all mounts where it
/// lets them out.
#[test]
fn root_propagation() {
    let private = "AT_RECURSIVE, {propagation=MS_PRIVATE}";
    let slave = "AT_RECURSIVE, {propagation=MS_SLAVE}";
    let cases: [(&str, &str, Option<&str>); 9] = [
        ("", private, None),
        ("private", private, None),
        ("rprivate", private, None),
        ("slave", slave, None),
        ("rslave", slave, None),
        ("shared", private, Some("{propagation=MS_SHARED}")),
        ("rshared", private, Some("AT_RECURSIVE, {propagation=MS_SHARED}")),
        ("unbindable", private, Some("{propagation=MS_UNBINDABLE}")),
        ("runbindable", private, Some("AT_RECURSIVE, {propagation=MS_UNBINDABLE}")),
    ];
    for (word, first, last) in cases {
        let plan = Case::bare()
            .with("/linux/rootfsPropagation", json!(word))
            .with_mount("it", tmpfs("/t"))
            .plan();
        assert_eq!(changes(asked_for(&plan, "/root")), [first], "{word:?}");
        let late = changes(asked_for(&plan, "/linux/rootfsPropagation"));
        assert_eq!(late.first().map(String::as_str), last, "{word:?}");
        let at = |origin: &str| plan.steps.iter().rposition(|s| s.origin.to_string() == origin);
        assert!(last.is_none() || at("/linux/rootfsPropagation") > at("it"), "{word:?}");
    }
}

/// Each kernel is asked in the way that it knows; the root ends as one attached tree.
#[test]
fn overlay_roots() {
    let options = "fsconfig:source fsconfig:redirect_dir fsconfig:metacopy fsconfig:index create \
                   fsmount open \
                   move_mount";
    let cases: [((u32, u32), &[&str], String); 4] = [
        (
            (5, 12),
            &["a"],
            format!(
                "fsopen open fsconfig:lowerdir=/proc/self/fd open fsconfig:upperdir=/proc/self/fd \
                 open fsconfig:workdir=/proc/self/fd {options}"
            ),
        ),
        (
            (6, 8),
            &["b", "a"],
            format!(
                "fsopen open fsconfig:lowerdir+=/proc/self/fd open \
                 fsconfig:lowerdir+=/proc/self/fd open fsconfig:upperdir=/proc/self/fd open \
                 fsconfig:workdir=/proc/self/fd {options}"
            ),
        ),
        (
            (6, 18),
            &["b", "a"],
            format!(
                "fsopen open fsconfig:lowerdir+=fd open fsconfig:lowerdir+=fd open \
                 fsconfig:upperdir=fd open fsconfig:workdir=fd {options}"
            ),
        ),
        (
            (6, 18),
            &["a"],
            format!(
                "fsopen open fsconfig:lowerdir+=fd open fsconfig:upperdir=fd open \
                 fsconfig:workdir=fd {options}"
            ),
        ),
    ];
    for (version, layers, steps) in cases {
        let plan = Case::bare().on(version).on_layers(layers).plan();
        assert_eq!(names(asked_for(&plan, "/root")), steps, "{version:?} {layers:?}");
    }
}

/// Layers are given from the topmost down, as the image's list has them here.
#[test]
fn the_topmost_layer_comes_first() {
    let plan = Case::bare().on_layers(&["top", "middle", "base"]).plan();
    let opened = asked_for(&plan, "/root").into_iter().filter_map(|step| match &step.op {
        Op::OpenPlace { path, .. } => path.as_path().file_name()?.to_str().map(str::to_owned),
        _ => None,
    });
    assert_eq!(opened.collect::<Vec<_>>(), ["top", "middle", "base", "upper", "work"]);
}

/// Masks come from the host's null device and one empty file system, made before the root; the
/// hidden paths come after all mounts, and then those that are made read-only.
#[test]
fn hidden_paths() {
    let on = |version| {
        Case::bare()
            .on(version)
            .with("/linux/maskedPaths", json!(["/proc/kcore", "/a"]))
            .with("/linux/readonlyPaths", json!(["/proc/sys"]))
            .with_mount("it", tmpfs("/t"))
            .plan()
    };
    let made = "open fstat fsopen fsconfig:source fsconfig:nr_inodes create fsmount";
    assert_eq!(names(asked_for(&on((6, 15)), "/linux/maskedPaths")), made);
    // Before that only an attached tree can be cloned.
    let plan = on((6, 14));
    assert_eq!(names(asked_for(&plan, "/linux/maskedPaths")), format!("{made} open move_mount"));
    let at = |origin: &str| plan.steps.iter().position(|s| s.origin.to_string() == origin);
    let order = [
        "/linux/maskedPaths",
        "/root",
        "it",
        "/linux/maskedPaths/0",
        "/linux/maskedPaths/1",
        "/linux/readonlyPaths/0",
        "/process/args",
    ];
    let places: Vec<_> = order.iter().map(|origin| at(origin).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
    // What the masks were made of lies on top of the old root and has to go first.
    assert!(plan.steps.iter().any(|step| matches!(step.op, Op::DetachCover)));
    assert!(!Case::bare().plan().steps.iter().any(|step| matches!(step.op, Op::DetachCover)));
}

/// The root becomes read-only when all places in it are made.
#[test]
fn a_read_only_root() {
    let writable = Case::bare().with("/root/readonly", json!(false)).plan();
    assert_eq!(asked_for(&writable, "/root/readonly").len(), 0);
    let plan =
        Case::bare().with("/root/readonly", json!(true)).with_mount("it", tmpfs("/t")).plan();
    assert_eq!(changes(asked_for(&plan, "/root/readonly")), ["{attr_set=RDONLY}"]);
    let at = |origin: &str| plan.steps.iter().rposition(|s| s.origin.to_string() == origin);
    assert!(at("/root/readonly") > at("it"));
}

/// The pty is that of the container's devpts; where it mounts none, that of the root's.
#[test]
fn terminals() {
    let mount =
        |kind: &str, target: &str| json!({"destination": target, "type": kind, "source": kind});
    let terminal = || Case::bare().with("/process/terminal", json!(true));
    let own = terminal()
        .with_mount("/dev", mount("tmpfs", "/dev"))
        .with_mount("/dev/pts", mount("devpts", "/dev/pts"));
    let end = "move_mount sendmsg ioctl";
    let cases = [
        ("its own", own, format!("ioctl open_tree mknodat {end}")),
        ("the root's", terminal(), format!("openat2 ioctl open_tree openat2 {end}")),
    ];
    for (what, case, steps) in cases {
        assert_eq!(names(asked_for(&case.plan(), "/process/terminal")), steps, "{what}");
    }
    let none = Case::bare().plan();
    assert_eq!(asked_for(&none, "/process/terminal").len(), 0);
}

/// The filter comes as late as can be; without noNewPrivileges it needs CAP_SYS_ADMIN, which the
/// process has until the step after.
#[test]
fn the_filter_comes_last() {
    let filtered = |no_new_privileges: bool| {
        let mut case = Case::bare().with("/process/noNewPrivileges", json!(no_new_privileges));
        case.seccomp = Some((Program(Rc::new(vec![[0; 8]; 3])), 0));
        case.plan()
    };
    for (no_new_privileges, steps) in [
        (true, "chdir prctl capset memfd_create seccomp execve"),
        (false, "chdir capset memfd_create seccomp execve"),
    ] {
        let plan = filtered(no_new_privileges);
        let at = plan.steps.iter().position(|step| step.origin.to_string() == "/process/cwd");
        assert_eq!(names(&plan.steps[at.unwrap()..]), steps);
        let capset = |step: &&Step| matches!(step.op, Op::SetCapabilities { .. });
        let held: Vec<u64> = plan
            .steps
            .iter()
            .filter(capset)
            .map(|step| match step.op {
                Op::SetCapabilities { also, .. } => also & 1 << 21,
                _ => 0,
            })
            .collect();
        let last = if no_new_privileges { 0 } else { 1 << 21 };
        assert_eq!(held, [1 << 21, last], "CAP_SYS_ADMIN is held where the filter needs it");
    }
}

/// Hooks stand where the specification promises them, on the side that it promises.
#[test]
fn hooks() {
    let hook = |name: &str| json!([{"path": format!("/hooks/{name}")}]);
    let phases = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart"];
    let mut case = Case::bare().with_mount("it", tmpfs("/t"));
    for phase in phases {
        case = case.with(&format!("/hooks/{phase}"), hook(phase));
    }
    let plan = case.plan();
    let from = plan.steps.iter().position(|s| matches!(s.op, Op::Sync { .. })).unwrap();
    let marked: Vec<String> = plan.steps[from..]
        .iter()
        .filter_map(|step| match &step.op {
            Op::RunHook(hook) => Some(format!("{:?} {}", step.actor, hook.phase)),
            Op::Sync { waits, .. } => Some(format!("{waits:?} waits")),
            Op::PivotRoot => Some("pivot".into()),
            Op::Exec(_) => Some("exec".into()),
            _ => None,
        })
        .collect();
    assert_eq!(
        marked,
        [
            "Host waits",
            "Host prestart",
            "Host createRuntime",
            "Child waits",
            "Child createContainer",
            "pivot",
            "Child startContainer",
            "exec",
            "Host poststart",
        ]
    );
}

/// The last of a doubled variable counts, and an empty HOME is none.
#[test]
fn the_environment() {
    let env = json!(["A=1", "B=2", "A=3", "HOME="]);
    let plan = Case::bare().with("/process/env", env).plan();
    let Some(Op::Exec(spec)) = plan.steps.last().map(|step| step.op.clone()) else {
        panic!("a plan without hooks ends with exec");
    };
    assert_eq!(spec.env, ["B=2", "A=3"]);
    assert_eq!(spec.home_of, Some(0));
}

/// A user that is not root: groups first, the rights that are still needed kept over the change.
#[test]
fn another_user() {
    let user = json!({"uid": 1000, "gid": 100, "additionalGids": [5, 6], "umask": 63});
    let plan = Case::bare().with("/process/user", user).plan();
    let calls: Vec<String> =
        asked_for(&plan, "/process/user").iter().map(|step| call(&step.op)).collect();
    assert_eq!(calls, ["umask(0o77)", "setgroups([5, 6]), setresgid(100), setresuid(1000)"]);
    let joined = plan.steps.iter().map(|step| call(&step.op)).collect::<Vec<_>>();
    let place = |start: &str| joined.iter().position(|call| call.starts_with(start)).unwrap();
    assert!(place("prctl(PR_CAPBSET_DROP)") < place("setgroups"));
    assert!(place("setgroups") < place("capset"));
    let last = |start: &str| joined.iter().rposition(|call| call.starts_with(start)).unwrap();
    // Once with root's rights, in case the user may not search the way; once as the user.
    assert!(place("chdir") < place("setgroups") && place("capset") < last("chdir"));
}

/// What has no plan has no half of one: the error is the whole answer.
#[test]
fn a_config_without_a_root_is_refused_by_name() {
    let missing = Case::bare().with("/process", Value::Null).try_plan();
    assert_eq!(missing, Err(CompileError::Missing { field: "/process" }));
}

/// What the kernel would take for something else never gets as far as a plan.
#[test]
fn values_that_mean_something_else_are_refused() {
    let mapping = |size: u32| json!([{ "containerID": 1, "hostID": 100_000, "size": size }]);
    let cases = [
        ("/process/user/uid", json!(u32::MAX), "\"4294967295\" is no user id: the kernel takes it"),
        ("/process/user/gid", json!(u32::MAX), "\"4294967295\" is no group id: the kernel takes"),
        ("/process/user/additionalGids", json!([7, u32::MAX]), "additionalGids/1: \"4294967295\""),
        ("/process/user/umask", json!(0o7777), "\"0o7777\" is no umask: it has nine bits"),
        (
            "/process/consoleSize",
            json!({ "height": 1_u64 << 40, "width": 80 }),
            "/process/consoleSize/height: \"1099511627776\" is no size of a terminal",
        ),
        ("/linux/maskedPaths", json!(["/proc/kcore", "/."]), "maskedPaths/1: \"/.\" is no path to"),
        ("/linux/maskedPaths", json!([""]), "it would be the whole container"),
        ("/linux/readonlyPaths", json!([""]), "readonlyPaths/0: \"\" is no path in the container"),
        ("/linux/uidMappings", mapping(0), "uidMappings/0: \"1 100000 0\" is no range of ids"),
        ("/linux/gidMappings", mapping(u32::MAX), "gidMappings/0: \"1 100000 4294967295\" is no"),
    ];
    for (place, value, words) in cases {
        let refused = Case::bare().in_user_namespace().with(place, value).try_plan();
        let told = refused.as_ref().map_err(ToString::to_string).map(drop);
        assert!(told.as_ref().is_err_and(|told| told.contains(words)), "{place}: {told:?}");
    }
    let mount = json!({ "destination": "", "type": "tmpfs", "source": "tmpfs" });
    let refused = Case::bare().with_mount("it", mount).try_plan();
    assert!(matches!(refused, Err(CompileError::Invalid { .. })), "{refused:?}");
}

/// A name that climbs is refused, in both forms: it would leave what its namespace confines.
#[test]
fn sysctls_that_climb_are_refused() {
    for key in ["net/../kernel/core_pattern", "net/./x", "net//x", "net..x", "fs.mqueue./../x"] {
        let refused = sysctl(key).try_plan();
        assert!(matches!(refused, Err(CompileError::Sysctl { .. })), "{key}: {refused:?}");
    }
}
