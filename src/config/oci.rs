//! An OCI config: JSON → [`Spec`], with what is wrong said plainly.

use std::path::{Path, PathBuf};

use oci_spec::runtime::Spec;

/// What can be wrong with a config.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
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
