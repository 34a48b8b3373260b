//! Commands that do one thing to each of several containers: they go on after a failure.

use super::{Context, Outcome};
use crate::container::ContainerError;
use crate::container::store::{Container, ContainerStore};
use crate::say::failure::Failure;

/// Does `act` to each container and prints its name as it was typed, or the failure.
pub fn each(
    (verb, containers): (&str, &[String]),
    cx: &Context,
    act: impl Fn(&Container) -> Result<(), ContainerError>,
) -> Outcome {
    let store =
        ContainerStore::open(&cx.store).map_err(|e| Failure::new("open the containers", e))?;
    let mut status = 0;
    for text in containers {
        match store.find(text).and_then(|container| act(&container)) {
            Ok(()) => cx.out.line(text).map_err(|e| Failure::new("write the result", e))?,
            Err(error) => {
                cx.out.failure(&Failure::new(format!("{verb} container {text}"), &error));
                status = 1;
            }
        }
    }
    Ok(status)
}
