//! The containers of a store: find, list, lock, remove.
//!
//! ```text
//! containers/ID/  container.json  state.json  run.lock  upper/ work/  etc/
//! ```
//!
//! `run.lock` is held as long as the container runs, by its supervisor. So a record that says
//! "running" while the lock is free is of a supervisor that died, and is mended by who sees it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::ContainerError;
use super::record::{ContainerRecord, ContainerState, Status};
use crate::store::{self, Durability, Store, StoreError};

/// The containers of one store.
#[derive(Debug, Clone)]
pub struct ContainerStore {
    directory: PathBuf,
}

/// A container with its state.
#[derive(Debug, Clone, PartialEq)]
pub struct Container {
    /// As it was created.
    pub record: ContainerRecord,
    /// As it is now.
    pub state: ContainerState,
    /// Its directory in the store.
    pub directory: PathBuf,
}

/// The lock of a container that runs or is about to; dropping it lets go.
#[derive(Debug)]
pub struct RunLock {
    _file: fs::File,
}

impl ContainerStore {
    /// The containers of `store`.
    pub fn open(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { directory: store.directory("containers")? })
    }

    /// The directory of a container.
    pub fn path(&self, id: &str) -> PathBuf {
        self.directory.join(id)
    }

    /// Where all of them are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Is there a container with this id?
    pub fn exists(&self, id: &str) -> bool {
        self.path(id).join("container.json").exists()
    }

    /// All containers, the newest first, and an error for each record that cannot be read.
    pub fn list(&self) -> Result<(Vec<Container>, Vec<ContainerError>), ContainerError> {
        let failed = |e| StoreError::io("getdents64", &self.directory, e);
        let (mut containers, mut broken) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            // What is being made or removed has a name with a dot before it.
            let Some(id) = name.to_str().filter(|id| !id.starts_with('.')) else { continue };
            match self.read(id) {
                Ok(Some(container)) => containers.push(container),
                // Removed meanwhile.
                Ok(None) | Err(ContainerError::Missing(_)) => {}
                Err(e) => broken.push(e),
            }
        }
        containers.sort_by(|a, b| b.record.created.cmp(&a.record.created));
        Ok((containers, broken))
    }

    fn read(&self, id: &str) -> Result<Option<Container>, ContainerError> {
        let directory = self.path(id);
        let Some(record) = store::read_record(&directory.join("container.json"))? else {
            return Ok(None);
        };
        let mut state: ContainerState =
            store::read_record(&directory.join("state.json"))?.unwrap_or_default();
        if state.status == Status::Running
            && let Some(_lock) = try_lock(&directory)?
        {
            // It may have ended between the two looks; nobody writes while we hold the lock.
            state = store::read_record(&directory.join("state.json"))?.unwrap_or_default();
            if state.status == Status::Running {
                // The supervisor was killed, and its container with it: nobody saw how it ended.
                state.status = Status::Exited;
                state.exit_code = 137;
                state.pid = 0;
            }
        }
        Ok(Some(Container { record, state, directory }))
    }

    /// Finds a container by name, by id, or by a beginning of an id that no other has (V12.24).
    pub fn find(&self, text: &str) -> Result<Container, ContainerError> {
        let missing = || ContainerError::Missing(text.into());
        if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return self.read(text)?.ok_or_else(missing);
        }
        let (containers, _) = self.list()?;
        let bare = text.strip_prefix('/').unwrap_or(text);
        if let Some(found) = containers.iter().find(|c| c.record.name.as_str() == bare) {
            return Ok(found.clone());
        }
        let mut matching =
            containers.into_iter().filter(|c| !text.is_empty() && c.record.id.starts_with(text));
        match (matching.next(), matching.next()) {
            (Some(found), None) => Ok(found),
            (Some(_), Some(_)) => Err(ContainerError::Ambiguous(text.into())),
            _ => Err(missing()),
        }
    }

    /// Replaces a container's state.
    pub fn write_state(
        &self,
        container: &Container,
        state: &ContainerState,
    ) -> Result<(), ContainerError> {
        let durability = container.durability();
        Ok(store::write_record(&container.directory.join("state.json"), state, durability)?)
    }

    /// Takes the lock of a container that does not run; `None` if it runs.
    pub fn run_lock(&self, container: &Container) -> Result<Option<RunLock>, ContainerError> {
        try_lock(&container.directory)
    }
}

impl Container {
    /// Must what is kept of it survive a power cut? Not if it goes with its process.
    pub fn durability(&self) -> Durability {
        if self.record.options.remove { Durability::Passing } else { Durability::Kept }
    }

    /// The first 12 digits of the id.
    pub fn short_id(&self) -> &str {
        self.record.id.get(..12).unwrap_or(&self.record.id)
    }
}

fn try_lock(directory: &Path) -> Result<Option<RunLock>, ContainerError> {
    let path = directory.join("run.lock");
    let file = match fs::File::options().create(true).truncate(false).write(true).open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Err(ContainerError::Missing(directory.display().to_string()));
        }
        Err(e) => return Err(StoreError::io("open", path, e).into()),
    };
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(RunLock { _file: file })),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(e) => Err(StoreError::io("flock", path, e).into()),
    }
}
