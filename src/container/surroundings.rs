//! What of this machine the config of a container depends on.

use std::path::{Path, PathBuf};

use super::user::Identity;
use crate::facts::Kernel;

/// What of this machine a config depends on.
pub struct Surroundings<'a> {
    /// The container's directory in the store.
    pub directory: &'a Path,
    /// Where a volume's data is.
    pub volume_data: &'a dyn Fn(&crate::config::name::VolumeName) -> PathBuf,
    /// Who the process is.
    pub identity: Identity,
    /// The kernel that the container will run on.
    pub kernel: Kernel,
    /// The network namespace that it joins.
    pub network: Option<PathBuf>,
    /// Rows and columns of the caller's terminal.
    pub terminal_size: Option<(u16, u16)>,
}
