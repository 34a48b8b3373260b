//! Programs of the user's at the moments that the specification promises.

use oci_spec::runtime::{Hook, Spec};

use super::compiler::Compiler;
use super::error::CompileError;
use super::step::{Actor, HookSpec, Op};
use crate::config::path::HostPath;

fn hook(phase: &'static str, index: usize, hook: &Hook) -> Result<HookSpec, CompileError> {
    let invalid = |what, value| CompileError::Invalid {
        origin: format!("/hooks/{phase}/{index}"),
        what,
        value,
    };
    let timeout_s = hook.timeout().filter(|&seconds| seconds != 0);
    let timeout_s = timeout_s.map(|seconds| {
        u64::try_from(seconds).map_err(|_| invalid("timeout of a hook", seconds.to_string()))
    });
    if !hook.path().is_absolute() {
        return Err(invalid("absolute path of a hook", hook.path().display().to_string()));
    }
    Ok(HookSpec {
        phase,
        index,
        path: HostPath::new(hook.path().clone()),
        args: hook.args().clone().unwrap_or_default(),
        env: hook.env().clone().unwrap_or_default(),
        timeout_s: timeout_s.transpose()?,
    })
}

/// The hooks of one phase, in the config's words for it.
pub fn hooks(spec: &Spec, phase: &'static str) -> Result<Vec<HookSpec>, CompileError> {
    let Some(all) = spec.hooks() else { return Ok(Vec::new()) };
    let list = match phase {
        "prestart" => all.prestart(),
        "createRuntime" => all.create_runtime(),
        "createContainer" => all.create_container(),
        "startContainer" => all.start_container(),
        "poststart" => all.poststart(),
        _ => all.poststop(),
    };
    list.iter().flatten().enumerate().map(|(index, h)| hook(phase, index, h)).collect()
}

/// The steps of one phase.
pub(super) fn run(
    c: &mut Compiler<'_>,
    phase: &'static str,
    because: &'static str,
) -> Result<(), CompileError> {
    for spec in hooks(c.input.spec, phase)? {
        c.plan.origin_text(&format!("/hooks/{phase}/{}", spec.index));
        c.push(Op::RunHook(Box::new(spec)), because);
    }
    Ok(())
}

/// The hooks that see the mount tree before it is entered.
pub(super) fn before_pivot(c: &mut Compiler<'_>) -> Result<(), CompileError> {
    let on_host = ["prestart", "createRuntime"].map(|phase| hooks(c.input.spec, phase));
    let on_host = on_host.into_iter().any(|hooks| !hooks.is_ok_and(|hooks| hooks.is_empty()));
    if on_host {
        c.plan.origin_text("/hooks");
        c.push(
            Op::Sync { waits: Actor::Host, until: "the child has made its mount tree" },
            "these hooks are promised the namespaces and mounts of the container",
        );
        c.plan.actor(Actor::Host);
        for phase in ["prestart", "createRuntime"] {
            run(c, phase, "run on the host while the container's root is not entered yet")?;
        }
        c.plan.origin_text("/hooks").actor(Actor::Child);
        c.push(
            Op::Sync { waits: Actor::Child, until: "the host's hooks have run" },
            "what they prepare must be there before the container goes on",
        );
    }
    run(c, "createContainer", "run in the container's namespaces, with the host's paths")
}
