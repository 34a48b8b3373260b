//! `rrun run`, which is also `rrun IMAGE`: create a container and watch over it to its end.

use super::foreground::{self, Trace};
use super::run_args::{Extra, RunArgs};
use super::{Context, Outcome};
use crate::container::ContainerError;
use crate::container::create::{Created, create};
use crate::container::draft::{Sources, draft};
use crate::container::options::RunOptions;
use crate::container::start::Stdin;
use crate::container::store::Container;
use crate::say::failure::Failure;

/// Run a command in a new container
///
/// Ends with the command's exit status; 125 if the container could not be set up, 126 if the
/// command cannot be executed, 127 if it is not there, 128+n if signal n ended it.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Show each step of the set-up with the kernel's answer
    #[arg(long)]
    pub trace: bool,
    /// The container
    #[command(flatten)]
    pub container: RunArgs,
}

/// Creates the container and starts it.
pub fn run(options: RunOptions, extra: &Extra, cx: &Context) -> Outcome {
    foreground::refuse_without_terminal(&options)?;
    let stdin = if options.interactive { Stdin::Passed } else { Stdin::Null };
    let trace = if extra.trace { Trace::Shown } else { Trace::Hidden };
    let container = made(options, extra, cx)?;
    let ended = foreground::watch(&container, (stdin, trace), cx);
    let removed = foreground::remove_if_wished(&container, cx);
    let status = ended?;
    removed.map(|()| status)
}

/// The container, made; warnings are told, the id is written where it was asked for.
pub fn made(options: RunOptions, extra: &Extra, cx: &Context) -> Result<Container, Failure> {
    let wanted = format!("create a container of {}", options.image);
    let failed = |error: ContainerError| {
        let failure = foreground::not_started(&wanted, &error);
        match (&extra.near_command, &error) {
            (Some(command), ContainerError::NoImage(_)) => {
                failure.hint(format!("did you mean the command `rrun {command}`?"))
            }
            _ => failure,
        }
    };
    let sources = if extra.strict_sources { Sources::Strict } else { Sources::Make };
    let cidfile = extra.cidfile.as_deref().map(super::cidfile::claim).transpose()?;
    let draft = draft(&cx.store, options, sources).map_err(failed)?;
    let Created { container, warnings } = create(&cx.store, &draft).map_err(failed)?;
    warnings.iter().for_each(|warning| cx.out.warning(warning));
    if let Some(cidfile) = cidfile {
        cidfile.write(&container.record.id)?;
    }
    Ok(container)
}
