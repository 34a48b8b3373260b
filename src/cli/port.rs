//! `rrun port`: which ports of the host lead into a container.

use super::{Context, Outcome};
use crate::container::store::ContainerStore;
use crate::say::failure::Failure;

/// List the ports of the host that lead into a container
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// The container, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    container: String,
    /// Only those that lead to this port: 80 or 80/udp
    #[arg(value_name = "PORT")]
    port: Option<String>,
}

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let wanted = format!("list the ports of container {}", cmd.container);
    let failed = |cause: &dyn std::fmt::Display| Failure::new(&wanted, cause);
    let containers = ContainerStore::open(&cx.store).map_err(|e| failed(&e))?;
    let container = containers.find(&cmd.container).map_err(|e| failed(&e))?;
    let told = |e| Failure::new("write the result", e);
    let ports = &container.state.ports;
    let Some(text) = &cmd.port else {
        for port in ports {
            let line = format!("{} -> {}:{}", port.inner(), port.shown_address(), port.host);
            cx.out.line(line).map_err(told)?;
        }
        return Ok(0);
    };
    let inner = if text.contains('/') { text.clone() } else { format!("{text}/tcp") };
    let mut found = ports.iter().filter(|port| port.inner() == inner).peekable();
    if found.peek().is_none() {
        return Err(failed(&format!("no public port '{inner}' published for {}", cmd.container)));
    }
    for port in found {
        cx.out.line(format!("{}:{}", port.shown_address(), port.host)).map_err(told)?;
    }
    Ok(0)
}
