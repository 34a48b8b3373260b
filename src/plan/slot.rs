//! Slots: where the descriptors of a plan are, and what they are open on.

/// A place in the table of open descriptors. Each is made once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Slot(pub u32);

/// What a slot's descriptor is open on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlotKind {
    /// A place in a mount tree (O_PATH).
    Place,
    /// A mount tree, detached until it is attached.
    Tree,
    /// A file system context of fsopen.
    Context,
    /// A namespace.
    Namespace,
    /// A directory of a cgroup hierarchy.
    Cgroup,
    /// A terminal's controlling side.
    TerminalMaster,
    /// A terminal's process side.
    TerminalPeer,
    /// A file that the caller of the plan gives.
    Given,
}
