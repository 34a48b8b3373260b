//! Running a program of the user's at a moment that the specification promises.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::report::Taken;
use super::{Fault, Outcome};
use crate::plan::step::HookSpec;

/// What hooks are told of the container: its state, but for what changes.
#[derive(Debug, Clone, Default)]
pub struct HookState {
    /// The id.
    pub id: String,
    /// The bundle's directory.
    pub bundle: String,
    /// The version of the specification that the config names.
    pub oci_version: String,
    /// The annotations of the config.
    pub annotations: std::collections::BTreeMap<String, String>,
}

impl HookState {
    /// The state as JSON.
    pub fn json(&self, status: &str, pid: i32) -> String {
        let mut state = serde_json::json!({
            "ociVersion": self.oci_version,
            "id": self.id,
            "status": status,
            "bundle": self.bundle,
        });
        if pid != 0 {
            state["pid"] = pid.into();
        }
        if !self.annotations.is_empty() {
            state["annotations"] = serde_json::json!(self.annotations);
        }
        state.to_string()
    }
}

/// The status that a hook is told: that of the moment it runs in.
fn status_at(phase: &str) -> &'static str {
    match phase {
        "prestart" | "createRuntime" | "createContainer" => "creating",
        "startContainer" => "created",
        "poststart" => "running",
        _ => "stopped",
    }
}

/// Runs a hook to its end; a status other than 0 is a fault.
pub fn run(hook: &HookSpec, state: &HookState, pid: i32) -> Outcome {
    let mut command = Command::new(hook.path.as_path());
    if let Some((name, rest)) = hook.args.split_first() {
        command.arg0(name).args(rest);
    }
    command.env_clear();
    command.envs(hook.env.iter().filter_map(|entry| entry.split_once('=')));
    command.stdin(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A hook may end without reading; that is its own business.
        let _ = stdin.write_all(state.json(status_at(hook.phase), pid).as_bytes());
    }
    let status = match hook.timeout_s {
        None => child.wait()?,
        Some(seconds) => wait_until(&mut child, Duration::from_secs(seconds))?,
    };
    judge(hook, status)
}

fn judge(hook: &HookSpec, status: ExitStatus) -> Outcome {
    if status.success() {
        return Ok(Taken::Done);
    }
    let words = format!("error running {} hook #{}: {status}", hook.phase, hook.index);
    Err(Fault::refused(Errno::CANCELED, words))
}

fn wait_until(child: &mut std::process::Child, limit: Duration) -> Result<ExitStatus, Fault> {
    let started = Instant::now();
    // A hook is short: a poll every few milliseconds costs less than a descriptor to wait on.
    while started.elapsed() < limit {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill()?;
    child.wait()?;
    Err(Fault::refused(Errno::TIMEDOUT, format!("the hook ran longer than {} s", limit.as_secs())))
}
