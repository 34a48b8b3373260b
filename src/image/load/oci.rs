//! OCI layouts: `index.json` leads to manifests, those to configurations and layers.

use std::fs::File;
use std::io::{self, Read};

use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageManifest, MediaType};

use super::error::LoadError;
use super::work::Load;
use crate::image::chain;
use crate::image::digest::Digest;
use crate::image::import::Platform;
use crate::image::reference::Reference;
use crate::image::store::{Complete, LayerOrigin, is_manifest, manifest_reference};

const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Indexes in indexes; more depth than this has no use.
const MAX_DEPTH: usize = 4;

/// One image to load: its manifest and its name.
pub struct Wanted {
    /// Its manifest.
    pub manifest: Descriptor,
    /// Its name.
    pub reference: Option<Reference>,
}

/// Stages all images that the index leads to.
pub fn images(load: &mut Load<'_>) -> Result<Vec<Complete>, LoadError> {
    let index: ImageIndex = load.source.read_json("index.json")?;
    let mut groups: Vec<(Option<Reference>, Vec<Descriptor>)> = Vec::new();
    for descriptor in index.manifests() {
        let reference = manifest_reference(descriptor);
        let manifests = flatten(load, descriptor, 0)?;
        match groups.iter_mut().find(|(name, _)| name.is_some() && *name == reference) {
            Some((_, known)) => known.extend(manifests),
            None => groups.push((reference, manifests)),
        }
    }
    let mut images: Vec<Complete> = Vec::new();
    for (reference, manifests) in groups {
        let Some(manifest) = best(manifests, &load.platform) else { continue };
        let wanted = Wanted { manifest, reference };
        let known = images.iter_mut().find(|i| i.manifest.digest() == wanted.manifest.digest());
        match known {
            Some(image) => image.references.extend(wanted.reference),
            None => images.push(image(load, wanted)?),
        }
    }
    if images.is_empty() {
        return Err(LoadError::NoImage);
    }
    Ok(images)
}

/// The manifests that a descriptor stands for.
fn flatten(
    load: &Load<'_>,
    descriptor: &Descriptor,
    depth: usize,
) -> Result<Vec<Descriptor>, LoadError> {
    if is_manifest(descriptor) {
        return Ok(vec![descriptor.clone()]);
    }
    let is_index = match descriptor.media_type() {
        MediaType::ImageIndex => true,
        MediaType::Other(other) => other == DOCKER_LIST,
        _ => false,
    };
    if !is_index || depth >= MAX_DEPTH {
        return Ok(Vec::new());
    }
    let (_, bytes) = blob(load, descriptor)?;
    let index: ImageIndex =
        serde_json::from_slice(&bytes).map_err(|e| LoadError::invalid(descriptor.digest(), &e))?;
    let mut found = Vec::new();
    for inner in index.manifests() {
        found.extend(flatten(load, inner, depth + 1)?);
    }
    Ok(found)
}

/// The manifest for this machine, or the first of those that are for some machine at all.
fn best(manifests: Vec<Descriptor>, host: &Platform) -> Option<Descriptor> {
    let platform = |d: &Descriptor| {
        d.platform().as_ref().map(|p| (p.os().to_string(), p.architecture().to_string()))
    };
    let own = (host.os.clone(), host.architecture.clone());
    let mut usable: Vec<Descriptor> = manifests
        .into_iter()
        // What build tools add about an image is for the platform "unknown".
        .filter(|d| platform(d).is_none_or(|(os, _)| os != "unknown"))
        .collect();
    let at = usable.iter().position(|d| platform(d).as_ref() == Some(&own)).unwrap_or(0);
    (!usable.is_empty()).then(|| usable.swap_remove(at))
}

/// Reads a small blob and checks it.
fn blob(load: &Load<'_>, descriptor: &Descriptor) -> Result<(Digest, Vec<u8>), LoadError> {
    let digest = sha256(descriptor)?;
    let path = blob_path(&digest);
    let bytes = load.source.read(&path)?;
    if Digest::of(&bytes) != digest {
        return Err(LoadError::invalid(&path, "its content has another digest"));
    }
    Ok((digest, bytes))
}

fn blob_path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn sha256(descriptor: &Descriptor) -> Result<Digest, LoadError> {
    let text = descriptor.digest().to_string();
    Digest::parse(&text).map_err(|e| LoadError::invalid(&text, &e))
}

/// Stages one image.
pub fn image(load: &mut Load<'_>, wanted: Wanted) -> Result<Complete, LoadError> {
    let (digest, text) = blob(load, &wanted.manifest)?;
    let manifest: ImageManifest =
        serde_json::from_slice(&text).map_err(|e| LoadError::invalid(&digest, &e))?;
    let (id, config_text) = blob(load, manifest.config())?;
    let config: ImageConfiguration =
        serde_json::from_slice(&config_text).map_err(|e| LoadError::invalid(&id, &e))?;
    let wanted_ids = config.rootfs().diff_ids();
    if wanted_ids.len() != manifest.layers().len() {
        return Err(LoadError::invalid(
            &digest,
            "its layers and those of its configuration differ in number",
        ));
    }
    let mut chain_ids = Vec::new();
    for (descriptor, wanted) in manifest.layers().iter().zip(wanted_ids) {
        let wanted = Digest::parse(wanted).map_err(|e| LoadError::invalid(&id, &e))?;
        layer(load, descriptor, &wanted, &chain_ids)?;
        chain_ids.push(chain::on_top(&chain_ids, &wanted));
    }
    load.staging.add_blob(&text)?;
    load.staging.add_blob(&config_text)?;
    let mut descriptor = wanted.manifest;
    descriptor.set_annotations(None);
    let references = wanted.reference.into_iter().collect();
    Ok(Complete { id, manifest: descriptor, chain_ids, references, listed: None })
}

/// Stages a layer on top of those below, unless it is there already from the very same blob.
fn layer(
    load: &mut Load<'_>,
    wanted: &Descriptor,
    diff_id: &Digest,
    below: &[Digest],
) -> Result<(), LoadError> {
    let digest = sha256(wanted)?;
    let chain_id = chain::on_top(below, diff_id);
    let staged = load.staging.has_layer(&chain_id, &digest);
    if staged || load.store.has_layer_of(&chain_id, &digest) {
        return Ok(());
    }
    let path = blob_path(&digest);
    let layer = load.staging.add_layer(origin(load, wanted, &digest)?, below, load.limits)?;
    load.left_out.add(layer.left_out);
    if layer.digest != digest {
        return Err(LoadError::invalid(&path, "its content has another digest"));
    }
    if layer.diff_id != *diff_id {
        let why = format!("it unpacks to {}, not to {diff_id}", layer.diff_id);
        return Err(LoadError::invalid(&path, &why));
    }
    Ok(())
}

fn origin(
    load: &Load<'_>,
    wanted: &Descriptor,
    digest: &Digest,
) -> Result<LayerOrigin<io::Take<File>>, LoadError> {
    // Another image of the same archive may have brought it here.
    let staged = load.staging.blob_path(digest);
    if staged.exists() {
        return Ok(LayerOrigin::Staged(staged));
    }
    let path = blob_path(digest);
    let found = load.source.open(&path)?;
    if found.file.metadata().map(|m| m.len()).ok() != Some(wanted.size()) {
        return Err(LoadError::invalid(&path, "its size is not the one in the manifest"));
    }
    Ok(match found.staged {
        Some(place) => LayerOrigin::Staged(place),
        None => LayerOrigin::Stream(found.file.take(wanted.size())),
    })
}
