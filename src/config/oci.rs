//! An OCI config: JSON → [`Spec`], with what is wrong said plainly.

use std::path::{Path, PathBuf};

use oci_spec::runtime::{Mount, Spec};

use super::mount_option::MountOptions;

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
    /// What is not as it should be, and no reason to refuse it.
    pub warnings: Vec<ConfigWarning>,
}

/// What is not as it should be in a config, and no reason to refuse it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigWarning {
    /// Capabilities that are unknown here, in the config's words.
    #[error("ignoring unknown or unavailable capabilities: [{}]", .0.join(" "))]
    Capabilities(Vec<String>),
    /// A word that means nothing to a bind, which has no file system to ask.
    #[error("ignoring the unknown option {word:?} of the bind on {target:?} (/mounts/{index})")]
    BindOption {
        /// Which mount.
        index: usize,
        /// Where it goes.
        target: PathBuf,
        /// The word.
        word: String,
    },
    /// A place that is counted from `/`, as in the specification's first versions.
    #[error("the destination {target:?} of /mounts/{index} is relative; it is counted from /")]
    RelativeDestination {
        /// Which mount.
        index: usize,
        /// Its destination.
        target: PathBuf,
    },
}

/// Reads a config from `text`; `path` is where it came from.
pub fn parse(path: &Path, text: &[u8], last_capability: u8) -> Result<Config, ConfigError> {
    let malformed = |source| ConfigError::Malformed { path: path.into(), source };
    // oci-spec refuses a config for one capability that it does not know, where the
    // specification wants a warning. So a config is read as JSON again only if it was refused.
    let (spec, unknown) = match serde_json::from_slice::<Spec>(text) {
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
    let mut warnings = Vec::new();
    if !unknown.is_empty() {
        warnings.push(ConfigWarning::Capabilities(unknown));
    }
    for (index, mount) in spec.mounts().iter().flatten().enumerate() {
        look_at_mount(index, mount, &mut warnings);
    }
    Ok(Config { spec, warnings })
}

/// Of mount(2) and for file systems; other runtimes take them for a bind, too, and so do we.
const WITHOUT_MEANING: [&str; 5] = ["sync", "dirsync", "lazytime", "mand", "remount"];

fn look_at_mount(index: usize, mount: &Mount, warnings: &mut Vec<ConfigWarning>) {
    let target = mount.destination();
    if target.is_relative() {
        warnings.push(ConfigWarning::RelativeDestination { index, target: target.clone() });
    }
    let Some(words) = mount.options() else { return };
    if mount.typ().as_deref() != Some("bind") && !words.iter().any(|w| w == "bind" || w == "rbind")
    {
        return;
    }
    // What has a value is data that engines add to binds and tmpfs alike (`mode=755`).
    let unknown = MountOptions::parse(words.iter().map(String::as_str)).data.into_iter();
    let unknown = unknown.filter(|word| word.value.is_none());
    for word in unknown.filter(|word| !WITHOUT_MEANING.contains(&word.key.as_str())) {
        let target = target.clone();
        warnings.push(ConfigWarning::BindOption { index, target, word: word.key });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What other runtimes pass over in silence is told, and what engines do send is not.
    #[test]
    fn warnings() {
        let mount = |destination: &str, options: &[&str]| {
            serde_json::json!({
                "destination": destination, "type": "bind", "source": "/s", "options": options
            })
        };
        let text = serde_json::json!({ "ociVersion": "1.0.2", "mounts": [
            mount("/a", &["rbind", "ro", "rprivate", "mode=755", "size=1k", "sync"]),
            mount("/b", &["bind", "readonly"]),
            mount("c/d", &["bind"]),
        ]});
        let config = parse(Path::new("config.json"), text.to_string().as_bytes(), 40).unwrap();
        let told: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "ignoring the unknown option \"readonly\" of the bind on \"/b\" (/mounts/1)",
                "the destination \"c/d\" of /mounts/2 is relative; it is counted from /",
            ]
        );
    }
}
