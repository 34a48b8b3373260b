//! Holding a container still, by the freezer of its cgroup.
//!
//! Whether it is held is asked of the kernel: nobody writes it down.

use super::entry::Container;
use super::error::ContainerError;
use super::orphan::cgroup_of;
use super::record::Status;
use crate::apply::cgroup::freeze::{self, Freezing};

/// Holds the processes of a container.
pub fn freeze(container: &Container) -> Result<(), ContainerError> {
    set(container, Freezing::Frozen)
}

/// Lets them go on. One that is not held is left alone.
pub fn thaw(container: &Container) -> Result<(), ContainerError> {
    if is_frozen(container) { set(container, Freezing::Thawed) } else { Ok(()) }
}

/// Is it held?
pub fn is_frozen(container: &Container) -> bool {
    container.state.pid != 0 && freeze::is_frozen(&cgroup_of(container))
}

/// How a container is, in Docker's words: one that is held is `paused`.
pub fn status_word(container: &Container) -> &'static str {
    match container.state.status {
        Status::Running if is_frozen(container) => "paused",
        status => status.word(),
    }
}

fn set(container: &Container, freezing: Freezing) -> Result<(), ContainerError> {
    freeze::set(&cgroup_of(container), freezing).map_err(ContainerError::Freezer)
}
