//! Sources and targets of mounts, as text.

use std::path::{Component, Path, PathBuf};

use crate::config::path::{HostPath, RootPath};

use super::error::ConfigReason;

/// Parses a target: absolute, and not the root itself (V1.21, V1.23).
pub(super) fn target(text: &str) -> Result<RootPath, ConfigReason> {
    let clean = RootPath::clean(text);
    if !text.starts_with('/') {
        return Err(ConfigReason::Relative(text.into()));
    }
    if clean.is_root() { Err(ConfigReason::Root) } else { Ok(clean) }
}

/// A source on the host: what is mounted, and the text to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// Absolute and clean.
    pub(super) path: HostPath,
    /// As typed, or absolute where that was relative (V1.47).
    pub(super) text: String,
}

/// Takes `text` as a path of the host; none where it is no path, so a volume's name.
///
/// What starts with a dot is relative to the current directory, what starts with a slash is
/// absolute, and all else is no path (V1.04, V1.05).
pub(super) fn source(text: &str, current: &Path) -> Option<Source> {
    if text.starts_with('/') {
        return Some(Source { path: HostPath::new(clean(Path::new(text))), text: text.into() });
    }
    if !text.starts_with('.') {
        return None;
    }
    let path = clean(&current.join(text));
    let text = path.to_string_lossy().into_owned();
    Some(Source { path: HostPath::new(path), text })
}

/// Cleans a host's path by its text alone, as V1.24 does with targets.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    clean
}
