//! The OCI state of running containers: a directory each below the runtime's root.
//!
//! The directory is the claim to the id. What is in it says whose it is: a record whose process
//! is gone (by pid and start time) is stale, and its id free.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::config::name::ContainerId;

/// Why an id cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The id is in use.
    #[error("container with id {id} exists already, pid {pid}")]
    Exists {
        /// The id.
        id: String,
        /// Whose it is.
        pid: i32,
    },
    /// A call failed.
    #[error("{call}({path:?}): {source}")]
    Io {
        /// What was tried.
        call: &'static str,
        /// On what.
        path: PathBuf,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// Others could change the state under us.
    #[error("the state directory {path:?} is not ours alone: owner {owner}, mode {mode:o}")]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Its mode.
        mode: u32,
    },
}

/// Who holds an id.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Holder {
    /// The runtime's own process.
    pid: i32,
    /// When it started, in ticks since the boot: a pid alone is used again.
    start_time: u64,
    bundle: PathBuf,
}

/// A claimed id; dropping it gives the id back.
#[derive(Debug)]
pub struct Claim {
    directory: PathBuf,
}

/// The start time of a process (field 22 of /proc/PID/stat).
fn start_time(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold blanks and parentheses; what follows the last one is numbers.
    text.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

fn open_root(root: &Path) -> Result<(), StateError> {
    let io = |call, source| StateError::Io { call, path: root.into(), source };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(root).map_err(|e| io("mkdir", e))?;
    let seen = fs::metadata(root).map_err(|e| io("stat", e))?;
    if seen.uid() != rustix::process::geteuid().as_raw() || seen.mode() & 0o022 != 0 {
        let (owner, mode) = (seen.uid(), seen.mode() & 0o7777);
        return Err(StateError::NotOurs { path: root.into(), owner, mode });
    }
    Ok(())
}

impl Claim {
    /// Claims `id` below `root`.
    pub fn new(root: &Path, id: &ContainerId, bundle: &Path) -> Result<Self, StateError> {
        open_root(root)?;
        let directory = root.join(id.as_str());
        let io = |call, source| StateError::Io { call, path: directory.clone(), source };
        for last_try in [false, true] {
            match fs::DirBuilder::new().mode(0o700).create(&directory) {
                Ok(()) => break,
                Err(e) if e.kind() == ErrorKind::AlreadyExists && !last_try => {
                    free_if_stale(&directory, id)?;
                }
                Err(e) => return Err(io("mkdir", e)),
            }
        }
        let claim = Self { directory: directory.clone() };
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let start_time = start_time(pid).unwrap_or(0);
        let holder = Holder { pid, start_time, bundle: bundle.into() };
        let text = serde_json::to_vec(&holder).map_err(|e| io("write", e.into()))?;
        let mut file =
            fs::File::create(directory.join("holder.json")).map_err(|e| io("open", e))?;
        file.write_all(&text).map_err(|e| io("write", e))?;
        Ok(claim)
    }
}

fn free_if_stale(directory: &Path, id: &ContainerId) -> Result<(), StateError> {
    let holder = fs::read(directory.join("holder.json"))
        .ok()
        .and_then(|text| serde_json::from_slice::<Holder>(&text).ok());
    match holder {
        Some(holder) if start_time(holder.pid) == Some(holder.start_time) => {
            Err(StateError::Exists { id: id.to_string(), pid: holder.pid })
        }
        _ => {
            let _ = fs::remove_file(directory.join("holder.json"));
            let _ = fs::remove_dir(directory);
            Ok(())
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.directory.join("holder.json"));
        let _ = fs::remove_dir(&self.directory);
    }
}
