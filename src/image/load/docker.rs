//! Docker archives: `manifest.json` lists images by the names of files in the archive.

use std::collections::HashMap;
use std::path::PathBuf;

use oci_spec::image::ImageConfiguration;
use serde::Deserialize;

use super::error::LoadError;
use super::source::Found;
use super::work::Load;
use crate::image::digest::Digest;
use crate::image::reference::Reference;
use crate::image::store::{Complete, LayerBlob, LayerOrigin, stage_raw_config};

/// One image of `manifest.json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Option<Vec<String>>,
}

/// Stages all images of the archive.
pub fn images(load: &mut Load<'_>) -> Result<Vec<Complete>, LoadError> {
    let items: Vec<Item> = load.source.read_json("manifest.json")?;
    let mut images = Vec::new();
    // Images share layers, and a layer's file is moved away when it is taken.
    let mut taken: HashMap<PathBuf, Digest> = HashMap::new();
    for item in &items {
        images.push(image(load, item, &mut taken)?);
    }
    if images.is_empty() {
        return Err(LoadError::NoImage);
    }
    Ok(images)
}

fn image(
    load: &mut Load<'_>,
    item: &Item,
    taken: &mut HashMap<PathBuf, Digest>,
) -> Result<Complete, LoadError> {
    let text = load.source.read(&item.config)?;
    let config: ImageConfiguration =
        serde_json::from_slice(&text).map_err(|e| LoadError::invalid(&item.config, &e))?;
    let paths = item.layers.as_deref().unwrap_or_default();
    let wanted = config.rootfs().diff_ids();
    if wanted.len() != paths.len() {
        return Err(LoadError::invalid(
            &item.config,
            "its layers and those of manifest.json differ in number",
        ));
    }
    let mut layers = Vec::new();
    for (path, wanted) in paths.iter().zip(wanted) {
        let below: Vec<Digest> = layers.iter().map(|l: &LayerBlob| l.chain_id.clone()).collect();
        let layer = layer(load, path, &below, taken)?;
        if layer.diff_id.to_string() != *wanted {
            let why = format!("it unpacks to {}, not to {wanted}", layer.diff_id);
            return Err(LoadError::invalid(path, &why));
        }
        layers.push(layer);
    }
    let mut image = stage_raw_config(&load.staging, &text, &layers)?;
    for tag in item.repo_tags.iter().flatten() {
        let name = Reference::parse(tag).map_err(|e| LoadError::invalid("manifest.json", &e))?;
        image.references.push(name.with_default_tag());
    }
    Ok(image)
}

/// Stages one layer. Several names may lead to its file, which becomes a blob the first time.
fn layer(
    load: &mut Load<'_>,
    path: &str,
    below: &[Digest],
    taken: &mut HashMap<PathBuf, Digest>,
) -> Result<LayerBlob, LoadError> {
    let place = load.source.staged(path)?.unwrap_or_else(|| path.into());
    let origin = match taken.get(&place) {
        Some(blob) => LayerOrigin::Staged(load.staging.blob_path(blob)),
        None => match load.source.open(path)? {
            Found { staged: Some(place), .. } => LayerOrigin::Staged(place),
            Found { file, .. } => LayerOrigin::Stream(file),
        },
    };
    let layer = load.staging.add_layer(origin, below, load.limits)?;
    load.left_out.add(layer.left_out);
    taken.insert(place, layer.digest.clone());
    Ok(layer)
}
