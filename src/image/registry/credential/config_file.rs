//! `config.json`: read whole, changed in one place, written whole. What else Docker keeps in it
//! stays as it is.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::fs::FlockOperation;
use serde_json::{Map, Value};

use super::error::CredentialError;
use super::secret::Credential;
use crate::image::registry::host::{Host, key_to_host};

/// Nobody has so many registries.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The file, in memory.
#[derive(Debug)]
pub struct ConfigFile {
    path: PathBuf,
    content: Map<String, Value>,
    /// Held while it is being changed, so that two at once do not undo each other.
    _directory: Option<File>,
}

/// `DOCKER_CONFIG`, or `~/.docker`.
fn directory() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("DOCKER_CONFIG").or_else(|| Some(set("HOME")?.join(".docker")))
}

fn failed(call: &'static str, path: &Path, source: impl Into<io::Error>) -> CredentialError {
    CredentialError::Io { call, path: path.into(), source: source.into() }
}

impl ConfigFile {
    /// Reads it, if there is a place for it.
    pub fn open_if_placed() -> Result<Option<Self>, CredentialError> {
        let Some(directory) = directory() else { return Ok(None) };
        Self::read(&directory.join("config.json")).map(Some)
    }

    /// Reads it; until it is dropped no other rrun changes it.
    pub fn open_to_change() -> Result<Self, CredentialError> {
        let directory = directory().ok_or(CredentialError::NoPlace)?;
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(&directory).map_err(|e| failed("mkdir", &directory, e))?;
        let held = File::open(&directory).map_err(|e| failed("open", &directory, e))?;
        rustix::io::retry_on_intr(|| rustix::fs::flock(&held, FlockOperation::LockExclusive))
            .map_err(|e| failed("flock", &directory, e))?;
        let path = directory.join("config.json");
        // Those who keep it elsewhere link to it; the link stays.
        let path = fs::canonicalize(&path).unwrap_or(path);
        Ok(Self { _directory: Some(held), ..Self::read(&path)? })
    }

    fn read(path: &Path) -> Result<Self, CredentialError> {
        let mut text = String::new();
        match File::open(path) {
            Ok(file) => {
                file.take(MAX_FILE_BYTES)
                    .read_to_string(&mut text)
                    .map_err(|e| failed("read", path, e))?;
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(failed("open", path, e)),
        }
        let content = match text.trim() {
            "" => Map::new(),
            text => serde_json::from_str(text)
                .map_err(|e| CredentialError::Invalid { path: path.into(), why: e.to_string() })?,
        };
        Ok(Self { path: path.into(), content, _directory: None })
    }

    /// The program that has a registry's credential: its own, or that of all.
    pub fn program(&self, host: &Host) -> Option<&str> {
        let own = self.content.get("credHelpers").and_then(Value::as_object);
        let own = own.and_then(|all| {
            let fits = |(key, _): &(&String, &Value)| is_key_of(key, host);
            all.iter().find(fits).map(|(_, name)| name)
        });
        let name = own.or_else(|| self.content.get("credsStore"))?.as_str()?;
        (!name.is_empty()).then_some(name)
    }

    /// The credential that stands in the file itself.
    pub fn find(&self, host: &Host) -> Result<Option<Credential>, CredentialError> {
        let Some(auths) = self.content.get("auths").and_then(Value::as_object) else {
            return Ok(None);
        };
        let exact = auths.get(host.credential_key());
        let near = || auths.iter().find(|(key, _)| is_key_of(key, host)).map(|(_, entry)| entry);
        let Some(entry) = exact.or_else(near) else { return Ok(None) };
        let text = |key| entry.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        if let Some(token) = text("identitytoken") {
            return Ok(Some(Credential::Token(token.into())));
        }
        if let (Some(user), Some(password)) = (text("username"), text("password")) {
            return Ok(Some(Credential::Password { user: user.into(), password: password.into() }));
        }
        let Some(packed) = text("auth") else { return Ok(None) };
        let wrong = || CredentialError::Invalid {
            path: self.path.clone(),
            why: format!("the field auth of {host} is not the base64 of name:password"),
        };
        let bytes = STANDARD.decode(packed).map_err(|_| wrong())?;
        let pair = String::from_utf8(bytes).map_err(|_| wrong())?;
        let (user, password) = pair.split_once(':').ok_or_else(wrong)?;
        // Docker's own reader takes zero bytes off the end.
        let password = password.trim_end_matches('\0');
        Ok(Some(Credential::Password { user: user.into(), password: password.into() }))
    }

    /// Puts a credential into the file.
    pub fn set(&mut self, host: &Host, credential: &Credential) {
        let entry = match credential {
            Credential::Password { user, password } => {
                serde_json::json!({"auth": STANDARD.encode(format!("{user}:{password}"))})
            }
            Credential::Token(token) => serde_json::json!({"identitytoken": token}),
        };
        let auths = self.content.entry("auths").or_insert_with(|| Value::Object(Map::new()));
        if !auths.is_object() {
            *auths = Value::Object(Map::new());
        }
        if let Some(auths) = auths.as_object_mut() {
            auths.insert(host.credential_key().into(), entry);
        }
    }

    /// Takes a registry's credential out of the file, under all of its keys; was there one?
    pub fn remove(&mut self, host: &Host) -> bool {
        let Some(auths) = self.content.get_mut("auths").and_then(Value::as_object_mut) else {
            return false;
        };
        let before = auths.len();
        auths.retain(|key, _| !is_key_of(key, host));
        auths.len() < before
    }

    /// Replaces the file, readable for its owner alone; gives its path.
    pub fn write(self) -> Result<PathBuf, CredentialError> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        let mut text = Vec::new();
        let tabs = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        let mut writer = serde_json::Serializer::with_formatter(&mut text, tabs);
        serde::Serialize::serialize(&self.content, &mut writer)
            .map_err(|e| failed("write", &self.path, io::Error::from(e)))?;
        let mut file = tempfile::Builder::new()
            .prefix(".config.json-")
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(directory)
            .map_err(|e| failed("open", directory, e))?;
        file.write_all(&text).map_err(|e| failed("write", &self.path, e))?;
        file.as_file().sync_all().map_err(|e| failed("fsync", &self.path, e))?;
        file.persist(&self.path).map_err(|e| failed("rename", &self.path, e.error))?;
        Ok(self.path)
    }
}

/// Old versions of Docker wrote addresses: `https://host/v1/`.
fn is_key_of(key: &str, host: &Host) -> bool {
    key == host.credential_key() || Host::parse(key_to_host(key)).is_ok_and(|own| own == *host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> ConfigFile {
        let content = serde_json::from_str(text).unwrap();
        ConfigFile { path: "config.json".into(), content, _directory: None }
    }

    fn password(user: &str, password: &str) -> Option<Credential> {
        Some(Credential::Password { user: user.into(), password: password.into() })
    }

    /// The forms in which versions of Docker have kept credentials, and what is none.
    #[test]
    fn forms() {
        let file = file(
            r#"{"auths": {
                "https://index.docker.io/v1/": {"auth": "dTpw"},
                "https://old.example/v1/": {"username": "a", "password": "b:c"},
                "token.example": {"auth": "", "identitytoken": "t"},
                "empty.example": {},
                "colon.example": {"auth": "dTpwOng="},
                "bad.example": {"auth": "!"},
                "half.example": {"auth": "dQ=="}
            }}"#,
        );
        let find = |host: &str| file.find(&Host::parse(host).unwrap());
        assert_eq!(find("docker.io").unwrap(), password("u", "p"));
        assert_eq!(find("old.example").unwrap(), password("a", "b:c"));
        assert_eq!(find("colon.example").unwrap(), password("u", "p:x"));
        assert_eq!(find("token.example").unwrap(), Some(Credential::Token("t".into())));
        assert_eq!(find("empty.example").unwrap(), None);
        assert_eq!(find("other.example").unwrap(), None);
        assert!(find("bad.example").is_err() && find("half.example").is_err());
        let shown = format!("{:?}", find("old.example"));
        assert!(!shown.contains("b:c"), "{shown}");
    }

    /// A program for one registry, one for the others, and none.
    #[test]
    fn programs() {
        let file = file(r#"{"credsStore": "all", "credHelpers": {"r.example": "one", "n": ""}}"#);
        let program = |host: &str| file.program(&Host::parse(host).unwrap());
        let found = [program("r.example"), program("docker.io"), program("n")];
        assert_eq!(found, [Some("one"), Some("all"), None]);
    }

    /// What is changed is one entry; the rest stays, in its order.
    #[test]
    fn changes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        let before =
            r#"{"zeta": [1], "auths": {"x.example": {"auth": "YTpi"}}, "alpha": {"b": 1}}"#;
        fs::write(&path, before).unwrap();
        let host = Host::parse("r.example:5000").unwrap();
        let mut file = ConfigFile::read(&path).unwrap();
        file.set(&host, &password("u", "p").unwrap());
        file.write().unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let mut file = ConfigFile::read(&path).unwrap();
        assert_eq!(file.find(&host).unwrap(), password("u", "p"));
        assert!(file.remove(&host) && !file.remove(&host));
        file.write().unwrap();
        let after: Map<String, Value> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let wanted: Map<String, Value> = serde_json::from_str(before).unwrap();
        assert_eq!(after, wanted);
        assert!(after.keys().eq(["zeta", "auths", "alpha"]));
    }
}
