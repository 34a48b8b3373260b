//! `rrun start`: start containers that were created or have ended.

use super::foreground::{self, Trace};
use super::run_args::life::detach_keys;
use super::{Context, Outcome, attached, background, near, rights};
use crate::container::ContainerError;
use crate::container::attach::keys::Keys;
use crate::container::failure::not_started;
use crate::container::restart::RestartPolicy;
use crate::container::store::{Container, ContainerStore, RunLock};
use crate::container::streams::Stdin;
use crate::container::supervisor::FirstGuest;
use crate::say::failure::{Failure, Status};

/// Start containers
///
/// In the background, unless -a or -i is given; then the container's status becomes the command's.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Attach to its output and pass its status on
    #[arg(short, long)]
    attach: bool,
    /// Pass standard input on to it
    #[arg(short, long)]
    interactive: bool,
    /// Keys that let go of it [default: ctrl-p,ctrl-q]
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<String>,
    /// Print each step of the plan with the kernel's answer
    #[arg(long)]
    trace: bool,
    /// The containers, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    rights::require(&format!("start {}", cmd.containers.join(" "))).map_err(plain)?;
    let keys = detach_keys(cmd.detach_keys.as_deref())?;
    let attached = cmd.attach || cmd.interactive;
    match cmd.containers.as_slice() {
        [text] if attached || cmd.trace => with_us(cmd, text, keys, cx),
        _ if attached => Err(Failure::new(
            "start containers",
            "you cannot start and attach multiple containers at once",
        )),
        several => in_background(several, cx),
    }
}

/// V12.18: prints what was started, and goes on after one that cannot be.
fn in_background(containers: &[String], cx: &Context) -> Outcome {
    let mut failed = Vec::new();
    for text in containers {
        let started = find(text, cx).and_then(|container| match lock(&container, cx)? {
            None => Ok(()),
            Some(lock) => background::start((&container, lock), FirstGuest::Nobody, cx)
                .map(drop)
                .map_err(plain),
        });
        match started {
            Ok(()) => cx.out.line(text).map_err(|e| Failure::new("write the result", e))?,
            Err(failure) => {
                cx.out.failure(&failure);
                failed.push(text.as_str());
            }
        }
    }
    match failed.is_empty() {
        true => Ok(0),
        false => {
            cx.out.aside(&format!("Error: failed to start containers: {}\n", failed.join(", ")));
            Ok(1)
        }
    }
}

/// Of a start, a failure to set up is 1; what is wrong with the program stays 126 or 127.
fn plain(failure: Failure) -> Failure {
    match failure.status {
        Status::NotStarted => failure.status(Status::Failed),
        _ => failure,
    }
}

fn failed(text: &str, error: &ContainerError) -> Failure {
    plain(not_started(&format!("start container {text}"), error))
}

fn find(text: &str, cx: &Context) -> Result<Container, Failure> {
    let containers = ContainerStore::open(&cx.store).map_err(|e| failed(text, &e.into()))?;
    containers
        .find(text)
        .map_err(|e| failed(text, &e).perhaps(near::hint(text, &[near::Kind::Container], cx)))
}

/// The container's lock; `None` if it runs already.
fn lock(container: &Container, cx: &Context) -> Result<Option<RunLock>, Failure> {
    let name = container.record.name.as_str();
    let containers = ContainerStore::open(&cx.store).map_err(|e| failed(name, &e.into()))?;
    for _ in 0..LOOKS {
        let now = containers.find(&container.record.id).map_err(|e| failed(name, &e))?;
        if now.state.status.has_supervisor() {
            return Ok(None);
        }
        // Held, and nobody watches over it: it is being copied from, or just being started.
        if let Some(lock) = containers.run_lock(container).map_err(|e| failed(name, &e))? {
            return Ok(Some(lock));
        }
    }
    Err(failed(name, &ContainerError::Busy(name.into())))
}

/// How often is waited for the lock of a container that another command has; a look takes 20 ms.
const LOOKS: u32 = 250;

/// Starts one container and stays with it.
fn with_us(cmd: &Cmd, text: &str, keys: Keys, cx: &Context) -> Outcome {
    let mut signals = foreground::block_signals()?;
    let container = find(text, cx)?;
    let Some(lock) = lock(&container, cx)? else {
        return Err(failed(text, &ContainerError::RunningAlready(text.into())));
    };
    let options = &container.record.options;
    if cmd.interactive {
        foreground::refuse_without_terminal(options)?;
    }
    let input = cmd.interactive && options.interactive;
    if cmd.trace || (!options.terminal && options.restart == RestartPolicy::No) {
        let stdin = if input { Stdin::Passed } else { Stdin::Null };
        let trace = if cmd.trace { Trace::Shown } else { Trace::Hidden };
        return foreground::watch((&container, lock), (stdin, trace), &mut signals, cx)
            .map_err(plain);
    }
    let mut passed = background::passed(options, keys);
    passed.input = input;
    let socket = background::start((&container, lock), FirstGuest::Us, cx).map_err(plain)?;
    attached::visit((&container, socket), passed, &mut signals, cx)
}
