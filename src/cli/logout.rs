//! `rrun logout`: a registry's name and password are forgotten.

use super::{Context, Outcome};
use crate::image::registry::{Host, credential};
use crate::say::failure::Failure;

/// Log out from a registry
///
/// Without a registry it is docker.io.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// The registry, as host[:port]
    #[arg(value_name = "SERVER")]
    server: Option<String>,
}

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let server = cmd.server.as_deref().unwrap_or_default();
    let failed =
        |cause: &dyn std::fmt::Display| Failure::new(format!("log out from {server}"), cause);
    let host = Host::parse(server).map_err(|e| failed(&e))?;
    let key = host.credential_key();
    let told = match credential::forget(&host).map_err(|e| failed(&e))? {
        true => format!("Removing login credentials for {key}"),
        false => format!("Not logged in to {key}"),
    };
    cx.out.line(told).map_err(|e| failed(&e))?;
    Ok(0)
}
