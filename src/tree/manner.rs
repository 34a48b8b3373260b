//! How a tree is copied.

use rustix::fs::ResolveFlags;

use super::SourceKind;
use super::descent::ONE_NAME;

/// How a tree is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// What the source is.
    pub kind: SourceKind,
    /// What becomes of names that the target has already.
    pub existing: Existing,
    /// Whose the copies are.
    pub owners: Owners,
    /// Where other file systems are mounted.
    pub mounts: Mounts,
}

/// What becomes of names that the target has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// They are an error.
    Refused,
    /// Directories are merged, other files replaced; never one by the other.
    Merged,
}

/// Whose the copies are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owners {
    /// The same users' as the originals, with all their attributes.
    Kept,
    /// The caller's. What gives rights by the owner's name is not copied: set-user-id and
    /// set-group-id bits, capabilities, ACLs; and devices are for the caller only.
    Ours,
}

/// What is done where another file system is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mounts {
    /// It is an error.
    Refused,
    /// Its files belong to the tree, unless it is one of the kernel's own that has none (procfs,
    /// sysfs, …): of that there is an empty directory.
    Crossed,
}

/// File systems that show the kernel, not files, by their numbers in linux/magic.h.
const NO_FILES: [u64; 10] = [
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x1cd1,      // devpts
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x1980_0202, // mqueue
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0xcafe_4a11, // bpf
];

/// Does a file system with this number have no files of anybody's?
pub(super) fn has_no_files(magic: u64) -> bool {
    NO_FILES.contains(&magic)
}

impl Manner {
    /// A copy of everything into an empty directory.
    pub fn whole(kind: SourceKind) -> Self {
        Self { kind, existing: Existing::Refused, owners: Owners::Kept, mounts: Mounts::Refused }
    }

    /// How one name is opened.
    pub(super) fn resolve(self) -> ResolveFlags {
        match self.mounts {
            Mounts::Refused => ONE_NAME,
            Mounts::Crossed => ONE_NAME.difference(ResolveFlags::NO_XDEV),
        }
    }
}
