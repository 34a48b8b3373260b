//! What `run` and `start` share: watching over a container, and the words for what went wrong.

use super::Context;
use crate::apply::report::Tracing;
use crate::container::attach::{self, host::Hall};
use crate::container::failure::not_started;
use crate::container::options::RunOptions;
use crate::container::remove::{Force, WithVolumes, remove};
use crate::container::start::{self, Ended, Manner};
use crate::container::store::{Container, RunLock};
use crate::container::streams::{Audience, Stdin, stdin_is_terminal};
use crate::container::supervisor;
use crate::engine::guests::Guests;
use crate::engine::signals::Signals;
use crate::engine::terminal;
use crate::say::failure::{Failure, Status};
use crate::say::{paint, setup, trace};

/// Are the steps told as they went?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// Yes, on standard error.
    Shown,
    /// No.
    Hidden,
}

/// V12.15: a terminal in the container needs one here, if its keys are to be passed on.
pub fn refuse_without_terminal(options: &RunOptions) -> Result<(), Failure> {
    match options.terminal && options.interactive {
        true => require_terminal("run"),
        false => Ok(()),
    }
}

/// As [`refuse_without_terminal`], for a `command` that does want one.
pub fn require_terminal(command: &str) -> Result<(), Failure> {
    if !stdin_is_terminal() {
        let cause =
            "cannot attach stdin to a TTY-enabled container because stdin is not a terminal";
        return Err(Failure::new(format!("{command} with -it"), cause)
            .hint("leave -t out where the input is a pipe or a file"));
    }
    Ok(())
}

/// Blocks the signals that are a supervisor's; they wait until it takes them.
pub fn block_signals() -> Result<Signals, Failure> {
    Signals::block()
        .map_err(|e| Failure::new("watch over a container", e).status(Status::NotStarted))
}

/// The status for a signal that came before there was a process, and asks to end.
pub fn asked_to_end(signals: &mut Signals) -> Option<u8> {
    let mut asked = None;
    while let Some(number) = signals.take() {
        if matches!(number, libc::SIGINT | libc::SIGTERM | libc::SIGHUP | libc::SIGQUIT) {
            asked = u8::try_from(128 + number).ok();
        }
    }
    asked
}

/// Runs a container with the caller's own streams and watches over it to its end; returns its
/// status.
pub fn watch(
    (container, lock): (&Container, RunLock),
    (stdin, shown): (Stdin, Trace),
    signals: &mut Signals,
    cx: &Context,
) -> Result<u8, Failure> {
    let tracing = if shown == Trace::Shown { Tracing::On } else { Tracing::Off };
    // Others may attach as well; if that cannot be had, it runs without.
    let hall = Hall::open(&container.directory, None).ok();
    let guests = hall.map(|hall| Box::new(hall) as Box<dyn Guests>);
    let (audience, on_start) = (Audience::Caller, &mut || {});
    let size = terminal::size_of_stdin();
    let manner = Manner { stdin, audience, guests, size, tracing, signals, on_start };
    let ended = start::run(&cx.store, container, &lock, manner);
    if let Ok(Ended { state, .. }) = &ended
        && let Err(error) = start::note(container, state)
    {
        cx.out.warning(error);
    }
    attach::host::close(&container.directory);
    // Only who let go of the lock can remove the container.
    drop(lock);
    let removed = remove_if_wished(container, cx);
    let ended = ended.map_err(|error| not_started(&wanted(container), &error));
    if let (Err(_), Err(also)) = (&ended, &removed) {
        cx.out.failure(also);
    }
    let Ended { outcome, plan, report, warnings, guests, .. } = ended?;
    if let (Some(guests), Ok(status)) = (guests, &outcome) {
        supervisor::farewell(guests, *status);
    }
    warnings.iter().for_each(|warning| cx.out.warning(warning));
    if shown == Trace::Shown {
        cx.out.aside(&trace::text(&plan, &report, paint::Style::of_stderr()));
    }
    if let (Err(_), Err(also)) = (&outcome, &removed) {
        cx.out.failure(also);
    }
    let status = outcome.map_err(|error| setup::failure(&plan, &error))?;
    if let Some(why) = setup::killed_by_limit(&plan, status) {
        cx.out.warning(why);
    }
    removed.map(|()| status)
}

fn wanted(container: &Container) -> String {
    format!("start container {}", container.record.name)
}

/// `--rm`: the container goes with its process, its anonymous volumes, too (V6.03).
pub fn remove_if_wished(container: &Container, cx: &Context) -> Result<(), Failure> {
    if !container.record.options.remove {
        return Ok(());
    }
    remove(&cx.store, container, WithVolumes::Yes, Force::No)
        .map_err(|e| Failure::new(format!("remove container {}", container.record.name), e))
}
