//! Removing a container: out of the store at once, its files afterwards.
//!
//! The directory is renamed away, references are dropped and volumes taken out while the store is
//! held alone; what can take long, deleting, is done without the lock. What a command that died
//! has left is deleted by the next one.

#[cfg(test)]
mod tests;

use std::ffi::CString;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::attach::guest::ask_to_stay;
use super::error::ContainerError;
use super::{freezer, process};

use super::record::{Mounted, Ownership, ResolvedMount};
use super::store::{Container, ContainerStore, MAKING, RunLock};
use crate::store::{Store, StoreError};
use crate::tree;
use crate::volume::VolumeError;
use crate::volume::lock::StoreAlone;
use crate::volume::removal::Removed;
use crate::volume::store::VolumeStore;

/// Do anonymous volumes go, too?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithVolumes {
    /// Yes, those that no other container uses (V6.02).
    Yes,
    /// No.
    No,
}

/// Is a running container ended?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// How long a killed container may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long is waited before it is looked at again.
const PAUSE: Duration = Duration::from_millis(5);

/// Removes the container.
///
/// It must not run, unless `force` has it killed. Whoever watches over it ends on its own; a
/// caller that did must have let go of the container's lock.
pub fn remove(
    store: &Store,
    container: &Container,
    volumes: WithVolumes,
    force: Force,
) -> Result<(), ContainerError> {
    let name = || container.record.name.to_string();
    let deadline = Instant::now() + PATIENCE;
    // What `--rm` promised, if whoever was to keep it was killed.
    let volumes = if container.record.options.remove { WithVolumes::Yes } else { volumes };
    loop {
        if let Some(taken) = take_out(store, container, volumes)? {
            if container.state.finished.is_empty() {
                // One whose maker was killed during the set-up has left its cgroup.
                super::orphan::clear(container);
            }
            return taken.delete();
        }
        match force {
            Force::No => return Err(ContainerError::Running(name())),
            Force::Yes if Instant::now() > deadline => {
                return Err(ContainerError::Unkillable(name()));
            }
            Force::Yes => kill(container)?,
        }
        sleep(PAUSE);
    }
}

/// What is out of the store and has to be deleted.
struct TakenOut {
    /// Nobody begins to run what is being deleted.
    _lock: RunLock,
    containers: PathBuf,
    directories: Vec<CString>,
    volumes: Vec<Removed>,
    /// What went wrong without standing in the way of the rest.
    failed: Option<ContainerError>,
}

/// Takes the container out of the store; `None` if it runs.
fn take_out(
    store: &Store,
    container: &Container,
    with_volumes: WithVolumes,
) -> Result<Option<TakenOut>, ContainerError> {
    let containers = ContainerStore::open(store)?;
    let alone = StoreAlone::take(store)?;
    let Some(lock) = containers.run_lock(container)? else { return Ok(None) };
    let id = &container.record.id;
    let away = containers.directory().join(format!(".removing-{id}"));
    fs::rename(&container.directory, &away).map_err(|e| match e.kind() {
        ErrorKind::NotFound => ContainerError::Missing(container.record.name.to_string()),
        _ => StoreError::io("rename", &container.directory, e).into(),
    })?;
    let mut taken = TakenOut {
        _lock: lock,
        containers: containers.directory().into(),
        directories: leftovers(&containers)?,
        volumes: Vec::new(),
        failed: None,
    };
    let exists = |id: &str| containers.exists(id);
    let volumes = VolumeStore::open(store)?;
    for mount in &container.record.mounts {
        let Mounted::Volume { name, .. } = &mount.what else { continue };
        let removed = volumes.drop_ref(name, id).and_then(|()| {
            match with_volumes == WithVolumes::Yes && goes_along(mount) {
                true => volumes.remove(&alone, name, &exists).map(Some),
                false => Ok(None),
            }
        });
        match removed {
            Ok(removed) => taken.volumes.extend(removed),
            // Another container's now (V7.15), or mounted here twice and gone already.
            Err(VolumeError::InUse { .. } | VolumeError::Missing(_)) => {}
            Err(e) => taken.failed = Some(taken.failed.unwrap_or(e.into())),
        }
    }
    Ok(Some(taken))
}

fn goes_along(mount: &ResolvedMount) -> bool {
    matches!(&mount.what, Mounted::Volume { ownership: Ownership::Anonymous, .. })
}

/// Containers half made or half deleted. Who makes one holds its lock; someone may still be
/// deleting, and two can delete one tree.
fn leftovers(store: &ContainerStore) -> Result<Vec<CString>, StoreError> {
    let failed = |e| StoreError::io("getdents64", store.directory(), e);
    let mut names = Vec::new();
    for entry in fs::read_dir(store.directory()).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let text = name.to_string_lossy();
        let broken_off = text.strip_prefix(MAKING).is_some_and(|id| !store.exists(id));
        if broken_off || text.starts_with(".removing-") {
            names.extend(CString::new(name.into_encoded_bytes()));
        }
    }
    Ok(names)
}

impl TakenOut {
    fn delete(self) -> Result<(), ContainerError> {
        let mut failed = self.failed;
        let containers = File::open(&self.containers)
            .map_err(|e| StoreError::io("open", &self.containers, e))?;
        for name in &self.directories {
            if let Err(source) = tree::remove_with_others(containers.as_fd(), name) {
                let path = self.containers.join(name.to_string_lossy().as_ref());
                let source = std::io::Error::other(source);
                failed = Some(failed.unwrap_or(ContainerError::io("delete", path, source)));
            }
        }
        for volume in self.volumes {
            if let Err(e) = volume.delete() {
                failed = Some(failed.unwrap_or(e.into()));
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// Ends a container that runs; whoever watches over it lets go of its lock then.
fn kill(container: &Container) -> Result<(), ContainerError> {
    // One that cannot be asked is killed all the same.
    let _ = ask_to_stay(&container.directory);
    process::signal(container, libc::SIGKILL)?;
    freezer::thaw(container)
}
