//! Taking volumes out of the store, and deleting their data afterwards.

use std::ffi::CString;
use std::fs;
use std::os::fd::AsFd;
use std::path::PathBuf;

use super::lock::StoreAlone;
use super::reference::ContainerExists;
use super::store::{VolumeStore, random_hex};
use super::{VolumeError, mounted};
use crate::config::name::VolumeName;
use crate::store::StoreError;
use crate::tree;

/// A volume that is removed already, whose data is not deleted yet.
#[must_use]
#[derive(Debug)]
pub struct Removed {
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
        Ok(Removed { volumes: self.directory().to_owned(), directory })
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
        let data = self.volumes.join(self.directory.to_string_lossy().as_ref()).join("_data");
        fs::File::open(data)
            .ok()
            .and_then(|data| tree::size(data.as_fd()).ok())
            .map_or(0, |size| size.bytes)
    }

    /// Deletes the data.
    pub fn delete(self) -> Result<(), VolumeError> {
        let failed = |call, e| StoreError::io(call, &self.volumes, e);
        let volumes = fs::File::open(&self.volumes).map_err(|e| failed("open", e))?;
        tree::remove_with_others(volumes.as_fd(), &self.directory).map_err(|source| {
            VolumeError::Tree {
                wanted: "delete",
                path: self.volumes.join(self.directory.to_string_lossy().as_ref()),
                source,
            }
        })
    }
}
