//! `rrun wait`: wait for the end of containers.

use super::{Context, Outcome};
use crate::container::ending;
use crate::container::store::ContainerStore;
use crate::say::failure::Failure;

/// Wait until containers have ended, and print their statuses
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// The containers, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let store =
        ContainerStore::open(&cx.store).map_err(|e| Failure::new("open the containers", e))?;
    let mut status = 0;
    for text in &cmd.containers {
        match store.find(text).and_then(|container| ending::wait(&cx.store, &container)) {
            Ok(ended) => cx.out.line(ended).map_err(|e| Failure::new("write the status", e))?,
            Err(error) => {
                cx.out.failure(&Failure::new(format!("wait for container {text}"), &error));
                status = 1;
            }
        }
    }
    Ok(status)
}
