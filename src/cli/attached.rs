//! What `run`, `start -a` and `attach` share: visiting a container that a supervisor watches over.

use std::os::fd::OwnedFd;

use super::{Context, Outcome};
use crate::container::attach::guest::{self, Left, Passed};
use crate::container::store::{Container, ContainerStore};
use crate::engine::signals::Signals;
use crate::say::failure::Failure;
use crate::say::setup::words_of;

/// Stays with a container until it ends or the user lets go; returns the command's status.
pub fn visit(
    (container, socket): (&Container, Option<OwnedFd>),
    passed: Passed,
    signals: &mut Signals,
    cx: &Context,
) -> Outcome {
    let failed = |cause: &dyn std::fmt::Display| {
        Failure::new(format!("attach to container {}", container.record.name), cause)
    };
    let Some(socket) = socket else { return Err(failed(&"nobody watches over it")) };
    let left = guest::visit(&socket, passed, signals).map_err(|e| failed(&words_of(e)))?;
    match left {
        Left::Ended(status) => Ok(status),
        Left::Detached => Ok(0),
        Left::Signal(number) => Ok(u8::try_from(128 + number).unwrap_or(u8::MAX)),
        // Its supervisor was killed, and the container with it.
        Left::Lost => {
            let containers = ContainerStore::open(&cx.store).map_err(|e| failed(&e))?;
            match containers.find(&container.record.id) {
                Ok(found) if !found.state.status.has_supervisor() => Ok(found.state.exit_code),
                _ => Err(failed(&"the process that watched over it was killed")),
            }
        }
    }
}
