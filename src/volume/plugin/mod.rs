//! Volume plugins: a client of Docker's volume plugin protocol, version 1 (V9).
//!
//! A plugin is a program of somebody else's that serves HTTP on a socket. It is believed in what
//! it says of its own volumes and in nothing else: it may be dead, slow or broken, and then the
//! commands on its own volumes fail, in time, and all others go on. So every exchange has a limit
//! of time and of size, nothing is tried twice, and no lock but the volume's own is held
//! meanwhile.
//!
//! Not here: what is done with a mount point that a plugin names (`volume::driver`).

pub mod discovery;
pub mod error;
mod http;
pub mod protocol;
pub mod survey;

pub use discovery::Plugin;
pub use error::PluginError;
