//! `-p`: which port of the host leads to which of the container.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// What is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

impl Protocol {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        }
    }
}

/// One port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The host's address; all of them if there is none.
    pub address: Option<IpAddr>,
    /// The host's port; 0 is any that is free.
    pub host: u16,
    /// The container's port.
    pub container: u16,
    /// What is passed on.
    pub protocol: Protocol,
}

/// Why `-p` cannot be understood, in Docker's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// The host's port.
    #[error("invalid hostPort: {0}")]
    Host(String),
    /// The container's port.
    #[error("invalid containerPort: {0}")]
    Container(String),
    /// The address.
    #[error("invalid IP address: {0}")]
    Address(String),
    /// The protocol.
    #[error("invalid proto: {0}")]
    Protocol(String),
    /// Nothing that leads somewhere.
    #[error("no port specified: {0}<empty>")]
    Empty(String),
    /// Ranges that do not fit each other.
    #[error("invalid ranges specified for container and host Ports: {container} and {host}")]
    Ranges {
        /// The container's.
        container: String,
        /// The host's.
        host: String,
    },
}

/// `[ADDRESS:][HOST[-END]:]CONTAINER[-END][/tcp|/udp]`; an IPv6 address stands in brackets.
pub fn parse(text: &str) -> Result<Vec<Published>, PortError> {
    let (ports, protocol) = match text.rsplit_once('/') {
        None | Some((_, "" | "tcp")) => (text.split('/').next().unwrap_or(text), Protocol::Tcp),
        Some((ports, "udp")) => (ports, Protocol::Udp),
        Some((_, other)) => return Err(PortError::Protocol(other.into())),
    };
    let (rest, container) = ports.rsplit_once(':').unwrap_or(("", ports));
    if container.is_empty() {
        return Err(PortError::Empty(text.into()));
    }
    let (address, host) = match rest.rsplit_once(':') {
        Some((address, host)) => (Some(address), host),
        None => (None, rest),
    };
    let address = address.filter(|address| !address.is_empty()).map(|address| {
        let bare = address.trim_start_matches('[').trim_end_matches(']');
        bare.parse().map_err(|_| PortError::Address(address.into()))
    });
    let address = address.transpose()?;
    let inner = range(container).ok_or_else(|| PortError::Container(container.into()))?;
    let outer = match host {
        "" => None,
        host => Some(range(host).ok_or_else(|| PortError::Host(host.into()))?),
    };
    let count = inner.1 - inner.0;
    if outer.is_some_and(|(first, last)| last - first != count) {
        let (container, host) = (container.into(), host.into());
        return Err(PortError::Ranges { container, host });
    }
    let one = |offset| Published {
        address,
        host: outer.map_or(0, |(first, _)| first + offset),
        container: inner.0 + offset,
        protocol,
    };
    Ok((0..=count).map(one).collect())
}

/// `80`, `80-90`; 0 is no port.
fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first, last))
}

impl Published {
    /// The container's side: `80/tcp`.
    pub fn inner(&self) -> String {
        format!("{}/{}", self.container, self.protocol.word())
    }

    /// The host's address as it is shown.
    pub fn shown_address(&self) -> String {
        self.address.map_or("0.0.0.0".into(), |address| address.to_string())
    }
}

/// As `ps` shows it: `0.0.0.0:8080->80/tcp`.
impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            _ => write!(f, "{}", self.shown_address())?,
        }
        write!(f, ":{}->{}", self.host, self.inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        parse(text).unwrap().iter().map(ToString::to_string).collect()
    }

    /// All the forms.
    #[test]
    fn forms() {
        assert_eq!(shown("8080:80"), ["0.0.0.0:8080->80/tcp"]);
        assert_eq!(shown("80"), ["0.0.0.0:0->80/tcp"]);
        assert_eq!(shown("127.0.0.1:8080:80/tcp"), ["127.0.0.1:8080->80/tcp"]);
        assert_eq!(shown("127.0.0.1::80"), ["127.0.0.1:0->80/tcp"]);
        assert_eq!(shown("[::1]:5353:53/udp"), ["[::1]:5353->53/udp"]);
        assert_eq!(shown("90-91:80-81"), ["0.0.0.0:90->80/tcp", "0.0.0.0:91->81/tcp"]);
    }

    /// V12.25, and the rest, in Docker's words.
    #[test]
    fn refused() {
        let words = |text| parse(text).unwrap_err().to_string();
        assert_eq!(words("abc:80"), "invalid hostPort: abc");
        assert_eq!(words("80:abc"), "invalid containerPort: abc");
        assert_eq!(words("1.2.3:80:80"), "invalid IP address: 1.2.3");
        assert_eq!(words("80:80/sctpx"), "invalid proto: sctpx");
        assert_eq!(words("80:"), "no port specified: 80:<empty>");
        assert!(words("80-82:80-81").starts_with("invalid ranges specified"));
        assert!(parse("0:80").is_err() && parse("70000:80").is_err() && parse("9-8:9-8").is_err());
    }
}
