//! Taking volumes out of the store, and deleting their data afterwards.

use std::ffi::CString;
use std::fs;
use std::os::fd::AsFd;
use std::path::PathBuf;

use rustix::fs::{CWD, RenameFlags};

use super::driver::backing::Backing;
use super::lock::StoreAlone;
use super::record::VolumeRecord;
use super::reference::ContainerExists;
use super::store::{VolumeStore, random_hex};
use super::{VolumeError, mounted};
use crate::config::name::VolumeName;
use crate::store::{self, Store, StoreError};
use crate::tree;

/// A volume that is out of the store, whose data is not deleted yet. Not to be deleted under the
/// store's lock: its driver may be slow, and a refused removal is put back.
#[must_use]
#[derive(Debug)]
pub struct Removed {
    store: Store,
    volumes: PathBuf,
    directory: CString,
}

impl VolumeStore {
    /// Takes the volume out of the store, unless a container uses it.
    ///
    /// The data is deleted by `Removed::delete`, after the store's lock is let go.
    pub fn remove(
        &self,
        alone: &StoreAlone,
        name: &VolumeName,
        exists: ContainerExists<'_>,
    ) -> Result<Removed, VolumeError> {
        self.get(name)?;
        let users = self.live_references(alone, name, exists)?;
        if !users.is_empty() {
            return Err(VolumeError::InUse { name: name.clone(), users });
        }
        mounted::unmount_stale(&self.path(name))?;
        let away = format!(".removing-{}", random_hex::<8>()?);
        let path = self.path(name);
        fs::rename(&path, self.directory().join(&away))
            .map_err(|e| StoreError::io("rename", &path, e))?;
        self.removed(away)
    }

    fn removed(&self, directory: String) -> Result<Removed, VolumeError> {
        let directory = CString::new(directory)
            .map_err(|e| StoreError::io("rename", self.directory(), std::io::Error::from(e)))?;
        Ok(Removed { store: self.store().clone(), volumes: self.directory().to_owned(), directory })
    }

    /// What commands that died have left: volumes half made or half deleted.
    ///
    /// Only a holder of the store alone can tell: nobody makes one now. Someone may still be
    /// deleting; two can delete one tree.
    pub fn leftovers(&self, _alone: &StoreAlone) -> Result<Vec<Removed>, VolumeError> {
        self.entries()?
            .into_iter()
            .filter(|name| name.starts_with(".new-") || name.starts_with(".removing-"))
            .map(|name| self.removed(name))
            .collect()
    }
}

impl Removed {
    /// How many bytes its data holds. What cannot be read is what `delete` will complain of.
    pub fn size(&self) -> u64 {
        let data = self.path().join("_data");
        fs::File::open(data)
            .ok()
            .and_then(|data| tree::size(data.as_fd()).ok())
            .map_or(0, |size| size.bytes)
    }

    /// Deletes the data. A driver that keeps it is asked first; if it refuses, the volume is put
    /// back.
    pub fn delete(self) -> Result<(), VolumeError> {
        match self.retire() {
            Ok(()) => self.delete_files(),
            Err(refused) => {
                self.put_back()?;
                Err(refused)
            }
        }
    }

    /// The same, whatever the driver says: it may be gone for good.
    pub fn forget(self) -> Result<(), VolumeError> {
        let _ = self.retire();
        self.delete_files()
    }

    fn path(&self) -> PathBuf {
        self.volumes.join(self.directory.to_string_lossy().as_ref())
    }

    fn record(&self) -> Result<Option<VolumeRecord>, StoreError> {
        store::read_record(&self.path().join("volume.json"))
    }

    /// Tells the driver that the volume is gone, and the uses of it that nobody ended.
    fn retire(&self) -> Result<(), VolumeError> {
        // What has no record, or was never made at its driver, is nobody's.
        let Ok(Some(record)) = self.record() else { return Ok(()) };
        if record.pending || record.driver == "local" {
            return Ok(());
        }
        let refused = |source| VolumeError::NotRemoved { name: record.name.clone(), source };
        let backing = Backing::of(&record.driver, &record.options).map_err(refused)?;
        let Some(backing) = backing else { return Ok(()) };
        let name = record.name.as_str();
        backing.forget(name, &mounted::left_over(&self.path())?);
        backing.remove(name).map_err(refused)
    }

    /// Gives the volume its name again, unless another has it by now.
    fn put_back(&self) -> Result<(), VolumeError> {
        let Some(record) = self.record()? else { return Ok(()) };
        let _alone = StoreAlone::take(&self.store)?;
        let name = self.volumes.join(record.name.as_str());
        let away = self.path();
        rustix::fs::renameat_with(CWD, &away, CWD, &name, RenameFlags::NOREPLACE)
            .map_err(|e| StoreError::io("rename", away, e).into())
    }

    fn delete_files(self) -> Result<(), VolumeError> {
        let failed = |call, e| StoreError::io(call, &self.volumes, e);
        let volumes = fs::File::open(&self.volumes).map_err(|e| failed("open", e))?;
        tree::remove_with_others(volumes.as_fd(), &self.directory)
            .map_err(|source| VolumeError::Tree { wanted: "delete", path: self.path(), source })
    }
}
