//! Which format is it, and the way through it.

use std::io::Read;
use std::path::Path;

use super::error::LoadError;
use super::source::{self, Source};
use super::work::Load;
use super::{docker, oci};
use crate::image::import::Platform;
use crate::image::layer::LeftOut;
use crate::image::limits::Limits;
use crate::image::store::{Complete, ImageStore, Published, Staging};

/// What was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The images, in the order of the archive.
    pub images: Vec<Published>,
    /// What could not be unpacked here.
    pub left_out: LeftOut,
}

impl ImageStore {
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
        source: Source,
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
