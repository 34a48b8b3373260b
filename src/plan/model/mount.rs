//! A mount as mountinfo shows it.

use crate::config::path::RootPath;

/// What mountinfo shows of a mount's propagation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peers {
    /// In a peer group (`shared:N`).
    pub shared: bool,
    /// Receives from a peer group (`master:N`).
    pub slave: bool,
    /// Cannot be bound.
    pub unbindable: bool,
}

/// A mount by itself, wherever it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// The file system's type; none where it depends on what is there (a hidden path).
    pub filesystem: Option<String>,
    /// MOUNT_ATTR_* that are set.
    pub attributes: u64,
    /// Its propagation.
    pub peers: Peers,
    /// Owners are mapped.
    pub idmapped: bool,
}

/// A mount of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostMount {
    /// Its number.
    pub id: u32,
    /// The number of the mount that it is on.
    pub parent: u32,
    /// Where it is.
    pub point: RootPath,
    /// What it is.
    pub mount: Seen,
}

/// A mount in the container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExpectedMount {
    /// Where it is, from the container's root.
    pub path: RootPath,
    /// What it is.
    pub mount: Seen,
    /// It is there only if its target is.
    pub if_target_exists: bool,
}
