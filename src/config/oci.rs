//! Reading an OCI config: JSON → [`Spec`], with what is wrong said plainly.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use oci_spec::runtime::Spec;

/// The largest config that is read. Docker's are 20 KB; 5,000 mounts are 1 MB.
const CONFIG_LIMIT_BYTES: u64 = 64 << 20;

/// What can be wrong with a config file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("open({path:?}): {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// It is larger than any config.
    #[error("{path:?} is larger than {CONFIG_LIMIT_BYTES} bytes, which is no config")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is no JSON, or not a config's.
    #[error("{path:?}: {source}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: serde_json::Error,
    },
    /// A version of the specification that is not 1.x.
    #[error("{path:?}: ociVersion {version:?} is invalid, 1.x is what rrun reads")]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says.
        version: String,
    },
}

/// A config and what was passed over while reading it.
#[derive(Debug)]
pub struct Config {
    /// The config.
    pub spec: Spec,
    /// Capabilities that are unknown here, in the config's words.
    pub unknown_capabilities: Vec<String>,
}

/// Reads the config at `path`.
pub fn read(path: &Path, last_capability: u8) -> Result<Config, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.into(), source };
    let file = File::open(path).map_err(unreadable)?;
    // Room for all of it, so that one read(2) takes it.
    let length = file.metadata().map_err(unreadable)?.len().min(CONFIG_LIMIT_BYTES);
    let mut text = Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1);
    file.take(CONFIG_LIMIT_BYTES + 1).read_to_end(&mut text).map_err(unreadable)?;
    if text.len() as u64 > CONFIG_LIMIT_BYTES {
        return Err(ConfigError::TooLarge { path: path.into() });
    }
    parse(path, &text, last_capability)
}

/// Reads a config from `text`; `path` is where it came from.
pub fn parse(path: &Path, text: &[u8], last_capability: u8) -> Result<Config, ConfigError> {
    let malformed = |source| ConfigError::Malformed { path: path.into(), source };
    // oci-spec refuses a config for one capability that it does not know, where the
    // specification wants a warning. So a config is read as JSON again only if it was refused.
    let (spec, unknown_capabilities) = match serde_json::from_slice::<Spec>(text) {
        Ok(spec) => (spec, Vec::new()),
        Err(refusal) => {
            let mut value: serde_json::Value = serde_json::from_slice(text).map_err(malformed)?;
            let unknown = super::capability::filter_unknown(&mut value, last_capability);
            if unknown.is_empty() {
                return Err(malformed(refusal));
            }
            (serde_json::from_value(value).map_err(malformed)?, unknown)
        }
    };
    if !spec.version().starts_with("1.") {
        let version = spec.version().clone();
        return Err(ConfigError::Version { path: path.into(), version });
    }
    Ok(Config { spec, unknown_capabilities })
}
