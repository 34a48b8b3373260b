//! What a user asked for with `run` or `create`: a value, valid by itself, kept in the record.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::restart::RestartPolicy;
use crate::config::name::ContainerName;
use crate::config::port::Published;
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
    /// `--volume-driver`: that of the volumes of `-v` and of the image; empty for `local`.
    #[serde(default)]
    pub volume_driver: String,
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
    /// `-d`: nobody attaches at the start.
    #[serde(default)]
    pub detached: bool,
    /// `--restart`
    #[serde(default)]
    pub restart: RestartPolicy,
    /// `--stop-signal`, as given.
    #[serde(default)]
    pub stop_signal: Option<String>,
    /// `--stop-timeout`, seconds; -1 for no limit.
    #[serde(default)]
    pub stop_timeout: Option<i64>,
    /// What the container may do and use.
    pub limits: Limits,
    /// Where its names and network come from.
    pub network: Network,
    /// Where its output is kept.
    #[serde(default)]
    pub log: Log,
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// Its own, with nothing but loopback.
    #[default]
    None,
    /// The host's.
    Host,
    /// Its own, which `pasta` connects with the host's.
    Pasta,
    /// Another container's.
    Container(String),
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
    /// `-p`
    pub ports: Vec<Published>,
}

/// Where a container's output is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Log {
    /// `--log-driver`
    pub driver: LogDriver,
    /// `--log-opt`, as given.
    pub options: BTreeMap<String, String>,
    /// `max-size`: a file that has grown so large is put aside; none never is.
    pub max_size_bytes: Option<u64>,
    /// `max-file`: how many files there are at most, the current one among them.
    pub max_files: u32,
    /// `compress`: are the files put aside compressed?
    pub compress: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            driver: LogDriver::default(),
            options: BTreeMap::new(),
            max_size_bytes: None,
            max_files: 1,
            compress: false,
        }
    }
}

/// The form in which a container's output is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogDriver {
    /// A JSON object a line (V12.21).
    #[default]
    JsonFile,
    /// As little as is needed, in files of a bounded size.
    Local,
    /// It is not kept.
    None,
}

impl LogDriver {
    /// All, with their words.
    pub const ALL: [(LogDriver, &'static str); 3] = [
        (LogDriver::JsonFile, "json-file"),
        (LogDriver::Local, "local"),
        (LogDriver::None, "none"),
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(driver, _)| *driver == self).map_or("json-file", |(_, word)| word)
    }
}

impl NetworkMode {
    /// The word for it.
    pub fn word(&self) -> Cow<'static, str> {
        match self {
            NetworkMode::None => "none".into(),
            NetworkMode::Host => "host".into(),
            NetworkMode::Pasta => "pasta".into(),
            NetworkMode::Container(name) => format!("container:{name}").into(),
        }
    }
}
