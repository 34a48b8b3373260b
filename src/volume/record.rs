//! `volume.json`: what is kept of a volume.

use std::collections::BTreeMap;

use crate::config::name::VolumeName;

/// The label that every volume without a name of the user's carries (V4.05).
pub const ANONYMOUS_LABEL: &str = "com.docker.volume.anonymous";

/// A volume as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct VolumeRecord {
    /// Its name, which is its directory's too.
    pub name: VolumeName,
    /// Who mounts it: `local`, `encrypted`, or a plugin's name.
    pub driver: String,
    /// When it was made: RFC 3339, seconds, UTC.
    pub created: String,
    /// The user's labels, and that of anonymous volumes.
    pub labels: BTreeMap<String, String>,
    /// The driver's options, as given.
    pub options: BTreeMap<String, String>,
    /// For an anonymous volume: what it was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The last filling from an image, which may be under way or broken off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_up: Option<CopyUpMark>,
    /// The driver has not made its part of the volume yet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pending: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_false(value: &bool) -> bool {
    !value
}

impl VolumeRecord {
    /// A volume that is not recorded: only its driver knows of it.
    pub fn remote(name: VolumeName, driver: &str) -> Self {
        Self {
            name,
            driver: driver.into(),
            created: String::new(),
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
            origin: None,
            copy_up: None,
            pending: false,
        }
    }

    /// Is it a directory of this host, which nobody has to mount?
    pub fn is_plain(&self) -> bool {
        self.driver == "local" && self.options.is_empty()
    }

    /// Was it made without a name?
    pub fn is_anonymous(&self) -> bool {
        self.labels.contains_key(ANONYMOUS_LABEL)
    }
}

/// What an anonymous volume was made for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Origin {
    /// The image of the container.
    pub image: String,
    /// The container's id.
    pub container: String,
    /// Where in the container it is mounted.
    pub path: String,
}

/// Where a volume's first content came from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CopyUpMark {
    /// `in-progress` is written before the first file and replaced after the last: who finds it
    /// under the volume's lock finds a copy that broke off.
    pub state: CopyUpState,
    /// The image.
    pub image: String,
    /// The directory in the image.
    pub path: String,
}

/// How far a copy-up is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CopyUpState {
    /// Begun.
    InProgress,
    /// All is there.
    Done,
}
