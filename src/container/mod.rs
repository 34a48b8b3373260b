//! What `run` means: a request becomes a record with resolved storage, the record an OCI config,
//! the config a plan.
//!
//! ```text
//! options ──▶ storage (which mount is what) ──▶ create (record, volumes) ──▶ spec ──▶ start
//! ```

pub mod error;
pub mod name;
pub mod options;
pub mod record;
pub mod store;

pub use error::ContainerError;
