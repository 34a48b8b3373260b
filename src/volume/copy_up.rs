//! Copy-up: the first content of an empty volume comes from the image.
//!
//! All under the volume's lock. A mark in `volume.json` says that a copy is under way; it is
//! written before the first file and replaced after the last one is on disk. Who finds the mark
//! finds a copy that broke off, clears it and begins again. `_data` itself is never replaced: a
//! container may have it mounted.
//!
//! Not here: where the directory is in the image (the caller resolves it below the image's root,
//! so that a link in the image leads nowhere else), and whether the mount wants a copy at all.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::OFlags;

use super::driver::Resolve;
use super::locked::LockedVolume;
use super::mounted::{self, Mounted};
use super::record::{CopyUpMark, CopyUpState};
use super::store::VolumeStore;
use super::{VolumeError, record::VolumeRecord};
use crate::config::name::VolumeName;
use crate::store::{Durability, StoreError};
use crate::tree::{self, SourceKind, Spare};

/// The directory of an image that a volume covers.
#[derive(Debug, Clone, Copy)]
pub struct ImageDirectory<'a> {
    /// The directory, open in any way.
    pub directory: BorrowedFd<'a>,
    /// Is it a merged tree or one layer?
    pub kind: SourceKind,
    /// The image's name, for the record.
    pub image: &'a str,
    /// The directory's path in the image, for the record.
    pub path: &'a str,
}

/// What copy-up did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// The volume has the directory's content, owner, mode and times now.
    Copied(tree::Copied),
    /// It had content (V5.07): nothing was touched.
    HadContent,
    /// What would be copied would be gone with the driver's mount (V5.18).
    WouldBeLost,
}

/// Fills the volume from the image's directory if it is empty. Another who fills it now is
/// waited for.
pub fn fill(
    volumes: &VolumeStore,
    name: &VolumeName,
    from: ImageDirectory<'_>,
    how: (Durability, Resolve<'_>),
) -> Result<Filled, VolumeError> {
    let (durability, resolve) = how;
    let volume = LockedVolume::take(volumes, name)?;
    let mut record = volume.record()?;
    let mount = mounted::mount_locked(&volume, &mut record, ("copy-up", resolve))?;
    if mount.as_ref().is_some_and(Mounted::is_passing) {
        mounted::release_locked(&volume, mount)?;
        return Ok(Filled::WouldBeLost);
    }
    let filled = Filling { volumes, volume: &volume, durability }.fill(record, from);
    let released = mounted::release_locked(&volume, mount);
    let filled = filled?;
    released?;
    Ok(filled)
}

/// Clears what a copy that broke off has left, for a user who does not fill the volume.
pub fn mend(
    volumes: &VolumeStore,
    name: &VolumeName,
    resolve: Resolve<'_>,
) -> Result<(), VolumeError> {
    if !is_broken_off(&volumes.get(name)?) {
        return Ok(());
    }
    // Under way or broken off? Under the lock it is the latter.
    let volume = LockedVolume::take(volumes, name)?;
    let mut record = volume.record()?;
    if !is_broken_off(&record) {
        return Ok(());
    }
    let mount = mounted::mount_locked(&volume, &mut record, ("copy-up", resolve))?;
    let filling = Filling { volumes, volume: &volume, durability: Durability::Kept };
    let cleared = filling.clear();
    mounted::release_locked(&volume, mount)?;
    cleared?;
    record.copy_up = None;
    volume.write(&record, Durability::Kept)
}

fn is_broken_off(record: &VolumeRecord) -> bool {
    record.copy_up.as_ref().is_some_and(|mark| mark.state == CopyUpState::InProgress)
}

struct Filling<'a> {
    volumes: &'a VolumeStore,
    volume: &'a LockedVolume,
    durability: Durability,
}

impl Filling<'_> {
    fn fill(
        &self,
        mut record: VolumeRecord,
        from: ImageDirectory<'_>,
    ) -> Result<Filled, VolumeError> {
        if is_broken_off(&record) {
            self.clear()?;
        } else if !self.is_empty(self.open()?.as_fd())? {
            return Ok(Filled::HadContent);
        }
        let data = self.open()?;
        // Owner and mode of an empty directory need no mark: they are set again next time.
        let has_content = !self.is_empty(from.directory)?;
        if has_content || record.copy_up.is_some() {
            self.mark(&mut record, from, CopyUpState::InProgress)?;
        }
        let copied = match tree::copy(from.directory, data.as_fd(), from.kind) {
            Ok(copied) => copied,
            Err(source) => {
                let path = self.volume.data_path();
                // Half a copy is cleared at once; if that fails too, the mark stays.
                if self.clear().is_ok() {
                    record.copy_up = None;
                    self.volume.write(&record, self.durability)?;
                }
                return Err(VolumeError::Tree { wanted: "fill", path, source });
            }
        };
        if self.durability == Durability::Kept && has_content {
            // The mark must not be cleared on disk before the files are there.
            rustix::fs::syncfs(&data)
                .map_err(|e| StoreError::io("syncfs", self.volume.data_path(), e))?;
        }
        if has_content || record.copy_up.is_some() {
            self.mark(&mut record, from, CopyUpState::Done)?;
        }
        Ok(Filled::Copied(copied))
    }

    fn mark(
        &self,
        record: &mut VolumeRecord,
        from: ImageDirectory<'_>,
        state: CopyUpState,
    ) -> Result<(), VolumeError> {
        record.copy_up =
            Some(CopyUpMark { state, image: from.image.into(), path: from.path.into() });
        self.volume.write(record, self.durability)
    }

    fn open(&self) -> Result<std::fs::File, VolumeError> {
        let place = self.volumes.open_data(self.volume.name())?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let data = rustix::fs::openat(&place, c".", flags, rustix::fs::Mode::empty())
            .map_err(|e| StoreError::io("open", self.volume.data_path(), e))?;
        Ok(data.into())
    }

    fn clear(&self) -> Result<(), VolumeError> {
        let data = self.open()?;
        tree::clear(data.as_fd(), Spare::LostAndFound).map_err(|source| VolumeError::Tree {
            wanted: "clear",
            path: self.volume.data_path(),
            source,
        })
    }

    fn is_empty(&self, directory: BorrowedFd<'_>) -> Result<bool, VolumeError> {
        tree::is_empty(directory, Spare::LostAndFound).map_err(|source| VolumeError::Tree {
            wanted: "read",
            path: self.volume.data_path(),
            source,
        })
    }
}
