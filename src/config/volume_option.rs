//! The options and labels of `volume create`, as text (V4.09, V4.10, V8).
//!
//! Which file systems the kernel has and whether a device exists is only known when the volume is
//! mounted. Here it is checked that the options can mean a mount at all.

use std::collections::BTreeMap;

use super::nearest::nearest;
use super::size::{self, SizeError};

/// The options that the built-in driver knows.
pub const KNOWN: [&str; 4] = ["type", "o", "device", "size"];

/// Why options or labels of a volume are refused. The words are Docker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VolumeOptionError {
    /// A key that the driver does not know.
    #[error("invalid option: {0:?}")]
    Unknown(String),
    /// A key that is needed by another.
    #[error("missing required option: {0:?}")]
    Missing(&'static str),
    /// A `size` that is none.
    #[error(transparent)]
    Size(#[from] SizeError),
    /// A size on a file system that has no project quota. Raised by who knows the file system.
    #[error("quota size requested but no quota support")]
    NoQuota,
    /// A port in the wrong place.
    #[error("port not allowed in CIFS device URL, include 'port' in 'o='")]
    CifsPort,
    /// A relative device: it would be looked up in the current directory of whoever mounts it.
    #[error("invalid device path: '{0}' device path must be absolute")]
    RelativeDevice(String),
    /// `--label =x`
    #[error("invalid label '{0}': empty name")]
    EmptyLabel(String),
    /// `--label 'a b=x'`
    #[error("label '{0}' contains whitespaces")]
    BlankInLabel(String),
    /// `--opt =x`
    #[error("invalid option: {0:?}: empty name")]
    EmptyOption(String),
}

impl VolumeOptionError {
    /// What may help.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown(key) => Some(match nearest(key, KNOWN) {
                Some(word) => format!("did you mean {word}?"),
                None => format!(
                    "options are type, o, device and size; what mount(8) takes after -o goes into \
                     o: --opt o={key}"
                ),
            }),
            Self::Missing("device") => {
                Some("a tmpfs has no device but needs a word for it: --opt device=tmpfs".into())
            }
            Self::NoQuota => Some(
                "a size needs project quotas on the store's file system, which rrun does not set; \
                 a tmpfs (--opt type=tmpfs --opt device=tmpfs --opt o=size=…) or an image file \
                 (--opt type=ext4 --opt device=/FILE) has a size of its own"
                    .into(),
            ),
            Self::Missing(_) => Some(
                "for a directory of the host: --opt type=none --opt o=bind --opt device=/DIR"
                    .into(),
            ),
            _ => None,
        }
    }
}

/// What the built-in driver was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalOptions {
    /// The mount that the volume is; none is a plain directory.
    pub mount: Option<LocalMount>,
    /// A quota; none where it was 0.
    pub size_bytes: Option<u64>,
}

/// A mount that is a volume: mount(8)'s `-t filesystem -o options device`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalMount {
    /// `type`: `none` for a bind.
    pub filesystem: String,
    /// `device`: a path, a word, or `host:/path`.
    pub device: String,
    /// `o`: words, separated by commas.
    pub options: String,
}

impl LocalMount {
    /// The words of `o`.
    pub fn words(&self) -> impl Iterator<Item = String> {
        words(&self.options)
    }

    /// Is it a directory of the host?
    pub fn is_bind(&self) -> bool {
        self.words().any(|word| word == "bind" || word == "rbind")
    }

    /// `addr=` of a network file system (V8.05).
    pub fn address(&self) -> Option<String> {
        self.words().find_map(|word| word.strip_prefix("addr=").map(str::to_owned))
    }

    /// File systems whose device is a word, a share or a tag rather than a path of this host.
    fn has_a_device_that_is_no_path(&self) -> bool {
        const NAMES: [&str; 12] = [
            "tmpfs",
            "ramfs",
            "cifs",
            "smb3",
            "9p",
            "virtiofs",
            "overlay",
            "ceph",
            "zfs",
            "afs",
            "glusterfs",
            "lustre",
        ];
        let name = self.filesystem.as_str();
        NAMES.contains(&name) || name.starts_with("nfs") || name.starts_with("fuse")
    }
}

/// Checks the options of the built-in driver. The order of the checks is Docker's.
pub fn parse(options: &BTreeMap<String, String>) -> Result<LocalOptions, VolumeOptionError> {
    if let Some(unknown) = options.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(VolumeOptionError::Unknown(unknown.clone()));
    }
    let value = |key: &str| options.get(key).cloned().unwrap_or_default();
    let mount =
        LocalMount { filesystem: value("type"), device: value("device"), options: value("o") };
    if mount.filesystem == "cifs" && cifs_port(&mount.device) {
        return Err(VolumeOptionError::CifsPort);
    }
    let size_bytes = options.get("size").map(|text| size::parse_bytes(text)).transpose()?;
    let size_bytes = size_bytes.filter(|bytes| *bytes != 0);
    let mount = complete(mount)?;
    Ok(LocalOptions { mount, size_bytes })
}

/// `type` and `device` require each other, `o` requires both. What is empty is not there: the
/// kernel would get an empty word and refuse it, but only when a container starts.
fn complete(mount: LocalMount) -> Result<Option<LocalMount>, VolumeOptionError> {
    let LocalMount { filesystem, device, options } = &mount;
    if filesystem.is_empty() && device.is_empty() && options.is_empty() {
        return Ok(None);
    }
    if device.is_empty() {
        return Err(VolumeOptionError::Missing("device"));
    }
    if filesystem.is_empty() {
        return Err(VolumeOptionError::Missing("type"));
    }
    let is_path = mount.is_bind() || device.starts_with('.') || device.contains('/');
    let may_be_word = mount.has_a_device_that_is_no_path() && !mount.is_bind();
    if is_path && !may_be_word && !device.starts_with('/') {
        return Err(VolumeOptionError::RelativeDevice(device.clone()));
    }
    Ok(Some(mount))
}

/// Has the host of `//host:445/share` a port?
fn cifs_port(device: &str) -> bool {
    let Some((_, rest)) = device.split_once("//") else { return false };
    let host = rest.split('/').next().unwrap_or(rest);
    // The colons of an IPv6 address are in brackets.
    let after_address = host.rsplit_once(']').map_or(host, |(_, after)| after);
    after_address.split_once(':').is_some_and(|(_, port)| !port.is_empty())
}

/// Parses the value of `--label`: `key=value`, `key=` or `key` (V4.10).
pub fn parse_label(text: &str) -> Result<(String, String), VolumeOptionError> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    let key = key.trim_start();
    if key.is_empty() {
        return Err(VolumeOptionError::EmptyLabel(text.into()));
    }
    if key.contains(char::is_whitespace) {
        return Err(VolumeOptionError::BlankInLabel(text.into()));
    }
    Ok((key.into(), value.into()))
}

/// Parses the value of `--opt`: `key=value`, `key=` or `key`.
pub fn parse_option(text: &str) -> Result<(String, String), VolumeOptionError> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if key.is_empty() {
        return Err(VolumeOptionError::EmptyOption(text.into()));
    }
    Ok((key.into(), value.into()))
}

/// Keys of `o` in whose values cifs reads two commas as one.
pub(super) const CIFS_SECRETS: [&str; 5] = ["password", "password2", "pass", "passwd", "secret"];

fn may_hold_commas(word: &str) -> bool {
    word.split_once('=').is_some_and(|(key, _)| CIFS_SECRETS.contains(&key))
}

/// The words of `o`. In a password two commas are one that belongs to it, as cifs has it.
pub(super) fn words(options: &str) -> impl Iterator<Item = String> {
    let mut rest = options;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut word = String::new();
        while let Some(comma) = rest.find(',') {
            word.push_str(&rest[..comma]);
            rest = &rest[comma + 1..];
            match rest.strip_prefix(',') {
                Some(after) if may_hold_commas(&word) => rest = after,
                _ => return Some(word),
            }
            word.push(',');
        }
        word.push_str(std::mem::take(&mut rest));
        Some(word)
    })
    .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    fn words(pairs: &[(&str, &str)]) -> String {
        parse(&map(pairs)).map_or_else(|e| e.to_string(), |_| String::new())
    }

    /// V4.09, V2.21: which options the built-in driver takes, in Docker's words.
    #[test]
    fn combinations() {
        let cases: [(&[(&str, &str)], &str); 16] = [
            (&[], ""),
            (&[("foo", "bar")], "invalid option: \"foo\""),
            (&[("type", "tmpfs")], "missing required option: \"device\""),
            (&[("device", "/x")], "missing required option: \"type\""),
            (&[("o", "x")], "missing required option: \"device\""),
            (&[("o", "x"), ("device", "/x")], "missing required option: \"type\""),
            (&[("type", "none"), ("device", "")], "missing required option: \"device\""),
            (&[("size", "abc")], "invalid size: 'abc'"),
            (&[("size", "1x")], "invalid suffix: 'x'"),
            (&[("size", "0")], ""),
            (&[("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=1m,uid=0")], ""),
            (&[("type", "none"), ("o", "bind"), ("device", "/srv")], ""),
            (&[("type", "nosuchfs"), ("device", "/dev/zero")], ""),
            (&[("type", "nfs"), ("device", ":/nfs/data")], ""),
            (&[("type", "nfs"), ("o", "addr=10.0.0.1,rw"), ("device", ":/d")], ""),
            (&[("Type", "tmpfs")], "invalid option: \"Type\""),
        ];
        for (pairs, want) in cases {
            assert_eq!(words(pairs), want, "{pairs:?}");
        }
    }

    /// V8.06: a device that is a path is absolute, whatever directory the mounter is in.
    #[test]
    fn relative_devices() {
        let refused = |pairs| words(pairs).contains("device path must be absolute");
        assert!(refused(&[("type", "none"), ("o", "bind"), ("device", "dir")]));
        assert!(refused(&[("type", "none"), ("o", "rbind,ro"), ("device", "../dir")]));
        assert!(refused(&[("type", "tmpfs"), ("o", "bind"), ("device", "dir")]));
        assert!(refused(&[("type", "ext4"), ("device", "./disk.img")]));
        assert!(refused(&[("type", "ext4"), ("device", "images/disk.img")]));
        assert!(!refused(&[("type", "ext4"), ("device", "/dev/vdb")]));
        assert!(!refused(&[("type", "9p"), ("device", "share/a")]));
        assert!(!refused(&[("type", "cifs"), ("device", "//host/share")]));
        assert!(!refused(&[("type", "nfs4"), ("device", "host:/a")]));
    }

    /// V8.05: the port of a share goes into `o=`.
    #[test]
    fn cifs_ports() {
        for (device, has_port) in [
            ("//host/share", false),
            ("//host:445/share", true),
            ("//[::1]/share", false),
            ("//[::1]:445/share", true),
            ("//host/a:b", false),
            ("host", false),
        ] {
            assert_eq!(cifs_port(device), has_port, "{device:?}");
        }
        let refused = words(&[("type", "cifs"), ("device", "//h:1/s")]);
        assert_eq!(refused, "port not allowed in CIFS device URL, include 'port' in 'o='");
    }

    /// What the mount will need is all there.
    #[test]
    fn the_mount() {
        let options =
            map(&[("type", "nfs"), ("o", "addr=h,,rw"), ("device", ":/d"), ("size", "1k")]);
        let parsed = parse(&options).unwrap();
        let mount = parsed.mount.unwrap();
        assert_eq!(mount.address().as_deref(), Some("h"));
        assert_eq!(mount.words().collect::<Vec<_>>(), ["addr=h", "rw"]);
        assert!(!mount.is_bind());
        assert_eq!(parsed.size_bytes, Some(1024));
        assert_eq!(parse(&BTreeMap::new()), Ok(LocalOptions::default()));
    }

    /// V4.10: a label's value may be missing, its key may not.
    #[test]
    fn labels() {
        let pair = |key: &str, value: &str| Ok((key.to_owned(), value.to_owned()));
        assert_eq!(parse_label("l1=x"), pair("l1", "x"));
        assert_eq!(parse_label("l2"), pair("l2", ""));
        assert_eq!(parse_label("l3="), pair("l3", ""));
        assert_eq!(parse_label("a=b=c"), pair("a", "b=c"));
        let words = |text| parse_label(text).unwrap_err().to_string();
        assert_eq!(words("=x"), "invalid label '=x': empty name");
        assert_eq!(words(""), "invalid label '': empty name");
        assert_eq!(words("a b=x"), "label 'a b=x' contains whitespaces");
        assert_eq!(parse_option("o=size=1m,uid=0"), pair("o", "size=1m,uid=0"));
        assert_eq!(
            parse_option("=x").unwrap_err().to_string(),
            "invalid option: \"=x\": empty name"
        );
    }

    /// An unknown key gets the nearest known one, or the way that mount options take.
    #[test]
    fn hints() {
        let hint = |key: &str| VolumeOptionError::Unknown(key.into()).hint().unwrap();
        assert_eq!(hint("devic"), "did you mean device?");
        assert_eq!(hint("Type"), "did you mean type?");
        assert!(hint("uid").ends_with("--opt o=uid"));
    }
}
