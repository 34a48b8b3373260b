//! The OCI state of running containers: a directory each below the runtime's root.
//!
//! The directory is the claim to the id. What is in it says whose it is: a record whose process
//! is gone (by pid and start time) is stale, and its id free. Claims are made, freed and given back
//! under one lock: of two commands that find the same stale one the later would else free what the
//! earlier has just made.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::config::name::ContainerId;
use crate::facts::{file, kernel_file};

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
    root: PathBuf,
    directory: PathBuf,
}

/// The lock file, below the root: no id begins with a dot.
const LOCK: &str = ".lock";

/// Takes the lock of `root`, waiting for it. The file may be removed by somebody between our open
/// and our lock: then nobody else would see the lock that is held, so it is taken again.
fn lock(root: &Path) -> Result<fs::File, StateError> {
    let path = root.join(LOCK);
    let io = |call, source| StateError::Io { call, path: path.clone(), source };
    loop {
        let mut options = fs::File::options();
        options.create(true).truncate(false).write(true).mode(0o600);
        let file = options.open(&path).map_err(|e| io("open", e))?;
        rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))
            .map_err(|e| io("flock", e.into()))?;
        let held = file.metadata().map_err(|e| io("fstat", e))?;
        match fs::symlink_metadata(&path) {
            Ok(named) if (named.dev(), named.ino()) == (held.dev(), held.ino()) => return Ok(file),
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(io("stat", e)),
        }
    }
}

/// The start time of a process (field 22 of /proc/PID/stat).
fn start_time(pid: i32) -> Option<u64> {
    let text = kernel_file::read(format!("/proc/{pid}/stat").as_ref()).ok()?;
    // The name may hold blanks and parentheses; what follows the last one is numbers.
    text.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

fn open_root(root: &Path) -> Result<(), StateError> {
    let io = |call, source| StateError::Io { call, path: root.into(), source };
    let seen = fs::metadata(root).or_else(|_| {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(root).map_err(|e| io("mkdir", e))?;
        fs::metadata(root).map_err(|e| io("stat", e))
    })?;
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
        let _lock = lock(root)?;
        let directory = root.join(id.as_str());
        let io = |call, source| StateError::Io { call, path: directory.clone(), source };
        if directory.exists() {
            free_if_stale(&directory, id)?;
        }
        fs::DirBuilder::new().mode(0o700).create(&directory).map_err(|e| io("mkdir", e))?;
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let start_time = start_time(pid).unwrap_or(0);
        let holder = Holder { pid, start_time, bundle: bundle.into() };
        let text = serde_json::to_vec(&holder).map_err(|e| io("write", e.into()))?;
        let written = fs::File::create(directory.join("holder.json"))
            .and_then(|mut file| file.write_all(&text));
        if let Err(error) = written {
            remove(&directory);
            return Err(io("write", error));
        }
        Ok(Self { root: root.into(), directory })
    }
}

/// Under the lock only.
fn remove(directory: &Path) {
    let _ = fs::remove_file(directory.join("holder.json"));
    let _ = fs::remove_dir(directory);
}

fn free_if_stale(directory: &Path, id: &ContainerId) -> Result<(), StateError> {
    let holder = file::read(&directory.join("holder.json"), file::RECORD_LIMIT_BYTES)
        .ok()
        .and_then(|text| serde_json::from_slice::<Holder>(&text).ok());
    match holder {
        Some(holder) if start_time(holder.pid) == Some(holder.start_time) => {
            Err(StateError::Exists { id: id.to_string(), pid: holder.pid })
        }
        _ => {
            remove(directory);
            Ok(())
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Without the lock it stays, and is stale as soon as this process has ended.
        if let Ok(_lock) = lock(&self.root) {
            remove(&self.directory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    type Anything = Result<(), Box<dyn std::error::Error>>;

    fn id() -> Result<ContainerId, Box<dyn std::error::Error>> {
        Ok("box".parse()?)
    }

    /// A claim of a process that is gone.
    fn make_stale(root: &Path) -> Anything {
        fs::create_dir(root.join("box"))?;
        let holder = Holder { pid: 1, start_time: u64::MAX, bundle: "/".into() };
        Ok(fs::write(root.join("box/holder.json"), serde_json::to_vec(&holder)?)?)
    }

    /// Of many who find the same stale claim one gets it, and keeps it.
    #[test]
    fn one_gets_a_stale_claim() -> Anything {
        const MANY: usize = 8;
        let (scratch, id) = (tempfile::tempdir()?, id()?);
        for _ in 0..100 {
            make_stale(scratch.path())?;
            let barrier = Barrier::new(MANY);
            let claim = || {
                barrier.wait();
                Claim::new(scratch.path(), &id, Path::new("/bundle"))
            };
            let claims: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..MANY).map(|_| scope.spawn(claim)).collect();
                threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
            });
            let had = claims.iter().filter(|claim| claim.is_ok()).count();
            assert_eq!((claims.len(), had), (MANY, 1));
            for refused in claims.iter().filter_map(|claim| claim.as_ref().err()) {
                assert!(matches!(refused, StateError::Exists { .. }), "{refused}");
            }
            assert!(scratch.path().join("box/holder.json").exists());
            drop(claims);
            assert!(!scratch.path().join("box").exists());
        }
        Ok(())
    }

    /// Who gives its claim back never takes that of another with it.
    #[test]
    fn given_back_and_taken_at_once() -> Anything {
        let (scratch, id) = (tempfile::tempdir()?, id()?);
        let take = || {
            for _ in 0..200 {
                match Claim::new(scratch.path(), &id, Path::new("/bundle")) {
                    Ok(claim) => assert!(claim.directory.join("holder.json").exists()),
                    Err(StateError::Exists { .. }) => {}
                    Err(other) => panic!("{other}"),
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(take);
            }
        });
        Ok(())
    }

    /// A lock file that is removed while others wait for it is taken anew.
    #[test]
    fn the_lock_is_on_the_file_that_has_the_name() -> Anything {
        let scratch = tempfile::tempdir()?;
        let path = scratch.path().join(LOCK);
        let first = lock(scratch.path())?;
        std::thread::scope(|scope| -> Anything {
            let waiting = scope.spawn(|| {
                lock(scratch.path()).and_then(|file| {
                    let io = |source| StateError::Io { call: "stat", path: path.clone(), source };
                    Ok((file.metadata().map_err(io)?.ino(), fs::metadata(&path).map_err(io)?.ino()))
                })
            });
            std::thread::sleep(std::time::Duration::from_millis(20));
            fs::rename(&path, scratch.path().join("moved"))?;
            drop(first);
            let (held, named) = waiting.join().map_err(|_| "the thread")??;
            assert_eq!(held, named);
            Ok(())
        })
    }
}
