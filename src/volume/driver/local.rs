//! The local driver's options `type`, `o`, `device`, `size` as the mount that they describe.
//!
//! Pure. `o` is read as mount(8) would: words with a meaning of their own become flags, all
//! others are for the file system (V8.04).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use libc::c_ulong;

/// Options that can never work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionRefused {
    /// `size`: there are no project quotas (V4.09).
    #[error("quota size requested but no quota support")]
    NoQuota,
    /// A path that would mean another place for each process (V8.06).
    #[error("invalid device: '{0}': it is a path and must be absolute")]
    RelativeDevice(String),
}

/// A mount at a volume's `_data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalMount {
    /// The file system's type; `none` for a bind.
    pub fstype: String,
    /// The device, directory, or whatever the file system takes as its source.
    pub source: String,
    /// MS_*.
    pub flags: c_ulong,
    /// Words for the file system.
    pub data: Vec<String>,
}

/// What a word of `o` does to the flags.
enum Word {
    Sets(c_ulong),
    Clears(c_ulong),
}

fn word(text: &str) -> Option<Word> {
    use Word::{Clears, Sets};
    Some(match text {
        "defaults" => Sets(0),
        "ro" => Sets(libc::MS_RDONLY),
        "rw" => Clears(libc::MS_RDONLY),
        "nosuid" => Sets(libc::MS_NOSUID),
        "suid" => Clears(libc::MS_NOSUID),
        "nodev" => Sets(libc::MS_NODEV),
        "dev" => Clears(libc::MS_NODEV),
        "noexec" => Sets(libc::MS_NOEXEC),
        "exec" => Clears(libc::MS_NOEXEC),
        "sync" => Sets(libc::MS_SYNCHRONOUS),
        "async" => Clears(libc::MS_SYNCHRONOUS),
        "dirsync" => Sets(libc::MS_DIRSYNC),
        "remount" => Sets(libc::MS_REMOUNT),
        "mand" => Sets(libc::MS_MANDLOCK),
        "nomand" => Clears(libc::MS_MANDLOCK),
        "noatime" => Sets(libc::MS_NOATIME),
        "atime" => Clears(libc::MS_NOATIME),
        "nodiratime" => Sets(libc::MS_NODIRATIME),
        "diratime" => Clears(libc::MS_NODIRATIME),
        "relatime" => Sets(libc::MS_RELATIME),
        "norelatime" => Clears(libc::MS_RELATIME),
        "strictatime" => Sets(libc::MS_STRICTATIME),
        "nostrictatime" => Clears(libc::MS_STRICTATIME),
        "bind" => Sets(libc::MS_BIND),
        "rbind" => Sets(libc::MS_BIND | libc::MS_REC),
        "private" => Sets(libc::MS_PRIVATE),
        "rprivate" => Sets(libc::MS_PRIVATE | libc::MS_REC),
        "shared" => Sets(libc::MS_SHARED),
        "rshared" => Sets(libc::MS_SHARED | libc::MS_REC),
        "slave" => Sets(libc::MS_SLAVE),
        "rslave" => Sets(libc::MS_SLAVE | libc::MS_REC),
        "unbindable" => Sets(libc::MS_UNBINDABLE),
        "runbindable" => Sets(libc::MS_UNBINDABLE | libc::MS_REC),
        _ => return None,
    })
}

/// The keys whose values are nobody's business (V8.09).
const SECRETS: [&str; 5] = ["password", "password2", "pass", "passwd", "secret"];
/// What is shown for them.
const MASK: &str = "********";
/// File systems that live on a block device, so that their device is a path.
const ON_BLOCKS: [&str; 13] = [
    "bcachefs", "btrfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "iso9660", "squashfs",
    "udf", "vfat", "xfs",
];

impl LocalMount {
    /// The mount that the options ask for; `None` for a plain directory.
    pub fn from_options(options: &BTreeMap<String, String>) -> Option<Self> {
        let get = |key| options.get(key).cloned().unwrap_or_default();
        let (fstype, source) = (get("type"), get("device"));
        if fstype.is_empty() && source.is_empty() {
            return None;
        }
        let mut mount = Self { fstype, source, flags: 0, data: Vec::new() };
        for text in words(&get("o")) {
            match word(&text) {
                Some(Word::Sets(flag)) => mount.flags |= flag,
                Some(Word::Clears(flag)) => mount.flags &= !flag,
                None => mount.data.push(text),
            }
        }
        Some(mount)
    }

    /// Is the source a directory of this host?
    pub fn is_bind(&self) -> bool {
        self.flags & libc::MS_BIND != 0
    }

    /// Is the content gone with the mount?
    pub fn is_in_memory(&self) -> bool {
        !self.is_bind() && matches!(self.fstype.as_str(), "tmpfs" | "ramfs")
    }

    /// The host whose address the kernel must be given: it resolves no names (V8.05).
    pub fn host(&self) -> Option<&str> {
        if !matches!(self.fstype.as_str(), "nfs" | "nfs4" | "cifs" | "smb3") {
            return None;
        }
        let host = match self.data.iter().find_map(|word| word.strip_prefix("addr=")) {
            Some(host) => host,
            None if self.is_cifs() => self.share_host()?,
            None => return None,
        };
        (!host.is_empty() && host.parse::<IpAddr>().is_err()).then_some(host)
    }

    /// The same mount with the address in place of the host's name.
    #[must_use]
    pub fn with_address(mut self, address: IpAddr) -> Self {
        match self.data.iter_mut().find(|word| word.starts_with("addr=")) {
            Some(word) => *word = format!("addr={address}"),
            None => {
                if let Some(host) = self.share_host().map(str::len) {
                    self.source = format!("//{address}{}", &self.source[2 + host..]);
                }
            }
        }
        self
    }

    /// A port in the device of a share, which cifs wants as an option.
    pub fn has_port(&self) -> bool {
        self.is_cifs()
            && self.authority().is_some_and(|a| a.parse::<IpAddr>().is_err() && a.contains(':'))
    }

    fn is_cifs(&self) -> bool {
        matches!(self.fstype.as_str(), "cifs" | "smb3")
    }

    fn authority(&self) -> Option<&str> {
        self.source.strip_prefix("//").map(|rest| rest.split('/').next().unwrap_or_default())
    }

    fn share_host(&self) -> Option<&str> {
        self.authority().filter(|host| !host.is_empty())
    }

    /// The mount in words (V8.03): `mount DEVICE:PATH, flags: 0x1000, data: WORDS`.
    pub fn shown(&self, target: &Path) -> String {
        let mut text = match self.source.as_str() {
            "" => format!("mount {}", target.display()),
            source => format!("mount {source}:{}", target.display()),
        };
        if self.flags != 0 {
            text += &format!(", flags: {:#x}", self.flags);
        }
        if !self.data.is_empty() {
            let data: Vec<_> = self.data.iter().map(|word| masked(word)).collect();
            text += &format!(", data: {}", data.join(","));
        }
        text
    }
}

/// Refuses options that can never work. Their form was checked when they were parsed.
pub fn accept(options: &BTreeMap<String, String>) -> Result<(), OptionRefused> {
    if options.get("size").is_some_and(|size| size.bytes().any(|b| matches!(b, b'1'..=b'9'))) {
        return Err(OptionRefused::NoQuota);
    }
    match LocalMount::from_options(options) {
        Some(mount) if is_relative(&mount) => Err(OptionRefused::RelativeDevice(mount.source)),
        _ => Ok(()),
    }
}

/// Is the device a path that depends on where one stands?
///
/// Only where it is a path: `tmpfs`, `host:/export`, a pool's or a share's name are none.
fn is_relative(mount: &LocalMount) -> bool {
    let device = mount.source.as_str();
    let is_path = mount.is_bind()
        || ON_BLOCKS.contains(&mount.fstype.as_str())
        || [".", ".."].contains(&device)
        || device.starts_with("./")
        || device.starts_with("../");
    is_path && !device.starts_with('/')
}

/// The options as they may be shown: secrets are masked.
pub fn masked_options(options: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let shown = |(key, value): (&String, &String)| {
        let value = match key.as_str() {
            "o" => words(value).map(|word| masked(&word)).collect::<Vec<_>>().join(","),
            key if SECRETS.contains(&key) => MASK.into(),
            _ => value.clone(),
        };
        (key.clone(), value)
    };
    options.iter().map(shown).collect()
}

fn masked(word: &str) -> String {
    match word.split_once('=') {
        Some((key, _)) if SECRETS.contains(&key) => format!("{key}={MASK}"),
        _ => word.to_owned(),
    }
}

/// The words of `o`. In a password two commas are one that belongs to it, as cifs has it.
fn words(text: &str) -> impl Iterator<Item = String> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut word = String::new();
        loop {
            let Some(comma) = rest.find(',') else {
                word.push_str(rest);
                rest = "";
                break;
            };
            word.push_str(&rest[..comma]);
            let secret = word.split_once('=').is_some_and(|(key, _)| SECRETS.contains(&key));
            let doubled = secret && rest[comma..].starts_with(",,");
            rest = &rest[comma + 1 + usize::from(doubled)..];
            if !doubled {
                break;
            }
            word.push(',');
        }
        Some(word)
    })
    .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[(&str, &str)]) -> BTreeMap<String, String> {
        words.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn local(fstype: &str, device: &str, o: &str) -> LocalMount {
        LocalMount::from_options(&options(&[("type", fstype), ("device", device), ("o", o)]))
            .unwrap()
    }

    /// V8.04: words of `o` are flags or data, in mount(8)'s way; the error shows them (V8.03).
    #[test]
    fn words_become_flags_and_data() {
        let cases = [
            (("none", "/srv", "bind"), "mount /srv:/v, flags: 0x1000"),
            (("none", "/srv", "bind,ro"), "mount /srv:/v, flags: 0x1001"),
            (("none", "/srv", "rbind,rw"), "mount /srv:/v, flags: 0x5000"),
            (("tmpfs", "tmpfs", "size=1m,,ro,rw,uid=5"), "mount tmpfs:/v, data: size=1m,uid=5"),
            (("tmpfs", "tmpfs", "defaults,mode=700"), "mount tmpfs:/v, data: mode=700"),
            (("tmpfs", "tmpfs", ""), "mount tmpfs:/v"),
            (
                ("cifs", "//h/s", "user=u,password=a,,b,vers=3"),
                "mount //h/s:/v, data: user=u,password=********,vers=3",
            ),
            (
                ("nfs", ":/x", "addr=10.0.0.1,nosuid"),
                "mount :/x:/v, flags: 0x2, data: addr=10.0.0.1",
            ),
        ];
        for ((fstype, device, o), shown) in cases {
            let found = local(fstype, device, o).shown(Path::new("/v"));
            assert_eq!(found, shown, "{fstype} {device} {o}");
        }
        assert_eq!(LocalMount::from_options(&options(&[("size", "0")])), None);
    }

    /// V8.05: only a name is resolved, an address stays.
    #[test]
    fn hosts_of_network_volumes() {
        let v4: IpAddr = "192.0.2.7".parse().unwrap();
        let nfs = local("nfs", ":/x", "rw,addr=store.example,vers=4");
        assert_eq!(nfs.host(), Some("store.example"));
        assert_eq!(nfs.with_address(v4).data, ["addr=192.0.2.7", "vers=4"]);
        let cifs = local("cifs", "//store.example/s/d", "");
        assert_eq!(cifs.host(), Some("store.example"));
        assert_eq!(cifs.with_address(v4).source, "//192.0.2.7/s/d");
        assert!(local("cifs", "//store:445/s", "").has_port());
        for plain in [
            local("nfs", ":/x", "addr=192.0.2.7"),
            local("nfs", "h:/x", ""),
            local("tmpfs", "tmpfs", "addr=h"),
            local("cifs", "//192.0.2.7/s", ""),
        ] {
            assert_eq!(plain.host(), None, "{plain:?}");
        }
    }

    /// V8.06, V4.09: what is refused at create.
    #[test]
    fn refused_at_create() {
        let relative = |text: &str| Err(OptionRefused::RelativeDevice(text.into()));
        let cases = [
            (options(&[]), Ok(())),
            (options(&[("type", "none"), ("device", "srv"), ("o", "bind")]), relative("srv")),
            (options(&[("type", "ext4"), ("device", "d.img")]), relative("d.img")),
            (options(&[("type", "foo"), ("device", "../x")]), relative("../x")),
            (options(&[("type", "tmpfs"), ("device", "tmpfs")]), Ok(())),
            (options(&[("type", "nfs"), ("device", ":/x")]), Ok(())),
            (options(&[("type", "ext4"), ("device", "/nope")]), Ok(())),
            (options(&[("size", "0k")]), Ok(())),
            (options(&[("size", "10m")]), Err(OptionRefused::NoQuota)),
        ];
        for (given, answer) in cases {
            assert_eq!(accept(&given), answer, "{given:?}");
        }
    }

    /// V8.09: a secret is never shown, nor what comes after a comma in it.
    #[test]
    fn secrets_are_masked() {
        let given =
            options(&[("o", "user=u,password=p,,q,ro,pass=x"), ("device", "//h/password=s")]);
        let shown = masked_options(&given);
        assert_eq!(shown["o"], "user=u,password=********,ro,pass=********");
        assert_eq!(shown["device"], "//h/password=s");
    }
}
