//! Putting in place what a command has built.

use std::path::Path;

use oci_spec::image::{
    Descriptor, ImageConfiguration, ImageManifestBuilder, MediaType, PlatformBuilder,
};

use super::layout::canonical;
use super::staging::{self, LayerBlob, Staging};
use super::{ImageError, ImageStore, names};
use crate::image::digest::Digest;
use crate::image::reference::Reference;
use crate::store::{StoreError, sync_directory};

/// An image whose parts are all staged or in the store already.
#[derive(Debug, Clone)]
pub struct Complete {
    /// Its id.
    pub id: Digest,
    /// The descriptor of its manifest.
    pub manifest: Descriptor,
    /// The ids of its stack of layers, the lowest first.
    pub chain_ids: Vec<Digest>,
    /// The names that it gets.
    pub references: Vec<Reference>,
    /// The list of several machines' images that a registry has under these names.
    pub listed: Option<Digest>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its id.
    pub id: Digest,
    /// Its names.
    pub references: Vec<Reference>,
    /// Names that other images lost to it, with those images' ids.
    pub taken: Vec<(Reference, Digest)>,
}

/// Stages configuration and manifest for layers that are staged already.
pub fn stage_image(
    staging: &Staging,
    config: &ImageConfiguration,
    layers: &[LayerBlob],
) -> Result<Complete, ImageError> {
    let text = canonical("configuration", config)?;
    stage_raw_config(staging, &text, layers)
}

/// The same for a configuration that must stay as it is, byte for byte.
pub fn stage_raw_config(
    staging: &Staging,
    config: &[u8],
    layers: &[LayerBlob],
) -> Result<Complete, ImageError> {
    let id = staging.add_blob(config)?;
    let parsed: ImageConfiguration = serde_json::from_slice(config)
        .map_err(|e| ImageError::damaged("configuration", &id, &e))?;
    let manifest = ImageManifestBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageManifest)
        .config(staging::descriptor(MediaType::ImageConfig, &id, config.len() as u64)?)
        .layers(layers.iter().map(|l| l.descriptor.clone()).collect::<Vec<_>>())
        .build()
        .map_err(|e| ImageError::build("manifest", e))?;
    let text = canonical("manifest", &manifest)?;
    let digest = staging.add_blob(&text)?;
    let mut manifest = staging::descriptor(MediaType::ImageManifest, &digest, text.len() as u64)?;
    let platform = PlatformBuilder::default()
        .architecture(parsed.architecture().clone())
        .os(parsed.os().clone())
        .build()
        .map_err(|e| ImageError::build("manifest", e))?;
    manifest.set_platform(Some(platform));
    let chain_ids = layers.iter().map(|l| l.chain_id.clone()).collect();
    Ok(Complete { id, manifest, chain_ids, references: Vec::new(), listed: None })
}

impl ImageStore {
    /// Puts staged images in place and gives them their names, all or none.
    ///
    /// Everything is on the disk before anything is visible; the index comes last. A crash in
    /// between leaves blobs and layers that nothing refers to, and the next sweep removes them.
    pub fn publish(
        &self,
        staging: &Staging,
        images: Vec<Complete>,
    ) -> Result<Vec<Published>, ImageError> {
        rustix::fs::syncfs(staging.directory())
            .map_err(|e| StoreError::io("syncfs", &self.layers, e))?;
        let _lock = self.lock_exclusive()?;
        let mut index = self.layout.read_index()?;
        let mut published = Vec::new();
        for image in images {
            self.place_image(staging, &image)?;
            names::add(&mut index, &image.manifest);
            let Some(manifest) = names::digest(&image.manifest) else { continue };
            let mut taken = Vec::new();
            for reference in &image.references {
                if let Some(loser) =
                    names::name(&mut index, &manifest, (reference, image.listed.as_ref()))
                {
                    let id = self.id_of(&loser);
                    if id != image.id {
                        taken.push((reference.clone(), id));
                    }
                }
            }
            published.push(Published { id: image.id, references: image.references, taken });
        }
        sync_directory(&self.layers)?;
        sync_directory(&self.layout.blobs())?;
        self.layout.write_index(index)?;
        self.sweep()?;
        Ok(published)
    }

    /// The id of a manifest's image; an unreadable one is known by its manifest.
    fn id_of(&self, manifest: &Digest) -> Digest {
        let config = self.read_manifest(manifest).ok();
        config.and_then(|m| names::digest(m.config())).unwrap_or_else(|| manifest.clone())
    }

    fn place_image(&self, staging: &Staging, image: &Complete) -> Result<(), ImageError> {
        for chain_id in &image.chain_ids {
            let place = self.layer_path(chain_id);
            // The record first: a layer that is there has one.
            place_file(&staging.record_path(chain_id), &self.layer_record_path(chain_id))?;
            let staged = staging.layer_path(chain_id);
            if staged.exists() && !place.exists() {
                staging::rename(&staged, &place)?;
            }
            if !place.exists() {
                return Err(ImageError::Vanished(chain_id.clone()));
            }
        }
        let manifest = names::digest(&image.manifest).ok_or_else(|| {
            ImageError::damaged("manifest", &image.manifest.digest(), "not sha256")
        })?;
        for digest in staging.blobs()? {
            place_file(&staging.blob_path(&digest), &self.layout.blob_path(&digest))?;
        }
        // What was not staged must have been there.
        self.check_complete(&manifest)
    }

    fn check_complete(&self, manifest: &Digest) -> Result<(), ImageError> {
        let parsed = self.layout.read_json("manifest", manifest)?;
        let parts = super::image::parts(&parsed, manifest)?;
        for digest in parts.blobs.iter().map(|(d, _)| d).chain([&parts.config]) {
            if !self.layout.blob_path(digest).exists() {
                return Err(ImageError::Vanished(digest.clone()));
            }
        }
        Ok(())
    }
}

fn place_file(from: &Path, to: &Path) -> Result<(), StoreError> {
    if from.exists() {
        staging::rename(from, to)?;
    }
    Ok(())
}
