//! Making what a draft says: sources, volumes, the record, references, then copy-up.
//!
//! All or nothing: what a failed create made is removed again, but for a bind's source directory.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::Path;

use super::draft::{Draft, VolumeWish};
use super::error::ContainerError;
use super::record::{ContainerState, Mounted, ResolvedMount};
use super::store::{Container, ContainerStore, RunLock};
use super::{identity, name};
use crate::config::name::{ContainerName, VolumeName};
use crate::config::request::CopyUp;
use crate::store::{self, Durability, Store};
use crate::sys::path::node;
use crate::volume::complete::complete;
use crate::volume::copy_up::{self, ImageDirectory};
use crate::volume::create::Novelty;
use crate::volume::lock::StoreAlone;
use crate::volume::removal::Removed;
use crate::volume::store::VolumeStore;

/// A container that was made, and what its maker should hear.
#[derive(Debug)]
pub struct Created {
    /// The container.
    pub container: Container,
    /// Its lock: until it is let go nobody else starts or removes it.
    pub lock: RunLock,
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

/// Carries a draft out. A name that nobody chose may become another one.
pub fn create(store: &Store, draft: &mut Draft) -> Result<Created, ContainerError> {
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
    let made = making.record(draft).and_then(|lock| {
        making.fill(draft)?;
        making.publish(draft)?;
        Ok(lock)
    });
    let lock = match made {
        Ok(lock) => lock,
        Err(error) => {
            making.abandon(draft);
            return Err(error);
        }
    };
    let container = Container {
        record: draft.record.clone(),
        state: ContainerState::default(),
        directory: making.containers.path(&making.id),
    };
    Ok(Created { container, lock, warnings })
}

/// V1.29: all parents, 0755, whatever the umask.
fn make_source(path: &Path) -> Result<(), ContainerError> {
    let failed = |e: std::io::Error| ContainerError::SourceNotMade {
        path: path.display().to_string(),
        cause: crate::sys::errno::words(
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
    fn record(&mut self, draft: &mut Draft) -> Result<RunLock, ContainerError> {
        let alone = StoreAlone::take(self.store)?;
        self.settle_name(draft)?;
        for wish in &draft.volumes {
            let created = self.volumes.create(&alone, &wish.volume)?;
            if created.novelty == Novelty::New {
                self.new_volumes.push(wish.name.clone());
            }
        }
        let lock = self.directory(draft)?;
        for name in volumes_of(&draft.record.mounts) {
            self.volumes.add_ref(&alone, name, (&self.id, Durability::Passing))?;
        }
        Ok(lock)
    }

    /// V12.09: the name was free when the draft was made; another may have been faster. One that
    /// nobody chose is chosen anew.
    fn settle_name(&self, draft: &mut Draft) -> Result<(), ContainerError> {
        let (all, _) = self.containers.list()?;
        let mut taken = self.containers.being_made()?;
        taken.extend(all.into_iter().map(|c| (c.record.name, c.record.id)));
        let holder = |name: &ContainerName| taken.iter().find(|(other, _)| other == name);
        let Some((_, id)) = holder(&draft.record.name) else { return Ok(()) };
        if draft.record.options.name.is_some() {
            let (name, id) = (draft.record.name.to_string(), id.clone());
            return Err(ContainerError::NameTaken { name, id });
        }
        draft.record.name = name::invent(&|name| holder(name).is_some(), &self.id)?;
        Ok(())
    }

    /// The container's directory is made under a name that no id can have, and locked; there it
    /// stays until the volumes are filled.
    fn directory(&self, draft: &Draft) -> Result<RunLock, ContainerError> {
        let directory = self.containers.path_while_made(&self.id);
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&directory)
            .map_err(|e| ContainerError::io("mkdir", &directory, e))?;
        let lock = self.containers.new_lock(&directory)?;
        self.fill_directory(&directory, draft, durability(draft))?;
        Ok(lock)
    }

    /// From here on there is a container.
    fn publish(&self, draft: &Draft) -> Result<(), ContainerError> {
        let path = self.containers.path(&self.id);
        fs::rename(self.containers.path_while_made(&self.id), &path)
            .map_err(|e| ContainerError::io("rename", path, e))?;
        if durability(draft) == Durability::Kept {
            store::sync_directory(self.containers.directory())?;
        }
        Ok(())
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
        complete(&self.volumes, &wish.name)?;
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
    fn abandon(&self, draft: &Draft) {
        for removed in self.take_out(draft) {
            let _ = removed.delete();
        }
    }

    /// The new volumes, out of the store: their data is deleted after its lock is let go.
    fn take_out(&self, draft: &Draft) -> Vec<Removed> {
        let Ok(alone) = StoreAlone::take(self.store) else { return Vec::new() };
        let away = self.containers.directory().join(format!(".removing-{}", self.id));
        for path in [self.containers.path_while_made(&self.id), self.containers.path(&self.id)] {
            if fs::rename(path, &away).is_ok() {
                let _ = fs::remove_dir_all(&away);
            }
        }
        for name in volumes_of(&draft.record.mounts) {
            let _ = self.volumes.drop_ref(name, &self.id);
        }
        let exists = |id: &str| self.containers.exists(id);
        let remove = |name: &VolumeName| self.volumes.remove(&alone, name, &exists).ok();
        self.new_volumes.iter().filter_map(remove).collect()
    }
}

/// What goes with its process need not survive a power cut.
fn durability(draft: &Draft) -> Durability {
    if draft.record.options.remove { Durability::Passing } else { Durability::Kept }
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
