//! Making what a draft says: sources, volumes, the record, references, then copy-up.
//!
//! All or nothing: what a failed create made is removed again, but for a bind's source directory.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::Path;

use super::draft::{Draft, VolumeWish};
use super::error::ContainerError;
use super::identity;
use super::record::{ContainerState, Mounted, ResolvedMount};
use super::store::{Container, ContainerStore};
use crate::config::name::VolumeName;
use crate::config::request::CopyUp;
use crate::store::{self, Durability, Store};
use crate::sys::path::node;
use crate::volume::copy_up::{self, ImageDirectory};
use crate::volume::create::Novelty;
use crate::volume::lock::StoreAlone;
use crate::volume::store::VolumeStore;

/// A container that was made, and what its maker should hear.
#[derive(Debug)]
pub struct Created {
    /// The container.
    pub container: Container,
    /// What is not as it may seem.
    pub warnings: Vec<String>,
}

/// What has been made so far, to be removed if the rest fails.
struct Making<'a> {
    store: &'a Store,
    volumes: VolumeStore,
    containers: ContainerStore,
    id: String,
    new_volumes: Vec<VolumeName>,
}

/// Carries a draft out.
pub fn create(store: &Store, draft: &Draft) -> Result<Created, ContainerError> {
    let mut making = Making {
        store,
        volumes: VolumeStore::open(store)?,
        containers: ContainerStore::open(store)?,
        id: draft.record.id.clone(),
        new_volumes: Vec::new(),
    };
    let mut warnings = Vec::new();
    for path in &draft.sources_to_make {
        make_source(path)?;
        warnings.push(format!("{} did not exist and was made, an empty directory", path.display()));
    }
    let made = making.record(draft).and_then(|()| making.fill(draft));
    if let Err(error) = made {
        making.abandon();
        return Err(error);
    }
    let container = Container {
        record: draft.record.clone(),
        state: ContainerState::default(),
        directory: making.containers.path(&making.id),
    };
    Ok(Created { container, warnings })
}

/// V1.29: all parents, 0755, whatever the umask.
fn make_source(path: &Path) -> Result<(), ContainerError> {
    let failed = |e: std::io::Error| ContainerError::SourceNotMade {
        path: path.display().to_string(),
        cause: crate::say::setup::words_of(
            rustix::io::Errno::from_io_error(&e).unwrap_or(rustix::io::Errno::IO),
        )
        .to_lowercase(),
    };
    let missing: Vec<&Path> = path.ancestors().take_while(|p| !p.exists()).collect();
    for directory in missing.into_iter().rev() {
        match fs::DirBuilder::new().mode(0o755).create(directory) {
            // Somebody else's: its mode is not ours to change.
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => continue,
            other => other.map_err(failed)?,
        }
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    }
    Ok(())
}

impl Making<'_> {
    /// Volumes, the container's directory and record, the references: while nobody else makes or
    /// removes anything.
    fn record(&mut self, draft: &Draft) -> Result<(), ContainerError> {
        let alone = StoreAlone::take(self.store)?;
        self.check_name(draft)?;
        for wish in &draft.volumes {
            let created = self.volumes.create(&alone, &wish.volume)?;
            if created.novelty == Novelty::New {
                self.new_volumes.push(wish.name.clone());
            }
        }
        let durability =
            if draft.record.options.remove { Durability::Passing } else { Durability::Kept };
        self.directory(draft, durability)?;
        for name in volumes_of(&draft.record.mounts) {
            self.volumes.add_ref(&alone, name, (&self.id, Durability::Passing))?;
        }
        Ok(())
    }

    /// V12.09: the name was free when the draft was made; another may have been faster.
    fn check_name(&self, draft: &Draft) -> Result<(), ContainerError> {
        let (all, _) = self.containers.list()?;
        match all.into_iter().find(|c| c.record.name == draft.record.name) {
            Some(other) => Err(ContainerError::NameTaken {
                name: draft.record.name.to_string(),
                id: other.record.id,
            }),
            None => Ok(()),
        }
    }

    /// The container's directory is made under a name that no id can have, then renamed.
    fn directory(&self, draft: &Draft, durability: Durability) -> Result<(), ContainerError> {
        let directory = self.containers.directory().join(format!(".new-{}", self.id));
        let made = self.fill_directory(&directory, draft, durability).and_then(|()| {
            let path = self.containers.path(&self.id);
            fs::rename(&directory, &path).map_err(|e| ContainerError::io("rename", path, e))
        });
        if made.is_err() {
            let _ = fs::remove_dir_all(&directory);
        } else if durability == Durability::Kept {
            store::sync_directory(self.containers.directory())?;
        }
        made
    }

    fn fill_directory(
        &self,
        directory: &Path,
        draft: &Draft,
        durability: Durability,
    ) -> Result<(), ContainerError> {
        let make = |path: &Path| {
            fs::DirBuilder::new()
                .mode(0o700)
                .create(path)
                .map_err(|e| ContainerError::io("mkdir", path, e))
        };
        make(directory)?;
        make(&directory.join("work"))?;
        let upper = directory.join("upper");
        make(&upper)?;
        // The overlay's root has the owner and mode of its topmost directory, which is this one.
        if let Some(layer) = draft.record.layers.first() {
            like(layer, &upper).map_err(|e| ContainerError::io("chmod", &upper, e))?;
        }
        identity::write(directory, &draft.record)?;
        Ok(store::write_record(&directory.join("container.json"), &draft.record, durability)?)
    }

    /// Copy-up (V5.01): when the container is created, under each volume's lock.
    fn fill(&self, draft: &Draft) -> Result<(), ContainerError> {
        for wish in &draft.volumes {
            self.fill_volume(draft, wish)?;
        }
        Ok(())
    }

    fn fill_volume(&self, draft: &Draft, wish: &VolumeWish) -> Result<(), ContainerError> {
        let resolve = super::address::of_host;
        // What another container's copy-up left when it broke off is nobody's content.
        let mend = || Ok(copy_up::mend(&self.volumes, &wish.name, &resolve)?);
        if wish.copy_up == CopyUp::No {
            return mend();
        }
        let place = draft
            .view
            .lookup(&wish.target)
            .map_err(|e| ContainerError::io("openat2", wish.target.as_str(), e))?;
        let Some(place) = place else { return mend() };
        let kind =
            node(&place).map_err(|e| ContainerError::io("fstat", wish.target.as_str(), e))?;
        if kind.kind != rustix::fs::FileType::Directory {
            // V5.16: there is nothing to copy; the start will say that it does not fit.
            return mend();
        }
        let from = ImageDirectory {
            directory: place.as_fd(),
            kind: draft.view.kind,
            image: &draft.record.options.image,
            path: wish.target.as_str(),
        };
        copy_up::fill(&self.volumes, &wish.name, from, (wish.volume.durability, &resolve))?;
        Ok(())
    }

    /// Removes what was made: it would be a container that nobody got the id of.
    fn abandon(&self) {
        let Ok(alone) = StoreAlone::take(self.store) else { return };
        let path = self.containers.path(&self.id);
        let _ = fs::remove_file(path.join("container.json"));
        let _ = fs::remove_dir_all(&path);
        let exists = |id: &str| self.containers.exists(id);
        for name in &self.new_volumes {
            let _ = self.volumes.drop_ref(name, &self.id);
            if let Ok(removed) = self.volumes.remove(&alone, name, &exists) {
                let _ = removed.delete();
            }
        }
    }
}

/// The volumes among some mounts.
pub fn volumes_of(mounts: &[ResolvedMount]) -> impl Iterator<Item = &VolumeName> {
    mounts.iter().filter_map(|mount| match &mount.what {
        Mounted::Volume { name, .. } => Some(name),
        _ => None,
    })
}

fn like(model: &Path, directory: &Path) -> std::io::Result<()> {
    let seen = fs::metadata(model)?;
    chown(directory, Some(seen.uid()), Some(seen.gid()))?;
    fs::set_permissions(directory, fs::Permissions::from_mode(seen.mode() & 0o7777))
}
