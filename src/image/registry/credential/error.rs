//! What can be wrong with kept credentials.

use std::io;
use std::path::PathBuf;

/// What can be wrong with the file or a program.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// There is no place for the file.
    #[error("neither DOCKER_CONFIG nor HOME says where config.json is")]
    NoPlace,
    /// The file.
    #[error("{call}({path:?}): {source}")]
    Io {
        /// What was tried.
        call: &'static str,
        /// On what.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The file is not what Docker writes.
    #[error("{path:?} cannot be read: {why}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The program is not there, or cannot be run.
    #[error("error getting credentials - err: {name}: {why}")]
    Program {
        /// The program.
        name: String,
        /// What is wrong with it.
        why: String,
    },
}
