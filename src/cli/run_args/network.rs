//! The options of a container's names and network.

use super::refusal::{invalid, refused};
use crate::config::name::ContainerName;
use crate::config::port;
use crate::container::options::{Network, NetworkMode};
use crate::say::failure::Failure;

/// The options, as typed.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct NetworkArgs {
    /// Host name of the container
    #[arg(short = 'h', long, value_name = "NAME")]
    hostname: Option<String>,
    /// Domain name of the container
    #[arg(long, value_name = "NAME")]
    domainname: Option<String>,
    /// "none" (its own, with loopback only), "host", "pasta" or "container:NAME"
    #[arg(long, alias = "net", value_name = "NETWORK")]
    network: Option<String>,
    /// Lead a port of the host to one of the container: [ADDRESS:][HOST:]CONTAINER[/udp]
    #[arg(short, long, value_name = "PORTS")]
    publish: Vec<String>,
}

/// sethostname(2) takes so many bytes.
const HOST_NAME_MAX: usize = 64;

impl NetworkArgs {
    /// Parses and checks all values.
    pub fn parse(self) -> Result<Network, Failure> {
        let mut ports = Vec::new();
        for text in &self.publish {
            let parsed = port::parse(text);
            ports.extend(parsed.map_err(|e| invalid("-p, --publish", text, e))?);
        }
        let mode = mode(self.network.as_deref(), !ports.is_empty())?;
        for (flag, name) in [("-h, --hostname", &self.hostname), ("--domainname", &self.domainname)]
        {
            let Some(name) = name else { continue };
            // They become lines of /etc/hosts.
            if name.len() > HOST_NAME_MAX
                || name.contains(|c: char| c.is_whitespace() || c.is_control())
            {
                let reason = "a host name has at most 64 bytes and no blanks";
                return Err(invalid(flag, name, reason));
            }
        }
        let given = |name: Option<String>| name.filter(|name| !name.is_empty());
        let (hostname, domainname) = (given(self.hostname), given(self.domainname));
        Ok(Network { mode, hostname, domainname, ports })
    }
}

/// Ports need pasta, and a network of the container's own.
fn mode(network: Option<&str>, publishes: bool) -> Result<NetworkMode, Failure> {
    let mode = match network {
        None | Some("") if publishes => NetworkMode::Pasta,
        None | Some("" | "none") => NetworkMode::None,
        Some("host") => NetworkMode::Host,
        Some("pasta") => NetworkMode::Pasta,
        Some(other) => match other.strip_prefix("container:").map(ContainerName::parse) {
            Some(Ok(name)) => NetworkMode::Container(name.to_string()),
            Some(Err(e)) => return Err(refused(&format!("--network {other}"), e)),
            None => {
                let cause = format!("network {other} not found");
                return Err(refused(&format!("--network {other}"), cause)
                    .hint("there are none, host, pasta and container:NAME"));
            }
        },
    };
    match (&mode, publishes) {
        (NetworkMode::Container(_), true) => {
            let cause = "conflicting options: port publishing and the container type network mode";
            Err(refused("-p", cause))
        }
        (NetworkMode::None, true) => {
            let cause = "conflicting options: port publishing and the network mode none";
            Err(refused("-p", cause).hint("leave --network out, and pasta is used"))
        }
        // V12: with the host's network ports are there already, and -p says nothing.
        _ => Ok(mode),
    }
}
