//! `rrun kill`: send a signal to containers.

use super::{Context, Outcome, each::each, signal_of};
use crate::container::ending;

/// Send a signal to containers that run
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// The signal: a name or a number
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL")]
    signal: String,
    /// The containers, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let signal = signal_of(&cmd.signal)?;
    each(("kill", &cmd.containers), cx, |container| ending::kill(container, signal))
}
