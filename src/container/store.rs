//! The containers of a store: find, list, lock, remove.
//!
//! ```text
//! containers/ID/  container.json  state.json  run.lock  upper/ work/  etc/
//! ```
//!
//! `run.lock` is held as long as the container runs, by its supervisor. So a record that says
//! "running" while the lock is free is of a supervisor that died, and is mended by who sees it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use super::entry::{Container, RunLock};
use super::entry::{IfMissing, try_lock};
use super::error::ContainerError;
use super::record::{ContainerRecord, ContainerState, Status};
use crate::config::name::ContainerName;
use crate::store::{self, Store, StoreError};

/// What the name of a directory begins with while a container is made in it.
pub const MAKING: &str = ".new-";

/// How often a lock that is held is looked at again, and after which time.
const LOOKS: u32 = 20;
const LOOK: Duration = Duration::from_millis(1);

/// The containers of one store.
#[derive(Debug, Clone)]
pub struct ContainerStore {
    directory: PathBuf,
}

/// Containers, the newest first, and an error for each record that cannot be read.
pub type Listing = (Vec<Container>, Vec<ContainerError>);

impl ContainerStore {
    /// The containers of `store`.
    pub fn open(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { directory: store.directory("containers")? })
    }

    /// The same, of a store that may have had none and is only looked at.
    pub fn at(store: &Store) -> Self {
        Self { directory: store.root().join("containers") }
    }

    /// The directory of a container.
    pub fn path(&self, id: &str) -> PathBuf {
        self.directory.join(id)
    }

    /// Where all of them are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where a container is made; it is renamed when it is whole.
    pub fn path_while_made(&self, id: &str) -> PathBuf {
        self.directory.join(format!("{MAKING}{id}"))
    }

    /// Is there a container with this id, or one that is being made?
    pub fn exists(&self, id: &str) -> bool {
        // In this order: it goes from the one name to the other, and is never seen under neither.
        matches!(try_lock(&self.path_while_made(id), IfMissing::Leave), Ok(None))
            || self.path(id).join("container.json").exists()
    }

    /// The names and ids of the containers that are being made by others right now.
    pub fn being_made(&self) -> Result<Vec<(ContainerName, String)>, ContainerError> {
        let failed = |e| StoreError::io("getdents64", &self.directory, e);
        let mut made = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if !name.as_encoded_bytes().starts_with(MAKING.as_bytes()) {
                continue;
            }
            if let Ok(None) = try_lock(&entry.path(), IfMissing::Leave)
                && let Ok(Some(record)) =
                    store::read_record::<ContainerRecord>(&entry.path().join("container.json"))
            {
                made.push((record.name, record.id));
            }
        }
        Ok(made)
    }

    /// All containers, the newest first, and an error for each record that cannot be read.
    pub fn list(&self) -> Result<Listing, ContainerError> {
        self.list_those(|_| true)
    }

    /// The same of those that run or will again; of the others little is read.
    pub fn list_running(&self) -> Result<Listing, ContainerError> {
        self.list_those(Status::has_supervisor)
    }

    fn list_those(&self, wanted: impl Fn(Status) -> bool) -> Result<Listing, ContainerError> {
        let failed = |e| StoreError::io("getdents64", &self.directory, e);
        let (mut containers, mut broken) = (Vec::new(), Vec::new());
        let directory = match fs::read_dir(&self.directory) {
            // Of a store that is read-only and never had a container.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Ok((containers, broken));
            }
            opened => opened.map_err(failed)?,
        };
        for entry in directory {
            let name = entry.map_err(failed)?.file_name();
            // What is being made or removed has a name with a dot before it.
            let Some(id) = name.to_str().filter(|id| !id.starts_with('.')) else { continue };
            match self.read_those(id, &wanted) {
                Ok(Some(container)) => containers.push(container),
                // Not wanted, or removed meanwhile.
                Ok(None) | Err(ContainerError::Missing(_)) => {}
                Err(e) => broken.push(e),
            }
        }
        containers.sort_by(|a, b| b.record.created.cmp(&a.record.created));
        Ok((containers, broken))
    }

    fn read(&self, id: &str) -> Result<Option<Container>, ContainerError> {
        self.read_those(id, |_| true)
    }

    fn read_those(
        &self,
        id: &str,
        wanted: impl Fn(Status) -> bool,
    ) -> Result<Option<Container>, ContainerError> {
        let directory = self.path(id);
        let state: ContainerState =
            store::read_record(&directory.join("state.json"))?.unwrap_or_default();
        if !wanted(state.status) {
            return Ok(None);
        }
        let Some(record) = store::read_record(&directory.join("container.json"))? else {
            return Ok(None);
        };
        let mut container = Container { record, state, directory };
        if container.state.status.has_supervisor()
            && let Some(lock) = try_lock(&container.directory, IfMissing::Make)?
        {
            // It may have ended between the two looks; nobody writes while we hold the lock.
            container.state =
                store::read_record(&container.directory.join("state.json"))?.unwrap_or_default();
            if container.state.status.has_supervisor() {
                // Its supervisor was killed: nobody saw how it ended.
                super::orphan::mend(&mut container, &lock);
            }
        }
        // Of a supervisor that died, the state was wrong.
        Ok(Some(container).filter(|container| wanted(container.state.status)))
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

    /// Takes the lock of a container that does not run; `None` if it runs.
    pub fn run_lock(&self, container: &Container) -> Result<Option<RunLock>, ContainerError> {
        // Who looks at a container that has just ended holds its lock for a moment.
        for _ in 0..LOOKS {
            if let Some(lock) = try_lock(&container.directory, IfMissing::Make)? {
                return Ok(Some(lock));
            }
            std::thread::sleep(LOOK);
        }
        Ok(None)
    }

    /// Makes the lock of a container that is being made, and takes it.
    pub fn new_lock(&self, directory: &Path) -> Result<RunLock, ContainerError> {
        let lock = try_lock(directory, IfMissing::Make)?;
        lock.ok_or_else(|| ContainerError::RunningAlready(directory.display().to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::testing::Bench;

    /// A container counts from the moment in which its directory is locked: its references are
    /// not stale while its volumes are filled. What a killed maker has left does not count.
    #[test]
    fn one_that_is_being_made_exists() -> Result<(), ContainerError> {
        let bench = Bench::new();
        let id = "a".repeat(64);
        let directory = bench.containers.path_while_made(&id);
        let made = |path: &Path| {
            fs::create_dir_all(path).map_err(|e| ContainerError::io("mkdir", path, e))
        };
        made(&directory)?;
        assert!(!bench.containers.exists(&id));
        let lock = bench.containers.new_lock(&directory)?;
        assert!(bench.containers.exists(&id));
        drop(lock);
        assert!(!bench.containers.exists(&id));
        Ok(())
    }
}
