//! Removing a container.
use super::error::ContainerError;
use super::store::{Container, ContainerStore};
use crate::store::Store;
use crate::volume::lock::StoreAlone;
use crate::volume::store::VolumeStore;

/// Do anonymous volumes go, too?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithVolumes {
    /// Yes.
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

/// Removes the container.
pub fn remove(
    store: &Store,
    container: &Container,
    volumes: WithVolumes,
    _force: Force,
) -> Result<(), ContainerError> {
    let alone = StoreAlone::take(store)?;
    let containers = ContainerStore::open(store)?;
    let all = VolumeStore::open(store)?;
    let id = &container.record.id;
    let away = containers.directory().join(format!(".removing-{id}"));
    std::fs::rename(&container.directory, &away)
        .map_err(|e| ContainerError::io("rename", &container.directory, e))?;
    for mount in &container.record.mounts {
        if let super::record::Mounted::Volume { name, ownership, .. } = &mount.what {
            all.drop_ref(name, id)?;
            let exists = |id: &str| containers.exists(id);
            if volumes == WithVolumes::Yes && *ownership == super::record::Ownership::Anonymous {
                if let Ok(removed) = all.remove(&alone, name, &exists) {
                    removed.delete()?;
                }
            }
        }
    }
    std::fs::remove_dir_all(&away).map_err(|e| ContainerError::io("unlink", &away, e))
}
