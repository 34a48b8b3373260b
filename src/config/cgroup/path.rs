//! Where a container's cgroup lies: `linux.cgroupsPath`, or our own choice.

use std::path::{Component, Path, PathBuf};

use super::layout::{Hierarchy, Version};

/// A text that is no place for a cgroup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CgroupPathError {
    /// It leaves the place it is counted from, or leads nowhere.
    #[error("bad cgroup path {0:?}: it must name a cgroup, without ..")]
    Malformed(String),
    /// systemd's form: we do not talk to systemd.
    #[error("bad cgroup path {0:?}: slice:prefix:name needs the systemd cgroup manager")]
    Systemd(String),
}

/// A container's place in every hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CgroupPath {
    /// Without a leading slash, and not empty.
    below: PathBuf,
    start: Start,
    /// How many directories, from the end, are ours to remove when they are empty.
    own_levels: usize,
}

/// What a path is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Start {
    /// The top of the mount.
    Top,
    /// Our own cgroup.
    Own,
}

impl CgroupPath {
    /// `linux.cgroupsPath`: an absolute path from the top of the mount, a relative one from our
    /// own cgroup.
    pub fn parse(text: &str) -> Result<Self, CgroupPathError> {
        if text.split(':').count() == 3 && !text.contains('/') {
            return Err(CgroupPathError::Systemd(text.into()));
        }
        let malformed = || CgroupPathError::Malformed(text.into());
        let mut below = PathBuf::new();
        for part in Path::new(text).components() {
            match part {
                Component::Normal(name) => below.push(name),
                Component::RootDir | Component::CurDir => {}
                Component::ParentDir | Component::Prefix(_) => return Err(malformed()),
            }
        }
        if below.as_os_str().is_empty() || text.contains(['\0', '\n']) {
            return Err(malformed());
        }
        let start = if text.starts_with('/') { Start::Top } else { Start::Own };
        Ok(Self { below, start, own_levels: 0 })
    }

    /// The default of an OCI runtime: `/<id>`. It is ours by its name, also where one of a run that
    /// was killed is found.
    pub fn of_oci_id(id: &crate::config::name::ContainerId) -> Self {
        Self { below: id.as_str().into(), start: Start::Top, own_levels: 1 }
    }

    /// The place of a container of `rrun`: `/rrun/<id>`. The directory `/rrun` goes with the last
    /// of them.
    pub fn of_rrun(id: &crate::config::name::ContainerId) -> Self {
        Self { below: Path::new("rrun").join(id.as_str()), start: Start::Top, own_levels: 2 }
    }

    /// The directories from the mount's top down to the container's, in one hierarchy.
    ///
    /// On v2 a relative path is taken from the cgroup above our own: ours has processes in it, and
    /// such a cgroup can have no children with controllers.
    pub fn directories(&self, hierarchy: &Hierarchy, version: Version) -> Vec<PathBuf> {
        let own = match (self.start, version) {
            (Start::Top, _) => Path::new(""),
            (Start::Own, Version::V1) => &hierarchy.own,
            (Start::Own, Version::V2) => hierarchy.own.parent().unwrap_or(Path::new("")),
        };
        let mut at = hierarchy.mount.clone();
        own.join(&self.below)
            .components()
            .map(|part| {
                at.push(part);
                at.clone()
            })
            .collect()
    }

    /// How many directories, from the container's upwards, are ours to remove when they are empty,
    /// whoever made them.
    pub fn own_levels(&self) -> usize {
        self.own_levels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directories(path: &CgroupPath, own: &str, version: Version) -> Vec<String> {
        let hierarchy = Hierarchy { mount: "/c".into(), own: own.into() };
        let all = path.directories(&hierarchy, version);
        all.iter().map(|dir| dir.display().to_string()).collect()
    }

    /// Absolute from the top, relative from our own (v1) or from above it (v2).
    #[test]
    fn places() {
        let cases = [
            ("/a/b", "me", Version::V1, vec!["/c/a", "/c/a/b"]),
            ("//a/./b/", "me", Version::V2, vec!["/c/a", "/c/a/b"]),
            ("a", "me", Version::V1, vec!["/c/me", "/c/me/a"]),
            ("a", "me", Version::V2, vec!["/c/a"]),
            ("a", "up/me", Version::V2, vec!["/c/up", "/c/up/a"]),
            ("a", "", Version::V2, vec!["/c/a"]),
            ("a:b", "", Version::V1, vec!["/c/a:b"]),
        ];
        for (text, own, version, wanted) in cases {
            let path = CgroupPath::parse(text).unwrap();
            assert_eq!(directories(&path, own, version), wanted, "{text} {own}");
        }
        let id = crate::config::name::ContainerId::parse("x1").unwrap();
        assert_eq!(directories(&CgroupPath::of_oci_id(&id), "me", Version::V1), ["/c/x1"]);
        let ours = CgroupPath::of_rrun(&id);
        assert_eq!(directories(&ours, "me", Version::V2), ["/c/rrun", "/c/rrun/x1"]);
        assert_eq!(ours.own_levels(), 2);
    }

    #[test]
    fn refused() {
        for text in ["", "/", ".", "..", "/a/../..", "a/..", "a\0b", "a\nb"] {
            let wrong = CgroupPathError::Malformed(text.into());
            assert_eq!(CgroupPath::parse(text), Err(wrong), "{text:?}");
        }
        let systemd = CgroupPath::parse("system.slice:docker:abc").unwrap_err();
        assert!(matches!(systemd, CgroupPathError::Systemd(_)));
    }
}
