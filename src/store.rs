//! Records on disk: where the store is, its lock, and how a record is read and written.
//!
//! Files that a person can read are the database. A record is replaced whole (temporary file,
//! fsync, rename), so a reader sees the old one or the new one. The lock order is: the store
//! (shared for use, exclusive for create, rm, prune), then a container, then volumes by name.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind as K, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags};

use crate::facts::file;

/// What can be wrong with the store. Every variant names the path.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A call on a file or directory of the store failed.
    #[error("{call}({path:?}): {source}")]
    Io {
        /// What was tried.
        call: &'static str,
        /// On what.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A file of the store cannot be changed where it lies.
    #[error("{call}({path:?}): the store is read-only")]
    ReadOnly {
        /// What was tried.
        call: &'static str,
        /// On what.
        path: PathBuf,
    },
    /// Somebody else could change the store under us.
    #[error("the store {path:?} is not ours alone: owner {owner}, mode {mode:o}")]
    NotOurs {
        /// The store's root.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Its mode.
        mode: u32,
    },
    /// A record that is not what we write.
    #[error("the record {path:?} cannot be read: {source}")]
    Record {
        /// The record's file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl StoreError {
    /// An error of `call` on `path`.
    pub fn io(call: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        let (path, source) = (path.into(), source.into());
        match source.kind() {
            K::ReadOnlyFilesystem => Self::ReadOnly { call, path },
            _ => Self::Io { call, path, source },
        }
    }
}

/// The root directory of volumes, containers and images: ours alone, mode 0700.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// Is a lock held with others, or alone?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// For use: many may hold it.
    Shared,
    /// For create, rm, prune: one holds it.
    Exclusive,
}

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub struct Lock {
    _file: Option<File>,
}

impl Store {
    /// Opens the store at `root` and makes it if it is missing.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let root = &followed(root)?;
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(root).map_err(|e| StoreError::io("mkdir", root, e))?;
        let seen = fs::symlink_metadata(root).map_err(|e| StoreError::io("lstat", root, e))?;
        let ours = rustix::process::geteuid().as_raw();
        if seen.uid() != ours || !seen.is_dir() || seen.mode() & 0o022 != 0 {
            return Err(StoreError::NotOurs {
                path: root.into(),
                owner: seen.uid(),
                mode: seen.mode() & 0o7777,
            });
        }
        if seen.mode() & 0o777 != 0o700 {
            fs::set_permissions(root, Permissions::from_mode(0o700))
                .map_err(|e| StoreError::io("chmod", root, e))?;
        }
        Ok(Self { root: root.into() })
    }

    /// The store's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A directory of the store, made if it is missing.
    pub fn directory(&self, name: &str) -> Result<PathBuf, StoreError> {
        let path = self.root.join(name);
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok(path),
            // A directory that cannot be made has nothing in it, and that can be told.
            Err(e) if matches!(e.kind(), K::AlreadyExists | K::ReadOnlyFilesystem) => Ok(path),
            Err(e) => Err(StoreError::io("mkdir", path, e)),
        }
    }

    /// Takes the lock of the whole store. Waits for it.
    pub fn lock(&self, kind: LockKind) -> Result<Lock, StoreError> {
        lock(&self.root.join("lock"), kind)
    }
}

/// Takes the lock file at `path`, waiting for it.
///
/// The file may be unlinked and made anew by another between our open and our lock (a removed
/// container): then the lock held is on a file that nobody else will see, so it is taken again.
pub fn lock(path: &Path, kind: LockKind) -> Result<Lock, StoreError> {
    let operation = match kind {
        LockKind::Shared => FlockOperation::LockShared,
        LockKind::Exclusive => FlockOperation::LockExclusive,
    };
    loop {
        let file = match lock_file(path) {
            Ok(file) => file,
            Err(e) if e.kind() == K::ReadOnlyFilesystem && kind == LockKind::Shared => {
                // To read a store that is mounted read-only: whoever may change it, elsewhere,
                // takes the same lock. Without a file nobody ever took it.
                match file::open(path) {
                    Ok(file) => file,
                    Err(e) if e.kind() == K::NotFound => return Ok(Lock { _file: None }),
                    Err(e) => return Err(StoreError::io("open", path, e)),
                }
            }
            Err(e) => return Err(StoreError::io("open", path, e)),
        };
        rustix::io::retry_on_intr(|| rustix::fs::flock(&file, operation))
            .map_err(|e| StoreError::io("flock", path, e))?;
        let held = file.metadata().map_err(|e| StoreError::io("fstat", path, e))?;
        match fs::metadata(path) {
            Ok(named) if (named.dev(), named.ino()) == (held.dev(), held.ino()) => {
                return Ok(Lock { _file: Some(file) });
            }
            Ok(_) => {}
            Err(e) if e.kind() == K::NotFound => {}
            Err(e) => return Err(StoreError::io("stat", path, e)),
        }
    }
}

fn lock_file(path: &Path) -> io::Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        // A fifo would wait for a reader.
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
}

/// The directory that a link of ours stands for: records keep paths, which must not depend on the
/// name that was used. A link of somebody else's could lead elsewhere the next time.
fn followed(root: &Path) -> Result<PathBuf, StoreError> {
    let Ok(seen) = fs::symlink_metadata(root) else { return Ok(root.into()) };
    if !seen.is_symlink() {
        return Ok(root.into());
    }
    let (owner, mode) = (seen.uid(), seen.mode() & 0o7777);
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(StoreError::NotOurs { path: root.into(), owner, mode });
    }
    fs::canonicalize(root).map_err(|e| StoreError::io("open", root, e))
}

/// Must a record survive a power cut?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// fsync the file and its directory: what was reported as done is there.
    Kept,
    /// For what does not outlive the boot or the command.
    Passing,
}

/// Writes `value` as the record at `path`, whole or not at all.
pub fn write_record<T: serde::Serialize>(
    path: &Path,
    value: &T,
    durability: Durability,
) -> Result<(), StoreError> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|source| StoreError::Record { path: path.into(), source })?;
    text.push(b'\n');
    let mut file = passing_file(directory, ".new-").map_err(|e| StoreError::io("open", path, e))?;
    file.write_all(&text).map_err(|e| StoreError::io("write", path, e))?;
    if durability == Durability::Kept {
        file.as_file().sync_all().map_err(|e| StoreError::io("fsync", path, e))?;
    }
    file.persist(path).map_err(|e| StoreError::io("rename", path, e.error))?;
    if durability == Durability::Kept {
        sync_directory(directory)?;
    }
    Ok(())
}

/// Makes a file with a name of its own in `directory`, which is not there for long.
///
/// tempfile's own way adds that name to its errors, and nobody knows it.
pub fn passing_file(directory: &Path, prefix: &str) -> io::Result<tempfile::NamedTempFile> {
    let make = |path: &Path| {
        File::options().read(true).write(true).create_new(true).mode(0o600).open(path)
    };
    tempfile::Builder::new().prefix(prefix).make_in(directory, make)
}

/// Makes the entries of `directory` durable.
pub fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    File::open(directory)
        .and_then(|d| d.sync_all())
        .map_err(|e| StoreError::io("fsync", directory, e))
}

/// Reads the record at `path`; `None` where there is none.
pub fn read_record<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    let text = match file::read(path, file::RECORD_LIMIT_BYTES) {
        Ok(text) => text,
        Err(e) if e.kind() == K::NotFound => return Ok(None),
        Err(e) => return Err(StoreError::io("open", path, e)),
    };
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|source| StoreError::Record { path: path.into(), source })
}
