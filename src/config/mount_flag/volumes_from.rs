//! `--volumes-from CONTAINER[:OPTIONS]` (V7.05, V7.06).

use crate::config::request::VolumesFrom;

use super::error::MountFlagError;
use super::mode::Mode;

/// Parses the value of `--volumes-from`.
///
/// Propagation and `nocopy` are what the other container was given, so they are refused here.
pub fn parse_volumes_from(text: &str) -> Result<VolumesFrom, MountFlagError> {
    let (container, mode_text) = text.split_once(':').unwrap_or((text, ""));
    if container.is_empty() {
        return Err(MountFlagError::EmptyVolumesFrom);
    }
    let mode = Mode::parse(mode_text)?;
    if mode.propagation.is_some() || mode.copy_up.is_some() {
        return Err(MountFlagError::Mode(mode_text.into()));
    }
    Ok(VolumesFrom { text: text.into(), container: container.into(), read_only: mode.read_only() })
}
