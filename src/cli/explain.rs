//! `rrun explain`.

use super::run_args::{Extra, RunArgs};
use super::{Context, Outcome};
use crate::container::options::RunOptions;
use crate::say::failure::{Failure, Status};

/// Show what "rrun run" would ask the kernel for, and why, without doing it
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// The container
    #[command(flatten)]
    pub container: RunArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// How a plan is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Explains the plan.
pub fn run(options: RunOptions, _extra: Extra, _form: Form, _cx: &Context) -> Outcome {
    Err(Failure::new(format!("explain {}", options.image), "not wired").status(Status::NotStarted))
}
