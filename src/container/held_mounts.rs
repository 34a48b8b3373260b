//! The volumes that a driver mounts: for as long as a container runs (V8.01).

use std::collections::BTreeSet;

use super::address;
use super::create::volumes_of;
use super::error::ContainerError;
use super::store::Container;
use crate::store::Store;
use crate::volume::mounted;
pub use crate::volume::mounted::Mounted as DriverMount;
use crate::volume::store::VolumeStore;

/// Mounts them for this container; what was mounted is released again if one fails.
pub fn acquire(store: &Store, container: &Container) -> Result<Vec<DriverMount>, ContainerError> {
    let volumes = VolumeStore::open(store)?;
    let mut held = Vec::new();
    // A volume at two places has one mount and one user.
    let names: BTreeSet<_> = volumes_of(&container.record.mounts).collect();
    for name in names {
        match mounted::acquire(&volumes, name, (&container.record.id, &address::of_host)) {
            Ok(mount) => held.extend(mount),
            Err(error) => {
                release(store, held);
                return Err(error.into());
            }
        }
    }
    Ok(held)
}

/// Lets go of them; returns what went wrong.
pub fn release(store: &Store, mounts: Vec<DriverMount>) -> Vec<String> {
    let Ok(volumes) = VolumeStore::open(store) else { return Vec::new() };
    let released = mounts.into_iter().map(|mount| mount.release(&volumes));
    released.filter_map(|result| result.err().map(|e| e.to_string())).collect()
}
