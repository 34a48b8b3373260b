//! Mount propagation: what happens on a mount when something is mounted or unmounted below a peer.

use std::fmt;

/// The kernel's four types, each for one mount or for a whole tree (mount_namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Propagation {
    /// No events in either direction.
    Private,
    /// Private, for all mounts below, too.
    RPrivate,
    /// Events of the peer group come in, none go out.
    Slave,
    /// Slave, for all mounts below, too.
    RSlave,
    /// Events go both ways.
    Shared,
    /// Shared, for all mounts below, too.
    RShared,
    /// Private, and cannot be bound.
    Unbindable,
    /// Unbindable, for all mounts below, too.
    RUnbindable,
}

impl Propagation {
    /// All, with their words.
    pub const ALL: [(Propagation, &'static str); 8] = [
        (Propagation::Private, "private"),
        (Propagation::RPrivate, "rprivate"),
        (Propagation::Slave, "slave"),
        (Propagation::RSlave, "rslave"),
        (Propagation::Shared, "shared"),
        (Propagation::RShared, "rshared"),
        (Propagation::Unbindable, "unbindable"),
        (Propagation::RUnbindable, "runbindable"),
    ];

    /// The propagation that `word` names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == word).map(|(propagation, _)| *propagation)
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(p, _)| *p == self).map_or("private", |(_, word)| word)
    }

    /// Does it reach the mounts below?
    pub fn is_recursive(self) -> bool {
        self.word().starts_with('r')
    }

    /// Is it `shared` or `rshared`?
    pub fn is_shared(self) -> bool {
        matches!(self, Self::Shared | Self::RShared)
    }

    /// Is it `slave` or `rslave`?
    pub fn is_slave(self) -> bool {
        matches!(self, Self::Slave | Self::RSlave)
    }

    /// MS_PRIVATE, MS_SLAVE, MS_SHARED or MS_UNBINDABLE.
    pub fn flag(self) -> u64 {
        match self {
            Self::Private | Self::RPrivate => libc::MS_PRIVATE,
            Self::Slave | Self::RSlave => libc::MS_SLAVE,
            Self::Shared | Self::RShared => libc::MS_SHARED,
            Self::Unbindable | Self::RUnbindable => libc::MS_UNBINDABLE,
        }
    }

    /// The name of the flag.
    pub fn flag_name(self) -> &'static str {
        match self {
            Self::Private | Self::RPrivate => "MS_PRIVATE",
            Self::Slave | Self::RSlave => "MS_SLAVE",
            Self::Shared | Self::RShared => "MS_SHARED",
            Self::Unbindable | Self::RUnbindable => "MS_UNBINDABLE",
        }
    }
}

impl fmt::Display for Propagation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
