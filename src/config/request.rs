//! Mount requests: what a user asked for with one flag, valid by itself.
//!
//! `mount_flag` makes them from text; `container` resolves them to volumes and sources, keeps
//! them in the container's record, and derives HostConfig's Binds, Mounts and Tmpfs from them
//! (V1.47, V10.08). Nothing here knows whether a source exists or how requests go together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::name::VolumeName;
use super::path::{HostPath, RootPath};
use super::propagation::Propagation;

/// One mount that a user asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountRequest {
    /// The flag and its value as typed: `-v data:/data:ro`. The origin of all that follows.
    pub flag: String,
    /// Which flag it was.
    pub style: Style,
    /// Where it goes, clean. All comparisons use this one (V1.24).
    pub target: RootPath,
    /// Where it goes, as typed.
    pub target_text: String,
    /// What `ro` asks for. A tmpfs also has the word in its options.
    pub read_only: ReadOnly,
    /// The options of `-v` or `--tmpfs` as typed, for inspect; empty for `--mount`.
    pub mode: String,
    /// What is mounted.
    pub kind: MountKind,
}

/// The flag that a request came from: the rules of collisions and of inspect differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// `-v`, `--volume`
    Volume,
    /// `--mount`
    Mount,
    /// `--tmpfs`
    Tmpfs,
}

/// How much of a mount is read-only (V11.02, V2.25).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadOnly {
    /// Nothing.
    No,
    /// The mount itself; those below it keep their state.
    TopOnly,
    /// Also all mounts below it, where the kernel can do that.
    Recursive,
    /// Also all mounts below it, or the mount fails.
    RecursiveStrict,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountKind {
    /// A volume of the store.
    Volume(VolumeRequest),
    /// A path of the host.
    Bind(BindRequest),
    /// A new tmpfs.
    Tmpfs(TmpfsRequest),
    /// An image's files, read-only.
    Image(ImageRequest),
}

/// A volume, made where it is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeRequest {
    /// Its name; none asks for an anonymous volume.
    pub source: Option<VolumeName>,
    /// The driver that makes it; none is `local`.
    pub driver: Option<String>,
    /// The driver's options (V8), used only if this request makes the volume.
    #[serde(default)]
    pub driver_options: BTreeMap<String, String>,
    /// Labels, used only if this request makes the volume (V2.19).
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Does an empty volume get what the image has at the target?
    pub copy_up: CopyUp,
    /// A part of the volume instead of all of it (V2.22).
    pub subpath: Option<SubPath>,
}

/// Does an empty volume get what the image has at the target (V5)?
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CopyUp {
    /// Yes, the default.
    #[default]
    Yes,
    /// `nocopy`
    No,
}

/// A file or directory of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindRequest {
    /// Which one: absolute, lexically clean, symbolic links not followed (V1.33).
    pub source: HostPath,
    /// The source as HostConfig.Binds keeps it: as typed, a relative one made absolute (V1.47).
    pub source_text: String,
    /// The propagation asked for; none is rprivate.
    pub propagation: Option<Propagation>,
    /// Do mounts below the source come along?
    pub recursion: Recursion,
    /// What if the source is missing?
    pub missing: MissingSource,
    /// Which label SELinux gives it.
    pub relabel: Relabel,
}

/// Do mounts below a bind's source come along (V2.25)?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recursion {
    /// Yes: rbind, the default.
    Enabled,
    /// `bind-recursive=disabled`
    Disabled,
}

/// What happens if a bind's source is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingSource {
    /// It is made, with its parents, as a directory (V1.29, V2.12).
    Create,
    /// It is an error (V2.11).
    Refuse,
}

/// `:z` and `:Z` (V1.08).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relabel {
    /// No change.
    No,
    /// `z`: a label that all containers may use.
    Shared,
    /// `Z`: this container's own label.
    Private,
}

/// A new tmpfs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TmpfsRequest {
    /// The words of an OCI mount in effect, the defaults among them, each decided once:
    /// `["nosuid", "nodev", "exec", "size=64m"]` (V3.01, V3.02).
    pub options: Vec<String>,
    /// `tmpfs-size` of `--mount`, for HostConfig.Mounts.
    pub size_bytes: Option<u64>,
    /// `tmpfs-mode` of `--mount`, for HostConfig.Mounts.
    pub mode: Option<u32>,
}

/// An image's files (V2.30).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRequest {
    /// Which image, as typed.
    pub reference: String,
    /// A part of the image instead of all of it.
    pub subpath: Option<SubPath>,
}

/// A relative path that stays inside what it is relative to, lexically clean.
///
/// Symbolic links are refused when it is resolved (V2.22); that is not a matter of text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct SubPath(String);

/// An absolute subpath, or one that climbs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("subpath must be a relative path within the volume")]
pub struct SubPathError;

impl SubPath {
    /// Parses a relative path. `.` is the whole.
    pub fn parse(text: &str) -> Result<Self, SubPathError> {
        if text.is_empty() || text.starts_with('/') || text.contains('\0') {
            return Err(SubPathError);
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop().ok_or(SubPathError)?;
                }
                name => parts.push(name),
            }
        }
        Ok(Self(if parts.is_empty() { ".".into() } else { parts.join("/") }))
    }

    /// The path for the `*at` calls.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for SubPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SubPath {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// `--volumes-from CONTAINER[:MODE]`: all volumes and binds of another container (V7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumesFrom {
    /// The value as typed, for HostConfig.VolumesFrom.
    pub text: String,
    /// The container's name, id or prefix of an id.
    pub container: String,
    /// Does the flag ask for read-only? That it does not never lifts a read-only mount (V7.04).
    pub read_only: ReadOnly,
}

impl MountRequest {
    /// Is it a volume without a name?
    pub fn is_anonymous_volume(&self) -> bool {
        matches!(&self.kind, MountKind::Volume(volume) if volume.source.is_none())
    }

    /// The entry of HostConfig.Binds: `-v` with a source has one (V1.47).
    pub fn bind_text(&self) -> Option<String> {
        let source = match (&self.style, &self.kind) {
            (Style::Volume, MountKind::Volume(volume)) => volume.source.as_ref()?.as_str(),
            (Style::Volume, MountKind::Bind(bind)) => &bind.source_text,
            _ => return None,
        };
        let mode = if self.mode.is_empty() { String::new() } else { format!(":{}", self.mode) };
        Some(format!("{source}:{}{mode}", self.target_text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// V2.22: which texts are subpaths.
    #[test]
    fn subpaths() {
        let cases = [
            ("sub", Some("sub")),
            ("sub//deep/.", Some("sub/deep")),
            ("a/../b", Some("b")),
            (".", Some(".")),
            ("/sub", None),
            ("../x", None),
            ("a/../../b", None),
            ("", None),
        ];
        for (text, clean) in cases {
            assert_eq!(SubPath::parse(text).ok().as_ref().map(SubPath::as_str), clean, "{text:?}");
        }
    }

    /// A record that somebody edited cannot climb out of a volume.
    #[test]
    fn a_record_is_parsed_too() {
        assert!(serde_json::from_str::<SubPath>("\"../x\"").is_err());
        assert!(serde_json::from_str::<SubPath>("\"x\"").is_ok());
    }
}
