//! (being built)

pub mod cgroup;
pub mod device_filter;
pub mod seccomp;
