//! The local driver's options as the mount that they describe, ready for the kernel.
//!
//! Pure. The words of `o` are read as mount(8) would: those with a meaning of their own become
//! flags, all others are for the file system (V8.04). Their form is checked in
//! `config::volume_option`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use libc::c_ulong;
use rustix::io::Errno;

use crate::config::secret::{masked_device, masked_word};
use crate::config::volume_option::{self, VolumeOptionError};

/// A mount at a volume's `_data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountWish {
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

/// Refuses options that can never work on this host.
pub fn accept(options: &BTreeMap<String, String>) -> Result<(), VolumeOptionError> {
    match volume_option::parse(options)?.size_bytes {
        // Project quotas need a file system made for them; here is none that has them.
        Some(_) => Err(VolumeOptionError::NoQuota),
        None => Ok(()),
    }
}

impl MountWish {
    /// The mount that the options ask for; `None` for a plain directory.
    pub fn from_options(
        options: &BTreeMap<String, String>,
    ) -> Result<Option<Self>, VolumeOptionError> {
        let Some(asked) = volume_option::parse(options)?.mount else { return Ok(None) };
        let mut mount =
            Self { fstype: String::new(), source: String::new(), flags: 0, data: vec![] };
        for text in asked.words() {
            match word(&text) {
                Some(Word::Sets(flag)) => mount.flags |= flag,
                Some(Word::Clears(flag)) => mount.flags &= !flag,
                None => mount.data.push(text),
            }
        }
        (mount.fstype, mount.source) = (asked.filesystem, asked.device);
        Ok(Some(mount))
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
            None => self.share_host()?,
        };
        (!host.is_empty() && host.parse::<IpAddr>().is_err()).then_some(host)
    }

    /// The same mount with the address in place of the host's name.
    #[must_use]
    pub fn with_address(mut self, address: IpAddr) -> Self {
        match self.data.iter_mut().find(|word| word.starts_with("addr=")) {
            Some(word) => *word = format!("addr={address}"),
            None => {
                if let Some(length) = self.share_host().map(str::len) {
                    self.source = format!("//{address}{}", &self.source[2 + length..]);
                }
            }
        }
        self
    }

    /// The host of `//host/share`.
    fn share_host(&self) -> Option<&str> {
        if !matches!(self.fstype.as_str(), "cifs" | "smb3") {
            return None;
        }
        self.source.strip_prefix("//")?.split('/').next()
    }

    /// What may help where the kernel refused it.
    pub fn hint(&self, errno: Errno) -> Option<String> {
        let fstype = &self.fstype;
        let is_nfs = fstype.starts_with("nfs");
        if errno == Errno::NODEV {
            Some(format!("this kernel has no file system {fstype}, or its module is not there"))
        } else if is_nfs && !self.data.iter().any(|word| word.starts_with("addr=")) {
            Some("the kernel is told the server by itself: --opt o=addr=HOST,…".into())
        } else {
            None
        }
    }

    /// The mount in words (V8.03): `mount DEVICE:PATH, flags: 0x1000, data: WORDS`.
    pub fn shown(&self, target: &Path) -> String {
        let mut text = format!("mount {}:{}", masked_device(&self.source), target.display());
        if self.flags != 0 {
            text += &format!(", flags: {:#x}", self.flags);
        }
        if !self.data.is_empty() {
            let data: Vec<_> = self.data.iter().map(|word| masked_word(word)).collect();
            text += &format!(", data: {}", data.join(","));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(fstype: &str, device: &str, o: &str) -> MountWish {
        let options = [("type", fstype), ("device", device), ("o", o)];
        let options = options.map(|(key, value)| (key.to_owned(), value.to_owned()));
        MountWish::from_options(&BTreeMap::from(options)).unwrap().unwrap()
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
        assert_eq!(MountWish::from_options(&BTreeMap::new()), Ok(None));
        assert_eq!(local("cifs", "//h/s", "password=a,,b").data, ["password=a,b"]);
    }

    /// The server of an NFS volume, and a kernel without the file system.
    #[test]
    fn hints() {
        let hint = |mount: MountWish, errno| mount.hint(errno).unwrap_or_default();
        assert!(hint(local("nfs", ":/x", "rw"), Errno::INVAL).contains("--opt o=addr=HOST"));
        assert_eq!(hint(local("nfs", ":/x", "addr=192.0.2.7"), Errno::INVAL), "");
        assert!(hint(local("cifs", "//h/s", ""), Errno::NODEV).contains("no file system cifs"));
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
        for plain in [
            local("nfs", ":/x", "addr=192.0.2.7"),
            local("nfs", "h:/x", ""),
            local("tmpfs", "tmpfs", "addr=h"),
            local("cifs", "//192.0.2.7/s", ""),
        ] {
            assert_eq!(plain.host(), None, "{plain:?}");
        }
    }

    /// V4.09: a quota is refused where there is none.
    #[test]
    fn quotas() {
        let answer = |size: &str| accept(&BTreeMap::from([("size".to_owned(), size.to_owned())]));
        assert_eq!(answer("0"), Ok(()));
        assert_eq!(answer("10m"), Err(VolumeOptionError::NoQuota));
    }
}
