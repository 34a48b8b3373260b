//! `rrun container …`: the commands about containers under one roof.

use super::{
    attach, commit, cp, create, diff, exec, export, inspect, kill, logs, pause, port, prune, ps,
    rename, restart, rm, run, start, stop, wait,
};

/// Manage containers
#[derive(Debug, clap::Subcommand)]
pub(super) enum ContainerCommand {
    Attach(attach::Cmd),
    Commit(commit::Cmd),
    Cp(cp::Cmd),
    Create(create::Cmd),
    Diff(diff::Cmd),
    Exec(exec::Cmd),
    Export(export::Cmd),
    Inspect(inspect::Containers),
    Kill(kill::Cmd),
    Logs(logs::Cmd),
    #[command(visible_aliases = ["list", "ps"])]
    Ls(ps::Cmd),
    Pause(pause::Pause),
    Port(port::Cmd),
    Prune(prune::containers::Cmd),
    Rename(rename::Cmd),
    Restart(restart::Cmd),
    #[command(visible_alias = "remove")]
    Rm(rm::Cmd),
    Run(run::Cmd),
    Start(start::Cmd),
    Stop(stop::Cmd),
    Unpause(pause::Unpause),
    Wait(wait::Cmd),
}
