//! How much a container has written into its own layer.

use std::fs::File;
use std::os::fd::AsFd;

use super::store::Container;
use crate::tree;

/// The bytes that the container's own layer takes; 0 where it cannot be read.
pub fn written_bytes(container: &Container) -> u64 {
    let upper = File::open(container.directory.join("upper")).ok();
    upper.and_then(|upper| tree::size(upper.as_fd()).ok()).map_or(0, |size| size.bytes)
}
