//! The store's directories, its lock, its blobs.

use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, ImageConfiguration, ImageManifest};

use super::error::ImageError;
use super::layout::Layout;
use super::names;
use crate::image::digest::Digest;
use crate::store::{self, Lock, LockKind, Store};

/// The images of a store.
#[derive(Debug, Clone)]
pub struct ImageStore {
    pub(super) layout: Layout,
    pub(super) layers: PathBuf,
}

impl ImageStore {
    /// Opens the images of `store` and makes their directories if they are missing.
    pub fn open(store: &Store) -> Result<Self, ImageError> {
        let layout = Layout::open(store.directory("images")?)?;
        Ok(Self { layout, layers: store.directory("layers")? })
    }

    /// Holds the images as they are: none goes away while the lock is held.
    pub fn hold(&self) -> Result<Lock, ImageError> {
        Ok(store::lock(&self.lock_path(), LockKind::Shared)?)
    }

    pub(super) fn lock_exclusive(&self) -> Result<Lock, ImageError> {
        Ok(store::lock(&self.lock_path(), LockKind::Exclusive)?)
    }

    pub(super) fn lock_path(&self) -> PathBuf {
        self.layout.root().join("lock")
    }

    /// The OCI image layout's directory.
    pub fn layout_path(&self) -> &Path {
        self.layout.root()
    }

    /// The file of a blob.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.layout.blob_path(digest)
    }

    /// Where blobs are that have come in part.
    pub fn partial_path(&self) -> PathBuf {
        self.layers.join(".partial")
    }

    /// The directory of an unpacked layer.
    pub fn layer_path(&self, chain_id: &Digest) -> PathBuf {
        self.layers.join(chain_id.hex())
    }

    /// The descriptor that the index has for a manifest.
    pub(in crate::image) fn descriptor(&self, manifest: &Digest) -> Result<Descriptor, ImageError> {
        let found = self
            .layout
            .read_index()?
            .into_iter()
            .find(|d| names::digest(d).as_ref() == Some(manifest));
        found.ok_or_else(|| ImageError::NotFound(manifest.to_string()))
    }

    /// An image's configuration, checked.
    pub(in crate::image) fn read_configuration(
        &self,
        id: &Digest,
    ) -> Result<ImageConfiguration, ImageError> {
        self.layout.read_json("configuration", id)
    }

    /// A manifest, checked.
    pub(in crate::image) fn read_manifest(
        &self,
        digest: &Digest,
    ) -> Result<ImageManifest, ImageError> {
        self.layout.read_json("manifest", digest)
    }
}
