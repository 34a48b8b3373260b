//! Names and passwords for registries, kept where Docker keeps them and shared with it.
//!
//! `config.json` has them itself, or names a program that has them (`docker-credential-NAME`).
//! Children are made here, so all of this comes before the first thread.

mod config_file;
mod error;
mod keep;
mod program;
mod secret;

pub use error::CredentialError;
pub use keep::{Kept, find, forget, keep};
pub use secret::Credential;
