//! `rrun rename`: give a container another name.

use super::{Context, Outcome};
use crate::config::name::ContainerName;
use crate::container::rename::rename;
use crate::say::failure::Failure;

/// Rename a container
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// The container, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    container: String,
    /// Its new name
    #[arg(required = true, value_name = "NEW_NAME")]
    name: String,
}

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let wanted = format!("rename container {} to {}", cmd.container, cmd.name);
    let name = ContainerName::parse(&cmd.name).map_err(|e| Failure::new(&wanted, e))?;
    rename(&cx.store, &cmd.container, &name).map_err(|e| Failure::new(&wanted, e))?;
    Ok(0)
}
