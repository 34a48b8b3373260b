//! What `run` means: a request becomes a record with resolved storage, the record an OCI config,
//! the config a plan.
//!
//! ```text
//! options ──▶ draft (which mount is what) ──▶ create (record, volumes) ──▶ spec ──▶ start
//! ```

mod address;
pub mod attach;
pub mod clock;
pub mod commit;
pub mod cp;
pub mod create;
pub mod diff;
pub mod draft;
pub mod ending;
pub mod entry;
pub mod error;
pub mod exec;
pub mod export;
pub mod failure;
pub mod files;
pub mod filter;
mod first_process;
pub mod freezer;
mod held_mounts;
mod host_config;
mod host_devices;
mod identity;
pub mod inspect;
pub mod log;
mod mounts;
pub mod name;
pub mod network;
pub mod options;
mod orphan;
pub mod plan;
pub mod ports;
pub mod process;
mod propagation;
pub mod record;
pub mod remove;
pub mod rename;
pub mod restart;
mod spec;
pub mod start;
mod storage;
pub mod store;
pub mod streams;
pub mod supervisor;
mod surroundings;
#[cfg(test)]
pub(crate) mod testing;
mod user;
mod view;
pub mod written;

pub use error::ContainerError;
