//! `rrun run`, which is also `rrun IMAGE`: create a container and watch over it to its end.

use super::foreground::{self, Trace};
use super::run_args::{Extra, RunArgs};
use super::{Context, Outcome, attached, background, missing, near, rights};
use crate::container::ContainerError;
use crate::container::create::{Created, create};
use crate::container::draft::{Sources, draft};
use crate::container::failure::not_started;
use crate::container::options::RunOptions;
use crate::container::restart::RestartPolicy;
use crate::container::streams::Stdin;
use crate::container::supervisor::FirstGuest;
use crate::image::ImageError;
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
    rights::require(&format!("run a container of {}", options.image))?;
    if !options.detached {
        foreground::refuse_without_terminal(&options)?;
    }
    // Until it is there, a signal ends this like any command.
    missing::fetch(&options.image, extra, cx)?;
    // From before there is a container: what comes later finds somebody who clears it away.
    let mut signals = foreground::block_signals()?;
    let Created { container, lock, .. } = made(options, extra, cx)?;
    let way = Way::of(&container.record.options, extra);
    if let Some(number) = foreground::asked_to_end(&mut signals) {
        drop(lock);
        foreground::remove_if_wished(&container, cx)?;
        return Ok(number);
    }
    match way {
        Way::Here(stdin, trace) => {
            foreground::watch((&container, lock), (stdin, trace), &mut signals, cx)
        }
        Way::Background => {
            background::start((&container, lock), FirstGuest::Nobody, cx)?;
            cx.out.line(&container.record.id).map_err(|e| Failure::new("print the id", e))?;
            Ok(0)
        }
        Way::Visited => {
            let passed = background::passed(&container.record.options, extra.detach_keys.clone());
            let socket = background::start((&container, lock), FirstGuest::Us, cx)?;
            attached::visit((&container, socket), passed, &mut signals, cx)
        }
    }
}

/// Where a new container runs.
enum Way {
    /// This process watches over it.
    Here(Stdin, Trace),
    /// A supervisor does.
    Background,
    /// A supervisor does, and we attach: what can be let go of, and what starts again, has a life
    /// beyond this command.
    Visited,
}

impl Way {
    fn of(options: &RunOptions, extra: &Extra) -> Self {
        let may_detach = options.terminal && options.interactive;
        if options.detached {
            return Way::Background;
        }
        if !extra.trace && (may_detach || options.restart != RestartPolicy::No) {
            return Way::Visited;
        }
        let stdin = if options.interactive { Stdin::Passed } else { Stdin::Null };
        Way::Here(stdin, if extra.trace { Trace::Shown } else { Trace::Hidden })
    }
}

/// The container, made; warnings are told, the id is written where it was asked for.
pub fn made(options: RunOptions, extra: &Extra, cx: &Context) -> Result<Created, Failure> {
    let wanted = format!("create a container of {}", options.image);
    let image = options.image.clone();
    let failed = |error: ContainerError| {
        let failure = not_started(&wanted, &error);
        match &error {
            ContainerError::NoImage(_) | ContainerError::Image(ImageError::Reference(_)) => {
                near::no_image(failure, &image, extra, cx)
            }
            _ => failure,
        }
    };
    let sources = if extra.strict_sources { Sources::Strict } else { Sources::Make };
    let cidfile = extra.cidfile.as_deref().map(super::cidfile::claim).transpose()?;
    let mut draft = draft(&cx.store, options, sources).map_err(failed)?;
    let created = create(&cx.store, &mut draft).map_err(failed)?;
    created.warnings.iter().for_each(|warning| cx.out.warning(warning));
    if let Some(cidfile) = cidfile {
        cidfile.write(&created.container.record.id)?;
    }
    Ok(created)
}
