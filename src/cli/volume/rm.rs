//! `rrun volume rm`: V4.21 to V4.24.

use clap::Args;

use super::start::{container_exists, failure, lock_failure, named, volumes, write_failure};
use crate::cli::{Context, Outcome, near};
use crate::config::name::VolumeName;
use crate::say::failure::Failure;
use crate::volume::VolumeError;
use crate::volume::lock::StoreAlone;
use crate::volume::plugin::protocol::{Patience, Session};
use crate::volume::plugin::survey;
use crate::volume::removal::Removed;
use crate::volume::store::VolumeStore;

/// Remove one or more volumes
///
/// A volume that a container uses, running or not, is never removed.
#[derive(Debug, Args)]
pub struct Cmd {
    /// Do not fail for a volume that does not exist, or whose driver does not answer
    #[arg(short, long)]
    force: bool,
    /// The volumes
    #[arg(required = true, value_name = "VOLUME")]
    volumes: Vec<String>,
}

/// Removes the volumes, as many as can be.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let volumes = volumes(cx)?;
    let mut status = 0;
    for text in &cmd.volumes {
        match remove(text, cmd, (&volumes, cx)) {
            Ok(Found::Removed) => cx.out.line(text).map_err(write_failure)?,
            Ok(Found::Missing(_)) if cmd.force => cx.out.line(text).map_err(write_failure)?,
            Ok(Found::Missing(cause)) => {
                let failure = Failure::new(format!("remove {text}"), cause);
                let hint = near::hint(text, &[near::Kind::Volume], cx);
                cx.out.failure(&failure.perhaps(hint));
                status = 1;
            }
            Err(failed) => {
                cx.out.failure(&failed);
                status = 1;
            }
        }
    }
    Ok(status)
}

enum Found {
    Removed,
    Missing(String),
}

fn remove(
    text: &str,
    cmd: &Cmd,
    (volumes, cx): (&VolumeStore, &Context),
) -> Result<Found, Failure> {
    let name = match named(text) {
        Ok(name) => name,
        Err(cause) => return Ok(Found::Missing(cause)),
    };
    let wanted = format!("remove {name}");
    match take_out(&name, volumes, cx)? {
        Ok(removed) if cmd.force => removed.forget().map_err(|e| failure(&wanted, &e))?,
        Ok(removed) => removed.delete().map_err(|e| failure(&wanted, &e))?,
        Err(e @ VolumeError::Missing(_)) => {
            return match remove_remote(&name).map_err(|e| failure(&wanted, &e))? {
                true => Ok(Found::Removed),
                false => Ok(Found::Missing(e.to_string())),
            };
        }
        Err(e) => return Err(failure(&wanted, &e)),
    }
    Ok(Found::Removed)
}

/// A volume that only a plugin knows of. Was there one?
fn remove_remote(name: &VolumeName) -> Result<bool, VolumeError> {
    let Some((plugin, ..)) = survey::owner(name.as_str()) else { return Ok(false) };
    Session::open(&plugin, Patience::PerCall)
        .and_then(|session| session.remove(name.as_str()))
        .map_err(|e| VolumeError::NotRemoved { name: name.clone(), source: e.into() })?;
    Ok(true)
}

/// Under the store's lock; the data is deleted after it is let go.
fn take_out(
    name: &VolumeName,
    volumes: &VolumeStore,
    cx: &Context,
) -> Result<Result<Removed, VolumeError>, Failure> {
    let alone = StoreAlone::take(&cx.store).map_err(lock_failure)?;
    Ok(volumes.remove(&alone, name, &container_exists(&cx.store)))
}
