//! What a user asked for with `run` or `create`: a value, valid by itself, kept in the record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::name::ContainerName;
use crate::config::request::{MountRequest, VolumesFrom};

/// The options of `run` and `create`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunOptions {
    /// The image, as typed.
    pub image: String,
    /// What stands after the image.
    pub command: Vec<String>,
    /// `--name`
    pub name: Option<ContainerName>,
    /// `-v`, `--mount`, `--tmpfs`, in the order given; collisions are settled.
    pub mounts: Vec<MountRequest>,
    /// `--volumes-from`
    pub volumes_from: Vec<VolumesFrom>,
    /// `-e` and `--env-file`: `NAME=value`, taken from the caller where no value was given.
    pub env: Vec<String>,
    /// `--entrypoint`; an empty list clears the image's.
    pub entrypoint: Option<Vec<String>>,
    /// `-w`
    pub working_dir: Option<String>,
    /// `-u`
    pub user: Option<String>,
    /// `--label`
    pub labels: BTreeMap<String, String>,
    /// `-i`
    pub interactive: bool,
    /// `-t`
    pub terminal: bool,
    /// `--rm`
    pub remove: bool,
    /// What the container may do and use.
    pub limits: Limits,
    /// Where its names and network come from.
    pub network: Network,
}

/// What a container may do and use.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// `--read-only`
    pub read_only_root: bool,
    /// `--privileged`
    pub privileged: bool,
    /// `--cap-add`
    pub cap_add: Vec<String>,
    /// `--cap-drop`
    pub cap_drop: Vec<String>,
    /// `--security-opt`
    pub security: Vec<String>,
    /// `--shm-size`, bytes.
    pub shm_size: Option<u64>,
    /// `--memory`, bytes.
    pub memory: Option<u64>,
    /// `--cpus`, in billionths of a processor.
    pub nano_cpus: Option<u64>,
    /// `--pids-limit`; -1 for none.
    pub pids: Option<i64>,
    /// `--ulimit`
    pub ulimits: Vec<Ulimit>,
}

/// `--ulimit NAME=SOFT[:HARD]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// The name, as `nofile`.
    pub name: String,
    /// The soft limit.
    pub soft: u64,
    /// The hard limit.
    pub hard: u64,
}

/// Which network a container has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// Its own, with nothing but loopback.
    #[default]
    None,
    /// The host's.
    Host,
}

/// Where a container's names and network come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// `--network`
    pub mode: NetworkMode,
    /// `--hostname`
    pub hostname: Option<String>,
    /// `--domainname`
    pub domainname: Option<String>,
}
