//! Addresses of hosts that a volume names.

pub use crate::volume::driver::resolve::resolve as of_host;
