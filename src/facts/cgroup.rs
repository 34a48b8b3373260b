//! Which cgroup hierarchies this host has.

use std::path::PathBuf;

/// The host's cgroups.
#[derive(Debug, Clone, Default)]
pub enum CgroupHost {
    /// Pure v2.
    V2 {
        /// Where it is mounted.
        mount: PathBuf,
    },
    /// v1 hierarchies, perhaps with a v2 one beside them.
    V1OrHybrid,
    /// None that we can use.
    #[default]
    None,
}
