//! Cgroups as values: how this host mounts them, and what a limit is written as.
//!
//! Pure: the text of /proc/self/cgroup and /proc/self/mountinfo goes in, directories, files and
//! values come out. Not here: making directories, writing, joining (`apply::cgroup`).

pub mod block_io;
pub mod device;
pub mod layout;
pub mod limits;
pub mod path;
pub mod resources;
pub mod site;
