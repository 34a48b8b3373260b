//! What could not be done with a container, as it is told.

use super::error::ContainerError;
use crate::say::failure::{Failure, Status};
use crate::say::setup;

/// A failure before there was a process: status 125, whatever the text.
pub fn not_started(wanted: &str, error: &ContainerError) -> Failure {
    let mut failure = Failure::new(wanted, error).status(Status::NotStarted);
    failure.hint = hint(error);
    if let ContainerError::Volume(volume) = error {
        failure.kernel = volume.kernel_words().map(Into::into);
        failure.hint = volume.hint();
    }
    failure
}

fn hint(error: &ContainerError) -> Option<String> {
    match error {
        ContainerError::NoImage(_) => {
            let more = if cfg!(feature = "registry") { "`rrun pull`, " } else { "" };
            Some(format!(
                "`rrun images` lists what is there; {more}`rrun load` and `rrun import` bring more"
            ))
        }
        ContainerError::NoSource { path } => setup::how_far(path),
        ContainerError::Mounts(error) => error.hint(),
        ContainerError::NoPasta => Some(
            "-p and --network pasta need it: apt install passt; or share the host's network with \
             --network host"
                .into(),
        ),
        ContainerError::NameTaken { .. } => Some("`rrun rm NAME` removes it".into()),
        _ => None,
    }
}
