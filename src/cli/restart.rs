//! `rrun restart`: stop containers and start them again.

use super::stop::How;
use super::{Context, Outcome, background};
use crate::container::failure::not_started;
use crate::container::store::ContainerStore;
use crate::container::supervisor::FirstGuest;
use crate::container::{ContainerError, ending};
use crate::say::failure::{Failure, Status};

/// Stop containers and start them again
#[derive(Debug, clap::Args)]
pub struct Cmd {
    #[command(flatten)]
    how: How,
    /// The containers, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let asked = cmd.how.parse()?;
    let mut status = 0;
    for text in &cmd.containers {
        let failed = |error: &ContainerError| {
            not_started(&format!("restart container {text}"), error).status(Status::Failed)
        };
        let restarted = (|| {
            let containers = ContainerStore::open(&cx.store).map_err(|e| failed(&e.into()))?;
            let container = containers.find(text).map_err(|e| failed(&e))?;
            ending::stop(&cx.store, &container, asked.of(&container)).map_err(|e| failed(&e))?;
            let container = containers.find(text).map_err(|e| failed(&e))?;
            let lock = containers.run_lock(&container).map_err(|e| failed(&e))?;
            let running = || failed(&ContainerError::RunningAlready(text.clone()));
            background::start((&container, lock.ok_or_else(running)?), FirstGuest::Nobody, cx)
        })();
        match restarted {
            Ok(_) => cx.out.line(text).map_err(|e| Failure::new("write the result", e))?,
            Err(failure) => {
                cx.out.failure(&failure);
                status = 1;
            }
        }
    }
    Ok(status)
}
