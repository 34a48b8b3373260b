//! `rrun create`.

use super::run_args::{Extra, RunArgs};
use super::{Context, Outcome};
use crate::container::options::RunOptions;
use crate::say::failure::Failure;

/// Create a container without starting it
///
/// Prints its id.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// The container
    #[command(flatten)]
    pub container: RunArgs,
}

/// Creates the container.
pub fn run(options: RunOptions, _extra: Extra, _cx: &Context) -> Outcome {
    Err(Failure::new(format!("create a container of {}", options.image), "not wired"))
}
