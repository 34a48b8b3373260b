//! `rrun start`.

use super::{Context, Outcome};
use crate::say::failure::Failure;

/// Start stopped containers
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Attach to the container's output and end with its exit status
    #[arg(short, long)]
    pub attach: bool,
    /// Attach to the container's input, too
    #[arg(short, long)]
    pub interactive: bool,
    /// The containers, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    pub containers: Vec<String>,
}

/// Starts the containers.
pub fn run(cmd: &Cmd, _cx: &Context) -> Outcome {
    Err(Failure::new(format!("start {}", cmd.containers.join(" ")), "not wired"))
}
