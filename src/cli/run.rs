//! `rrun run`, which is also `rrun IMAGE`.

use super::run_args::{Extra, RunArgs};
use super::{Context, Outcome};
use crate::container::options::RunOptions;
use crate::say::failure::{Failure, Status};

/// Run a command in a new container
///
/// Ends with the command's exit status; 125 if the container could not be set up, 126 if the
/// command cannot be executed, 127 if it is not there, 128+n if signal n ended it.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// The container
    #[command(flatten)]
    pub container: RunArgs,
    /// Show each step of the set-up with the kernel's answer
    #[arg(long)]
    pub trace: bool,
}

/// Runs the command.
pub fn run(options: RunOptions, _extra: Extra, _cx: &Context) -> Outcome {
    Err(Failure::new(format!("run {}", options.image), "not wired").status(Status::NotStarted))
}
