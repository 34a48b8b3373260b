//! Directories that a layer has something in but says nothing about.
//!
//! Overlay shows the topmost directory of a name with that one's owner and mode, so such a
//! directory must look as in the layers below, or /root would be open to all because a layer
//! added a file to it.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat};

use super::attributes::is_opaque;
use super::error::LayerError;
use crate::image::archive::{Attributes, Time};

/// What the layers below, the topmost first, say of the directory at `path`.
pub fn inherited(below: &[OwnedFd], path: &[u8]) -> Result<Option<Attributes>, LayerError> {
    for layer in below {
        match look(layer, path).map_err(|e| LayerError::call("openat", path, e))? {
            Found::Directory(directory) => return read(&directory, path).map(Some),
            Found::Hidden => return Ok(None),
            Found::Nothing => {}
        }
    }
    Ok(None)
}

enum Found {
    Directory(OwnedFd),
    /// Neither here nor, as seen from above, in any layer further down.
    Hidden,
    Nothing,
}

/// Goes down name by name: what hides lower layers may be anywhere on the way.
fn look(layer: &OwnedFd, path: &[u8]) -> rustix::io::Result<Found> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut here = fs::openat(layer, ".", flags, Mode::empty())?;
    for name in path.split(|b| *b == b'/').filter(|name| !name.is_empty()) {
        match fs::statat(&here, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(seen) if FileType::from_raw_mode(seen.st_mode) == FileType::Directory => {
                here = fs::openat(&here, name, flags, Mode::empty())?;
            }
            Ok(_) => return Ok(Found::Hidden),
            Err(rustix::io::Errno::NOENT) if is_opaque(&here) => return Ok(Found::Hidden),
            Err(rustix::io::Errno::NOENT) => return Ok(Found::Nothing),
            Err(e) => return Err(e),
        }
    }
    Ok(Found::Directory(here))
}

fn read(directory: &OwnedFd, path: &[u8]) -> Result<Attributes, LayerError> {
    let seen = fs::fstat(directory).map_err(|e| LayerError::call("fstat", path, e))?;
    let time = |seconds, nanoseconds| Time {
        seconds,
        nanoseconds: u32::try_from(nanoseconds).unwrap_or_default(),
    };
    let Stat { st_mtime, st_mtime_nsec, st_atime, st_atime_nsec, .. } = seen;
    Ok(Attributes {
        uid: seen.st_uid,
        gid: seen.st_gid,
        mode: seen.st_mode & 0o7777,
        modified: time(st_mtime, st_mtime_nsec),
        accessed: Some(time(st_atime, st_atime_nsec)),
        xattrs: xattrs(directory).map_err(|e| LayerError::call("flistxattr", path, e))?,
    })
}

/// All but overlay's own, which say something about that layer.
fn xattrs(directory: impl AsFd) -> rustix::io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    // The kernel's own limits: XATTR_LIST_MAX and XATTR_SIZE_MAX.
    let mut names = vec![0; 1 << 16];
    let length = match fs::flistxattr(&directory, &mut names[..]) {
        Ok(length) => length,
        Err(rustix::io::Errno::NOTSUP) => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut found = Vec::new();
    for name in names[..length].split(|b| *b == 0).filter(|name| !name.is_empty()) {
        if !name.windows(9).any(|part| part == b".overlay.") {
            let mut value = vec![0; 1 << 16];
            let length = fs::fgetxattr(&directory, name, &mut value[..])?;
            value.truncate(length);
            found.push((name.to_vec(), value));
        }
    }
    Ok(found)
}
