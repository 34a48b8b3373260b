//! The option words of an OCI mount: flags, propagation, idmap, and data for the file system.
//!
//! A word either sets or clears an attribute of the mount (the later word wins), or it is none of
//! ours and goes to the file system, which knows best what it means.

use super::propagation::Propagation;

/// MOUNT_ATTR_* of mount_setattr(2) and fsmount(2).
pub mod attribute {
    /// Read-only.
    pub const RDONLY: u64 = 0x1;
    /// Set-user-id and file capabilities are ignored.
    pub const NOSUID: u64 = 0x2;
    /// Device nodes cannot be opened.
    pub const NODEV: u64 = 0x4;
    /// Nothing can be executed.
    pub const NOEXEC: u64 = 0x8;
    /// The field of the access time modes. Its value 0 is relatime.
    pub const ATIME: u64 = 0x70;
    /// Access times are never updated.
    pub const NOATIME: u64 = 0x10;
    /// Access times are always updated.
    pub const STRICTATIME: u64 = 0x20;
    /// Access times of directories are never updated.
    pub const NODIRATIME: u64 = 0x80;
    /// Symbolic links are not followed (Linux 5.14).
    pub const NOSYMFOLLOW: u64 = 0x20_0000;

    /// The kernel's names of the attributes in `mask`, as strace writes them.
    pub fn names(mask: u64) -> String {
        const NAMES: [(u64, &str); 6] = [
            (RDONLY, "MOUNT_ATTR_RDONLY"),
            (NOSUID, "MOUNT_ATTR_NOSUID"),
            (NODEV, "MOUNT_ATTR_NODEV"),
            (NOEXEC, "MOUNT_ATTR_NOEXEC"),
            (NODIRATIME, "MOUNT_ATTR_NODIRATIME"),
            (NOSYMFOLLOW, "MOUNT_ATTR_NOSYMFOLLOW"),
        ];
        let mut found: Vec<&str> =
            NAMES.iter().filter(|(bit, _)| mask & bit != 0).map(|(_, name)| *name).collect();
        match mask & ATIME {
            0 => {}
            NOATIME => found.push("MOUNT_ATTR_NOATIME"),
            STRICTATIME => found.push("MOUNT_ATTR_STRICTATIME"),
            _ => found.push("MOUNT_ATTR__ATIME"),
        }
        if found.is_empty() { "0".into() } else { found.join("|") }
    }
}

/// Attributes to set and to clear.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Attributes {
    /// MOUNT_ATTR_* to set.
    pub set: u64,
    /// MOUNT_ATTR_* to clear.
    pub clear: u64,
}

impl Attributes {
    /// Is there nothing to change?
    pub fn is_empty(self) -> bool {
        self.set | self.clear == 0
    }

    fn apply(&mut self, change: Attributes) {
        self.set = (self.set & !change.clear) | change.set;
        self.clear = (self.clear & !(change.set & !attribute::ATIME)) | change.clear;
    }

    /// These attributes with `later` applied after them.
    #[must_use]
    pub fn then(mut self, later: Attributes) -> Self {
        self.apply(later);
        self
    }
}

/// One word of data for the file system.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Datum {
    /// The key: `size`.
    pub key: String,
    /// The value: `64m`; none for a flag.
    pub value: Option<String>,
}

/// How far a request reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum Reach {
    /// The mount itself.
    Top,
    /// Also the mounts below it.
    Below,
}

/// What the words of one mount mean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MountOptions {
    /// `bind` or `rbind`.
    pub bind: Option<Reach>,
    /// Attributes of the mount itself.
    pub top: Attributes,
    /// Attributes of the mount and all below it (`rro`, `rnosuid`, …).
    pub below: Attributes,
    /// Propagation, in the order given.
    pub propagation: Vec<Propagation>,
    /// `idmap` or `ridmap`.
    pub idmap: Option<Reach>,
    /// `tmpcopyup`: what the target holds is copied into the new tmpfs.
    pub copy_up: bool,
    /// Words for the file system.
    pub data: Vec<Datum>,
}

const fn sets(mask: u64) -> Attributes {
    Attributes { set: mask, clear: 0 }
}

const fn clears(mask: u64) -> Attributes {
    Attributes { set: 0, clear: mask }
}

const fn atime(mode: u64) -> Attributes {
    // The kernel takes the access time mode as a field: it has to be cleared to be set.
    Attributes { set: mode, clear: attribute::ATIME }
}

/// The attribute that a word without its `r` changes.
fn attribute_word(word: &str) -> Option<Attributes> {
    use attribute as a;
    Some(match word {
        "ro" => sets(a::RDONLY),
        "rw" => clears(a::RDONLY),
        "nosuid" => sets(a::NOSUID),
        "suid" => clears(a::NOSUID),
        "nodev" => sets(a::NODEV),
        "dev" => clears(a::NODEV),
        "noexec" => sets(a::NOEXEC),
        "exec" => clears(a::NOEXEC),
        "nodiratime" => sets(a::NODIRATIME),
        "diratime" => clears(a::NODIRATIME),
        "nosymfollow" => sets(a::NOSYMFOLLOW),
        "symfollow" => clears(a::NOSYMFOLLOW),
        "noatime" => atime(a::NOATIME),
        "strictatime" => atime(a::STRICTATIME),
        "relatime" | "atime" | "norelatime" | "nostrictatime" => atime(0),
        _ => return None,
    })
}

impl MountOptions {
    /// Reads the words of one mount.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut options = Self::default();
        words.into_iter().for_each(|word| options.word(word));
        options
    }

    /// Is the mount itself to be read-only?
    pub fn is_read_only(&self) -> bool {
        self.below.then(self.top).set & attribute::RDONLY != 0
    }

    fn word(&mut self, word: &str) {
        match word {
            "" | "defaults" | "async" | "nomand" | "nolazytime" | "loud" => {}
            // Of mount(2) only: the mount API has no silence, and the kernel drops iversion there.
            "silent" | "iversion" | "noiversion" => {}
            "bind" => self.bind = Some(Reach::Top),
            "rbind" => self.bind = Some(Reach::Below),
            "idmap" => self.idmap = Some(Reach::Top),
            "ridmap" => self.idmap = Some(Reach::Below),
            "tmpcopyup" => self.copy_up = true,
            _ => self.other_word(word),
        }
    }

    fn other_word(&mut self, word: &str) {
        if let Some(change) = attribute_word(word) {
            self.top.apply(change);
        } else if let Some(propagation) = Propagation::from_word(word) {
            self.propagation.push(propagation);
        } else if let Some(change) = word.strip_prefix('r').and_then(attribute_word) {
            self.below.apply(change);
        } else {
            let (key, value) = match word.split_once('=') {
                Some((key, value)) => (key, Some(value.to_owned())),
                None => (word, None),
            };
            self.data.push(Datum { key: key.to_owned(), value });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The later word wins, per attribute.
    #[test]
    fn later_words_win() {
        let cases: [(&[&str], Attributes); 6] = [
            (&["ro"], sets(attribute::RDONLY)),
            (&["ro", "rw"], clears(attribute::RDONLY)),
            (&["noexec", "exec", "nodev"], Attributes { set: 4, clear: 8 }),
            (&["noatime", "strictatime"], atime(attribute::STRICTATIME)),
            (&["nodiratime", "diratime"], clears(attribute::NODIRATIME)),
            (&["noatime", "relatime"], atime(0)),
        ];
        for (words, want) in cases {
            assert_eq!(MountOptions::parse(words.iter().copied()).top, want, "{words:?}");
        }
    }

    /// The recursive words are the plain ones with an `r`; `rw`, `ro` and `relatime` are not.
    #[test]
    fn recursive_words() {
        let parse = |word| MountOptions::parse([word]);
        assert_eq!(parse("rro").below, sets(attribute::RDONLY));
        assert_eq!(parse("rrw").below, clears(attribute::RDONLY));
        assert_eq!(parse("rrelatime").below, atime(0));
        assert_eq!(parse("ratime").below, atime(0));
        assert_eq!(parse("rnosymfollow").below, sets(attribute::NOSYMFOLLOW));
        assert!(parse("rw").below.is_empty() && parse("relatime").below.is_empty());
    }

    /// What is no mount option is the file system's.
    #[test]
    fn data_words() {
        let options =
            MountOptions::parse(["size=64m", "newinstance", "rbind", "rslave", "tmpcopyup"]);
        assert_eq!(options.data.len(), 2);
        assert_eq!(options.data[0].value.as_deref(), Some("64m"));
        assert_eq!(options.bind, Some(Reach::Below));
        assert_eq!(options.propagation.len(), 1);
        assert!(options.copy_up);
    }
}
