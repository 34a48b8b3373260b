//! Giving names and taking them away, and removing images nobody names or uses.

use oci_spec::image::Descriptor;

use super::sweep::remove_any;
use super::{Image, ImageError, ImageStore, names};
use crate::image::digest::Digest;
use crate::image::reference::Reference;

/// Is a removal forced?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// It refuses what may be a mistake.
    No,
    /// All names go; only a use by a container keeps the image itself.
    Yes,
}

/// A container that uses an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The image's id.
    pub image: Digest,
    /// The container, as it is told to the user.
    pub container: String,
    /// Does it run now?
    pub running: bool,
}

/// One step of a removal, in the order in which Docker tells them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// A name was taken away.
    Untagged(Reference),
    /// An image or a layer is gone.
    Deleted(Digest),
}

impl ImageStore {
    /// Gives an image one more name. Who had it before loses it.
    pub fn tag(&self, source: &str, target: &Reference) -> Result<(), ImageError> {
        let _lock = self.lock_exclusive()?;
        let image = self.get(source)?;
        let mut index = self.layout.read_index()?;
        names::name(&mut index, &image.manifest, (target, None));
        self.layout.write_index(index)
    }

    /// Takes a name away, and removes the image with its last one.
    ///
    /// `users` is asked under the lock, so that no container can begin to use the image between
    /// the question and the removal (who makes one holds the images meanwhile).
    pub fn remove(
        &self,
        text: &str,
        force: Force,
        users: impl Fn() -> Result<Vec<User>, ImageError>,
    ) -> Result<Vec<Removed>, ImageError> {
        let _lock = self.lock_exclusive()?;
        let image = match self.get(text) {
            Ok(image) => image,
            Err(e @ (ImageError::Damaged { .. } | ImageError::Store(_))) => {
                return self.remove_damaged(text, e);
            }
            Err(e) => return Err(e),
        };
        let users: Vec<User> = users()?.into_iter().filter(|u| u.image == image.id).collect();
        let by_name = name_of(&image, text);
        let mut index = self.layout.read_index()?;
        let mut removed = Vec::new();
        match by_name {
            Some(name) if image.references.len() > 1 => {
                untag(&mut index, name, &mut removed);
                self.layout.write_index(index)?;
                return Ok(removed);
            }
            Some(_) => {}
            None => refuse_several_names(&image, force)?,
        }
        refuse_used(&image, by_name, force, &users)?;
        for name in &image.references {
            untag(&mut index, name, &mut removed);
        }
        if users.is_empty() {
            index.retain(|d| names::digest(d).as_ref() != Some(&image.manifest));
        }
        self.layout.write_index(index)?;
        if users.is_empty() {
            removed.push(Removed::Deleted(image.id.clone()));
            self.remove_parts(&image, &mut removed)?;
        }
        self.sweep()?;
        Ok(removed)
    }

    /// An image that cannot be read has no use but its name, which must be free to be given again.
    fn remove_damaged(&self, text: &str, why: ImageError) -> Result<Vec<Removed>, ImageError> {
        let Ok(name) = Reference::parse(text).map(Reference::with_default_tag) else {
            return Err(why);
        };
        let mut index = self.layout.read_index()?;
        let Some(manifest) = names::unname(&mut index, &name) else { return Err(why) };
        if names::references(&index, &manifest).is_empty() {
            index.retain(|d| names::digest(d).as_ref() != Some(&manifest));
        }
        self.layout.write_index(index)?;
        self.sweep()?;
        Ok(vec![Removed::Untagged(name)])
    }

    /// Removes the files of an image that is no longer in the index, but for what others share.
    fn remove_parts(&self, image: &Image, removed: &mut Vec<Removed>) -> Result<(), ImageError> {
        let referenced = self.referenced()?;
        for digest in [&image.manifest, &image.id].into_iter().chain(&image.blobs) {
            if !referenced.blobs.contains(digest) {
                remove_any(&self.blob_path(digest))?;
            }
        }
        for chain_id in image.chain_ids.iter().rev() {
            if !referenced.layers.contains(chain_id) {
                remove_any(&self.layer_path(chain_id))?;
                remove_any(&self.layer_record_path(chain_id))?;
                removed.push(Removed::Deleted(chain_id.clone()));
            }
        }
        Ok(())
    }
}

fn untag(index: &mut Vec<Descriptor>, name: &Reference, removed: &mut Vec<Removed>) {
    if names::unname(index, name).is_some() {
        removed.push(Removed::Untagged(name.clone()));
    }
}

/// The one of its names by which an image was asked for; `None` if it was by its id.
fn name_of<'a>(image: &'a Image, text: &str) -> Option<&'a Reference> {
    let wanted = Reference::parse(text).ok()?.with_default_tag();
    image.references.iter().find(|name| match wanted.digest() {
        Some(_) => name.same_repository(&wanted),
        None => **name == wanted,
    })
}

fn refuse_several_names(image: &Image, force: Force) -> Result<(), ImageError> {
    if image.references.len() < 2 || force == Force::Yes {
        return Ok(());
    }
    Err(ImageError::Conflict(format!(
        "unable to delete {} (must be forced) - image is referenced in multiple repositories",
        image.id.short()
    )))
}

fn refuse_used(
    image: &Image,
    by_name: Option<&Reference>,
    force: Force,
    users: &[User],
) -> Result<(), ImageError> {
    let id = image.id.short();
    if let Some(user) = users.iter().find(|u| u.running) {
        return Err(ImageError::Conflict(format!(
            "unable to delete {id} (cannot be forced) - image is being used by running \
             container {}",
            user.container
        )));
    }
    match (users.first(), by_name, force) {
        (None, _, _) | (_, _, Force::Yes) => Ok(()),
        (Some(user), Some(name), Force::No) => Err(ImageError::Conflict(format!(
            "unable to remove repository reference \"{name}\" (must force) - container {} is \
             using its referenced image {id}",
            user.container
        ))),
        (Some(user), None, Force::No) => Err(ImageError::Conflict(format!(
            "unable to delete {id} (must be forced) - image is being used by stopped container {}",
            user.container
        ))),
    }
}
