//! Names and ids of containers.

use super::error::ContainerError;
use super::store::ContainerStore;
use crate::config::name::ContainerName;

/// 64 hex digits that nobody has guessed.
pub fn random_id() -> Result<String, ContainerError> {
    let mut bytes = [0u8; 32];
    let length = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|e| ContainerError::io("getrandom", "", e))?;
    debug_assert_eq!(length, bytes.len());
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Now: RFC 3339 with nanoseconds, UTC.
pub fn now() -> String {
    let now = jiff::Timestamp::now();
    format!("{now:.9}")
}

/// The name that the user chose, or one that nobody has.
pub fn choose(
    wanted: &Option<ContainerName>,
    containers: &ContainerStore,
    id: &str,
) -> Result<ContainerName, ContainerError> {
    if let Some(name) = wanted {
        check_free(containers, name)?;
        return Ok(name.clone());
    }
    ContainerName::parse(&id[..12]).map_err(|e| ContainerError::Option(e.to_string()))
}

/// V12.09: a name belongs to one container.
pub fn check_free(containers: &ContainerStore, name: &ContainerName) -> Result<(), ContainerError> {
    let (all, _) = containers.list()?;
    match all.into_iter().find(|c| c.record.name == *name) {
        Some(other) => {
            Err(ContainerError::NameTaken { name: name.to_string(), id: other.record.id })
        }
        None => Ok(()),
    }
}
