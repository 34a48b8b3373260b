//! Where plugins are (V9.01): a socket in a directory, or a file that says where the socket is.
//!
//! Looked up by name at each use; nothing is remembered. `RRUN_PLUGIN_DIRS`, directories with
//! colons between, takes the place of Docker's.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::error::{PluginError, shown};
use super::http::Endpoint;

/// Docker's directories. Sockets are looked for in each of them, too.
const DIRECTORIES: [&str; 3] =
    ["/run/docker/plugins", "/etc/docker/plugins", "/usr/lib/docker/plugins"];
/// Files that are longer are not read.
const FILE_MAX: u64 = 64 << 10;
/// More plugins than anyone has.
const PLUGINS_MAX: usize = 64;

/// A plugin that is installed. Whether it runs is seen when it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugin {
    pub(super) name: String,
    /// Where it listens, or why that cannot be known.
    pub(super) endpoint: Result<Endpoint, String>,
}

/// `NAME.json`.
#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Description {
    addr: String,
    #[serde(rename = "TLSConfig")]
    tls: Option<serde_json::Value>,
}

impl Plugin {
    /// The plugin called `name`.
    pub fn find(name: &str) -> Result<Self, PluginError> {
        find_in(&directories(), name).ok_or_else(|| PluginError::NotFound { name: shown(name) })
    }

    /// All plugins, by name.
    pub fn all() -> Vec<Self> {
        all_in(&directories())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn directories() -> Vec<PathBuf> {
    match std::env::var_os("RRUN_PLUGIN_DIRS") {
        Some(list) => std::env::split_paths(&list).filter(|path| path.is_absolute()).collect(),
        None => DIRECTORIES.iter().map(PathBuf::from).collect(),
    }
}

/// A name that is one entry of a directory and hides nothing.
fn is_name(text: &str) -> bool {
    let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(of_name)
}

fn find_in(directories: &[PathBuf], name: &str) -> Option<Plugin> {
    if !is_name(name) {
        return None;
    }
    let of = |endpoint| Plugin { name: name.to_owned(), endpoint };
    for directory in directories {
        for place in [directory.clone(), directory.join(name)] {
            let file = |extension: &str| place.join(format!("{name}.{extension}"));
            let socket = file("sock");
            // stat(2) follows links, as Docker does: a plugin may link its socket here.
            if socket.metadata().is_ok_and(|seen| seen.file_type().is_socket()) {
                return Some(of(Ok(Endpoint::Unix(socket))));
            }
            if let Some(text) = read(&file("spec")) {
                return Some(of(text.and_then(|text| address(text.trim()))));
            }
            if let Some(text) = read(&file("json")) {
                return Some(of(text.and_then(|text| described(&text))));
            }
        }
    }
    None
}

fn all_in(directories: &[PathBuf]) -> Vec<Plugin> {
    let mut names = std::collections::BTreeSet::new();
    for directory in directories {
        let Ok(entries) = std::fs::read_dir(directory) else { continue };
        for entry in entries.flatten() {
            let Ok(file) = entry.file_name().into_string() else { continue };
            let bare = ["sock", "spec", "json"]
                .iter()
                .find_map(|extension| file.strip_suffix(extension)?.strip_suffix('.'));
            names.insert(bare.unwrap_or(&file).to_owned());
        }
    }
    let found = names.iter().filter_map(|name| find_in(directories, name));
    found.take(PLUGINS_MAX).collect()
}

/// The text of a file; `None` where there is none.
fn read(path: &Path) -> Option<Result<String, String>> {
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    // A fifo must not keep us waiting.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return None,
        Err(e) => return Some(Err(failed(e.into()))),
    };
    if !file.metadata().is_ok_and(|seen| seen.is_file()) {
        return Some(Err(format!("{}: not a regular file", path.display())));
    }
    let mut text = String::new();
    Some(file.take(FILE_MAX).read_to_string(&mut text).map(|_| text).map_err(failed))
}

fn described(text: &str) -> Result<Endpoint, String> {
    let description: Description = serde_json::from_str(text).map_err(|e| e.to_string())?;
    if description.tls.is_some_and(|tls| !tls.is_null()) {
        return Err("its TLSConfig is not supported: only plain sockets are".into());
    }
    address(&description.addr)
}

/// `unix:///path` or `tcp://host:port`.
fn address(url: &str) -> Result<Endpoint, String> {
    let unusable = || format!("{:?} is no unix:///PATH or tcp://ADDRESS:PORT", shown(url));
    let (scheme, rest) = url.split_once("://").ok_or_else(unusable)?;
    match scheme {
        "unix" if rest.starts_with('/') => Ok(Endpoint::Unix(rest.into())),
        "tcp" | "http" => tcp(rest.trim_end_matches('/')).map(Endpoint::Tcp).ok_or_else(unusable),
        "https" => Err("TLS is not supported: only plain sockets are".into()),
        _ => Err(unusable()),
    }
}

fn tcp(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let host = match host {
        "localhost" => IpAddr::from([127, 0, 0, 1]),
        _ => host.trim_start_matches('[').trim_end_matches(']').parse().ok()?,
    };
    Some(SocketAddr::new(host, port))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    /// V9.01: sockets before files, the first directory before the others, both depths.
    #[test]
    fn places() {
        let scratch = tempfile::tempdir().unwrap();
        let (one, two) = (scratch.path().join("one"), scratch.path().join("two"));
        std::fs::create_dir_all(one.join("deep")).unwrap();
        std::fs::create_dir(&two).unwrap();
        let socket = |path: PathBuf| {
            UnixListener::bind(&path).unwrap();
            path
        };
        let plain = socket(one.join("plain.sock"));
        let deep = socket(one.join("deep/deep.sock"));
        let write = |path: PathBuf, text: &str| std::fs::write(path, text).unwrap();
        write(two.join("plain.spec"), "tcp://192.0.2.1:1");
        write(two.join("s.spec"), "unix:///run/s.sock\n");
        write(two.join("t.json"), r#"{"Name":"t","Addr":"tcp://[::1]:80"}"#);
        write(two.join("tls.json"), r#"{"Addr":"https://h:1","TLSConfig":{"CAFile":"/x"}}"#);
        write(two.join("bad.spec"), "\u{1b}nonsense");
        write(two.join("no.sock"), "no socket");
        let directories = [one, two, scratch.path().join("none")];
        let endpoint = |name: &str| find_in(&directories, name).map(|plugin| plugin.endpoint);
        assert_eq!(endpoint("plain"), Some(Ok(Endpoint::Unix(plain))));
        assert_eq!(endpoint("deep"), Some(Ok(Endpoint::Unix(deep))));
        assert_eq!(endpoint("s"), Some(Ok(Endpoint::Unix("/run/s.sock".into()))));
        assert_eq!(endpoint("t"), Some(Ok(Endpoint::Tcp("[::1]:80".parse().unwrap()))));
        let words = endpoint("tls").unwrap().unwrap_err();
        assert_eq!(words, "its TLSConfig is not supported: only plain sockets are");
        let words = endpoint("bad").unwrap().unwrap_err();
        assert_eq!(words, "\"\\\\u{1b}nonsense\" is no unix:///PATH or tcp://ADDRESS:PORT");
        for none in ["no", "none", "", "..", "deep/deep", "vieux/sshfs:latest"] {
            assert_eq!(endpoint(none), None, "{none}");
        }
        let names: Vec<_> = all_in(&directories).into_iter().map(|plugin| plugin.name).collect();
        assert_eq!(names, ["bad", "deep", "plain", "s", "t", "tls"]);
    }
}
