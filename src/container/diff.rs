//! What a container has changed in its image's files, without what its start has made in them.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, CWD, FileType};

use super::error::ContainerError;
use super::store::Container;
use super::view::View;
use crate::facts::Kernel;
use crate::sys::path::open_place;
use crate::tree::{self, Change};

/// What a start makes in the root if the image has it not: places for mounts. As in Docker these
/// are no changes, as long as nobody has put anything into them.
const PLACES: [&str; 9] = [
    "dev",
    "dev/console",
    "dev/pts",
    "dev/shm",
    "proc",
    "sys",
    "etc/hosts",
    "etc/hostname",
    "etc/resolv.conf",
];

/// The changes, with absolute paths as bytes, parents first.
pub fn changes(container: &Container) -> Result<Vec<(Vec<u8>, Change)>, ContainerError> {
    let path = container.directory.join("upper");
    let upper = open_place(CWD, &path).map_err(|e| ContainerError::io("open", &path, e))?;
    let lower = View::open(&container.record.layers, Kernel::probe()?)?;
    let places = places(upper.as_fd(), lower.as_fd());
    let found = tree::changes(upper.as_fd(), lower.as_fd(), &places)
        .map_err(|e| ContainerError::io("compare", &path, std::io::Error::other(e)))?;
    Ok(found.into_iter().map(|(path, change)| ([b"/", &path[..]].concat(), change)).collect())
}

/// Those of the places that a start has made, and that are as it makes them: empty.
pub(super) fn places(upper: BorrowedFd<'_>, lower: BorrowedFd<'_>) -> Vec<String> {
    let look = |tree: BorrowedFd<'_>, place: &str| {
        let name = CString::new(place).ok()?;
        rustix::fs::statat(tree, &name, AtFlags::SYMLINK_NOFOLLOW).ok()
    };
    let is_untouched = |place: &str| {
        let Some(seen) = look(upper, place) else { return false };
        let is_empty = match FileType::from_raw_mode(seen.st_mode) {
            FileType::RegularFile => seen.st_size == 0,
            // What is in it is listed by itself.
            FileType::Directory => true,
            _ => false,
        };
        is_empty && look(lower, place).is_none()
    };
    PLACES.into_iter().filter(|place| is_untouched(place)).map(str::to_owned).collect()
}
