//! Reading what was asked for: the OCI config, the user's flags and names.
//!
//! Everything here parses text into types that cannot be wrong, once, at the edge. Nothing here
//! looks at the file system or the kernel.

pub mod capability;
pub mod cgroup;
pub mod default_spec;
#[cfg(feature = "containers")]
pub mod moment;
#[cfg(feature = "containers")]
pub mod mount_flag;
pub mod mount_option;
pub mod name;
pub mod nearest;
pub mod oci;
pub mod path;
pub mod port;
pub mod propagation;
#[cfg(feature = "containers")]
pub mod request;
pub mod seccomp;
#[cfg(feature = "containers")]
pub mod secret;
pub mod signal;
pub mod size;
#[cfg(feature = "containers")]
pub mod volume_option;
