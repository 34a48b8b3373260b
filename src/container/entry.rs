//! One container of the store: its record, its state, its lock.
//!
//! ```text
//! containers/ID/  container.json  state.json  run.lock  socket  upper/ work/  etc/  log.json
//! ```

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::error::ContainerError;
use super::record::{ContainerRecord, ContainerState};
use crate::store::{self, Durability, StoreError};

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
    file: fs::File,
}

impl std::os::fd::AsFd for RunLock {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.file.as_fd()
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

/// Replaces a container's state.
pub fn write_state(container: &Container, state: &ContainerState) -> Result<(), ContainerError> {
    let path = container.directory.join("state.json");
    Ok(store::write_record(&path, state, container.durability())?)
}

/// May the lock's file be made?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMissing {
    /// Yes.
    Make,
    /// No.
    Leave,
}

/// Takes the lock below `directory`; `None` if somebody has it.
pub fn try_lock(directory: &Path, missing: IfMissing) -> Result<Option<RunLock>, ContainerError> {
    let path = directory.join("run.lock");
    let gone = || ContainerError::Missing(directory.display().to_string());
    let make = missing == IfMissing::Make;
    let file = match fs::File::options().create(make).truncate(false).write(true).open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Err(gone()),
        Err(e) => return Err(StoreError::io("open", path, e).into()),
    };
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
        Err(e) => return Err(StoreError::io("flock", path, e).into()),
    }
    // The container may have been renamed away between our open and our lock.
    let held = file.metadata().map_err(|e| StoreError::io("fstat", &path, e))?;
    match fs::metadata(&path) {
        Ok(named) if (named.dev(), named.ino()) == (held.dev(), held.ino()) => {
            Ok(Some(RunLock { file }))
        }
        _ => Err(gone()),
    }
}
