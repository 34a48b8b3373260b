//! Changing what is kept of a container: its name, and what may be changed while it runs.

use super::error::ContainerError;
use super::record::ContainerRecord;
use super::store::ContainerStore;
use crate::config::name::ContainerName;
use crate::store::{Store, write_record};
use crate::volume::lock::StoreAlone;

/// Gives a container another name.
pub fn rename(store: &Store, container: &str, name: &ContainerName) -> Result<(), ContainerError> {
    let taken = |id: String| ContainerError::NameTaken { name: name.to_string(), id };
    change(store, container, |record, others| {
        if record.name == *name {
            return Err(ContainerError::SameName);
        }
        if let Some((_, id)) = others.iter().find(|(other, _)| other == name) {
            return Err(taken(id.clone()));
        }
        record.name = name.clone();
        Ok(())
    })
}

/// A container's name and id.
pub type Known = (ContainerName, String);

/// Changes a container's record while nobody else makes or removes one; `change` also gets the
/// names and ids of all.
pub fn change(
    store: &Store,
    container: &str,
    change: impl FnOnce(&mut ContainerRecord, &[Known]) -> Result<(), ContainerError>,
) -> Result<(), ContainerError> {
    let _alone = StoreAlone::take(store)?;
    let containers = ContainerStore::open(store)?;
    let mut found = containers.find(container)?;
    let mut others = containers.being_made()?;
    others.extend(containers.list()?.0.into_iter().map(|c| (c.record.name, c.record.id)));
    change(&mut found.record, &others)?;
    let path = found.directory.join("container.json");
    Ok(write_record(&path, &found.record, found.durability())?)
}
