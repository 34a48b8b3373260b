//! `rrun explain`: the plan of a container that is not made.

use super::run_args::{Extra, RunArgs};
use super::{Context, Outcome, near};
use crate::container::ContainerError;
use crate::container::draft::{Sources, draft};
use crate::container::failure::not_started;
use crate::container::options::RunOptions;
use crate::container::plan::{Outside, plan};
use crate::container::record::ContainerState;
use crate::container::store::{Container, ContainerStore};
use crate::engine::terminal;
use crate::image::ImageError;
use crate::say::failure::Failure;
use crate::say::steps::Steps;
use crate::say::{explain, paint};

/// Show what "rrun run" would ask the kernel for, and why, without doing it
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Print JSON, in the form of docs/explain-schema.md
    #[arg(long)]
    pub json: bool,
    /// Only the steps that make the mount tree
    #[arg(long)]
    pub storage: bool,
    /// The container
    #[command(flatten)]
    pub container: RunArgs,
}

/// The form of an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Prints what `run` with these options would ask the kernel for. Nothing is made.
pub fn run(
    options: RunOptions,
    extra: &Extra,
    (form, which): (Form, Steps),
    cx: &Context,
) -> Outcome {
    let wanted = format!("explain a container of {}", options.image);
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
    let draft = draft(&cx.store, options, sources).map_err(failed)?;
    let containers = ContainerStore::open(&cx.store).map_err(|error| failed(error.into()))?;
    let directory = containers.path(&draft.record.id);
    let container = Container { record: draft.record, state: ContainerState::default(), directory };
    let outside = Outside { terminal_size: terminal::size_of_stdin(), ..Outside::default() };
    let (_, plan) = plan(&cx.store, &container, outside).map_err(failed)?;
    let text = match form {
        Form::Text => explain::text(&plan, which, paint::Style::of_stdout()),
        Form::Json => format!("{:#}\n", explain::json(&plan, which)),
    };
    cx.out.text(&text).map_err(|e| Failure::new(&wanted, e))?;
    Ok(0)
}
