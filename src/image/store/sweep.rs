//! Removing what nothing refers to.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageManifest, MediaType};
use rustix::fs::FlockOperation;

use super::staging::{self, PREFIX, open_directory, remove_directory};
use super::{ImageError, ImageStore, Staging, image, names};
use crate::image::chain::chain_ids;
use crate::image::digest::Digest;
use crate::store::StoreError;

/// Another tool may be writing into the layout: what is this young may be its.
const FOREIGN_GRACE: Duration = Duration::from_secs(3600);

/// All that the index leads to.
#[derive(Debug, Default)]
pub struct Referenced {
    pub blobs: HashSet<Digest>,
    pub layers: HashSet<Digest>,
}

impl Staging {
    /// The blobs that wait here.
    pub(super) fn blobs(&self) -> Result<Vec<Digest>, StoreError> {
        let path = self.blob_path(&Digest::of(b""));
        let directory = path.parent().unwrap_or(Path::new("/"));
        let names = names_in(directory)?;
        Ok(names.iter().filter_map(|n| Digest::from_hex(n.strip_prefix("blob.")?)).collect())
    }
}

impl ImageStore {
    /// Under the exclusive lock: removes what dead commands left, and layers and old blobs that
    /// nothing refers to.
    ///
    /// An image that cannot be read may refer to anything: then only the dead commands' go.
    pub(super) fn sweep(&self) -> Result<(), ImageError> {
        let referenced = self.referenced().ok();
        self.sweep_stagings()?;
        for name in names_in(&self.layers)? {
            let path = self.layers.join(&name);
            if let Some(known) = &referenced
                && unreferenced(name.trim_end_matches(".json"), &known.layers)
            {
                remove_any(&path)?;
            }
        }
        let Some(known) = referenced else { return Ok(()) };
        for name in names_in(&self.layout.blobs())? {
            let path = self.layout.blobs().join(&name);
            if unreferenced(&name, &known.blobs) && is_old(&path) {
                remove_any(&path)?;
            }
        }
        Ok(())
    }

    /// Removes what dead commands left, and nothing else: for those who may be killed often before
    /// they come to publish anything.
    pub fn sweep_abandoned(&self) -> Result<(), ImageError> {
        let _lock = self.lock_exclusive()?;
        Ok(self.sweep_stagings()?)
    }

    fn sweep_stagings(&self) -> Result<(), StoreError> {
        for name in names_in(&self.layers)? {
            if name.starts_with(PREFIX) {
                sweep_staging(&self.layers.join(&name))?;
            }
        }
        Ok(())
    }

    /// Follows the index to all that it leads to. What is not there leads no further.
    pub(super) fn referenced(&self) -> Result<Referenced, ImageError> {
        let mut found = Referenced::default();
        let mut waiting: Vec<Descriptor> = self.layout.read_index()?;
        while let Some(descriptor) = waiting.pop() {
            let Some(digest) = names::digest(&descriptor) else { continue };
            if !found.blobs.insert(digest.clone()) || !self.blob_path(&digest).exists() {
                continue;
            }
            if names::is_manifest(&descriptor) {
                self.follow_manifest(&digest, &mut found)?;
            } else if *descriptor.media_type() == MediaType::ImageIndex {
                let index: ImageIndex = self.layout.read_json("index", &digest)?;
                waiting.extend(index.manifests().iter().cloned());
            }
        }
        Ok(found)
    }

    fn follow_manifest(&self, digest: &Digest, found: &mut Referenced) -> Result<(), ImageError> {
        let manifest: ImageManifest = self.layout.read_json("manifest", digest)?;
        let parts = image::parts(&manifest, digest)?;
        found.blobs.extend(parts.blobs.into_iter().map(|(blob, _)| blob));
        if self.blob_path(&parts.config).exists() {
            let config: ImageConfiguration =
                self.layout.read_json("configuration", &parts.config)?;
            found.layers.extend(chain_ids(&image::diff_ids(&config, &parts.config)?));
        }
        found.blobs.insert(parts.config);
        Ok(())
    }
}

fn unreferenced(name: &str, referenced: &HashSet<Digest>) -> bool {
    Digest::from_hex(name).is_some_and(|digest| !referenced.contains(&digest))
}

/// A directory that somebody still holds the lock of is at work.
fn sweep_staging(path: &Path) -> Result<(), StoreError> {
    let Ok(directory) = open_directory(path) else { return Ok(()) };
    match rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => remove_directory(path),
        Err(_) => Ok(()),
    }
}

fn is_old(path: &Path) -> bool {
    let modified = fs::symlink_metadata(path).and_then(|m| m.modified());
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > FOREIGN_GRACE))
}

/// Removes a file or a layer's directory; the latter disappears at once, then bit by bit.
pub fn remove_any(path: &Path) -> Result<(), StoreError> {
    let seen = match fs::symlink_metadata(path) {
        Ok(seen) => seen,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(StoreError::io("lstat", path, e)),
    };
    if !seen.is_dir() {
        return fs::remove_file(path).map_err(|e| StoreError::io("unlink", path, e));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!("{PREFIX}removed-{name}"));
    staging::rename(path, &aside)?;
    remove_directory(&aside)
}

fn names_in(directory: &Path) -> Result<Vec<String>, StoreError> {
    let read = || -> std::io::Result<Vec<String>> {
        fs::read_dir(directory)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    };
    read().map_err(|e| StoreError::io("readdir", directory, e))
}
