//! `rrun pause` and `rrun unpause`: hold containers still, and let them go on.

use super::{Context, Outcome, each::each};
use crate::container::{ContainerError, freezer};

/// Hold all processes of containers
#[derive(Debug, clap::Args)]
pub struct Pause {
    /// The containers, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Let held containers go on
#[derive(Debug, clap::Args)]
pub struct Unpause {
    /// The containers, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Runs `pause`.
pub fn run(cmd: &Pause, cx: &Context) -> Outcome {
    each(("pause", &cmd.containers), cx, |container| {
        let name = || container.record.id.clone();
        if container.state.pid == 0 {
            return Err(ContainerError::NotRunning(name()));
        }
        if freezer::is_frozen(container) {
            return Err(ContainerError::Paused(name()));
        }
        freezer::freeze(container)
    })
}

/// Runs `unpause`.
pub fn unpause(cmd: &Unpause, cx: &Context) -> Outcome {
    each(("unpause", &cmd.containers), cx, |container| match freezer::is_frozen(container) {
        true => freezer::thaw(container),
        false => Err(ContainerError::NotPaused(container.record.id.clone())),
    })
}
