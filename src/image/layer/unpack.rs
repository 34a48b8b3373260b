//! The loop over the entries.

use std::io::BufRead;
use std::os::fd::OwnedFd;

use super::apply;
use super::error::LayerError;
use super::outcome::Unpacked;
use super::tree::Tree;
use crate::image::archive::Reader;
use crate::image::limits::Limits;

/// Unpacks all entries into the directory `layer`.
pub fn unpack<R: BufRead>(
    archive: &mut Reader<R>,
    layer: OwnedFd,
    limits: &Limits,
) -> Result<Unpacked, LayerError> {
    let mut tree = Tree::new(layer);
    while let Some(entry) = archive.next_entry()? {
        tree.done.entries += 1;
        limits.check_entries(tree.done.entries)?;
        apply::entry(&mut tree, entry, archive)?;
    }
    tree.finish()
}
