//! Two kinds of paths that must never meet: one on the host, one inside the container's root.

use std::fmt;
use std::path::{Path, PathBuf};

/// A path of the host, as the caller gave it, made absolute.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct HostPath(PathBuf);

impl HostPath {
    /// Takes `path` as it is.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The path for a system call.
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// This path with `name` below it.
    pub fn join(&self, name: impl AsRef<Path>) -> Self {
        Self(self.0.join(name))
    }
}

impl fmt::Display for HostPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

/// A path inside the container's root: absolute and lexically clean (V1.24).
///
/// Clean is a matter of text, done once. What the path leads to is only known by resolving it
/// below the root's descriptor: symbolic links are not looked at here.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct RootPath(String);

impl RootPath {
    /// The root itself.
    pub fn root() -> Self {
        Self("/".into())
    }

    /// Cleans `text`: one slash between parts, no `.`, `..` climbs but never above the root.
    /// A relative text is taken from the root.
    pub fn clean(text: &str) -> Self {
        let mut parts: Vec<&str> = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                name => parts.push(name),
            }
        }
        Self(format!("/{}", parts.join("/")))
    }

    /// The path as text, with its leading slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path without its leading slash, for the `*at` calls; `.` for the root.
    pub fn relative(&self) -> &str {
        match &self.0[1..] {
            "" => ".",
            rest => rest,
        }
    }

    /// Is this the root itself?
    pub fn is_root(&self) -> bool {
        self.0 == "/"
    }

    /// How many names the path has; parents sort before children by it (V1.40).
    pub fn depth(&self) -> usize {
        self.0.split('/').filter(|part| !part.is_empty()).count()
    }

    /// Is this `other` or something below it?
    pub fn is_under(&self, other: &RootPath) -> bool {
        other.is_root()
            || self.0 == other.0
            || self.0.strip_prefix(&other.0).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl fmt::Display for RootPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// V1.24: destinations are cleaned by text alone, and never climb above the root.
    #[test]
    fn cleaning() {
        let cases = [
            ("/a//b/../c/", "/a/c"),
            ("/", "/"),
            ("//", "/"),
            ("/.", "/"),
            ("/a/..", "/"),
            ("/../../x", "/x"),
            ("dst", "/dst"),
            ("/data:ro", "/data:ro"),
            ("/with blank /x", "/with blank /x"),
        ];
        for (text, clean) in cases {
            assert_eq!(RootPath::clean(text).as_str(), clean, "{text:?}");
        }
    }

    /// A name that merely starts alike is not below.
    #[test]
    fn below() {
        let under = |a: &str, b: &str| RootPath::clean(a).is_under(&RootPath::clean(b));
        assert!(under("/a/b", "/a") && under("/a", "/a") && under("/a", "/"));
        assert!(!under("/ab", "/a") && !under("/a", "/a/b"));
    }
}
