//! The driver's part in making a volume.
//!
//! A volume is recorded first, under the store's lock, and marked as pending. Then its driver is
//! asked, under the volume's lock alone, which may take as long as it takes: no other volume
//! waits. Who finds the mark finds a volume that its maker could not finish, and asks again.

use super::VolumeError;
use super::driver::backing::{Backing, Subject};
use super::locked::LockedVolume;
use super::record::VolumeRecord;
use super::store::VolumeStore;
use crate::config::name::VolumeName;
use crate::store::Durability;

/// Completes the volume called `name`, if it is pending.
pub fn complete(volumes: &VolumeStore, name: &VolumeName) -> Result<(), VolumeError> {
    if !volumes.get(name)?.pending {
        return Ok(());
    }
    let volume = LockedVolume::take(volumes, name)?;
    let mut record = volume.record()?;
    complete_locked(&volume, &mut record)
}

/// The same for who holds the volume's lock.
pub(super) fn complete_locked(
    volume: &LockedVolume,
    record: &mut VolumeRecord,
) -> Result<(), VolumeError> {
    if !record.pending {
        return Ok(());
    }
    let failed = |source| VolumeError::Driver { name: volume.name().clone(), source };
    if let Some(backing) = Backing::of(&record.driver, &record.options).map_err(failed)? {
        backing.make(subject(volume, record)).map_err(failed)?;
    }
    record.pending = false;
    volume.write(record, Durability::Kept)
}

/// A locked volume as its driver knows it.
pub(super) fn subject<'a>(volume: &'a LockedVolume, record: &'a VolumeRecord) -> Subject<'a> {
    Subject {
        name: volume.name().as_str(),
        directory: volume.directory(),
        options: &record.options,
    }
}
