//! Finding, keeping and forgetting: in the file, or by the program that the file names.

use std::path::PathBuf;

use super::config_file::ConfigFile;
use super::error::CredentialError;
use super::program;
use super::secret::Credential;
use crate::image::registry::host::Host;

/// Where a credential was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// In this file, for everybody to read who can read the file.
    Plainly(PathBuf),
    /// By a program.
    ByProgram,
}

/// The credential for a registry, if there is one.
pub fn find(host: &Host) -> Result<Option<Credential>, CredentialError> {
    let Some(file) = ConfigFile::open_if_placed()? else { return Ok(None) };
    match file.program(host) {
        Some(program) => program::get(program, host.credential_key()),
        None => file.find(host),
    }
}

/// Keeps a credential for a registry.
pub fn keep(host: &Host, credential: &Credential) -> Result<Kept, CredentialError> {
    let mut file = ConfigFile::open_to_change()?;
    if let Some(program) = file.program(host) {
        program::store(program, host.credential_key(), credential)?;
        return Ok(Kept::ByProgram);
    }
    file.set(host, credential);
    file.write().map(Kept::Plainly)
}

/// Forgets the credential for a registry; was there one?
pub fn forget(host: &Host) -> Result<bool, CredentialError> {
    let mut file = ConfigFile::open_to_change()?;
    let erased = match file.program(host) {
        Some(program) => program::erase(program, host.credential_key())?,
        None => false,
    };
    let removed = file.remove(host);
    if removed {
        file.write()?;
    }
    Ok(erased || removed)
}
