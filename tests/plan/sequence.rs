//! The steps of one mount, by the kernel's names.

use rrun::plan::step::{Actor, Op, Parameter, Plan, Step};
use rrun::say::call::call;

/// The steps that `origin` asked for.
pub fn asked_for<'a>(plan: &'a Plan, origin: &str) -> Vec<&'a Step> {
    plan.steps.iter().filter(|step| step.origin.to_string() == origin).collect()
}

/// The kernel's names of the steps, with what tells one fsconfig from another; steps that the
/// host does are marked.
pub fn names<'a>(steps: impl IntoIterator<Item = &'a Step>) -> String {
    let names: Vec<String> = steps.into_iter().map(name).collect();
    names.join(" ")
}

fn name(step: &Step) -> String {
    let call = call(&step.op);
    let name = match &step.op {
        Op::Configure { key, value: Parameter::Text(_) | Parameter::Flag, .. } => {
            format!("fsconfig:{key}")
        }
        Op::Configure { key, value: Parameter::ModeOf(_), .. } => {
            format!("fsconfig:{key}=target's")
        }
        Op::Configure { key, value: Parameter::Directory(_), .. } => format!("fsconfig:{key}=fd"),
        Op::Configure { key, .. } => format!("fsconfig:{key}=/proc/self/fd"),
        Op::CreateFilesystem { .. } => "create".into(),
        Op::Sync { waits: Actor::Host, .. } => "host-waits".into(),
        Op::Sync { .. } => "child-waits".into(),
        Op::Mask { .. } => "mask".into(),
        Op::ReadOnlyPath { .. } => "read-only".into(),
        _ => call.split_once('(').unwrap().0.to_owned(),
    };
    match step.actor {
        Actor::Host if matches!(step.op, Op::Sync { .. }) => name,
        Actor::Host => format!("host:{name}"),
        Actor::Child => name,
    }
}

/// What the steps that change attributes ask for: `{attr_set=MOUNT_ATTR_RDONLY}`, with
/// `AT_RECURSIVE` where it reaches below.
pub fn changes<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Vec<String> {
    let change = |step: &Step| match &step.op {
        Op::SetAttributes { tree, .. } => {
            let call = call(&step.op);
            let call = call.strip_prefix(&format!("mount_setattr(#{}, ", tree.0)).unwrap();
            Some(call.strip_suffix(')').unwrap().replace("MOUNT_ATTR_", ""))
        }
        _ => None,
    };
    steps.into_iter().filter_map(change).collect()
}
