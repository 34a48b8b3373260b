//! One more process in a container that runs, and the files of one.

use std::path::PathBuf;

use rrun::facts::process::Joinable;
use rrun::plan::check::check;
use rrun::plan::exec::{self, Parent};
use rrun::plan::files::{self, Reach};
use rrun::plan::step::{Actor, Op, Plan};
use rrun::sys::namespace::Namespace;
use rrun::sys::stub::Executor;
use serde_json::json;

use crate::plan_of::Case;
use crate::sequence::names;

fn joinable(namespaces: &[Namespace]) -> Joinable {
    Joinable { namespaces: namespaces.to_vec(), ..Joinable::default() }
}

fn plan(case: &Case, target: &Joinable, parent: Parent) -> Plan {
    let plan = case.compiled(|input| exec::compile(input, target, parent)).unwrap();
    check(&plan).unwrap();
    plan
}

fn executor(plan: &Plan) -> Executor {
    let exec = plan.steps.iter().find_map(|step| match &step.op {
        Op::Exec(spec) => Some(spec.executor),
        _ => None,
    });
    exec.unwrap()
}

/// Who executes the program: another process where there is a pid namespace to be born into.
#[test]
fn who_executes() {
    let case = Case::runc();
    let apart = joinable(&[Namespace::Mount, Namespace::Pid]);
    let together = joinable(&[Namespace::Mount]);
    assert_eq!(executor(&plan(&case, &apart, Parent::Ours)), Executor::Sibling);
    assert_eq!(executor(&plan(&case, &together, Parent::Ours)), Executor::Itself);
    assert_eq!(executor(&plan(&case, &apart, Parent::Containers)), Executor::Orphan);
    assert_eq!(executor(&case.plan()), Executor::Itself);
}

/// All namespaces in one step, before any other of the child's; no path of the container's is
/// opened by the host; nothing is mounted.
#[test]
fn what_is_joined() {
    let kinds = [Namespace::Mount, Namespace::Pid, Namespace::Network];
    let case = Case::runc().with("/process/terminal", json!(false));
    let plan = plan(&case, &joinable(&kinds), Parent::Ours);
    let mut child = plan.steps.iter().filter(|step| step.actor == Actor::Child);
    let first = child.next().map(|step| &step.op);
    assert!(matches!(first, Some(Op::JoinProcess { kinds: joined, .. }) if *joined == kinds));
    let host: Vec<_> = plan.steps.iter().filter(|step| step.actor == Actor::Host).collect();
    assert_eq!(names(host), "host:clone3");
    for step in &plan.steps {
        let mounts = matches!(step.op, Op::Attach { .. } | Op::CloneTree { .. } | Op::Pin { .. });
        assert!(!mounts && !matches!(step.op, Op::RunHook(_)), "{step:?}");
    }
}

/// v2: born into the cgroup. v1 and hybrid: joined by the host while the child waits.
#[test]
fn cgroups() {
    let case = Case::runc().with("/process/terminal", json!(false));
    let first = |target: &Joinable| {
        let plan = plan(&case, target, Parent::Ours);
        let end = plan.steps.iter().position(|step| matches!(step.op, Op::JoinProcess { .. }));
        names(&plan.steps[..end.unwrap()])
    };
    let unified = Some(PathBuf::from("/cg/unified/x"));
    let v2 = Joinable { unified: unified.clone(), ..joinable(&[Namespace::Mount]) };
    assert_eq!(first(&v2), "host:open host:clone3");
    let hybrid = Joinable { cgroups: vec!["/cg/pids/x".into()], ..v2 };
    assert_eq!(first(&hybrid), "host:open host:open host:clone3 host:write host:write child-waits");
}

/// A terminal is taken by the process that stays: the child's session ends with the child.
#[test]
fn terminals() {
    let case = Case::runc().with("/process/terminal", json!(true));
    for (kinds, taken) in [(&[Namespace::Pid][..], false), (&[Namespace::Mount], true)] {
        let plan = plan(&case, &joinable(kinds), Parent::Ours);
        let takes = |op: &Op| matches!(op, Op::ControllingTerminal { .. });
        assert_eq!(plan.steps.iter().any(|step| takes(&step.op)), taken, "{kinds:?}");
        assert!(plan.has_terminal());
    }
}

/// The files of a container: a tree that is sent, and a child that waits. Of one that does not
/// run its mounts are made, without devices, which would stay in its root.
#[test]
fn files_of_containers() {
    let case = Case::runc().on_layers(&["b", "a"]).with("/mounts", json!([])).with_mount(
        "-v data:/data",
        json!({"destination": "/data", "type": "bind", "source": "/src", "options": ["rbind"]}),
    );
    let stopped = case.compiled(files::of_stopped).unwrap();
    let all = case.compiled(|input| files::of_running(input, Reach::AllMounts)).unwrap();
    let root = case.compiled(|input| files::of_running(input, Reach::RootOnly)).unwrap();
    for plan in [&stopped, &all, &root] {
        check(plan).unwrap();
        let last = plan.steps.len() - 1;
        assert!(matches!(plan.steps[last].op, Op::AwaitEnd));
        assert!(matches!(plan.steps[last - 1].op, Op::SendTree { .. }));
        assert!(!plan.steps.iter().any(|step| matches!(step.op, Op::MakeNode { .. })));
    }
    assert_eq!(names(&all.steps), "host:clone3 setns open sendmsg read");
    assert_eq!(names(&root.steps), "host:clone3 setns open_tree sendmsg read");
    let attached = |op: &Op| matches!(op, Op::Attach { .. });
    assert_eq!(stopped.steps.iter().filter(|step| attached(&step.op)).count(), 2);
}
