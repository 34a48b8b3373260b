//! Which format is it, and the way through it.

use std::io::Read;
use std::path::Path;

use oci_spec::image::Descriptor;

use super::error::LoadError;
use super::oci::Wanted;
use super::source::{self, Blobs, Source};
use super::work::Load;
use super::{docker, oci};
use crate::image::digest::Digest;
use crate::image::import::Platform;
use crate::image::layer::LeftOut;
use crate::image::limits::Limits;
use crate::image::reference::Reference;
use crate::image::store::{Complete, ImageStore, Published, Staging};

/// What was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The images, in the order of the archive.
    pub images: Vec<Published>,
    /// What could not be unpacked here.
    pub left_out: LeftOut,
}

/// One image whose blobs come from elsewhere.
pub struct Fetched<'a> {
    /// Its manifest.
    pub manifest: Descriptor,
    /// Its name.
    pub reference: Reference,
    /// The list of several machines' images that the registry has under its name, if it is one.
    pub listed: Option<Digest>,
    /// Its blobs: manifest, configuration, layers that the store has not.
    pub blobs: &'a dyn Blobs,
}

impl ImageStore {
    /// Loads one image whose blobs arrive in the staging directory meanwhile.
    pub fn load_fetched(
        &self,
        staging: Staging,
        image: Fetched<'_>,
        limits: &Limits,
    ) -> Result<Loaded, LoadError> {
        let mut load = Load {
            store: self,
            staging,
            source: Source::Fetched(image.blobs),
            platform: Platform::host(),
            limits,
            left_out: LeftOut::default(),
        };
        let wanted = Wanted { manifest: image.manifest, reference: Some(image.reference) };
        let mut complete = oci::image(&mut load, wanted)?;
        complete.listed = image.listed;
        let images = self.publish(&load.staging, vec![complete])?;
        Ok(Loaded { images, left_out: load.left_out })
    }

    /// Loads all images of an archive: a tar stream, packed or not.
    pub fn load(&self, input: impl Read, limits: &Limits) -> Result<Loaded, LoadError> {
        let mut staging = self.stage()?;
        let source = source::spool(input, &mut staging, limits)?;
        self.load_from(staging, source, limits)
    }

    /// Loads all images of a directory with an OCI layout.
    pub fn load_directory(&self, path: &Path, limits: &Limits) -> Result<Loaded, LoadError> {
        let source = source::directory(path)?;
        self.load_from(self.stage()?, source, limits)
    }

    fn load_from(
        &self,
        staging: Staging,
        source: Source<'static>,
        limits: &Limits,
    ) -> Result<Loaded, LoadError> {
        let platform = Platform::host();
        let left_out = LeftOut::default();
        let mut load = Load { store: self, staging, source, platform, limits, left_out };
        let images: Vec<Complete> = if load.source.has("index.json") {
            oci::images(&mut load)?
        } else if load.source.has("manifest.json") {
            docker::images(&mut load)?
        } else {
            return Err(LoadError::NoImage);
        };
        let images = self.publish(&load.staging, images)?;
        Ok(Loaded { images, left_out: load.left_out })
    }
}
