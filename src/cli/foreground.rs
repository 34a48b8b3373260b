//! What `run` and `start` share: watching over a container, and the words for what went wrong.

use super::Context;
use crate::apply::report::Tracing;
use crate::container::ContainerError;
use crate::container::options::RunOptions;
use crate::container::remove::{Force, WithVolumes, remove};
use crate::container::start::{Ended, Manner, Stdin, start, stdin_is_terminal};
use crate::container::store::Container;
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
    if options.terminal && options.interactive && !stdin_is_terminal() {
        let cause =
            "cannot attach stdin to a TTY-enabled container because stdin is not a terminal";
        return Err(Failure::new("run with -it", cause)
            .hint("leave -t out where the input is a pipe or a file"));
    }
    Ok(())
}

/// Starts a container and watches over it to its end; returns its status.
pub fn watch(
    container: &Container,
    (stdin, shown): (Stdin, Trace),
    cx: &Context,
) -> Result<u8, Failure> {
    let tracing = if shown == Trace::Shown { Tracing::On } else { Tracing::Off };
    let manner = Manner { stdin, tracing };
    let wanted = format!("start container {}", container.record.name);
    let ended =
        start(&cx.store, container, manner).map_err(|error| not_started(&wanted, &error))?;
    let Ended { outcome, plan, report, warnings } = ended;
    warnings.iter().for_each(|warning| cx.out.warning(warning));
    if shown == Trace::Shown {
        cx.out.aside(&trace::text(&plan, &report, paint::Style::of_stderr()));
    }
    outcome.map_err(|error| setup::failure(&plan, &error))
}

/// `--rm`: the container goes with its process, its anonymous volumes, too (V6.03).
pub fn remove_if_wished(container: &Container, cx: &Context) -> Result<(), Failure> {
    if !container.record.options.remove {
        return Ok(());
    }
    remove(&cx.store, container, WithVolumes::Yes, Force::No)
        .map_err(|e| Failure::new(format!("remove container {}", container.record.name), e))
}

/// A failure before there was a process: status 125, whatever the text.
pub fn not_started(wanted: &str, error: &ContainerError) -> Failure {
    let mut failure = Failure::new(wanted, error).status(Status::NotStarted);
    failure.hint = hint(error);
    if let ContainerError::Volume(volume) = error {
        failure.kernel = volume.kernel_words().map(Into::into);
        failure.hint = volume.hint();
    }
    failure
}

fn hint(error: &ContainerError) -> Option<String> {
    match error {
        ContainerError::NoImage(_) => Some(
            "`rrun images` lists what is there; `rrun import` and `rrun load` bring more".into(),
        ),
        ContainerError::NoSource { path } => setup::how_far(path),
        ContainerError::Mounts(error) => error.hint(),
        ContainerError::NameTaken { .. } => Some("`rrun rm NAME` removes it".into()),
        _ => None,
    }
}
