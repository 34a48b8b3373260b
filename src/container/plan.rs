//! From a container's record to its config and its plan; nothing is done.

use std::path::PathBuf;

use super::error::ContainerError;
use super::spec::{ContainerSpec, spec};
use super::store::Container;
use super::surroundings::Surroundings;
use super::user;
use super::view::View;
use crate::config::cgroup::path::CgroupPath;
use crate::config::name::ContainerId;
use crate::engine::bundle::{self, facts};
use crate::engine::resources;
use crate::facts::Kernel;
use crate::plan::compile::{Input, Lifetime, Stdio};
use crate::plan::step::Plan;
use crate::store::Store;
use crate::volume::store::VolumeStore;

/// What of a run is not in the container's record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outside {
    /// Lines and columns of the terminal that it will be seen on.
    pub terminal_size: Option<(u16, u16)>,
    /// The network namespace that it joins, where one was made or found for it.
    pub network: Option<PathBuf>,
}

/// The config and the plan of a container; nothing is done.
pub fn plan(
    store: &Store,
    container: &Container,
    outside: Outside,
) -> Result<(ContainerSpec, Plan), ContainerError> {
    let Container { record, directory, .. } = container;
    let kernel = Kernel::probe()?;
    let mut layers = record.layers.clone();
    let upper = directory.join("upper");
    // What the container itself wrote counts, once there is something.
    if upper.join("etc").exists() {
        layers.insert(0, upper);
    }
    let identity = user::identify(View::open(&layers, kernel)?, &record.process.user)?;
    let volumes = VolumeStore::open(store)?;
    let around = Surroundings {
        directory,
        volume_data: &|name| volumes.data_path(name),
        identity,
        kernel,
        network: outside.network,
        terminal_size: outside.terminal_size,
    };
    let made = spec(record, &around)?;
    let facts = facts(&made.spec, kernel, &directory.join("rootfs"));
    let id = ContainerId::parse(&record.id)?;
    let cgroup = resources::cgroup(&made.spec, &facts.cgroups, CgroupPath::of_rrun(&id))
        .map_err(bundle::PlanError::from)?;
    let seccomp = resources::seccomp(&made.spec, &store.root().join("seccomp"))
        .map_err(bundle::PlanError::from)?;
    let plan = bundle::plan(&Input {
        spec: &made.spec,
        facts: &facts,
        root: made.root.clone(),
        mounts: &made.notes,
        seccomp,
        cgroup,
        stdio: Stdio::Given,
        lifetime: Lifetime::Supervised,
    })?;
    Ok((made, plan))
}
