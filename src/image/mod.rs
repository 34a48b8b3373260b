//! Images: names, archives, layers, and the store that keeps them.
//!
//! The store is an OCI image layout that other tools read, and beside it every layer unpacked,
//! ready to be a lower directory of an overlay:
//!
//! ```text
//! images/  oci-layout  index.json  blobs/sha256/<digest>  lock
//! layers/  <chain id>/  <chain id>.json  .new-…/ (a command at work, or what a dead one left)
//! ```
//!
//! What must hold: a layer's directory appears whole or not at all, and only what `index.json`
//! refers to is there to stay.

pub mod archive;
pub mod chain;
pub mod change;
pub mod commit;
pub mod config;
pub mod digest;
pub mod filter;
pub mod import;
pub mod inspect;
pub mod layer;
pub mod limits;
pub mod load;
#[cfg(feature = "registry")]
pub mod offline;
pub mod reference;
#[cfg(feature = "registry")]
pub mod registry;
pub mod save;
pub mod store;

pub use config::ImageConfig;
pub use digest::Digest;
pub use limits::Limits;
pub use reference::Reference;
pub use store::{Image, ImageError, ImageStore};
