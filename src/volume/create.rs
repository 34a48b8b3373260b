//! Making a volume, or finding it.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use super::lock::StoreAlone;
use super::record::{ANONYMOUS_LABEL, Origin, VolumeRecord};
use super::store::{VolumeStore, random_hex};
use super::{VolumeError, driver};
use crate::config::name::VolumeName;
use crate::store::{self, Durability, StoreError};

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
        Self { name: Some(name), ..Self::anonymous(Durability::Kept) }
    }

    /// A volume without a name.
    pub fn anonymous(durability: Durability) -> Self {
        Self {
            name: None,
            driver: String::new(),
            options: BTreeMap::new(),
            labels: BTreeMap::new(),
            origin: None,
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

impl VolumeStore {
    /// Makes the volume, or finds it. One of a driver that has something to make of its own is
    /// not complete yet: `complete` asks the driver, after the store's lock is let go.
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
            .map_err(|source| VolumeError::Driver { name: name.clone(), source })?;
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
            pending: driver.makes_volumes(),
        };
        self.make(&record, wish.durability)?;
        Ok(Created { record, novelty: Novelty::New })
    }

    /// Builds the volume under a name that no volume can have, then renames it.
    fn make(&self, record: &VolumeRecord, durability: Durability) -> Result<(), VolumeError> {
        let building = self.directory().join(format!(".new-{}", random_hex::<8>()?));
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
            store::sync_directory(self.directory())?;
        }
        Ok(())
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
