//! The calls of the protocol (V9.02 to V9.08) and what comes back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::discovery::Plugin;
use super::error::{Exchange, PluginError, shown};
use super::http::{self, Endpoint};

/// Calls that may have to reach a server far away (V9.08).
const LONG: Duration = Duration::from_secs(120);
const MIDDLE: Duration = Duration::from_secs(60);
/// Questions.
const SHORT: Duration = Duration::from_secs(10);

/// A mount point that is longer is none.
const PATH_MAX: usize = 4095;

/// How long a plugin is waited for.
#[derive(Debug, Clone, Copy)]
pub enum Patience {
    /// As long as each call may take: somebody wants this very volume.
    PerCall,
    /// No longer than this for everything: it is only asked along with others.
    Until(Instant),
}

/// A plugin that said that it is one for volumes.
#[derive(Debug)]
pub struct Session<'a> {
    plugin: &'a Plugin,
    endpoint: &'a Endpoint,
    patience: Patience,
}

/// A volume as its plugin shows it.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RemoteVolume {
    /// Its name.
    pub name: String,
    /// Where it is mounted; empty if it is not.
    pub mountpoint: Option<String>,
    /// Whatever the plugin wants to say.
    pub status: Option<Map<String, Value>>,
}

/// All answers in one: which of them is there depends on the call.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Answer {
    err: Option<String>,
    implements: Option<Vec<String>>,
    mountpoint: Option<String>,
    volume: Option<RemoteVolume>,
    volumes: Option<Vec<RemoteVolume>>,
    capabilities: Option<Capabilities>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Capabilities {
    scope: Option<String>,
}

/// Is a volume one of this host, or of all hosts that have the plugin?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Of this host.
    Local,
    /// Of all.
    Global,
}

impl Scope {
    /// The word that `inspect` shows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Global => "global",
        }
    }
}

impl<'a> Session<'a> {
    /// Asks the plugin what it is. There is no daemon that could remember it.
    pub fn open(plugin: &'a Plugin, patience: Patience) -> Result<Self, PluginError> {
        let endpoint = plugin.endpoint.as_ref().map_err(|reason| PluginError::Unusable {
            name: plugin.name.clone(),
            reason: reason.clone(),
        })?;
        let session = Self { plugin, endpoint, patience };
        let answer = session.call("Plugin.Activate", &Value::Null, SHORT)?;
        let implements = answer.implements.unwrap_or_default();
        if !implements.iter().any(|kind| kind == "VolumeDriver") {
            return Err(PluginError::OtherKind { name: plugin.name.clone() });
        }
        Ok(session)
    }

    /// The volume; `None` if the plugin has none of that name. Docker takes any refusal for that
    /// (V9.04), for the protocol has no other word.
    pub fn get(&self, name: &str) -> Result<Option<RemoteVolume>, PluginError> {
        match self.call("VolumeDriver.Get", &json!({"Name": name}), SHORT) {
            Ok(answer) => Ok(answer.volume),
            Err(PluginError::Refused(_) | PluginError::Status { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Makes a volume.
    pub fn create(
        &self,
        name: &str,
        options: &BTreeMap<String, String>,
    ) -> Result<(), PluginError> {
        let options = (!options.is_empty()).then_some(options);
        let body = json!({"Name": name, "Opts": options});
        self.call("VolumeDriver.Create", &body, LONG).map(drop)
    }

    /// Removes a volume and its data.
    pub fn remove(&self, name: &str) -> Result<(), PluginError> {
        self.call("VolumeDriver.Remove", &json!({"Name": name}), MIDDLE).map(drop)
    }

    /// Mounts a volume for the user `id`: where, on this host.
    pub fn mount(&self, name: &str, id: &str) -> Result<String, PluginError> {
        let body = json!({"Name": name, "ID": id});
        let answer = self.call("VolumeDriver.Mount", &body, LONG)?;
        let path = match answer.mountpoint.filter(|path| !path.is_empty()) {
            Some(path) => path,
            // V9.05: the call for who does not know it.
            None => {
                let answer = self.call("VolumeDriver.Path", &json!({"Name": name}), SHORT)?;
                answer.mountpoint.unwrap_or_default()
            }
        };
        self.mountpoint(path)
    }

    /// Ends the use of the user `id`.
    pub fn unmount(&self, name: &str, id: &str) -> Result<(), PluginError> {
        let body = json!({"Name": name, "ID": id});
        self.call("VolumeDriver.Unmount", &body, MIDDLE).map(drop)
    }

    /// All volumes of the plugin.
    pub fn list(&self) -> Result<Vec<RemoteVolume>, PluginError> {
        Ok(self.call("VolumeDriver.List", &json!({}), SHORT)?.volumes.unwrap_or_default())
    }

    /// V9.03: what is missing or wrong is local.
    pub fn scope(&self) -> Result<Scope, PluginError> {
        let answer = match self.call("VolumeDriver.Capabilities", &json!({}), SHORT) {
            // Older than the call.
            Err(PluginError::Refused(_) | PluginError::Status { .. }) => return Ok(Scope::Local),
            other => other?,
        };
        let scope = answer.capabilities.and_then(|capabilities| capabilities.scope);
        Ok(match scope.map(|word| word.to_lowercase()).as_deref() {
            Some("global") => Scope::Global,
            _ => Scope::Local,
        })
    }

    /// A mount point that can be one: a clean, absolute path.
    fn mountpoint(&self, path: String) -> Result<String, PluginError> {
        let parts = || path.split('/').skip(1);
        let clean = path.starts_with('/')
            && path.len() <= PATH_MAX
            && !path.contains('\0')
            && parts().all(|part| part != "..");
        if clean {
            return Ok(path);
        }
        Err(PluginError::Answer {
            name: self.plugin.name.clone(),
            call: "VolumeDriver.Mount",
            reason: format!("the mount point {:?} is no absolute path", shown(&path)),
        })
    }

    fn call(
        &self,
        call: &'static str,
        body: &Value,
        usual: Duration,
    ) -> Result<Answer, PluginError> {
        let limit = match self.patience {
            Patience::PerCall => usual,
            Patience::Until(end) => end.saturating_duration_since(Instant::now()).min(usual),
        };
        let limit = limit.min(longest());
        let exchange = Exchange {
            name: &self.plugin.name,
            address: match self.endpoint {
                Endpoint::Unix(path) => format!("unix {}", path.display()),
                Endpoint::Tcp(address) => format!("tcp {address}"),
            },
            call,
            limit,
        };
        let body = if body.is_null() { String::new() } else { format!("{body}\n") };
        let path = format!("/{call}");
        let reply = http::post(self.endpoint, (&path, body.as_bytes()), limit)
            .map_err(|error| exchange.failed(error))?;
        self.read(call, &reply)
    }

    fn read(&self, call: &'static str, reply: &http::Reply) -> Result<Answer, PluginError> {
        if reply.status != 200 {
            let answer = parse::<Answer>(&reply.body).ok();
            let words = match answer.and_then(|answer| answer.err) {
                Some(words) if !words.is_empty() => words,
                _ => format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body)),
            };
            return Err(PluginError::Status { call, words: shown(&words) });
        }
        let answer = parse::<Answer>(&reply.body).map_err(|e| PluginError::Answer {
            name: self.plugin.name.clone(),
            call,
            reason: shown(&e.to_string()),
        })?;
        match &answer.err {
            Some(words) if !words.is_empty() => Err(PluginError::Refused(shown(words))),
            _ => Ok(answer),
        }
    }
}

/// An empty body is an answer without fields.
fn parse<T: DeserializeOwned + Default>(body: &[u8]) -> serde_json::Result<T> {
    if body.trim_ascii().is_empty() { Ok(T::default()) } else { serde_json::from_slice(body) }
}

/// The longest that any call may take: `RRUN_PLUGIN_TIMEOUT`, in seconds.
fn longest() -> Duration {
    let wanted = std::env::var("RRUN_PLUGIN_TIMEOUT").ok();
    let seconds = wanted.and_then(|text| text.parse::<f64>().ok());
    seconds.and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or(LONG)
}
