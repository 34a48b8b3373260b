//! The mount point that a plugin names becomes a volume's `_data`: a clone of what is there.
//!
//! A plugin runs as root and could mount anything anywhere, so it may name any directory, as in
//! Docker. What is refused is what no plugin can mean: a link, which may lead elsewhere a moment
//! later, the kernel's own file systems, and whatever holds the store or lies in it.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::sys::errno::lower_words;
use crate::sys::mount::{AttributeChange, Recursion, clone_tree_at, set_attributes};

/// Attaches a clone of what is at `mountpoint` to `data`; the error says what is wrong with it.
pub(super) fn attach(mountpoint: &str, data: &Path) -> Result<(), String> {
    let source = open(Path::new(mountpoint), ResolveFlags::NO_MAGICLINKS)?;
    refuse_others(&source, data)?;
    let failed = |errno| lower_words(errno);
    let tree = clone_tree_at(&source, Recursion::Recursive).map_err(failed)?;
    // A clone of a shared mount is its peer: what is mounted below here is nobody else's.
    let private = AttributeChange { propagation: libc::MS_PRIVATE, ..AttributeChange::default() };
    set_attributes(&tree, private, Recursion::Recursive).map_err(failed)?;
    let place = open(data, ResolveFlags::NO_SYMLINKS)?;
    crate::sys::mount::attach(&tree, &place).map_err(failed)
}

/// Opens a directory as a place. Links on the way (`/var/run`) are the host's; the last part is
/// none.
fn open(path: &Path, resolve: ResolveFlags) -> Result<OwnedFd, String> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat2(CWD, path, flags, Mode::empty(), resolve).map_err(|errno| {
        let is_link = path.symlink_metadata().is_ok_and(|seen| seen.is_symlink());
        if is_link && matches!(errno, Errno::NOTDIR | Errno::LOOP) {
            "it is a symbolic link".into()
        } else {
            lower_words(errno)
        }
    })
}

fn refuse_others(source: &OwnedFd, data: &Path) -> Result<(), String> {
    let failed = |e: std::io::Error| e.to_string();
    // Where it really is: the descriptor's own path.
    let link = format!("/proc/self/fd/{}", source.as_raw_fd());
    let real = PathBuf::from(
        rustix::fs::readlink(&link, Vec::new())
            .map_err(|e| failed(e.into()))?
            .to_string_lossy()
            .into_owned(),
    );
    let data = data.canonicalize().map_err(failed)?;
    // store/volumes/NAME/_data
    let store = data.ancestors().nth(3).unwrap_or(&data);
    if store.starts_with(&real) || real.starts_with(store) {
        return Err("rrun's own store is there".into());
    }
    if ["/proc", "/sys", "/dev"].iter().any(|kernels| real.starts_with(kernels)) {
        return Err("it is in a file system of the kernel's own".into());
    }
    Ok(())
}
