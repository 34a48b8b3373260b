//! What `run` means: a request becomes a record with resolved storage, the record an OCI config,
//! the config a plan.
//!
//! ```text
//! options ──▶ draft (which mount is what) ──▶ create (record, volumes) ──▶ spec ──▶ start
//! ```

mod address;
pub mod create;
pub mod draft;
pub mod error;
pub mod filter;
mod host_config;
mod host_devices;
mod identity;
pub mod inspect;
pub mod log;
mod mounts;
pub mod name;
pub mod options;
mod propagation;
pub mod record;
pub mod remove;
mod spec;
pub mod start;
mod storage;
pub mod store;
mod surroundings;
#[cfg(test)]
pub(crate) mod testing;
mod user;
mod view;

pub use error::ContainerError;
