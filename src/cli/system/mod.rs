//! `rrun system …`: the store as a whole.

pub mod df;
pub mod info;
mod usage;

use super::{Context, Outcome, prune};

/// See and clear the whole store
#[derive(Debug, clap::Subcommand)]
pub(super) enum SystemCommand {
    Df(df::Cmd),
    Info(info::Cmd),
    Prune(prune::system::Cmd),
}

/// Runs one of the commands.
pub(super) fn run(command: SystemCommand, cx: &Context) -> Outcome {
    match command {
        SystemCommand::Df(cmd) => df::run(&cmd, cx),
        SystemCommand::Info(cmd) => info::run(&cmd, cx),
        SystemCommand::Prune(cmd) => prune::system::run(&cmd, cx),
    }
}
