//! The files of an OCI image layout: `oci-layout`, `index.json`, `blobs/sha256/…`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, ImageIndex, ImageIndexBuilder, OciLayoutBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ImageError;
use crate::facts::file;
use crate::image::digest::Digest;
use crate::store::{self, Durability, StoreError};

/// The largest index, manifest or configuration that is read into memory.
pub const MAX_JSON_BYTES: u64 = file::RECORD_LIMIT_BYTES;

/// A directory with an image layout in it.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Opens the layout at `root`; what is missing of it is made.
    pub fn open(root: PathBuf) -> Result<Self, ImageError> {
        let blobs = root.join("blobs/sha256");
        let marker = root.join("oci-layout");
        if !marker.exists() {
            match fs::create_dir_all(&blobs) {
                // Nothing is in it, and that can be told.
                Err(e) if e.kind() == ErrorKind::ReadOnlyFilesystem => return Ok(Self { root }),
                made => made.map_err(|e| StoreError::io("mkdir", &blobs, e))?,
            }
            let layout = OciLayoutBuilder::default()
                .image_layout_version("1.0.0")
                .build()
                .map_err(|e| ImageError::build("layout", e))?;
            store::write_record(&marker, &layout, Durability::Kept)?;
        }
        Ok(Self { root })
    }

    /// Its directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where all blobs are.
    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs/sha256")
    }

    /// The file of a blob.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.hex())
    }

    fn index_path(&self) -> PathBuf {
        self.root.join("index.json")
    }

    /// All entries of the index, also those that other tools made.
    pub fn read_index(&self) -> Result<Vec<Descriptor>, ImageError> {
        let index: Option<ImageIndex> = store::read_record(&self.index_path())?;
        Ok(index.map(|i| i.manifests().clone()).unwrap_or_default())
    }

    /// Replaces the index.
    pub fn write_index(&self, manifests: Vec<Descriptor>) -> Result<(), ImageError> {
        let index = ImageIndexBuilder::default()
            .schema_version(2u32)
            .media_type("application/vnd.oci.image.index.v1+json")
            .manifests(manifests)
            .build()
            .map_err(|e| ImageError::build("index", e))?;
        // By way of a value, whose keys are sorted: the same index is the same text.
        let value = serde_json::to_value(&index).map_err(|e| ImageError::build("index", e))?;
        Ok(store::write_record(&self.index_path(), &value, Durability::Kept)?)
    }

    /// Reads and checks a small blob.
    pub fn read_json<T: DeserializeOwned>(
        &self,
        what: &'static str,
        digest: &Digest,
    ) -> Result<T, ImageError> {
        let bytes = self.read_blob(what, digest)?;
        serde_json::from_slice(&bytes).map_err(|e| ImageError::damaged(what, digest, &e))
    }

    /// Reads and checks a small blob as it is.
    pub fn read_blob(&self, what: &'static str, digest: &Digest) -> Result<Vec<u8>, ImageError> {
        let path = self.blob_path(digest);
        let bytes = read_bounded(&path)?;
        if Digest::of(&bytes) != *digest {
            return Err(ImageError::damaged(what, digest, "its content has another digest"));
        }
        Ok(bytes)
    }
}

/// Reads a file that must be small.
pub fn read_bounded(path: &Path) -> Result<Vec<u8>, StoreError> {
    file::read(path, MAX_JSON_BYTES).map_err(|e| StoreError::io("open", path, e))
}

/// The text of a value with sorted keys, so that its digest depends on its content alone.
pub fn canonical(what: &'static str, value: &impl Serialize) -> Result<Vec<u8>, ImageError> {
    let failed = |e| ImageError::build(what, e);
    let mut value = serde_json::to_value(value).map_err(failed)?;
    // An object keeps the order that it was made in, and a HashMap has a new one every time.
    value.sort_all_objects();
    serde_json::to_vec(&value).map_err(failed)
}
