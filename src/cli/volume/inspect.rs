//! `rrun volume inspect`: V4.11 to V4.14.

use clap::Args;

use super::shown::{Inspected, json};
use super::start::{failure, named, volumes, write_failure};
use crate::cli::{Context, Outcome};
use crate::say::failure::Failure;

/// Display detailed information on one or more volumes
///
/// Prints a JSON array. Volumes that are not there are told on standard error, after the others.
#[derive(Debug, Args)]
pub struct Cmd {
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
        let wanted = format!("inspect volume {text}");
        match named(text)
            .map_err(|cause| Failure::new(&wanted, cause))
            .and_then(|name| volumes.get(&name).map_err(|e| failure(&wanted, &e)))
        {
            Ok(volume) => found.push(Inspected::new(&volume, &volumes)),
            Err(missing) => failures.push(missing),
        }
    }
    let text = json(&found).map_err(|e| Failure::new("show the volumes", e))?;
    cx.out.line(text).map_err(write_failure)?;
    for missing in &failures {
        cx.out.failure(missing);
    }
    Ok(u8::from(!failures.is_empty()))
}
