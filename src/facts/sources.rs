//! Where the sources of bind mounts lie.
//!
//! A source inside the container's root must be looked up there, below the root's descriptor and
//! after the mounts listed before it. Whether it lies there is not a matter of its text: a link
//! may lead in. So each source is opened once here; what it is then, it must be when it is mounted.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::config::cgroup::layout::unescape;
use crate::config::mount_option::attribute;
use crate::config::path::RootPath;
use crate::sys::path::node;

/// What is known of one source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceFact {
    /// Where it lies in the container's root, if it does.
    pub in_root: Option<RootPath>,
    /// What it is, if it is there.
    pub seen: Option<Seen>,
    /// The flags of all mounts below it, MOUNT_ATTR_*. Read only where they matter.
    pub flags_below: u64,
}

/// What a source is: whoever mounts it compares, so that nothing comes between check and use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Seen {
    /// Device and inode number.
    pub place: (u64, u64),
    /// The flags of the mount that it is on, MOUNT_ATTR_*. Read only where they matter.
    pub flags: Option<u64>,
}

impl Seen {
    /// What `file` is open on; the flags are read if this one has them.
    pub fn alike(self, file: impl AsFd) -> Result<Self, Errno> {
        let flags = self.flags.map(|_| mount_flags(&file)).transpose()?;
        Ok(Self { place: node(&file)?.place, flags })
    }
}

/// Looks sources up. Parents are resolved once: thousands of sources often share one.
#[derive(Debug)]
pub struct SourceReader {
    root: PathBuf,
    parents: HashMap<PathBuf, Option<PathBuf>>,
    last: Option<(PathBuf, SourceFact)>,
    mounts: Option<Vec<(PathBuf, u64)>>,
}

impl SourceReader {
    /// A reader for a container whose root is the directory `root` of the host.
    pub fn new(root: &Path) -> Self {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
        Self { root, parents: HashMap::new(), last: None, mounts: None }
    }

    /// Looks `source` up, an absolute path of the host.
    pub fn read(&mut self, source: &Path) -> SourceFact {
        // One volume at many places is a row of equal sources.
        if let Some((known, fact)) = &self.last
            && known == source
        {
            return fact.clone();
        }
        let fact = self.fact(source, Found::open(source).as_ref());
        self.last = Some((source.to_path_buf(), fact.clone()));
        fact
    }

    /// As [`SourceReader::read`], with the flags of the mounts.
    pub fn read_with_flags(&mut self, source: &Path) -> SourceFact {
        let found = Found::open(source);
        let fact = self.fact(source, found.as_ref());
        let Some(found) = found else { return fact };
        let mounts = self.mounts.get_or_insert_with(mounts);
        let below =
            mounts.iter().filter(|(at, _)| *at != found.path && at.starts_with(&found.path));
        let flags_below = below.fold(0, |all, (_, flags)| all | flags);
        let flags = mount_flags(&found.file).ok();
        SourceFact { seen: fact.seen.map(|seen| Seen { flags, ..seen }), flags_below, ..fact }
    }

    fn fact(&mut self, source: &Path, found: Option<&Found>) -> SourceFact {
        // What is not there yet an earlier mount may bring.
        let resolved = found.map(|found| found.path.clone()).or_else(|| self.resolve(source));
        let in_root = resolved
            .as_deref()
            .unwrap_or(source)
            .strip_prefix(&self.root)
            .ok()
            .map(|inside| RootPath::clean(&inside.to_string_lossy()));
        let place = found.and_then(|found| node(&found.file).ok()).map(|node| node.place);
        let seen = place.map(|place| Seen { place, flags: None });
        SourceFact { in_root, seen, flags_below: 0 }
    }

    fn resolve(&mut self, source: &Path) -> Option<PathBuf> {
        let (parent, name) = (source.parent()?, source.file_name()?);
        let parent = self.parent(parent)?;
        let path = parent.join(OsString::from(name));
        match rustix::fs::readlink(&path, Vec::new()) {
            // EINVAL: there, and no link. ENOENT: not there yet; an earlier mount may bring it.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => Some(path),
            Err(_) => None,
            Ok(_) => path.canonicalize().ok(),
        }
    }

    fn parent(&mut self, parent: &Path) -> Option<PathBuf> {
        if let Some(known) = self.parents.get(parent) {
            return known.clone();
        }
        let resolved = parent.canonicalize().ok();
        self.parents.insert(parent.to_path_buf(), resolved.clone());
        resolved
    }
}

/// A source that is open, and its path in the kernel's own words, so that both are of one moment.
struct Found {
    file: OwnedFd,
    path: PathBuf,
}

impl Found {
    fn open(source: &Path) -> Option<Self> {
        let file = crate::sys::mount::open_tree(source).ok()?;
        let link = format!("/proc/self/fd/{}", file.as_raw_fd());
        let path = rustix::fs::readlink(link, Vec::new()).ok()?;
        Some(Self { file, path: PathBuf::from(OsString::from_vec(path.into_bytes())) })
    }
}

/// What fstatvfs(3) says of the mount that `file` is on.
fn mount_flags(file: impl AsFd) -> Result<u64, Errno> {
    use rustix::fs::StatVfsMountFlags as S;
    const FLAGS: [(S, u64); 6] = [
        (S::RDONLY, attribute::RDONLY),
        (S::NOSUID, attribute::NOSUID),
        (S::NODEV, attribute::NODEV),
        (S::NOEXEC, attribute::NOEXEC),
        (S::NOATIME, attribute::NOATIME),
        (S::NODIRATIME, attribute::NODIRATIME),
    ];
    let seen = rustix::fs::fstatvfs(file)?;
    Ok(FLAGS.iter().filter(|(bit, _)| seen.f_flag.contains(*bit)).map(|(_, flag)| flag).sum())
}

/// Every mount of ours: where it is, and its flags.
fn mounts() -> Vec<(PathBuf, u64)> {
    let text = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    String::from_utf8_lossy(&text).lines().filter_map(mount).collect()
}

fn mount(line: &str) -> Option<(PathBuf, u64)> {
    let mut fields = line.split(' ').skip(4);
    let (at, words) = (unescape(fields.next()?), fields.next()?);
    let flag = |word: &str| match word {
        "ro" => attribute::RDONLY,
        "nosuid" => attribute::NOSUID,
        "nodev" => attribute::NODEV,
        "noexec" => attribute::NOEXEC,
        "noatime" => attribute::NOATIME,
        "nodiratime" => attribute::NODIRATIME,
        _ => 0,
    };
    Some((at, words.split(',').map(flag).sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link that leads into the root counts as a source in the root; a name alike does not.
    #[test]
    fn links_into_the_root_are_seen() -> std::io::Result<()> {
        let bundle = tempfile::tempdir()?;
        let root = bundle.path().join("rootfs");
        std::fs::create_dir_all(root.join("in/side"))?;
        std::fs::create_dir(bundle.path().join("rootfs2"))?;
        std::os::unix::fs::symlink("rootfs/in", bundle.path().join("way-in"))?;
        let mut reader = SourceReader::new(&root);
        let mut seen = |path: &str| reader.read(&bundle.path().join(path)).in_root;
        assert_eq!(seen("rootfs/in/side"), Some(RootPath::clean("/in/side")));
        assert_eq!(seen("way-in/side"), Some(RootPath::clean("/in/side")));
        assert_eq!(seen("way-in"), Some(RootPath::clean("/in")));
        assert_eq!(seen("rootfs/not-yet"), Some(RootPath::clean("/not-yet")));
        assert_eq!(seen("rootfs2"), None);
        assert_eq!(seen("nowhere/at/all"), None);
        Ok(())
    }

    /// A line of mountinfo, with its octal digits.
    #[test]
    fn lines_of_mountinfo() {
        let line = "29 1 0:26 / /mnt/a\\040b\\134c ro,nosuid,relatime shared:3 - tmpfs t rw";
        let want = Some((PathBuf::from("/mnt/a b\\c"), attribute::RDONLY | attribute::NOSUID));
        assert_eq!(mount(line), want);
        assert_eq!(mount(""), None);
    }

    /// What is seen is compared with what is open: another file is not alike, nor another mount.
    #[test]
    fn alike() -> Result<(), Box<dyn std::error::Error>> {
        let scratch = tempfile::tempdir()?;
        let (one, other) = (scratch.path().join("one"), scratch.path().join("other"));
        std::fs::create_dir(&one)?;
        std::fs::create_dir(&other)?;
        let seen = SourceReader::new(Path::new("/nowhere")).read_with_flags(&one).seen;
        let seen = seen.ok_or("the source is there")?;
        assert_eq!(seen.alike(std::fs::File::open(&one)?)?, seen);
        assert_ne!(seen.alike(std::fs::File::open(&other)?)?, seen);
        let on_another = Seen { flags: seen.flags.map(|flags| flags ^ attribute::RDONLY), ..seen };
        assert_ne!(on_another.alike(std::fs::File::open(&one)?)?, on_another);
        Ok(())
    }
}
