//! What is kept of a container: `container.json`, written once, and `state.json`, which changes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::options::RunOptions;
use crate::config::name::{ContainerName, VolumeName};
use crate::config::path::{HostPath, RootPath};
use crate::config::port::Published;
use crate::config::propagation::Propagation;
use crate::config::request::{ReadOnly, Recursion, SubPath};

/// A container as it was created.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerRecord {
    /// 64 hex digits.
    pub id: String,
    /// Its name.
    pub name: ContainerName,
    /// When it was created: RFC 3339 with nanoseconds, UTC.
    pub created: String,
    /// The image's id, `sha256:…`.
    pub image_id: String,
    /// The directories of the image's layers, the topmost first.
    pub layers: Vec<PathBuf>,
    /// What the user asked for.
    pub options: RunOptions,
    /// What the process is, from image and options.
    pub process: ProcessRecord,
    /// The mounts, resolved, in the order in which they are made.
    pub mounts: Vec<ResolvedMount>,
}

/// What a container's process is: image and options together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessRecord {
    /// The entry point in effect.
    pub entrypoint: Vec<String>,
    /// The command in effect.
    pub command: Vec<String>,
    /// `NAME=value`, as inspect shows it: the image's and the user's.
    pub env: Vec<String>,
    /// The working directory, `/` if nobody named one.
    pub working_dir: String,
    /// The user as written; empty for root.
    pub user: String,
    /// The image's labels and the user's.
    pub labels: BTreeMap<String, String>,
    /// The image's ports.
    pub exposed_ports: Vec<String>,
    /// The image's VOLUME paths and `-v /path`, as Config.Volumes shows them.
    pub volumes: Vec<String>,
    /// The image's signal to end.
    pub stop_signal: Option<String>,
}

/// A mount of which everything is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedMount {
    /// What asked for it: `-v data:/data:ro`, `--volumes-from web`, `VOLUME /vol`.
    pub origin: String,
    /// Where it goes.
    pub target: RootPath,
    /// How much of it is read-only.
    pub read_only: ReadOnly,
    /// The propagation; none is rprivate.
    pub propagation: Option<Propagation>,
    /// Mode of inspect's Mounts (V10).
    pub mode: String,
    /// What it is.
    pub what: Mounted,
}

/// What a resolved mount is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Mounted {
    /// A volume of the store.
    Volume {
        /// Its name.
        name: VolumeName,
        /// Its driver.
        driver: String,
        /// A part of it.
        subpath: Option<SubPath>,
        /// Does it go with the container (no name was given, V6.02)?
        ownership: Ownership,
    },
    /// A path of the host.
    Bind {
        /// Which.
        source: HostPath,
        /// Do mounts below it come along?
        recursion: Recursion,
    },
    /// A new tmpfs.
    Tmpfs {
        /// The words of the OCI mount.
        options: Vec<String>,
        /// `--mount` shows in inspect's Mounts, `--tmpfs` in HostConfig.Tmpfs only.
        listed: Listed,
    },
    /// An image's files.
    Image {
        /// As typed.
        reference: String,
        /// Its layers' directories, the topmost first.
        layers: Vec<PathBuf>,
        /// A part of it.
        subpath: Option<SubPath>,
    },
}

/// Does a volume go with its container?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ownership {
    /// Nobody named it: `rm -v` and `--rm` remove it (V6.02).
    Anonymous,
    /// It has a name and stays.
    Named,
}

/// Does inspect's Mounts list a tmpfs (V10.06, V10.07)?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Listed {
    /// Yes.
    InMounts,
    /// In HostConfig.Tmpfs only.
    InHostConfig,
}

/// How a container is now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerState {
    /// Created, running or exited.
    pub status: Status,
    /// The process id of a running container's first process; 0 otherwise.
    pub pid: i32,
    /// When that process started, in ticks since the boot.
    pub start_ticks: u64,
    /// The ports that lead into it, while it runs.
    pub ports: Vec<Published>,
    /// How often it was started again by its restart policy.
    pub restarts: u32,
    /// The last exit status.
    pub exit_code: u8,
    /// Why it could not be started.
    pub error: String,
    /// When it was started last: RFC 3339 with nanoseconds; empty if never.
    pub started: String,
    /// When it ended last; empty if never.
    pub finished: String,
}

/// Docker's words for how a container is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Never started, or it could not be.
    #[default]
    Created,
    /// Its process is there.
    Running,
    /// It has ended and will be started again.
    Restarting,
    /// Its process has ended.
    Exited,
}

impl Status {
    /// Does somebody watch over a container that is like this?
    pub fn has_supervisor(self) -> bool {
        matches!(self, Status::Running | Status::Restarting)
    }

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Status::Created => "created",
            Status::Running => "running",
            Status::Restarting => "restarting",
            Status::Exited => "exited",
        }
    }
}
