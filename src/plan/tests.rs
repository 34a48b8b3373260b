//! What makes a plan unsound, and that no step looks a target up twice.
//!
//! Plans of whole configs are in tests/plan.

use super::check::{Unsound, check};
use super::compile::{Input, Lifetime, RootSource, Stdio, compile};
use super::dataflow::{makes, uses};
use super::step::{
    Change, CloneSpec, ExecSpec, Missing, Op, Origin, Parameter, Plan, Slot, SlotKind, Source, Step,
};
use super::{Actor, cgroup};
use crate::config::path::{HostPath, RootPath};
use crate::facts::{Facts, Kernel};
use crate::sys::mount::Recursion;
use crate::sys::namespace::Namespace;
use crate::sys::path::Links;
use crate::sys::stub::Executor;

fn step(actor: Actor, op: Op) -> Step {
    Step { op, actor, origin: Origin::new("a test"), because: "a plan needs it to be a plan" }
}

fn host(op: Op) -> Step {
    step(Actor::Host, op)
}

fn child(op: Op) -> Step {
    step(Actor::Child, op)
}

fn clone() -> Step {
    host(Op::Clone(Box::default()))
}

fn exec() -> Step {
    let args = vec!["sh".to_owned()];
    child(Op::Exec(ExecSpec { args, env: Vec::new(), home_of: None, executor: Executor::Itself }))
}

fn open(slot: u32) -> Op {
    Op::OpenPlace { place: Slot(slot), path: HostPath::new("/") }
}

fn tree(slot: u32) -> Op {
    let (tree, source) = (Slot(slot), Source::Host(HostPath::new("/src")));
    Op::CloneTree { tree, source, recursion: Recursion::TopOnly }
}

fn attach(tree: u32, place: u32) -> Op {
    Op::Attach { tree: Slot(tree), place: Slot(place) }
}

/// A plan with a clone at the beginning and an exec at the end; `steps` are the child's.
fn plan_with(slots: &[SlotKind], steps: Vec<Op>) -> Plan {
    let steps = [clone()].into_iter().chain(steps.into_iter().map(child)).chain([exec()]);
    Plan { steps: steps.collect(), slots: slots.to_vec(), ..Plan::default() }
}

use SlotKind::{Context, Given, Namespace as Ns, Place, TerminalMaster, TerminalPeer, Tree};

/// The smallest plans that are sound.
#[test]
fn sound_plans() {
    let empty = plan_with(&[], Vec::new());
    let attached = plan_with(&[Tree, Place], vec![tree(0), open(1), attach(0, 1)]);
    let given = plan_with(&[Given], vec![Op::Duplicate { file: Slot(0), number: 0 }]);
    let mut inherited = plan_with(&[Tree, Place], vec![open(1), attach(0, 1)]);
    inherited.steps.insert(0, host(tree(0)));
    let mut after = empty.clone();
    let (namespace, kind) = (Slot(0), Namespace::Network);
    after.steps.push(host(Op::JoinNamespace { namespace, kind }));
    after.steps.insert(0, host(Op::NewIdmap { namespace, uids: Vec::new(), gids: Vec::new() }));
    after.slots.push(SlotKind::Namespace);
    for plan in [empty, attached, given, inherited, after] {
        assert_eq!(check(&plan), Ok(()), "{plan:?}");
    }
}

/// Each way to contradict oneself is found, with the step as people count it.
#[test]
fn unsound_plans() {
    let cases = [
        (
            "a slot that nothing makes",
            plan_with(&[Tree, Place], vec![open(1), attach(0, 1)]),
            Unsound::NotMade { step: 3, slot: 0 },
        ),
        (
            "a slot that is made too late",
            plan_with(&[Tree, Place], vec![tree(0), attach(0, 1), open(1)]),
            Unsound::NotMade { step: 3, slot: 1 },
        ),
        (
            "a slot that is not in the table, used",
            plan_with(&[Tree], vec![tree(0), attach(0, 7)]),
            Unsound::NotMade { step: 3, slot: 7 },
        ),
        (
            "a slot that is not in the table, made",
            plan_with(&[], vec![tree(0)]),
            Unsound::NotMade { step: 2, slot: 0 },
        ),
        (
            "a slot that is made twice",
            plan_with(&[Tree], vec![tree(0), tree(0)]),
            Unsound::MadeTwice { step: 3, slot: 0 },
        ),
        (
            "a file of the caller's that is made again",
            plan_with(&[Given], vec![open(0)]),
            Unsound::MadeTwice { step: 2, slot: 0 },
        ),
        (
            "a place attached instead of a tree",
            plan_with(&[Place, Place], vec![open(0), open(1), attach(0, 1)]),
            Unsound::WrongKind { step: 4, slot: 0, kind: Place },
        ),
        (
            "a tree attached to a tree",
            plan_with(&[Tree, Tree], vec![tree(0), tree(1), attach(0, 1)]),
            Unsound::WrongKind { step: 4, slot: 1, kind: Tree },
        ),
        (
            "a tree attached twice",
            plan_with(&[Tree, Place], vec![tree(0), open(1), attach(0, 1), attach(0, 1)]),
            Unsound::AttachedTwice { step: 5, slot: 0 },
        ),
    ];
    for (what, plan, unsound) in cases {
        assert_eq!(check(&plan), Err(unsound), "{what}");
    }
}

/// What only one side has the other cannot use, and there is no child before the clone.
#[test]
fn plans_that_forget_the_clone() {
    let mut late = plan_with(&[Tree, Place], vec![tree(0)]);
    late.steps.push(host(attach(0, 1)));
    assert_eq!(check(&late), Err(Unsound::NotInherited { step: 4, slot: 0 }));

    let mut other_way = plan_with(&[Tree, Place], vec![open(1), attach(0, 1)]);
    other_way.steps.insert(1, host(tree(0)));
    assert_eq!(check(&other_way), Err(Unsound::NotInherited { step: 4, slot: 0 }));

    let mut early = plan_with(&[Place], Vec::new());
    early.steps.insert(0, child(open(0)));
    assert_eq!(check(&early), Err(Unsound::Clone { step: 1 }));

    let mut twice = plan_with(&[], Vec::new());
    twice.steps.insert(1, clone());
    assert_eq!(check(&twice), Err(Unsound::Clone { step: 2 }));

    let never = Plan { steps: vec![exec()], ..Plan::default() };
    assert_eq!(check(&never), Err(Unsound::Clone { step: 1 }));
}

/// A child that does not become the program would go on as rrun.
#[test]
fn plans_without_an_end() {
    let mut plan = plan_with(&[], vec![Op::NewSession]);
    plan.steps.pop();
    assert_eq!(check(&plan), Err(Unsound::NoExec));
    let mut after = plan_with(&[], Vec::new());
    after.steps.push(child(Op::NewSession));
    assert_eq!(check(&after), Err(Unsound::NoExec));
    assert_eq!(check(&Plan::default()), Err(Unsound::NoExec));
}

/// A step whose reason is blank has none.
#[test]
fn plans_without_reasons() {
    for because in ["", "  "] {
        let mut plan = plan_with(&[], vec![Op::NewSession]);
        plan.steps[1].because = because;
        assert_eq!(check(&plan), Err(Unsound::NoReason { step: 2 }));
    }
}

/// What an operation takes a slot for, kind by kind: everything else is refused.
#[test]
fn kinds_of_slots() {
    let all = [Place, Tree, Context, Ns, SlotKind::Cgroup, TerminalMaster, TerminalPeer, Given];
    let directory = [Place, Tree];
    let cases: [(Op, &[SlotKind]); 8] = [
        (Op::CreateFilesystem { context: Slot(0) }, &[Context]),
        (Op::JoinNamespace { namespace: Slot(0), kind: Namespace::Uts }, &[Ns]),
        (Op::JoinCgroup { cgroup: Slot(0) }, &[SlotKind::Cgroup]),
        (Op::SendTerminal { master: Slot(0) }, &[TerminalMaster]),
        (Op::ControllingTerminal { peer: Slot(0) }, &[TerminalPeer]),
        (Op::Duplicate { file: Slot(0), number: 1 }, &[TerminalPeer, Given]),
        (Op::EnterDirectory { place: Slot(0) }, &directory),
        (
            Op::SetAttributes {
                tree: Slot(0),
                change: Change::default(),
                recursion: Recursion::TopOnly,
            },
            &[Tree],
        ),
    ];
    for (op, wanted) in cases {
        for (slot, accepts) in uses(&op) {
            assert_eq!(slot, Slot(0));
            let accepted: Vec<_> = all.into_iter().filter(|kind| accepts.accepts(*kind)).collect();
            assert_eq!(accepted, wanted, "{op:?}");
        }
        assert_eq!(uses(&op).len(), 1, "{op:?}");
    }
}

/// The value of a parameter and the mapping of a mount are uses, too.
#[test]
fn slots_inside_of_values() {
    let configure = |value| Op::Configure { context: Slot(0), key: "k".into(), value };
    let used = |op: &Op| uses(op).iter().map(|(slot, _)| slot.0).collect::<Vec<_>>();
    assert_eq!(used(&configure(Parameter::Flag)), [0]);
    assert_eq!(used(&configure(Parameter::Text("/1".into()))), [0]);
    assert_eq!(used(&configure(Parameter::ModeOf(Slot(3)))), [0, 3]);
    assert_eq!(used(&configure(Parameter::Directory(Slot(3)))), [0, 3]);
    assert_eq!(used(&configure(Parameter::DirectoryPath(Slot(3)))), [0, 3]);
    let change = Change { idmap: Some(Slot(5)), ..Change::default() };
    let recursion = Recursion::TopOnly;
    assert_eq!(used(&Op::SetAttributes { tree: Slot(4), change, recursion }), [4, 5]);
    let pin = Op::Pin {
        place: Slot(1),
        root: Slot(0),
        path: RootPath::root(),
        links: Links::InRoot,
        missing: Missing::MakeLike(Slot(2)),
    };
    assert_eq!(used(&pin), [0, 2]);
    assert_eq!(makes(&pin), [Slot(1)]);
    let clone = Op::Clone(Box::new(CloneSpec {
        user: Some(Slot(7)),
        cgroup: Some(Slot(9)),
        ..CloneSpec::default()
    }));
    assert_eq!(used(&clone), [7, 9]);
}

/// Does the operation have a path that is looked up when it is carried out?
///
/// Without a wildcard, so that a new operation has to be thought of here.
#[expect(clippy::too_many_lines, reason = "a list of all operations")]
fn has_path(op: &Op) -> bool {
    use Op as O;
    match op {
        O::OpenPlace { .. }
        | O::OpenNamespace { .. }
        | O::Pin { .. }
        | O::Mask { .. }
        | O::ReadOnlyPath { .. }
        | O::MakeCgroup { .. }
        | O::OpenCgroup { .. }
        | O::RunHook(_)
        | O::SetWorkingDirectory { .. }
        | O::Exec(_) => true,
        O::CloneTree { source, .. } => !matches!(source, Source::Place(_)),
        // The target of a link is a text until somebody follows it. Names have no slash.
        O::MakeLink { name, .. } | O::MakeFile { name, .. } => name.contains('/'),
        O::MakeNode { node, .. } => node.name.contains('/'),
        O::ExpectDevice { .. }
        | O::ExpectFilesystem { .. }
        | O::NewIdmap { .. }
        | O::OpenMounts { .. }
        | O::NewFilesystem { .. }
        | O::Configure { .. }
        | O::CreateFilesystem { .. }
        | O::MountDetached { .. }
        | O::SetAttributes { .. }
        | O::CopyUp { .. }
        | O::Attach { .. }
        | O::WriteCgroup { .. }
        | O::CgroupDevices { .. }
        | O::JoinCgroup { .. }
        | O::Clone(_)
        | O::WriteUidMap { .. }
        | O::WriteGidMap { .. }
        | O::Sync { .. }
        | O::DieWithParent
        | O::NewSession
        | O::LoopbackUp
        | O::NewSessionKeyring
        | O::JoinNamespace { .. }
        | O::JoinProcess { .. }
        | O::SendTree { .. }
        | O::AwaitEnd
        | O::Unshare { .. }
        | O::BecomeUser { .. }
        | O::OpenTerminal { .. }
        | O::SendTerminal { .. }
        | O::CloneTerminal { .. }
        | O::ControllingTerminal { .. }
        | O::Duplicate { .. }
        | O::OwnStdio { .. }
        | O::EnterDirectory { .. }
        | O::PivotRoot
        | O::DetachCover
        | O::DetachOldRoot
        | O::ChangeRoot
        | O::SetHostname { .. }
        | O::SetDomainname { .. }
        | O::SetSysctl { .. }
        | O::SetOomScore { .. }
        | O::SetLimit { .. }
        | O::SetUmask { .. }
        | O::SetPersonality { .. }
        | O::SetIoPriority { .. }
        | O::SetScheduler(_)
        | O::NotDumpable
        | O::DropBounding { .. }
        | O::SetUser { .. }
        | O::SetCapabilities { .. }
        | O::NoNewPrivileges
        | O::MakeStub
        | O::LoadSeccomp { .. } => false,
    }
}

fn default_plan(change: impl FnOnce(&mut serde_json::Value)) -> Plan {
    let mut config = crate::config::default_spec::json();
    change(&mut config);
    let spec = serde_json::from_value(config).expect("the default config is one");
    let facts = Facts { kernel: Kernel::default(), ..Facts::default() };
    let input = Input {
        spec: &spec,
        facts: &facts,
        root: RootSource::Directory(HostPath::new("/bundle/rootfs")),
        mounts: &[],
        seccomp: None,
        cgroup: cgroup::CgroupRequest::default(),
        stdio: Stdio::Inherited,
        lifetime: Lifetime::Supervised,
    };
    let plan = compile(&input).expect("the default config has a plan");
    assert_eq!(check(&plan), Ok(()));
    plan
}

/// Every mount is put on a place that was pinned for it alone, and between the two its target is
/// not looked up again: a link that is swapped in meanwhile changes nothing.
#[test]
fn no_path_after_pin() {
    let bind = serde_json::json!({
        "destination": "/t/deep", "type": "bind", "source": "/src", "options": ["rbind", "ro"],
    });
    let own = default_plan(|config| config["mounts"].as_array_mut().unwrap().push(bind.clone()));
    let without_dev = default_plan(|config| config["mounts"] = serde_json::json!([bind]));
    for plan in [own, without_dev] {
        let mut pinned = 0;
        for (index, pin) in plan.steps.iter().enumerate() {
            let Op::Pin { place, path, .. } = &pin.op else { continue };
            pinned += 1;
            for later in &plan.steps[index + 1..] {
                let same_place = uses(&later.op).iter().any(|(slot, _)| slot == place);
                assert!(!same_place || !has_path(&later.op), "{path}: {:?}", later.op);
                let again = matches!(&later.op, Op::Pin { path: other, .. } if other == path);
                assert!(!again, "{path} is looked up twice");
            }
            let attach = plan.steps[index..].iter().position(
                |step| matches!(step.op, Op::Attach { place: onto, .. } if onto == *place),
            );
            for between in &plan.steps[index + 1..index + attach.unwrap_or(1)] {
                assert!(!has_path(&between.op), "{path}: between pin and attach: {:?}", between.op);
            }
        }
        assert!(pinned > 1);
    }
}

/// An attach knows its target by descriptor only: pinned below the root, made by us in a tree of
/// ours, or the host's own `/`, which the new root covers.
#[test]
fn every_attach_has_a_pinned_place() {
    let plan = default_plan(|_| {});
    for step in &plan.steps {
        let Op::Attach { place, .. } = step.op else { continue };
        let maker = plan.steps.iter().find(|s| makes(&s.op).contains(&place));
        let pinned = maker.is_some_and(|maker| match &maker.op {
            Op::Pin { .. } | Op::MakeFile { .. } => true,
            Op::OpenPlace { path, .. } => path.as_path() == std::path::Path::new("/"),
            _ => false,
        });
        assert!(pinned, "{step:?}");
    }
}

/// A config with thousands of mounts is a plan of tens of thousands of steps, and each page of it
/// is a page fault.
#[test]
fn steps_are_small() {
    assert!(size_of::<Step>() <= 112, "{}", size_of::<Step>());
}
