//! Owner, mode, extended attributes and times, in the order in which none undoes another:
//! chown clears setuid bits and capabilities, and everything changes times.

use std::os::fd::{AsFd, AsRawFd};

use rustix::fs::{self, AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use super::{LayerError, LeftOut};
use crate::image::archive::{Attributes, Time};

/// The mark of a directory whose lower namesakes are hidden; the second where the first needs
/// more rights than we have (overlay then is mounted with `userxattr`).
const OPAQUE: [&str; 2] = ["trusted.overlay.opaque", "user.overlay.opaque"];

/// Sets everything on an open file or directory.
pub fn set(
    file: impl AsFd,
    attributes: &Attributes,
    path: &[u8],
    left_out: &mut LeftOut,
) -> Result<(), LayerError> {
    let (uid, gid) = owner(attributes);
    let wanted = (attributes.uid, attributes.gid);
    fs::fchown(&file, uid, gid).map_err(|e| LayerError::owner(path, wanted, e))?;
    fs::fchmod(&file, Mode::from_raw_mode(attributes.mode))
        .map_err(|e| LayerError::call("fchmod", path, e))?;
    for (name, value) in &attributes.xattrs {
        check_name(name, path)?;
        let done = fs::fsetxattr(&file, name.as_slice(), value, XattrFlags::empty());
        count_refusal(done, left_out).map_err(|e| LayerError::call("fsetxattr", path, e))?;
    }
    fs::futimens(&file, &times(attributes)).map_err(|e| LayerError::call("futimens", path, e))
}

/// What `set_at` works on: what must not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unopened {
    /// A symbolic link, whose mode means nothing.
    Symlink,
    /// A device or a named pipe: opening one has effects.
    Node,
}

/// Sets everything on `name` in `parent`, which was made just now and is not opened.
pub fn set_at(
    (parent, name): (impl AsFd, &[u8]),
    what: Unopened,
    attributes: &Attributes,
    left_out: &mut LeftOut,
) -> Result<(), LayerError> {
    let (uid, gid) = owner(attributes);
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let wanted = (attributes.uid, attributes.gid);
    fs::chownat(&parent, name, uid, gid, flags).map_err(|e| LayerError::owner(name, wanted, e))?;
    if what == Unopened::Node {
        fs::chmodat(&parent, name, Mode::from_raw_mode(attributes.mode), AtFlags::empty())
            .map_err(|e| LayerError::call("fchmodat", name, e))?;
    }
    // setxattrat(2) is younger than our floor. The descriptor's own name in procfs is no path
    // into the layer: only the last component is looked up, and not followed.
    let mut path = format!("/proc/self/fd/{}/", parent.as_fd().as_raw_fd()).into_bytes();
    path.extend(name);
    for (key, value) in &attributes.xattrs {
        check_name(key, name)?;
        let done = fs::lsetxattr(path.as_slice(), key.as_slice(), value, XattrFlags::empty());
        count_refusal(done, left_out).map_err(|e| LayerError::call("lsetxattr", name, e))?;
    }
    fs::utimensat(&parent, name, &times(attributes), flags)
        .map_err(|e| LayerError::call("utimensat", name, e))
}

/// Hides what the layers below have in `directory`.
pub fn set_opaque(directory: impl AsFd, path: &[u8]) -> Result<(), LayerError> {
    let mut last = Errno::PERM;
    for name in OPAQUE {
        match fs::fsetxattr(&directory, name, b"y", XattrFlags::empty()) {
            Ok(()) => return Ok(()),
            Err(e) => last = e,
        }
        if last != Errno::PERM {
            break;
        }
    }
    Err(LayerError::call("fsetxattr", path, last))
}

/// Does it hide what the layers below have in it?
pub fn is_opaque(directory: impl AsFd) -> bool {
    let mut value = [0; 1];
    OPAQUE.iter().any(|name| fs::fgetxattr(&directory, *name, &mut value[..]) == Ok(1))
        && value == *b"y"
}

/// An archive that brings overlay's marks would redirect lookups to other directories.
fn check_name(name: &[u8], path: &[u8]) -> Result<(), LayerError> {
    if name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.") {
        return Err(LayerError::refused(path, "it has overlay's own extended attributes"));
    }
    Ok(())
}

fn count_refusal(done: rustix::io::Result<()>, left_out: &mut LeftOut) -> rustix::io::Result<()> {
    match done {
        Err(Errno::NOTSUP | Errno::PERM) => {
            left_out.xattrs += 1;
            Ok(())
        }
        done => done,
    }
}

fn owner(attributes: &Attributes) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(attributes.uid)), Some(Gid::from_raw(attributes.gid)))
}

fn times(attributes: &Attributes) -> Timestamps {
    let spec = |t: Time| Timespec { tv_sec: t.seconds, tv_nsec: t.nanoseconds.into() };
    let modified = spec(attributes.modified);
    Timestamps {
        last_access: attributes.accessed.map_or(modified, spec),
        last_modification: modified,
    }
}
