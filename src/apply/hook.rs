//! Running a program of the user's at a moment that the specification promises.

use std::ffi::CString;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::AsFd;

use rustix::fs::{MemfdFlags, Mode};
use rustix::io::Errno;

use super::outcome::{Fault, Outcome, Taken};
use super::process::c_string;
use crate::plan::step::HookSpec;
use crate::sys::spawn::{self, Child, Program};

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
        // What engines' hooks look for: all but the process is there.
        "prestart" | "startContainer" => "created",
        "createRuntime" | "createContainer" => "creating",
        "poststart" => "running",
        _ => "stopped",
    }
}

/// What a hook finds beside its state.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The container's process, as the host numbers it; 0 when it is gone.
    pub pid: i32,
    /// The umask that it runs with; ours if there is none.
    pub umask: Option<Mode>,
}

/// Runs a hook to its end; a status other than 0 is a fault.
pub fn run(hook: &HookSpec, state: &HookState, moment: Moment) -> Outcome {
    let named = |errno, words: String| {
        let (phase, index) = (hook.phase, hook.index);
        Fault::refused(errno, format!("error running {phase} hook #{index}: {words}"))
    };
    let before = moment.umask.map(rustix::process::umask);
    let spawned = start(hook, &state.json(status_at(hook.phase), moment.pid));
    before.map(rustix::process::umask);
    let child = spawned.map_err(|fault| {
        let words = format!("{}: {}", hook.path, std::io::Error::from(fault.errno));
        named(fault.errno, words)
    })?;
    let ended = match hook.timeout_s {
        None => child.wait().map(Some),
        Some(seconds) => child.wait_for(seconds),
    };
    match ended.map_err(|errno| named(errno, errno.to_string()))? {
        Some(0) => Ok(Taken::Done),
        Some(status) => Err(named(Errno::CANCELED, words_of(status))),
        None => {
            let seconds = hook.timeout_s.unwrap_or_default();
            Err(named(Errno::TIMEDOUT, format!("it ran longer than {seconds} s and was killed")))
        }
    }
}

fn words_of(wait_status: i32) -> String {
    match wait_status & 0x7f {
        0 => format!("exit status {}", wait_status >> 8 & 0xff),
        signal => format!("killed by signal {signal}"),
    }
}

fn start(hook: &HookSpec, state: &str) -> Result<Child, Fault> {
    let texts = |list: &[String]| list.iter().map(|t| c_string(t)).collect::<Result<Vec<_>, _>>();
    let path = CString::new(hook.path.as_path().as_os_str().as_encoded_bytes())
        .map_err(|_| Fault::refused(Errno::INVAL, "a path with a null byte in it"))?;
    let mut arguments = texts(&hook.args)?;
    if arguments.is_empty() {
        arguments.push(path.clone());
    }
    // In memory, not in a pipe: a hook that does not read must not stop us, nor kill us.
    let stdin = rustix::fs::memfd_create("state", MemfdFlags::CLOEXEC)?;
    let mut file = File::from(stdin);
    file.write_all(state.as_bytes())?;
    file.rewind()?;
    let environment = texts(&hook.env)?;
    let stdin = file.as_fd();
    let death = spawn::Death::OfItsOwn;
    let program =
        Program { path, arguments, environment, stdin, stdout: None, stderr: None, death };
    Ok(spawn::spawn(program)?)
}
