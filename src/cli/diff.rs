//! `rrun diff`, also `rrun container diff`.

use std::io::Write;

use super::{Context, Outcome};
use crate::container::diff::changes;
use crate::container::store::ContainerStore;
use crate::say::failure::Failure;

/// Show which files a container has added (A), changed (C) or deleted (D) in its image's
///
/// What is in volumes and other mounts does not count. `rrun explain --diff` compares plans.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// The container, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    container: String,
}

/// Prints a line a change.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let failed = |cause: &dyn std::fmt::Display| {
        Failure::new(format!("compare {} with its image", cmd.container), cause)
    };
    let containers = ContainerStore::open(&cx.store).map_err(|e| failed(&e))?;
    let container = containers.find(&cmd.container).map_err(|e| failed(&e))?;
    // Names are bytes, and come out as they are.
    let mut text = Vec::new();
    for (path, change) in changes(&container).map_err(|e| failed(&e))? {
        let _ = write!(text, "{} ", change.letter());
        text.extend_from_slice(&path);
        text.push(b'\n');
    }
    cx.out.bytes(&text).map_err(|e| failed(&e))?;
    Ok(0)
}
