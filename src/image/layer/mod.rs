//! From a layer's archive to a directory that overlay can use as a lower one.
//!
//! Everything is done by descriptor below the layer's own directory: a path of the archive is
//! resolved component by component without following any symbolic link, so no entry reaches
//! anything but the layer, whatever the entries before it were. Whiteouts become overlay's own
//! marks. Directories get their attributes at the end, since making entries changes their times
//! and an inherited ACL would change what is made.
//!
//! Not here: digests, durability, and where the layer is put in the end (`store`).

mod apply;
mod attributes;
#[cfg(test)]
mod differential;
mod directories;
mod error;
mod inherit;
mod member;
mod outcome;
#[cfg(test)]
mod tests;
mod tree;
mod unpack;

pub use error::LayerError;
pub use outcome::{LeftOut, Unpacked};
pub use unpack::{Target, unpack};
