//! Pinning a place below a root, and making it where it is missing.
//!
//! What is missing is made name by name, each in the descriptor of its parent. Links are read and
//! followed here, from the root's descriptor, so that a link that leads up or to an absolute path
//! stays inside, and one that dangles gets its target made inside (V1.36 to V1.38).

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::config::path::RootPath;
use crate::sys::path::{
    Links, Node, filesystem_magic, make_directory, make_file, node, open_entry, open_in_root,
};

/// PROC_SUPER_MAGIC: links in procfs are no paths.
const PROC_SUPER_MAGIC: u64 = 0x9fa0;
/// As many links as the kernel follows in one path.
const LINKS_LIMIT: u32 = 40;
/// What is made has this mode, whatever the umask.
const MADE_MODE: u32 = 0o755;

/// What to make of the last name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// A directory.
    Directory,
    /// An empty file.
    File,
}

/// A pinned place.
#[derive(Debug)]
pub struct Pinned {
    /// The place.
    pub place: OwnedFd,
    /// It did not exist before.
    pub made: bool,
}

/// Pins `path` below `root`; `missing` says what to make if it is not there.
pub fn pin(
    root: impl AsFd,
    path: &RootPath,
    links: Links,
    missing: impl FnOnce() -> Result<Option<Last>, Errno>,
) -> Result<Pinned, Errno> {
    match open_in_root(&root, Path::new(path.as_str()), links) {
        // A link of the image's that leads into procfs would put the mount where the kernel
        // answers; what may be there is decided by the path in the plan.
        Ok(place)
            if !path.as_str().starts_with("/proc")
                && filesystem_magic(&place)? == PROC_SUPER_MAGIC =>
        {
            Err(Errno::PERM)
        }
        Ok(place) => Ok(Pinned { place, made: false }),
        Err(Errno::NOENT) => match missing()? {
            None => Err(Errno::NOENT),
            Some(last) => make(root, path, links, last),
        },
        Err(errno) => Err(errno),
    }
}

/// The walk: directories opened so far below the root, names still to go.
struct Walk<'a> {
    root: std::os::fd::BorrowedFd<'a>,
    opened: Vec<OwnedFd>,
    names: VecDeque<OsString>,
    links_left: u32,
    made: bool,
}

impl Walk<'_> {
    fn here(&self) -> std::os::fd::BorrowedFd<'_> {
        self.opened.last().map_or(self.root, AsFd::as_fd)
    }

    fn follow(&mut self, link: &OwnedFd) -> Result<(), Errno> {
        self.links_left = self.links_left.checked_sub(1).ok_or(Errno::LOOP)?;
        if filesystem_magic(self.here())? == PROC_SUPER_MAGIC {
            return Err(Errno::LOOP);
        }
        let target = rustix::fs::readlinkat(link, "", Vec::new())?.into_bytes();
        if target.starts_with(b"/") {
            self.opened.clear();
        }
        for name in target.split(|b| *b == b'/').rev().filter(|name| !name.is_empty()) {
            self.names.push_front(OsString::from_vec(name.to_vec()));
        }
        Ok(())
    }

    fn enter(&mut self, name: &OsStr, last: Last) -> Result<(OwnedFd, Node), Errno> {
        let entry = match open_entry(self.here(), name) {
            Err(Errno::NOENT) => {
                let is_last = self.names.is_empty();
                match (is_last, last) {
                    (true, Last::File) => match make_file(self.here(), name, MADE_MODE) {
                        // Another made it meanwhile: as good as ours.
                        Err(Errno::EXIST) => {}
                        other => other?,
                    },
                    _ => make_directory(self.here(), name, MADE_MODE)?,
                }
                self.made |= is_last;
                open_entry(self.here(), name)?
            }
            other => other?,
        };
        let kind = node(&entry)?;
        Ok((entry, kind))
    }
}

fn make(root: impl AsFd, path: &RootPath, links: Links, last: Last) -> Result<Pinned, Errno> {
    let names = path.as_str().split('/').filter(|name| !name.is_empty());
    let mut walk = Walk {
        root: root.as_fd(),
        opened: Vec::new(),
        names: names.map(OsString::from).collect(),
        links_left: LINKS_LIMIT,
        made: false,
    };
    while let Some(name) = walk.names.pop_front() {
        match name.as_bytes() {
            b"." => continue,
            b".." => {
                // At the root there is nothing to pop: `..` of the root is the root.
                walk.opened.pop();
                continue;
            }
            _ => {}
        }
        let (entry, found) = walk.enter(&name, last)?;
        match found.kind {
            FileType::Symlink if links == Links::Refused => return Err(Errno::LOOP),
            FileType::Symlink => walk.follow(&entry)?,
            FileType::Directory => walk.opened.push(entry),
            _ if walk.names.is_empty() => return Ok(Pinned { place: entry, made: walk.made }),
            _ => return Err(Errno::NOTDIR),
        }
    }
    match walk.opened.pop() {
        Some(place) => Ok(Pinned { place, made: walk.made }),
        None => Ok(Pinned {
            place: root.as_fd().try_clone_to_owned().map_err(|_| Errno::MFILE)?,
            made: false,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn try_pin(root: &Path, path: &str, links: Links, last: Last) -> Result<bool, Errno> {
        let root = crate::sys::path::open_place(rustix::fs::CWD, root)?;
        pin(&root, &RootPath::clean(path), links, || Ok(Some(last))).map(|pinned| pinned.made)
    }

    /// V1.34, V1.36–V1.39: what is missing is made inside, links that leave are clamped.
    #[test]
    fn missing_places_are_made_inside() -> Result<(), Box<dyn std::error::Error>> {
        let outside = tempfile::tempdir()?;
        let root = outside.path().join("root");
        std::fs::create_dir_all(root.join("real"))?;
        symlink("/real", root.join("abs"))?;
        symlink("../../../../escape/x", root.join("up"))?;
        symlink("/nowhere/y", root.join("dangling"))?;
        symlink("loop2", root.join("loop1"))?;
        symlink("loop1", root.join("loop2"))?;
        std::fs::write(root.join("file"), "")?;
        let cases = [
            ("/a/b/c", Last::Directory, Ok(true), "a/b/c"),
            ("/abs/new", Last::File, Ok(true), "real/new"),
            ("/up", Last::Directory, Ok(true), "escape/x"),
            ("/dangling", Last::File, Ok(true), "nowhere/y"),
            ("/real", Last::Directory, Ok(false), "real"),
            ("/loop1/x", Last::Directory, Err(Errno::LOOP), "real"),
            ("/file/x", Last::Directory, Err(Errno::NOTDIR), "real"),
        ];
        for (path, last, want, there) in cases {
            assert_eq!(try_pin(&root, path, Links::InRoot, last), want, "{path}");
            assert!(root.join(there).symlink_metadata().is_ok(), "{path}");
        }
        let beside: Vec<_> = std::fs::read_dir(outside.path())?.collect();
        assert_eq!(beside.len(), 1, "nothing was made outside of the root");
        Ok(())
    }

    /// V1.42: a link into procfs is no way around the rule for targets inside /proc.
    #[test]
    fn links_into_procfs_are_refused() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let link = directory.path().join("data");
        symlink("/proc/sys", &link)?;
        let path = link.display().to_string();
        let found = try_pin(Path::new("/"), &path, Links::InRoot, Last::Directory);
        assert_eq!(found, Err(Errno::PERM));
        assert_eq!(try_pin(Path::new("/"), "/proc", Links::InRoot, Last::Directory), Ok(false));
        Ok(())
    }

    /// /proc, /sys and /dev must be plain directories, also if the link is in the middle.
    #[test]
    fn refused_links() -> Result<(), Box<dyn std::error::Error>> {
        let root = tempfile::tempdir()?;
        symlink("elsewhere", root.path().join("proc"))?;
        for path in ["/proc", "/proc/deeper"] {
            let found = try_pin(root.path(), path, Links::Refused, Last::Directory);
            assert_eq!(found, Err(Errno::LOOP), "{path}");
        }
        Ok(())
    }
}
