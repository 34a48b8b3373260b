//! Images that other tools packed: OCI layouts (a directory or an archive) and Docker archives.
//!
//! Nothing is believed: every blob is hashed against the digest it goes by, every layer against
//! the configuration's. An archive is first taken apart into the store's own staging directory,
//! since what says which file is which may come last in it.

mod docker;
mod error;
mod oci;
mod source;
mod start;
#[cfg(test)]
mod tests;
mod work;

pub use error::LoadError;
pub use source::Blobs;
pub use start::{Fetched, Loaded};
