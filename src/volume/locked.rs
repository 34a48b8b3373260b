//! One volume, locked.

use std::path::{Path, PathBuf};

use super::VolumeError;
use super::record::VolumeRecord;
use super::store::VolumeStore;
use crate::config::name::VolumeName;
use crate::store::{self, Durability, Lock, LockKind, StoreError};

/// A volume whose lock is held: it can be filled, mounted and its record rewritten.
#[derive(Debug)]
pub struct LockedVolume {
    name: VolumeName,
    directory: PathBuf,
    _lock: Lock,
}

impl LockedVolume {
    /// Waits for the lock of `name`.
    pub fn take(volumes: &VolumeStore, name: &VolumeName) -> Result<Self, VolumeError> {
        let directory = volumes.path(name);
        match store::lock(&directory.join("lock"), LockKind::Exclusive) {
            Ok(lock) => Ok(Self { name: name.clone(), directory, _lock: lock }),
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Err(VolumeError::Missing(name.clone()))
            }
            Err(e) => Err(e.into()),
        }
    }

    /// The volume's name.
    pub fn name(&self) -> &VolumeName {
        &self.name
    }

    /// The volume's directory in the store.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The directory of the data.
    pub fn data_path(&self) -> PathBuf {
        self.directory.join("_data")
    }

    /// The record as it is now.
    pub fn record(&self) -> Result<VolumeRecord, VolumeError> {
        store::read_record(&self.directory.join("volume.json"))?
            .ok_or_else(|| VolumeError::Missing(self.name.clone()))
    }

    /// Replaces the record.
    pub fn write(&self, record: &VolumeRecord, durability: Durability) -> Result<(), VolumeError> {
        Ok(store::write_record(&self.directory.join("volume.json"), record, durability)?)
    }
}
