//! What images, containers and volumes take, and how much of that is in use.

use std::collections::{HashMap, HashSet};

use crate::cli::Context;
use crate::config::name::VolumeName;
use crate::container::record::Mounted;
use crate::container::store::{Container, ContainerStore};
use crate::container::written::written_bytes;
use crate::image::{Digest, Image, ImageStore};
use crate::say::failure::Failure;
use crate::volume::record::VolumeRecord;
use crate::volume::store::VolumeStore;

/// All that the store holds.
pub(super) struct Usage {
    pub(super) images: Vec<ImageUse>,
    pub(super) containers: Vec<ContainerUse>,
    pub(super) volumes: Vec<VolumeUse>,
    /// Each layer counts once.
    pub(super) layer_bytes: u64,
    /// Of the layers of images that containers use.
    pub(super) used_layer_bytes: u64,
}

pub(super) struct ImageUse {
    pub(super) image: Image,
    /// Of its layers that other images have, too.
    pub(super) shared_bytes: u64,
    pub(super) containers: usize,
}

pub(super) struct ContainerUse {
    pub(super) container: Container,
    pub(super) bytes: u64,
}

pub(super) struct VolumeUse {
    pub(super) name: VolumeName,
    pub(super) bytes: u64,
    pub(super) links: usize,
}

/// Looks at everything.
pub(super) fn usage(cx: &Context) -> Result<Usage, Failure> {
    let failed = |cause: &dyn std::fmt::Display| Failure::new("measure the store", cause);
    let containers = ContainerStore::open(&cx.store).map_err(|e| failed(&e))?;
    let (containers, broken) = containers.list().map_err(|e| failed(&e))?;
    broken.iter().for_each(|e| cx.out.failure(&Failure::new("read a container", e)));
    let store = ImageStore::open(&cx.store).map_err(|e| failed(&e))?;
    let images = store.list().map_err(|e| failed(&e))?.images;
    let volumes = volumes(&containers, cx).map_err(|e| failed(&e))?;
    let layers = Layers::of(&images, &store);
    let image_uses: Vec<ImageUse> = images
        .into_iter()
        .map(|image| ImageUse {
            shared_bytes: layers.shared(&image),
            containers: users(&image, &containers),
            image,
        })
        .collect();
    let used = image_uses.iter().filter(|one| one.containers > 0).map(|one| &one.image);
    let used: HashSet<&Digest> = used.flat_map(|image| &image.chain_ids).collect();
    let bytes_of = |layer: &Digest| layers.of.get(layer).map_or(0, |(bytes, _)| *bytes);
    Ok(Usage {
        layer_bytes: layers.of.values().map(|(bytes, _)| bytes).sum(),
        used_layer_bytes: used.into_iter().map(bytes_of).sum(),
        images: image_uses,
        containers: containers
            .into_iter()
            .map(|container| ContainerUse { bytes: written_bytes(&container), container })
            .collect(),
        volumes,
    })
}

/// Each layer's size, and how many images have it.
struct Layers {
    of: HashMap<Digest, (u64, usize)>,
}

impl Layers {
    fn of(images: &[Image], store: &ImageStore) -> Self {
        let mut of: HashMap<Digest, (u64, usize)> = HashMap::new();
        for layer in images.iter().flat_map(|image| &image.chain_ids) {
            of.entry(layer.clone()).or_insert_with(|| (store.layer_bytes(layer), 0)).1 += 1;
        }
        Self { of }
    }

    fn shared(&self, image: &Image) -> u64 {
        let shared = image.chain_ids.iter().filter_map(|layer| self.of.get(layer));
        shared.filter(|(_, images)| *images > 1).map(|(bytes, _)| bytes).sum()
    }
}

fn users(image: &Image, containers: &[Container]) -> usize {
    let id = image.id.to_string();
    containers.iter().filter(|container| container.record.image_id == id).count()
}

/// V4.30: volumes with options are not listed; nobody knows what is behind them.
fn volumes(
    containers: &[Container],
    cx: &Context,
) -> Result<Vec<VolumeUse>, crate::volume::VolumeError> {
    let store = VolumeStore::open(&cx.store)?;
    let mut links: HashMap<&VolumeName, HashSet<&str>> = HashMap::new();
    for container in containers {
        for mount in &container.record.mounts {
            if let Mounted::Volume { name, .. } = &mount.what {
                links.entry(name).or_default().insert(&container.record.id);
            }
        }
    }
    let plain = |volume: &VolumeRecord| volume.driver == "local" && volume.options.is_empty();
    let listed = store.list()?.volumes.into_iter().filter(plain);
    Ok(listed
        .map(|volume| VolumeUse {
            bytes: store.size(&volume.name).map_or(0, |size| size.bytes),
            links: links.get(&volume.name).map_or(0, HashSet::len),
            name: volume.name,
        })
        .collect())
}
