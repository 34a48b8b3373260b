//! Why a plugin was of no use.

use std::io;
use std::time::Duration;

use super::http::HttpError;

/// Words of a plugin that are longer are cut.
const WORDS_MAX: usize = 1000;

/// Why a plugin was of no use. What a plugin said is in it with its control characters escaped.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// Nothing in the plugins' directories has that name (V4.03).
    #[error("error looking up volume plugin {name}: plugin \"{name}\" not found")]
    NotFound {
        /// The name.
        name: String,
    },
    /// What is in the plugins' directories says nothing of use.
    #[error("error looking up volume plugin {name}: {reason}")]
    Unusable {
        /// The plugin.
        name: String,
        /// What is wrong with its socket or its file.
        reason: String,
    },
    /// Nobody listens at the plugin's address.
    #[error("error looking up volume plugin {name}: dial {address}: connect: {source}")]
    Unreachable {
        /// The plugin.
        name: String,
        /// Its address.
        address: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// It is a plugin for something else.
    #[error("error looking up volume plugin {name}: plugin does not implement VolumeDriver")]
    OtherKind {
        /// The plugin.
        name: String,
    },
    /// It did not answer in time.
    #[error("{call}: plugin {name} did not answer within {}", seconds(*limit))]
    Silent {
        /// The plugin.
        name: String,
        /// What it was asked.
        call: &'static str,
        /// How long was waited.
        limit: Duration,
    },
    /// It answered with what is no answer.
    #[error("{call}: the answer of plugin {name} cannot be used: {reason}")]
    Answer {
        /// The plugin.
        name: String,
        /// What it was asked.
        call: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// It refused, with a status of HTTP.
    #[error("{call}: {words}")]
    Status {
        /// What it was asked.
        call: &'static str,
        /// Why, in its own words.
        words: String,
    },
    /// It refused: its `Err`.
    #[error("{0}")]
    Refused(String),
}

impl PluginError {
    /// What may help.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { name } if name.contains(['/', ':']) => Some(
                "plugins that `docker plugin install` manages run inside Docker; rrun speaks to \
                 those that serve a socket in /run/docker/plugins"
                    .into(),
            ),
            Self::NotFound { name } if name.starts_with("encrypt") => {
                Some("the driver that is built in is called encrypted".into())
            }
            Self::NotFound { .. } => Some(
                "a plugin serves a socket in /run/docker/plugins, or has a .spec or .json file in \
                 /etc/docker/plugins or /usr/lib/docker/plugins"
                    .into(),
            ),
            Self::Unreachable { name, .. } => {
                Some(format!("is the plugin {name} running? its socket is there, nobody listens"))
            }
            _ => None,
        }
    }
}

fn seconds(limit: Duration) -> String {
    match limit.as_secs() {
        0 => format!("{} ms", limit.as_millis()),
        seconds => format!("{seconds} s"),
    }
}

/// Words of a plugin as they may be shown on a terminal.
pub(super) fn shown(words: &str) -> String {
    let mut text: String = words
        .trim_end()
        .chars()
        .take(WORDS_MAX)
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            escaped.into_iter().flatten().chain((!c.is_control()).then_some(c))
        })
        .collect();
    if words.chars().nth(WORDS_MAX).is_some() {
        text.push('…');
    }
    text
}

/// Where an exchange failed: with whom and about what.
pub(super) struct Exchange<'a> {
    pub(super) name: &'a str,
    pub(super) address: String,
    pub(super) call: &'static str,
    pub(super) limit: Duration,
}

impl Exchange<'_> {
    pub(super) fn failed(self, error: HttpError) -> PluginError {
        let (name, call) = (self.name.to_owned(), self.call);
        match error {
            HttpError::Connect(source) => {
                PluginError::Unreachable { name, address: self.address, source }
            }
            HttpError::Silent => PluginError::Silent { name, call, limit: self.limit },
            HttpError::Broken(source) => {
                PluginError::Answer { name, call, reason: source.to_string() }
            }
            HttpError::Wrong(reason) => PluginError::Answer { name, call, reason: reason.into() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plugin's words reach a terminal as words, not as commands to it.
    #[test]
    fn hostile_words() {
        assert_eq!(shown("no\x1b[2J\nspace\n"), "no\\u{1b}[2J\\nspace");
        assert_eq!(shown(&"é".repeat(2000)).chars().count(), WORDS_MAX + 1);
        assert_eq!(shown("größe"), "größe");
    }
}
