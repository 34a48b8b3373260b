//! Reading what this machine is: kernel features, and where the sources of a config lie.
//!
//! Facts are plain values, read once before a plan is compiled. A test can write its own, so a
//! plan for another kernel needs no such kernel.

pub mod bundle_config;
pub mod cgroup;
pub mod file;
pub mod kernel;
pub mod kernel_file;
pub mod namespaces;
pub mod passwd;
pub mod process;
pub mod sources;

pub use cgroup::CgroupHost;
pub use kernel::Kernel;
pub use sources::{Seen, SourceFact};

/// Everything that a plan depends on beside the config.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// What the kernel can do.
    pub kernel: Kernel,
    /// Which cgroup hierarchies there are, and where we are in them.
    pub cgroups: CgroupHost,
    /// For each mount of the config that is a bind: what is known of its source.
    pub sources: Vec<Option<SourceFact>>,
    /// Of the namespaces that the config joins those that another user namespace than ours owns.
    pub foreign_namespaces: Vec<std::path::PathBuf>,
}
