//! `rrun volume inspect`: V4.11 to V4.14.

use clap::Args;
use serde_json::Value;

use super::shown::Inspected;
use super::start::{failure, named, volumes, write_failure};
use crate::cli::{Context, Outcome, near};
use crate::say::failure::Failure;
use crate::say::objects::render;
use crate::volume::VolumeError;
use crate::volume::store::VolumeStore;

/// Display detailed information on one or more volumes
///
/// Prints a JSON array. Volumes that are not there are told on standard error, after the others.
#[derive(Debug, Args)]
pub struct Cmd {
    /// How to print: json, or a Go template for each volume
    #[arg(short, long, value_name = "FORMAT", default_value = "", hide_default_value = true)]
    format: String,
    /// The volumes
    #[arg(required = true, value_name = "VOLUME")]
    volumes: Vec<String>,
}

/// Shows the volumes.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let volumes = volumes(cx)?;
    let mut found = Vec::new();
    let mut failures = Vec::new();
    for text in &cmd.volumes {
        match find(text, &volumes, cx) {
            Ok(volume) => found.push(volume),
            Err(missing) => failures.push(missing),
        }
    }
    let text = render(&cmd.format, &found).map_err(|e| Failure::new("show the volumes", e))?;
    cx.out.text(&text).map_err(write_failure)?;
    for missing in &failures {
        cx.out.failure(missing);
    }
    Ok(u8::from(!failures.is_empty()))
}

fn find(text: &str, volumes: &VolumeStore, cx: &Context) -> Result<Value, Failure> {
    let wanted = format!("inspect volume {text}");
    let missing = |cause: &dyn std::fmt::Display| {
        Failure::new(&wanted, cause).perhaps(near::hint(text, &[near::Kind::Volume], cx))
    };
    let name = named(text).map_err(|cause| missing(&cause))?;
    let shown = match volumes.get(&name) {
        Ok(volume) => Inspected::new(&volume, volumes, cx),
        Err(e @ VolumeError::Missing(_)) => {
            Inspected::of_plugin(&name).ok_or_else(|| missing(&e))?
        }
        Err(e) => return Err(failure(&wanted, &e)),
    };
    serde_json::to_value(shown).map_err(|e| Failure::new(&wanted, e))
}
