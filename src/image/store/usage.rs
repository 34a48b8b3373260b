//! What images take, and how they came to be.

use oci_spec::image::ImageConfiguration;

use super::image::read_layer_record;
use super::{Image, ImageError, ImageStore};
use crate::image::digest::Digest;

/// One step of an image's making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// When, RFC 3339; empty if it is not said.
    pub created: String,
    /// By which command.
    pub created_by: String,
    /// What was said about it.
    pub comment: String,
    /// What it added.
    pub size_bytes: u64,
}

impl ImageStore {
    /// The size of all files of one layer; 0 if it is not known.
    pub fn layer_bytes(&self, chain_id: &Digest) -> u64 {
        read_layer_record(&self.layer_record_path(chain_id)).map_or(0, |record| record.size_bytes)
    }

    /// The steps in which an image was made, the newest first.
    pub fn history(&self, image: &Image) -> Result<Vec<Past>, ImageError> {
        let config: ImageConfiguration = self.layout.read_json("configuration", &image.id)?;
        let mut layers = image.chain_ids.iter();
        let mut steps = Vec::new();
        for step in config.history().iter().flatten() {
            let layer = if step.empty_layer() == Some(true) { None } else { layers.next() };
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            steps.push(Past {
                created: text(step.created()),
                created_by: text(step.created_by()),
                comment: text(step.comment()),
                size_bytes: layer.map_or(0, |layer| self.layer_bytes(layer)),
            });
        }
        steps.reverse();
        Ok(steps)
    }
}
