//! What a plan does not keep although it may look so: told after its steps.

use crate::config::mount_option::attribute;
use crate::plan::step::{Op, Plan, Step};

/// CAP_SYS_ADMIN: the right to mount.
const CAP_SYS_ADMIN: u64 = 1 << 21;

/// What a reader of this plan should know beside its steps.
pub fn notes(plan: &Plan) -> Vec<String> {
    remounts(plan).into_iter().collect()
}

/// Read-only is no lock against who may mount in the container's own mount namespace.
fn remounts(plan: &Plan) -> Option<String> {
    let may_mount = plan.steps.iter().rev().find_map(|step| match &step.op {
        Op::SetCapabilities { sets, .. } => Some((sets.permitted | sets.bounding) & CAP_SYS_ADMIN),
        _ => None,
    })?;
    let mut origins: Vec<String> = Vec::new();
    for step in plan.steps.iter().filter(|step| makes_read_only(step)) {
        let origin = step.origin.to_string();
        // What every container gets is named by no user, and what protects the host is no volume.
        if origin != "default" && !origin.starts_with("/linux/") && !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    if may_mount == 0 || origins.is_empty() {
        return None;
    }
    Some(format!(
        "the container keeps CAP_SYS_ADMIN, with which it can make writable again what is mounted \
         read-only here: {}",
        origins.join(", ")
    ))
}

fn makes_read_only(step: &Step) -> bool {
    match &step.op {
        Op::SetAttributes { change, .. } => change.attributes.set & attribute::RDONLY != 0,
        Op::MountDetached { attributes, .. } => attributes & attribute::RDONLY != 0,
        _ => false,
    }
}
