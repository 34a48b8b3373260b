//! The volumes of a store: where they are, which there are, what they hold.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::record::VolumeRecord;
use super::{VolumeError, order};
use crate::config::name::VolumeName;
use crate::store::{self, Store, StoreError};
use crate::tree;

/// The volumes of one store.
#[derive(Debug, Clone)]
pub struct VolumeStore {
    store: Store,
    directory: PathBuf,
}

/// All volumes, and those that cannot be read.
#[derive(Debug, Default)]
pub struct Listing {
    /// In natural order of their names.
    pub volumes: Vec<VolumeRecord>,
    /// One error for each record that cannot be read.
    pub broken: Vec<VolumeError>,
}

impl VolumeStore {
    /// The volumes of `store`.
    pub fn open(store: &Store) -> Result<Self, VolumeError> {
        Ok(Self { directory: store.directory("volumes")?, store: store.clone() })
    }

    /// The store that they are in.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// The directory of all volumes.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The directory of a volume.
    pub fn path(&self, name: &VolumeName) -> PathBuf {
        self.directory.join(name.as_str())
    }

    /// The directory of a volume's data: its mount point, as shown.
    pub fn data_path(&self, name: &VolumeName) -> PathBuf {
        self.path(name).join("_data")
    }

    /// The volume called `name`.
    pub fn get(&self, name: &VolumeName) -> Result<VolumeRecord, VolumeError> {
        store::read_record(&self.path(name).join("volume.json"))?
            .ok_or_else(|| VolumeError::Missing(name.clone()))
    }

    /// Opens a volume's data as a path: no link is followed, a driver's mount is entered.
    pub fn open_data(&self, name: &VolumeName) -> Result<OwnedFd, VolumeError> {
        let path = self.data_path(name);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat2(
            rustix::fs::CWD,
            &path,
            flags | OFlags::NOFOLLOW,
            Mode::empty(),
            ResolveFlags::NO_MAGICLINKS,
        )
        .map_err(|errno| VolumeError::NoData { path, errno })
    }

    /// All volumes.
    pub fn list(&self) -> Result<Listing, VolumeError> {
        let mut listing = Listing::default();
        for name in self.names()? {
            match self.get(&name) {
                Ok(record) => listing.volumes.push(record),
                // Removed meanwhile, or a directory that is no volume.
                Err(VolumeError::Missing(_)) => {}
                Err(e) => listing.broken.push(e),
            }
        }
        Ok(listing)
    }

    fn names(&self) -> Result<Vec<VolumeName>, VolumeError> {
        let mut names: Vec<VolumeName> =
            self.entries()?.iter().filter_map(|entry| VolumeName::parse(entry).ok()).collect();
        names.sort_by(|a, b| order::natural(a.as_str(), b.as_str()));
        Ok(names)
    }

    /// The names of all entries, also of those that are no volumes.
    pub(super) fn entries(&self) -> Result<Vec<String>, VolumeError> {
        let failed = |e| StoreError::io("getdents64", &self.directory, e);
        let mut entries = Vec::new();
        let directory = match fs::read_dir(&self.directory) {
            // Of a store that is read-only and never had a volume.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(entries),
            opened => opened.map_err(failed)?,
        };
        for entry in directory {
            if let Ok(name) = entry.map_err(failed)?.file_name().into_string() {
                entries.push(name);
            }
        }
        Ok(entries)
    }

    /// How much a volume's data holds.
    pub fn size(&self, name: &VolumeName) -> Result<tree::Size, VolumeError> {
        let data = self.open_data(name)?;
        tree::size(data.as_fd()).map_err(|source| VolumeError::Tree {
            wanted: "measure",
            path: self.data_path(name),
            source,
        })
    }
}

/// Digits that nobody else has.
pub(super) fn random_hex<const BYTES: usize>() -> Result<String, StoreError> {
    let mut bytes = [0u8; BYTES];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|e| StoreError::io("getrandom", "", e))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
