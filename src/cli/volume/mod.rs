//! `rrun volume …`: the way to its commands, and what they share in words.

pub mod create;
pub mod inspect;
pub mod ls;
pub mod prune;
pub mod rm;
pub(super) mod shown;
mod start;

use clap::Subcommand;

use super::{Context, Outcome};

/// Manage volumes
#[derive(Debug, Subcommand)]
pub enum VolumeCommand {
    /// Create a volume
    Create(create::Cmd),
    /// Display detailed information on one or more volumes
    Inspect(inspect::Cmd),
    /// List volumes
    #[command(visible_alias = "list")]
    Ls(ls::Cmd),
    /// Remove unused volumes
    Prune(prune::Cmd),
    /// Remove one or more volumes
    #[command(visible_alias = "remove")]
    Rm(rm::Cmd),
}

/// Runs one of the commands.
pub fn run(command: VolumeCommand, cx: &Context) -> Outcome {
    match command {
        VolumeCommand::Create(cmd) => create::run(cmd, cx),
        VolumeCommand::Inspect(cmd) => inspect::run(&cmd, cx),
        VolumeCommand::Ls(cmd) => ls::run(&cmd, cx),
        VolumeCommand::Prune(cmd) => prune::run(&cmd, cx),
        VolumeCommand::Rm(cmd) => rm::run(&cmd, cx),
    }
}
