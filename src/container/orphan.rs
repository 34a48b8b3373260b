//! What a supervisor that was killed could not clear away: the container's cgroup.
//!
//! Its processes are gone with it (the parent-death signal, the pid namespace); the directories of
//! the cgroup stay until somebody removes them.

use super::record::Status;
use super::store::Container;
use crate::apply::cgroup::{self, Cgroup, Place};
use crate::config::cgroup::path::CgroupPath;
use crate::config::cgroup::site::sites;
use crate::config::name::ContainerId;

/// Removes the cgroup of a container whose end nobody saw. What cannot be removed is left: it
/// holds no process that is ours to end.
pub fn clear(container: &Container) {
    let unseen = container.state.status == Status::Exited && container.state.finished.is_empty();
    let Ok(id) = ContainerId::parse(&container.record.id) else { return };
    if !unseen {
        return;
    }
    let mut left = Cgroup::default();
    for site in sites(&crate::facts::cgroup::read(), &CgroupPath::of_rrun(&id), &[]) {
        if site.directory().exists()
            && let Ok(place) = Place::make(&site)
        {
            left.add(place);
        }
    }
    let _ = cgroup::remove(&left);
}
