//! Finding images.

use super::error::ImageError;
use super::handle::ImageStore;
use super::image::{self, Image};
use super::names;
use crate::image::reference::Reference;

impl ImageStore {
    /// Finds an image by name, by id (or a beginning of it that no other has), or by digest.
    pub fn find(&self, text: &str) -> Result<Option<Image>, ImageError> {
        let index = self.layout.read_index()?;
        if let Ok(reference) = Reference::parse(text)
            && let Some(manifest) = names::find(&index, &reference.with_default_tag())
        {
            return image::read(self, &index, &manifest).map(Some);
        }
        let start = text.strip_prefix("sha256:").unwrap_or(text);
        if start.is_empty() || !start.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Ok(None);
        }
        let mut found = self.list()?.images.into_iter().filter(|i| i.id.hex().starts_with(start));
        let Some(first) = found.next() else { return Ok(None) };
        // Two manifests may share one configuration: that is still one image.
        match found.all(|other| other.id == first.id) {
            true => Ok(Some(first)),
            false => Err(ImageError::Ambiguous(text.into())),
        }
    }

    /// Finds an image that must exist.
    pub fn get(&self, text: &str) -> Result<Image, ImageError> {
        self.find(text)?.ok_or_else(|| ImageError::NotFound(text.into()))
    }

    /// All images, the newest first.
    pub fn list(&self) -> Result<Listing, ImageError> {
        let index = self.layout.read_index()?;
        let mut listing = Listing::default();
        for manifest in names::manifests(&index) {
            match image::read(self, &index, &manifest) {
                Ok(image) => listing.images.push(image),
                Err(damaged) => listing.damaged.push(damaged),
            }
        }
        let newest_first = |a: &Image, b: &Image| b.created.cmp(&a.created);
        listing.images.sort_by(|a, b| newest_first(a, b).then_with(|| a.id.cmp(&b.id)));
        Ok(listing)
    }
}

/// All images of a store.
#[derive(Debug, Default)]
pub struct Listing {
    /// Those that can be used.
    pub images: Vec<Image>,
    /// Why others cannot.
    pub damaged: Vec<ImageError>,
}
