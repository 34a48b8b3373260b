//! What an image says about the containers made of it.

use std::collections::{BTreeMap, BTreeSet};

use oci_spec::image::{Config, ConfigBuilder};

/// The part of an image's configuration that containers inherit, with nothing left to check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImageConfig {
    /// The user, as written: `name`, `uid`, `user:group`; empty for root.
    pub user: String,
    /// Ports to expose, `80/tcp`.
    pub exposed_ports: BTreeSet<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// What is always run; empty for none.
    pub entrypoint: Vec<String>,
    /// The default command, or arguments to the entrypoint; empty for none.
    pub cmd: Vec<String>,
    /// Directories that want a volume.
    pub volumes: BTreeSet<String>,
    /// The working directory; empty for the root.
    pub working_dir: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The signal that asks the command to end, as written.
    pub stop_signal: Option<String>,
}

impl ImageConfig {
    /// Reads the specification's form.
    pub fn from_oci(config: Option<&Config>) -> Self {
        let Some(config) = config else { return Self::default() };
        let list = |l: &Option<Vec<String>>| l.clone().unwrap_or_default();
        Self {
            user: config.user().clone().unwrap_or_default(),
            exposed_ports: list(config.exposed_ports()).into_iter().collect(),
            env: list(config.env()),
            entrypoint: list(config.entrypoint()),
            cmd: list(config.cmd()),
            volumes: list(config.volumes()).into_iter().collect(),
            working_dir: config.working_dir().clone().unwrap_or_default(),
            labels: config.labels().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
            stop_signal: config.stop_signal().clone().filter(|s| !s.is_empty()),
        }
    }

    /// Writes the specification's form; what is empty is left out.
    pub fn to_oci(&self) -> Result<Config, oci_spec::OciSpecError> {
        let mut built = ConfigBuilder::default();
        if !self.user.is_empty() {
            built = built.user(self.user.as_str());
        }
        if !self.exposed_ports.is_empty() {
            built = built.exposed_ports(self.exposed_ports.iter().cloned().collect::<Vec<_>>());
        }
        if !self.env.is_empty() {
            built = built.env(self.env.clone());
        }
        if !self.entrypoint.is_empty() {
            built = built.entrypoint(self.entrypoint.clone());
        }
        if !self.cmd.is_empty() {
            built = built.cmd(self.cmd.clone());
        }
        if !self.volumes.is_empty() {
            built = built.volumes(self.volumes.iter().cloned().collect::<Vec<_>>());
        }
        if !self.working_dir.is_empty() {
            built = built.working_dir(self.working_dir.as_str());
        }
        if !self.labels.is_empty() {
            built = built.labels(
                self.labels.clone().into_iter().collect::<std::collections::HashMap<_, _>>(),
            );
        }
        if let Some(signal) = &self.stop_signal {
            built = built.stop_signal(signal.as_str());
        }
        built.build()
    }
}
