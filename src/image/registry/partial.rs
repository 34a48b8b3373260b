//! Blobs that have come in part: files of the store that outlive the command which fetched them.
//!
//! `layers/.partial/<hex of the digest>`. Who fetches a blob holds the file's lock; a second
//! command waits for it and then finds the rest done. A file goes when its image is published;
//! what nobody came back for is swept after some days.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;

use crate::image::digest::{Digest, Hasher};
use crate::image::store::ImageStore;
use crate::store::{self, Lock, LockKind, StoreError};

/// How long a partial blob waits for the rest of it.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
const BUFFER_BYTES: usize = 256 << 10;

/// Where partial blobs are.
#[derive(Debug, Clone)]
pub struct Partials {
    directory: PathBuf,
}

/// A blob that is being fetched: what there is of it, and the digest of that so far.
pub struct Partial {
    path: PathBuf,
    file: File,
    hasher: Hasher,
    length: u64,
    _lock: Lock,
}

impl Partials {
    /// The partial blobs of a store.
    pub fn open(images: &ImageStore) -> Result<Self, StoreError> {
        let directory = images.partial_path();
        match fs::create_dir(&directory) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                Err(StoreError::io("mkdir", directory, e))
            }
            _ => Ok(Self { directory }),
        }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.directory.join(digest.hex())
    }

    /// One image is fetched by one command at a time: waits for the others.
    pub fn lock_image(&self, manifest: &Digest) -> Result<ImageLock, StoreError> {
        let path = self.directory.join(format!("{}.lock", manifest.hex()));
        let lock = store::lock(&path, LockKind::Exclusive)?;
        Ok(ImageLock { path, _lock: lock })
    }

    /// Would [`Partials::take`] have to wait?
    pub fn is_taken(&self, digest: &Digest) -> bool {
        let Ok(file) = File::open(self.path(digest)) else { return false };
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared).is_err()
    }

    /// Takes what there is of a blob, alone; waits for who has it.
    pub fn take(&self, digest: &Digest) -> Result<Partial, StoreError> {
        let path = self.path(digest);
        let lock = store::lock(&path, LockKind::Exclusive)?;
        let failed = |e| StoreError::io("open", &path, e);
        let mut file = File::options().read(true).write(true).open(&path).map_err(failed)?;
        let mut hasher = Hasher::default();
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut length = 0;
        loop {
            let read = file.read(&mut buffer).map_err(|e| StoreError::io("read", &path, e))?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            length += read as u64;
        }
        Ok(Partial { path, file, hasher, length, _lock: lock })
    }

    /// Removes what an image that is published was made of.
    pub fn remove(&self, digest: &Digest) -> Result<(), StoreError> {
        let path = self.path(digest);
        if !path.exists() {
            return Ok(());
        }
        let _lock = store::lock(&path, LockKind::Exclusive)?;
        remove_file(&path)
    }

    /// Removes what nobody came back for. It is tidiness: what cannot be done now, is not.
    pub fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let modified = path.metadata().and_then(|m| m.modified());
            let old = modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > KEPT));
            if old
                && let Ok(file) = File::open(&path)
                && rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
            {
                let _ = remove_file(&path);
            }
        }
    }
}

fn remove_file(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(StoreError::io("unlink", path, e)),
        _ => Ok(()),
    }
}

/// An image that this command alone fetches.
#[derive(Debug)]
pub struct ImageLock {
    path: PathBuf,
    _lock: Lock,
}

impl Drop for ImageLock {
    fn drop(&mut self) {
        // Under the lock: who waits for it finds the file gone and takes a new one.
        let _ = fs::remove_file(&self.path);
    }
}

impl Partial {
    /// How much there is.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Adds what came.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let result = self.file.write_all(bytes);
        if let Err(e) = result {
            // A part of it may have been written: what follows must not be taken for its end.
            let _ = self.file.set_len(self.length);
            return Err(StoreError::io("write", &self.path, e));
        }
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Throws away what there is.
    pub fn restart(&mut self) -> Result<(), StoreError> {
        let failed = |e| StoreError::io("truncate", &self.path, e);
        self.file.set_len(0).map_err(failed)?;
        self.file.seek(SeekFrom::Start(0)).map_err(failed)?;
        (self.hasher, self.length) = (Hasher::default(), 0);
        Ok(())
    }

    /// The digest of what there is.
    pub fn digest(&self) -> Digest {
        self.hasher.clone().finish()
    }

    /// Gives the file one more name, where the image is put together.
    pub fn link(&self, to: &Path) -> Result<(), StoreError> {
        match fs::hard_link(&self.path, to) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                Err(StoreError::io("link", to, e))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partials() -> (tempfile::TempDir, Partials) {
        let directory = tempfile::tempdir().unwrap();
        let partials = Partials { directory: directory.path().into() };
        (directory, partials)
    }

    /// What one command has got is the next one's start, and its digest covers all of it.
    #[test]
    fn goes_on() {
        let (_directory, partials) = partials();
        let digest = Digest::of(b"abcdef");
        let mut first = partials.take(&digest).unwrap();
        first.add(b"abc").unwrap();
        assert!(partials.is_taken(&digest));
        drop(first);
        assert!(!partials.is_taken(&digest));
        let mut second = partials.take(&digest).unwrap();
        assert_eq!(second.length(), 3);
        second.add(b"def").unwrap();
        assert_eq!(second.digest(), digest);
        second.restart().unwrap();
        assert_eq!((second.length(), second.digest()), (0, Digest::of(b"")));
        drop(second);
        partials.remove(&digest).unwrap();
        partials.remove(&digest).unwrap();
        assert_eq!(fs::read_dir(&partials.directory).unwrap().count(), 0);
    }

    /// Old ones go, young ones and those at work stay.
    #[test]
    fn sweeps() {
        let (_directory, partials) = partials();
        let [young, old, busy] = ["young", "old", "busy"].map(|t| Digest::of(t.as_bytes()));
        let long_ago = std::time::SystemTime::now() - KEPT - Duration::from_secs(60);
        let held: Vec<Partial> =
            [&young, &old, &busy].map(|digest| partials.take(digest).unwrap()).into();
        for at in [1, 2] {
            held[at].file.set_modified(long_ago).unwrap();
        }
        let busy_one = held.into_iter().nth(2);
        partials.sweep();
        let there = [&young, &old, &busy].map(|digest| partials.path(digest).exists());
        assert_eq!(there, [true, false, true]);
        drop(busy_one);
    }
}
