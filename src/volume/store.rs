//! The volumes of a store: make, find, list, remove, prune.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::hold::StoreAlone;
use super::record::{ANONYMOUS_LABEL, Origin, VolumeRecord};
use super::reference::ContainerExists;
use super::{VolumeError, driver, order};
use crate::config::name::VolumeName;
use crate::store::{self, Durability, Store, StoreError};
use crate::tree;

/// The volumes of one store.
#[derive(Debug, Clone)]
pub struct VolumeStore {
    directory: PathBuf,
}

/// A volume that is wanted.
#[derive(Debug, Clone)]
pub struct NewVolume {
    /// Its name; without one it gets 64 hex digits and the label of anonymous volumes.
    pub name: Option<VolumeName>,
    /// The driver; empty for `local` (V4.06).
    pub driver: String,
    /// The driver's options, valid by themselves.
    pub options: BTreeMap<String, String>,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// What an anonymous volume is for.
    pub origin: Option<Origin>,
    /// Must it survive a power cut? Not if it goes with its container (`--rm`).
    pub durability: Durability,
}

impl NewVolume {
    /// A plain volume called `name`.
    pub fn named(name: VolumeName) -> Self {
        Self { name: Some(name), ..Self::anonymous(None, Durability::Kept) }
    }

    /// A volume without a name.
    pub fn anonymous(origin: Option<Origin>, durability: Durability) -> Self {
        Self {
            name: None,
            driver: String::new(),
            options: BTreeMap::new(),
            labels: BTreeMap::new(),
            origin,
            durability,
        }
    }
}

/// The answer to a wish: the volume as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Its record.
    pub record: VolumeRecord,
    /// Was it there before?
    pub novelty: Novelty,
}

/// Was a volume there before (V4.02, V4.04)?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// It is new.
    New,
    /// It was there, as wanted.
    Existed,
    /// It was there with other options or labels, which are kept.
    ExistedOtherwise,
}

/// All volumes, and those that cannot be read.
#[derive(Debug, Default)]
pub struct Listing {
    /// In natural order of their names.
    pub volumes: Vec<VolumeRecord>,
    /// One error for each record that cannot be read.
    pub broken: Vec<VolumeError>,
}

/// A volume that is removed already, whose data is not deleted yet.
#[must_use]
#[derive(Debug)]
pub struct Removed {
    volumes: PathBuf,
    directory: CString,
}

impl VolumeStore {
    /// The volumes of `store`.
    pub fn open(store: &Store) -> Result<Self, VolumeError> {
        Ok(Self { directory: store.directory("volumes")? })
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

    /// Makes the volume, or finds it.
    pub fn create(&self, _alone: &StoreAlone, wish: &NewVolume) -> Result<Created, VolumeError> {
        let name = match &wish.name {
            Some(name) => name.clone(),
            None => random_name()?,
        };
        match self.get(&name) {
            Ok(record) => return existing(record, wish),
            Err(VolumeError::Missing(_)) => {}
            Err(e) => return Err(e),
        }
        let driver = driver::Driver::find(&wish.driver).ok_or_else(|| VolumeError::NoDriver {
            name: name.clone(),
            driver: wish.driver.clone(),
        })?;
        driver
            .accept(&wish.options)
            .map_err(|source| VolumeError::Options { name: name.clone(), source })?;
        let mut labels = wish.labels.clone();
        if wish.name.is_none() {
            labels.insert(ANONYMOUS_LABEL.into(), String::new());
        }
        let record = VolumeRecord {
            name,
            driver: driver.name().into(),
            created: now(),
            labels,
            options: wish.options.clone(),
            origin: wish.origin.clone(),
            copy_up: None,
        };
        self.make(&record, wish.durability)?;
        Ok(Created { record, novelty: Novelty::New })
    }

    /// Builds the volume under a name that no volume can have, then renames it.
    fn make(&self, record: &VolumeRecord, durability: Durability) -> Result<(), VolumeError> {
        let building = self.directory.join(format!(".new-{}", random_hex::<8>()?));
        let path = self.path(&record.name);
        let made = build(&building, record, durability).and_then(|()| {
            // A directory without a record is what a crash or a hand left: it is in the way only
            // if there is something in it.
            fs::rename(&building, &path).map_err(|e| StoreError::io("rename", &path, e))
        });
        if let Err(e) = made {
            let _ = fs::remove_dir_all(&building);
            return Err(e.into());
        }
        if durability == Durability::Kept {
            store::sync_directory(&self.directory)?;
        }
        Ok(())
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

    fn entries(&self) -> Result<Vec<String>, VolumeError> {
        let failed = |e| StoreError::io("getdents64", &self.directory, e);
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            if let Ok(name) = entry.map_err(failed)?.file_name().into_string() {
                entries.push(name);
            }
        }
        Ok(entries)
    }

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
        driver::unmount_stale(&self.path(name))?;
        let away = format!(".removing-{}", random_hex::<8>()?);
        let path = self.path(name);
        fs::rename(&path, self.directory.join(&away))
            .map_err(|e| StoreError::io("rename", &path, e))?;
        self.removed(away)
    }

    fn removed(&self, directory: String) -> Result<Removed, VolumeError> {
        let directory = CString::new(directory)
            .map_err(|e| StoreError::io("rename", &self.directory, std::io::Error::from(e)))?;
        Ok(Removed { volumes: self.directory.clone(), directory })
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
        tree::remove(volumes.as_fd(), &self.directory).map_err(|source| VolumeError::Tree {
            wanted: "delete",
            path: self.volumes.join(self.directory.to_string_lossy().as_ref()),
            source,
        })
    }
}

/// The answer where a volume of that name is there already.
fn existing(record: VolumeRecord, wish: &NewVolume) -> Result<Created, VolumeError> {
    if !wish.driver.is_empty() && wish.driver != record.driver {
        return Err(VolumeError::Taken { name: record.name, driver: record.driver });
    }
    let other_options = !wish.options.is_empty() && wish.options != record.options;
    let other_labels = wish.labels.iter().any(|(key, value)| record.labels.get(key) != Some(value));
    let novelty = match other_options || other_labels {
        true => Novelty::ExistedOtherwise,
        false => Novelty::Existed,
    };
    Ok(Created { record, novelty })
}

fn build(directory: &Path, record: &VolumeRecord, keep: Durability) -> Result<(), StoreError> {
    let make = |path: &Path| {
        fs::DirBuilder::new().mode(0o700).create(path).map_err(|e| StoreError::io("mkdir", path, e))
    };
    let data = directory.join("_data");
    make(directory)?;
    make(&data)?;
    make(&directory.join("refs"))?;
    // Whatever the umask is (V4.31).
    fs::set_permissions(&data, Permissions::from_mode(0o755))
        .map_err(|e| StoreError::io("chmod", &data, e))?;
    store::write_record(&directory.join("volume.json"), record, keep)
}

fn random_hex<const BYTES: usize>() -> Result<String, StoreError> {
    let mut bytes = [0u8; BYTES];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|e| StoreError::io("getrandom", "", e))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn random_name() -> Result<VolumeName, VolumeError> {
    let text = random_hex::<32>()?;
    VolumeName::parse(&text).map_err(|_| {
        StoreError::io("getrandom", text, std::io::Error::from(ErrorKind::InvalidData)).into()
    })
}

/// The time now, in RFC 3339 with seconds, UTC (V4.11).
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
