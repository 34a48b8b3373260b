//! The image store: an OCI image layout, and the unpacked layers beside it.
//!
//! Reading needs no lock: `index.json` is replaced whole and names only what is complete. What
//! changes the store is done in two parts: the long one (unpacking) in a directory of its own
//! without the lock, the short one (putting in place, naming) under the exclusive lock. Who must
//! be sure that an image stays while it gets a use of its own holds the shared lock meanwhile.

mod error;
mod handle;
mod image;
mod layout;
mod lookup;
mod names;
mod publish;
mod remove;
mod staging;
mod sweep;
#[cfg(test)]
pub(in crate::image) mod tests;
mod usage;

pub use error::ImageError;
pub use handle::ImageStore;
pub use image::Image;
pub use layout::{MAX_JSON_BYTES, canonical};
pub use lookup::Listing;
pub use names::{FULL_NAME, REF_NAME, is_manifest, reference as manifest_reference};
pub use publish::{Complete, Published, stage_image, stage_raw_config};
pub use remove::{Force, Removed, User};
pub use staging::{LayerBlob, LayerOrigin, Staging, descriptor};
pub use usage::Past;
