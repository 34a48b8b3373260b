//! Reading the config file of a bundle.

use std::path::{Path, PathBuf};

use super::file;
use crate::config::oci::{self, Config, ConfigError};

/// Why a bundle has no config.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be read.
    #[error("open({path:?}): {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The kernel's answer, or what the file is instead.
        source: std::io::Error,
    },
    /// It is no config.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Reads the config at `path`.
pub fn read(path: &Path, last_capability: u8) -> Result<Config, ReadError> {
    let text = file::read(path, file::RECORD_LIMIT_BYTES)
        .map_err(|source| ReadError::Unreadable { path: path.into(), source })?;
    Ok(oci::parse(path, &text, last_capability)?)
}
