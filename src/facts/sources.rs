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
    /// Nothing is mounted below it. Known only where there are so many sources that it pays to
    /// read the mount table.
    pub is_bare: bool,
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
pub struct SourceReader<'a> {
    /// As it was given; without links it is looked up with the first source.
    given: &'a Path,
    root: Option<PathBuf>,
    parents: HashMap<PathBuf, Option<PathBuf>>,
    last: Option<(PathBuf, SourceFact)>,
    mounts: Option<Vec<(PathBuf, u64)>>,
    asks_what_is_bare: bool,
}

/// From so many sources on the mount table is read. It is a page of text; to treat a clone as a
/// tree where it is a single mount costs a call and a walk for each.
const WORTH_THE_MOUNT_TABLE: usize = 64;

impl<'a> SourceReader<'a> {
    /// A reader of `count` sources for a container whose root is the directory `root` of the host.
    pub fn new(root: &'a Path, count: usize) -> Self {
        let asks_what_is_bare = count >= WORTH_THE_MOUNT_TABLE;
        let (parents, last, mounts) = (HashMap::new(), None, None);
        Self { given: root, root: None, parents, last, mounts, asks_what_is_bare }
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
        let root = self.root.get_or_insert_with(|| {
            self.given.canonicalize().unwrap_or_else(|_| self.given.to_path_buf())
        });
        let in_root = resolved
            .as_deref()
            .unwrap_or(source)
            .strip_prefix(root)
            .ok()
            .map(|inside| RootPath::clean(&inside.to_string_lossy()));
        let place = found.and_then(|found| node(&found.file).ok()).map(|node| node.place);
        let seen = place.map(|place| Seen { place, flags: None });
        let is_bare = self.asks_what_is_bare
            && found
                .is_some_and(|found| is_bare(self.mounts.get_or_insert_with(mounts), &found.path));
        SourceFact { in_root, seen, flags_below: 0, is_bare }
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

/// Every mount of ours, in the order of their paths: where it is, and its flags.
fn mounts() -> Vec<(PathBuf, u64)> {
    let text = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    sorted(&String::from_utf8_lossy(&text))
}

fn sorted(mountinfo: &str) -> Vec<(PathBuf, u64)> {
    let mut mounts: Vec<_> = mountinfo.lines().filter_map(mount).collect();
    mounts.sort_unstable();
    mounts
}

/// Is nothing mounted below `place`? Paths are compared name by name, so what is below follows
/// at once.
fn is_bare(mounts: &[(PathBuf, u64)], place: &Path) -> bool {
    let after = mounts.partition_point(|(at, _)| at.as_path() <= place);
    !mounts.get(after).is_some_and(|(at, _)| at.starts_with(place))
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
        let mut reader = SourceReader::new(&root, 7);
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

    /// What is mounted somewhere below counts, a name alike or a place above does not.
    #[test]
    fn what_has_mounts_below() {
        let table = "1 0 0:1 / / rw - x x rw\n2 1 0:1 / /a/b/c rw - x x rw\n\
                     3 1 0:1 / /with\\040blank/x rw - x x rw\n4 1 0:1 / /a/b-c rw - x x rw\n";
        let mounts = sorted(table);
        let cases = [
            ("/", false),
            ("/a", false),
            ("/a/b", false),
            ("/a/b/c", true),
            ("/a/b/c/d", true),
            ("/a/b-c", true),
            ("/a/b-", true),
            ("/with blank", false),
            ("/with", true),
        ];
        for (path, bare) in cases {
            assert_eq!(is_bare(&mounts, Path::new(path)), bare, "{path}");
        }
    }

    /// What is seen is compared with what is open: another file is not alike, nor another mount.
    #[test]
    fn alike() -> Result<(), Box<dyn std::error::Error>> {
        let scratch = tempfile::tempdir()?;
        let (one, other) = (scratch.path().join("one"), scratch.path().join("other"));
        std::fs::create_dir(&one)?;
        std::fs::create_dir(&other)?;
        let seen = SourceReader::new(Path::new("/nowhere"), 1).read_with_flags(&one).seen;
        let seen = seen.ok_or("the source is there")?;
        assert_eq!(seen.alike(std::fs::File::open(&one)?)?, seen);
        assert_ne!(seen.alike(std::fs::File::open(&other)?)?, seen);
        let on_another = Seen { flags: seen.flags.map(|flags| flags ^ attribute::RDONLY), ..seen };
        assert_ne!(on_another.alike(std::fs::File::open(&one)?)?, on_another);
        Ok(())
    }
}
