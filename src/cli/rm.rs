//! `rrun rm`, also `rrun container rm`.

use super::{Context, Outcome, near};
use crate::container::ContainerError;
use crate::container::remove::{Force, WithVolumes, remove};
use crate::container::store::ContainerStore;
use crate::say::failure::Failure;

/// Remove containers
///
/// Volumes stay, unless -v is given: then those that nobody named go, too, if no other container
/// uses them.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Kill a running container, and be content with containers that do not exist
    #[arg(short, long)]
    force: bool,
    /// Remove the container's anonymous volumes, too
    #[arg(short, long)]
    volumes: bool,
    /// The containers, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Removes the containers, and goes on after one that cannot be removed.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let containers =
        ContainerStore::open(&cx.store).map_err(|e| Failure::new("open the containers", e))?;
    let force = if cmd.force { Force::Yes } else { Force::No };
    let volumes = if cmd.volumes { WithVolumes::Yes } else { WithVolumes::No };
    let mut status = 0;
    for text in &cmd.containers {
        let container = match containers.find(text) {
            Ok(container) => container,
            Err(ContainerError::Missing(_)) if cmd.force => continue,
            Err(e) => {
                cx.out.failure(&failure(text, &e, cx));
                status = 1;
                continue;
            }
        };
        match remove(&cx.store, &container, volumes, force) {
            // Killed, a container with --rm is removed by whoever watched over it.
            Ok(()) | Err(ContainerError::Missing(_)) => {
                cx.out.line(text).map_err(|e| Failure::new("write the result", e))?;
            }
            Err(e) => {
                cx.out.failure(&failure(text, &e, cx));
                status = 1;
            }
        }
    }
    Ok(status)
}

fn failure(text: &str, error: &ContainerError, cx: &Context) -> Failure {
    let mut failure = Failure::new(format!("remove container {text:?}"), error);
    match error {
        ContainerError::Missing(_) => {
            failure.hint = near::hint(text, &[near::Kind::Container], cx);
        }
        ContainerError::Running(_) => {
            failure.hint = Some(format!("rrun rm -f {text} kills it first"));
        }
        ContainerError::Volume(volume) => {
            failure.kernel = volume.kernel_words().map(Into::into);
            failure.hint = volume.hint();
        }
        _ => {}
    }
    failure
}
