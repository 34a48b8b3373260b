//! Where the sources of bind mounts lie.
//!
//! A source inside the container's root must be looked up there, below the root's descriptor and
//! after the mounts listed before it. Whether it lies there is not a matter of its text: a link
//! may lead in. So each source is resolved once here.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::config::mount_option::attribute;
use crate::config::path::RootPath;

/// What is known of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFact {
    /// Where it lies in the container's root, if it does.
    pub in_root: Option<RootPath>,
    /// The flags of the mount that it is on, MOUNT_ATTR_*. Read only where they matter.
    pub flags: u64,
}

/// Looks sources up. Parents are resolved once: thousands of sources often share one.
#[derive(Debug)]
pub struct SourceReader {
    root: PathBuf,
    parents: HashMap<PathBuf, Option<PathBuf>>,
    last: Option<(PathBuf, SourceFact)>,
}

impl SourceReader {
    /// A reader for a container whose root is the directory `root` of the host.
    pub fn new(root: &Path) -> Self {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
        Self { root, parents: HashMap::new(), last: None }
    }

    /// Resolves `source`, an absolute path of the host.
    pub fn read(&mut self, source: &Path) -> SourceFact {
        // One volume at many places is a row of equal sources.
        if let Some((known, fact)) = &self.last
            && known == source
        {
            return fact.clone();
        }
        let resolved = self.resolve(source);
        let in_root = resolved
            .as_deref()
            .unwrap_or(source)
            .strip_prefix(&self.root)
            .ok()
            .map(|inside| RootPath::clean(&inside.to_string_lossy()));
        let fact = SourceFact { in_root, flags: 0 };
        self.last = Some((source.to_path_buf(), fact.clone()));
        fact
    }

    /// As [`SourceReader::read`], with the flags of the mount.
    pub fn read_with_flags(&mut self, source: &Path) -> SourceFact {
        SourceFact { flags: mount_flags(source), ..self.read(source) }
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

/// What statvfs(3) says of the mount that `path` is on; none if it cannot be asked.
fn mount_flags(path: &Path) -> u64 {
    use rustix::fs::StatVfsMountFlags as S;
    const FLAGS: [(S, u64); 6] = [
        (S::RDONLY, attribute::RDONLY),
        (S::NOSUID, attribute::NOSUID),
        (S::NODEV, attribute::NODEV),
        (S::NOEXEC, attribute::NOEXEC),
        (S::NOATIME, attribute::NOATIME),
        (S::NODIRATIME, attribute::NODIRATIME),
    ];
    let Ok(seen) = rustix::fs::statvfs(path) else { return 0 };
    FLAGS.iter().filter(|(bit, _)| seen.f_flag.contains(*bit)).map(|(_, flag)| flag).sum()
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
}
