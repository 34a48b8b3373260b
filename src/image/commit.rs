//! An image with one more layer: a container's changes.

use std::path::PathBuf;

use oci_spec::image::{HistoryBuilder, ImageConfiguration};

use super::config::ImageConfig;
use super::digest::Digest;
use super::limits::Limits;
use super::reference::Reference;
use super::store::{Image, ImageError, ImageStore, LayerBlob, LayerOrigin, Staging, stage_image};

/// What is said of the new image.
#[derive(Debug)]
pub struct Commit {
    /// What its containers inherit.
    pub config: ImageConfig,
    /// Who made it.
    pub author: String,
    /// Why.
    pub comment: String,
    /// When, RFC 3339.
    pub created: String,
    /// By which command.
    pub created_by: String,
    /// Its name, if it gets one.
    pub reference: Option<Reference>,
}

/// What became of it.
#[derive(Debug)]
pub struct Committed {
    /// The new image's id.
    pub id: Digest,
}

impl ImageStore {
    /// Makes an image of `base` and the archive `layer`, a file in the staging directory.
    pub fn commit(
        &self,
        mut staging: Staging,
        (base, layer): (&Image, PathBuf),
        commit: &Commit,
    ) -> Result<Committed, ImageError> {
        let mut layers = self.layers_of(base)?;
        let origin = LayerOrigin::<std::io::Empty>::Staged(layer);
        let added = staging.add_layer(origin, &base.chain_ids, &Limits::default())?;
        let config = self.configuration(base, commit, &added)?;
        layers.push(added);
        let mut image = stage_image(&staging, &config, &layers)?;
        image.references.extend(commit.reference.clone());
        let id = image.id.clone();
        self.publish(&staging, vec![image])?;
        Ok(Committed { id })
    }

    /// The layers of an image that is in the store.
    fn layers_of(&self, image: &Image) -> Result<Vec<LayerBlob>, ImageError> {
        let manifest = self.read_manifest(&image.manifest)?;
        let known = manifest.layers().iter().zip(&image.blobs);
        let known = known.zip(image.diff_ids.iter().zip(&image.chain_ids));
        Ok(known
            .map(|((descriptor, digest), (diff_id, chain_id))| LayerBlob {
                descriptor: descriptor.clone(),
                digest: digest.clone(),
                diff_id: diff_id.clone(),
                chain_id: chain_id.clone(),
                left_out: Default::default(),
            })
            .collect())
    }

    /// The base's configuration with what is new.
    fn configuration(
        &self,
        base: &Image,
        commit: &Commit,
        layer: &LayerBlob,
    ) -> Result<ImageConfiguration, ImageError> {
        let build = |e| ImageError::build("configuration", e);
        let mut config: ImageConfiguration = self.read_configuration(&base.id)?;
        let mut step = HistoryBuilder::default()
            .created(commit.created.as_str())
            .created_by(commit.created_by.as_str())
            .comment(commit.comment.as_str());
        if !commit.author.is_empty() {
            step = step.author(commit.author.as_str());
        }
        let mut history = config.history().clone().unwrap_or_default();
        history.push(step.build().map_err(build)?);
        let mut rootfs = config.rootfs().clone();
        let mut diff_ids = rootfs.diff_ids().clone();
        diff_ids.push(layer.diff_id.to_string());
        rootfs.set_diff_ids(diff_ids);
        let author = Some(commit.author.clone()).filter(|author| !author.is_empty());
        config
            .set_history(Some(history))
            .set_rootfs(rootfs)
            .set_created(Some(commit.created.clone()))
            .set_author(author)
            .set_config(Some(commit.config.to_oci().map_err(build)?));
        Ok(config)
    }
}
