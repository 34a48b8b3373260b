//! `rrun container …`: the commands about containers under one roof.

use super::{create, inspect, ps, rm, run, start};

/// Manage containers
#[derive(Debug, clap::Subcommand)]
pub(super) enum ContainerCommand {
    Create(create::Cmd),

    Inspect(inspect::OneKind),
    #[command(visible_aliases = ["list", "ps"])]
    Ls(ps::Cmd),
    #[command(visible_alias = "remove")]
    Rm(rm::Cmd),
    Run(run::Cmd),
    Start(start::Cmd),
}
