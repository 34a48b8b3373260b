//! The image store: an OCI image layout, and the unpacked layers beside it.
//!
//! Reading needs no lock: `index.json` is replaced whole and names only what is complete. What
//! changes the store is done in two parts: the long one (unpacking) in a directory of its own
//! without the lock, the short one (putting in place, naming) under the exclusive lock. Who must
//! be sure that an image stays while it gets a use of its own holds the shared lock meanwhile.

mod image;
mod layout;
mod names;
mod publish;
mod remove;
mod staging;
mod sweep;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use image::Image;
pub use layout::{MAX_JSON_BYTES, canonical};
pub use names::{FULL_NAME, REF_NAME, is_manifest, reference as manifest_reference};
pub use publish::{Complete, Published, stage_image, stage_raw_config};
pub use remove::{Force, Removed, User};
pub use staging::{LayerBlob, LayerOrigin, Staging};

use oci_spec::image::{Descriptor, ImageManifest};

use super::digest::Digest;
use super::reference::{Reference, ReferenceError};
use crate::store::{self, Lock, LockKind, Store, StoreError};
use layout::Layout;

/// What can go wrong with the image store.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A call on the store's files.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A name that is none.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// A layer that cannot be unpacked.
    #[error(transparent)]
    Layer(#[from] super::layer::LayerError),
    /// There is no such image. The words are Docker's.
    #[error("No such image: {0}")]
    NotFound(String),
    /// The beginning of several ids.
    #[error("image ID prefix {0:?} is ambiguous: several images begin with it")]
    Ambiguous(String),
    /// A file of an image is not what its digest says, or not what the format allows.
    #[error("the image's {what} {digest} is damaged: {why}")]
    Damaged {
        /// Which part of the image.
        what: &'static str,
        /// Its digest.
        digest: String,
        /// What is wrong with it.
        why: String,
    },
    /// A part of an image was removed by another command before it could be used.
    #[error("layer {0} was removed by another command in the meantime")]
    Vanished(Digest),
    /// An image must not be removed. The words are Docker's.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The specification's library refused what was built.
    #[error("cannot write the image's {what}: {source}")]
    Build {
        /// Which part.
        what: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ImageError {
    /// A part of an image that is not as it should be.
    pub fn damaged(what: &'static str, digest: impl ToString, why: impl ToString) -> Self {
        Self::Damaged { what, digest: digest.to_string(), why: why.to_string() }
    }

    /// A part that could not be written down.
    pub fn build(
        what: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Build { what, source: source.into() }
    }
}

/// The images of a store.
#[derive(Debug, Clone)]
pub struct ImageStore {
    layout: Layout,
    layers: PathBuf,
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

    fn lock_exclusive(&self) -> Result<Lock, ImageError> {
        Ok(store::lock(&self.lock_path(), LockKind::Exclusive)?)
    }

    fn lock_path(&self) -> PathBuf {
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

    /// The directory of an unpacked layer.
    pub fn layer_path(&self, diff_id: &Digest) -> PathBuf {
        self.layers.join(diff_id.hex())
    }

    /// Is a layer there, unpacked?
    pub fn has_layer(&self, diff_id: &Digest) -> bool {
        self.layer_path(diff_id).is_dir()
    }

    /// Finds an image by name, by id (or a beginning of it that no other has), or by digest.
    pub fn find(&self, text: &str) -> Result<Option<Image>, ImageError> {
        let index = self.layout.read_index()?;
        if let Ok(reference) = Reference::parse(text)
            && let Some(manifest) = names::find(&index, &reference.with_default_tag())
        {
            return image::read(self, &index, &manifest).map(Some);
        }
        let start = text.strip_prefix("sha256:").unwrap_or(text);
        if start.is_empty() || !start.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Ok(None);
        }
        let mut found = self.list()?.images.into_iter().filter(|i| i.id.hex().starts_with(start));
        let Some(first) = found.next() else { return Ok(None) };
        // Two manifests may share one configuration: that is still one image.
        match found.all(|other| other.id == first.id) {
            true => Ok(Some(first)),
            false => Err(ImageError::Ambiguous(text.into())),
        }
    }

    /// Finds an image that must exist.
    pub fn get(&self, text: &str) -> Result<Image, ImageError> {
        self.find(text)?.ok_or_else(|| ImageError::NotFound(text.into()))
    }

    /// All images, the newest first.
    pub fn list(&self) -> Result<Listing, ImageError> {
        let index = self.layout.read_index()?;
        let mut listing = Listing::default();
        for manifest in names::manifests(&index) {
            match image::read(self, &index, &manifest) {
                Ok(image) => listing.images.push(image),
                Err(damaged) => listing.damaged.push(damaged),
            }
        }
        let newest_first = |a: &Image, b: &Image| b.created.cmp(&a.created);
        listing.images.sort_by(|a, b| newest_first(a, b).then_with(|| a.id.cmp(&b.id)));
        Ok(listing)
    }

    /// The descriptor that the index has for a manifest.
    pub(super) fn descriptor(&self, manifest: &Digest) -> Result<Descriptor, ImageError> {
        let found = self
            .layout
            .read_index()?
            .into_iter()
            .find(|d| names::digest(d).as_ref() == Some(manifest));
        found.ok_or_else(|| ImageError::NotFound(manifest.to_string()))
    }

    /// A manifest, checked.
    pub(super) fn read_manifest(&self, digest: &Digest) -> Result<ImageManifest, ImageError> {
        self.layout.read_json("manifest", digest)
    }
}

/// All images of a store.
#[derive(Debug, Default)]
pub struct Listing {
    /// Those that can be used.
    pub images: Vec<Image>,
    /// Why others cannot.
    pub damaged: Vec<ImageError>,
}
