//! The loop over the entries.

use std::io::BufRead;
use std::os::fd::OwnedFd;

use super::apply;
use super::error::LayerError;
use super::outcome::Unpacked;
use super::tree::Tree;
use crate::image::archive::Reader;
use crate::image::limits::Limits;

/// Where a layer is unpacked.
#[derive(Debug)]
pub struct Target {
    /// An empty directory.
    pub layer: OwnedFd,
    /// The layers below it, the topmost first.
    pub below: Vec<OwnedFd>,
}

/// Unpacks all entries into the directory of `target`.
pub fn unpack<R: BufRead>(
    archive: &mut Reader<R>,
    target: Target,
    limits: &Limits,
) -> Result<Unpacked, LayerError> {
    let mut tree = Tree::new(target.layer);
    while let Some(entry) = archive.next_entry()? {
        tree.done.entries += 1;
        limits.check_entries(tree.done.entries)?;
        apply::entry(&mut tree, entry, archive)?;
    }
    tree.finish(&target.below)
}
