//! Who uses a volume: one empty file a container, made with it and gone with it.
//!
//! A container's own record is written before its references, so a reference whose container is
//! not there, seen while nobody else changes the store, was left by a crash.

use std::fs;
use std::io::ErrorKind;

use super::VolumeError;
use super::lock::{StoreAlone, StoreHeld};
use super::store::VolumeStore;
use crate::config::name::VolumeName;
use crate::store::{Durability, StoreError, sync_directory};

/// Is there a container with this id?
pub type ContainerExists<'a> = &'a dyn Fn(&str) -> bool;

impl VolumeStore {
    /// Notes that `container` uses the volume: from now on it cannot be removed.
    pub fn add_ref(
        &self,
        _held: &impl StoreHeld,
        name: &VolumeName,
        user: (&str, Durability),
    ) -> Result<(), VolumeError> {
        let (container, durability) = user;
        let refs = self.path(name).join("refs");
        let path = refs.join(container);
        match fs::File::create(&path) {
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Err(VolumeError::Missing(name.clone()));
            }
            Err(e) => return Err(StoreError::io("open", path, e).into()),
        }
        if durability == Durability::Kept {
            sync_directory(&refs)?;
        }
        Ok(())
    }

    /// Notes that `container` uses the volume no more. Neither need be there.
    pub fn drop_ref(&self, name: &VolumeName, container: &str) -> Result<(), VolumeError> {
        let path = self.path(name).join("refs").join(container);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                Err(StoreError::io("unlink", path, e).into())
            }
            _ => Ok(()),
        }
    }

    /// The ids of the containers that use the volume, sorted. May hold stale ones.
    pub fn references(&self, name: &VolumeName) -> Result<Vec<String>, VolumeError> {
        let refs = self.path(name).join("refs");
        let entries = match fs::read_dir(&refs) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(StoreError::io("open", refs, e).into()),
        };
        let mut users = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| StoreError::io("getdents64", &refs, e))?;
            users.push(entry.file_name().to_string_lossy().into_owned());
        }
        users.sort();
        Ok(users)
    }

    /// How many containers use the volume and are there.
    pub fn links(
        &self,
        name: &VolumeName,
        exists: ContainerExists<'_>,
    ) -> Result<usize, VolumeError> {
        Ok(self.references(name)?.iter().filter(|id| exists(id)).count())
    }

    /// The containers that use the volume and are there; stale references are dropped.
    pub fn live_references(
        &self,
        _alone: &StoreAlone,
        name: &VolumeName,
        exists: ContainerExists<'_>,
    ) -> Result<Vec<String>, VolumeError> {
        let (live, stale): (Vec<_>, Vec<_>) =
            self.references(name)?.into_iter().partition(|id| exists(id));
        for id in stale {
            self.drop_ref(name, &id)?;
        }
        Ok(live)
    }
}
