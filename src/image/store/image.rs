//! An image as the rest of rrun sees it, read from its manifest and configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, ImageConfiguration, ImageManifest};

use super::{ImageError, ImageStore, names};
use crate::image::chain::chain_ids;
use crate::image::config::ImageConfig;
use crate::image::digest::Digest;
use crate::image::reference::Reference;
use crate::store;

/// An image of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its id: the digest of its configuration.
    pub id: Digest,
    /// The digest of its manifest, by which registries know it.
    pub manifest: Digest,
    /// Its names, sorted; empty for a dangling image.
    pub references: Vec<Reference>,
    /// For names that came from a registry's list of several machines' images: the list.
    pub listed: BTreeMap<Reference, Digest>,
    /// When it was made, RFC 3339; empty if it does not say.
    pub created: String,
    /// Who made it.
    pub author: String,
    /// The processor that it is for, in Go's words (`amd64`).
    pub architecture: String,
    /// The variant of the processor.
    pub variant: Option<String>,
    /// The operating system that it is for.
    pub os: String,
    /// The comment of its newest step, as `import -m` leaves it.
    pub comment: String,
    /// What containers inherit.
    pub config: ImageConfig,
    /// The layers' digests, the lowest first.
    pub diff_ids: Vec<Digest>,
    /// The ids of the stack up to each layer, under which they are kept.
    pub chain_ids: Vec<Digest>,
    /// The layers' directories, the topmost first, as overlay lists them.
    pub layers: Vec<PathBuf>,
    /// The sizes of all files of all layers.
    pub size_bytes: u64,
    /// The digests of the layers' blobs, the lowest first.
    pub blobs: Vec<Digest>,
}

impl Image {
    /// The digest by which registries know the image under this name.
    pub fn digest_as(&self, name: &Reference) -> &Digest {
        self.listed.get(name).unwrap_or(&self.manifest)
    }

    /// Are all layers there? One is not if another tool put the image into the layout; loading
    /// the layout's own directory unpacks it.
    pub fn require_layers(&self) -> Result<(), ImageError> {
        let missing = self.layers.iter().rev().position(|path| !path.is_dir());
        match missing.and_then(|at| self.diff_ids.get(at)) {
            Some(diff_id) => Err(ImageError::NotUnpacked(diff_id.clone())),
            None => Ok(()),
        }
    }
}

/// What is kept about an unpacked layer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LayerRecord {
    /// The sizes of all its files.
    pub size_bytes: u64,
    /// How many entries its archive had.
    pub entries: u64,
    /// The blob that it was unpacked from.
    pub blob: Digest,
}

/// Parts of an image that are not unpacked.
pub struct Parts {
    pub config: Digest,
    pub blobs: Vec<(Digest, u64)>,
}

/// The digests that a manifest refers to.
pub fn parts(manifest: &ImageManifest, digest: &Digest) -> Result<Parts, ImageError> {
    let read = |d: &Descriptor| {
        names::digest(d).ok_or_else(|| {
            ImageError::damaged("manifest", digest, &format!("{} is not sha256", d.digest()))
        })
    };
    let config = read(manifest.config())?;
    let blobs = manifest.layers().iter().map(|d| Ok((read(d)?, d.size())));
    Ok(Parts { config, blobs: blobs.collect::<Result<_, ImageError>>()? })
}

/// The layers that a configuration names, the lowest first.
pub fn diff_ids(config: &ImageConfiguration, digest: &Digest) -> Result<Vec<Digest>, ImageError> {
    let parse = |text: &String| {
        Digest::parse(text).map_err(|e| ImageError::damaged("configuration", digest, &e))
    };
    config.rootfs().diff_ids().iter().map(parse).collect()
}

/// Reads one image of the index.
pub fn read(
    store: &ImageStore,
    index: &[Descriptor],
    manifest_digest: &Digest,
) -> Result<Image, ImageError> {
    let manifest: ImageManifest = store.layout.read_json("manifest", manifest_digest)?;
    let parts = parts(&manifest, manifest_digest)?;
    let config: ImageConfiguration = store.layout.read_json("configuration", &parts.config)?;
    let diff_ids = diff_ids(&config, &parts.config)?;
    let chain_ids = chain_ids(&diff_ids);
    let newest = config.history().iter().flatten().next_back();
    Ok(Image {
        references: names::references(index, manifest_digest),
        listed: names::lists(index, manifest_digest),
        manifest: manifest_digest.clone(),
        created: config.created().clone().unwrap_or_default(),
        author: config.author().clone().unwrap_or_default(),
        architecture: config.architecture().to_string(),
        variant: config.variant().clone(),
        os: config.os().to_string(),
        comment: newest.and_then(|h| h.comment().clone()).unwrap_or_default(),
        config: ImageConfig::from_oci(config.config().as_ref()),
        layers: chain_ids.iter().rev().map(|id| store.layer_path(id)).collect(),
        size_bytes: size(store, &chain_ids, &parts),
        diff_ids,
        chain_ids,
        blobs: parts.blobs.into_iter().map(|(digest, _)| digest).collect(),
        id: parts.config,
    })
}

/// Where a layer has no record, its blob's size counts.
fn size(store: &ImageStore, chain_ids: &[Digest], parts: &Parts) -> u64 {
    let mut sum = 0u64;
    for (at, chain_id) in chain_ids.iter().enumerate() {
        let record = read_layer_record(&store.layer_record_path(chain_id));
        let blob = parts.blobs.get(at).map_or(0, |(_, size)| *size);
        sum = sum.saturating_add(record.map_or(blob, |r| r.size_bytes));
    }
    sum
}

/// A layer's record. Nothing depends on it but speed and a number in a list, so one that cannot
/// be read is as good as none.
pub fn read_layer_record(path: &Path) -> Option<LayerRecord> {
    store::read_record(path).ok().flatten()
}

impl ImageStore {
    /// Where a layer's record is.
    pub(super) fn layer_record_path(&self, chain_id: &Digest) -> PathBuf {
        self.layers.join(format!("{}.json", chain_id.hex()))
    }
}
