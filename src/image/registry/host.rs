//! A registry's address: who is asked, how, and under which name its credentials are kept.

use std::fmt;
use std::net::IpAddr;

use crate::image::reference::{self, Reference};

/// The registry that names without one mean.
const HUB: &str = "docker.io";
/// Where that registry answers.
const HUB_AUTHORITY: &str = "registry-1.docker.io";
/// The name that its credentials have had since its first version.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// A registry, as images name it: `docker.io`, `localhost:5000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(String);

/// A text that names no registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid registry {0:?}: it must be host[:port]")]
pub struct HostError(String);

impl Host {
    /// The registry of an image's name.
    pub fn of(reference: &Reference) -> Self {
        Self(reference.domain().to_owned())
    }

    /// Parses what users type after `login`: `host:5000`, `https://host/v2/`; nothing means the
    /// default registry.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        let bare = key_to_host(text);
        match bare {
            "" | "index.docker.io" | HUB_AUTHORITY => Ok(Self(HUB.into())),
            bare if reference::is_domain(bare) => Ok(Self(bare.into())),
            _ => Err(HostError(text.into())),
        }
    }

    /// Who is asked: `host[:port]`.
    pub fn authority(&self) -> &str {
        if self.0 == HUB { HUB_AUTHORITY } else { &self.0 }
    }

    /// Under which key Docker keeps its credentials.
    pub fn credential_key(&self) -> &str {
        if self.0 == HUB { HUB_KEY } else { &self.0 }
    }

    /// Is it the registry that names without one mean?
    pub fn is_default(&self) -> bool {
        self.0 == HUB
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The host of a key of Docker's credentials, which may be an address: `https://host/v1/`.
pub fn key_to_host(key: &str) -> &str {
    let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
    bare.unwrap_or(key).split('/').next().unwrap_or_default()
}

/// Does an authority (`host[:port]`) name this very machine by its loopback interface? Only there
/// may a registry do without TLS: Docker's rule (127.0.0.0/8, ::1, localhost).
///
/// By the text alone: what a name server says must not turn encryption off.
pub fn is_loopback(authority: &str) -> bool {
    let host = host_of(authority);
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// The host of an authority, without port and brackets.
pub fn host_of(authority: &str) -> &str {
    if let Some(inner) = authority.strip_prefix('[') {
        return inner.split(']').next().unwrap_or_default();
    }
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is typed, who is asked, and the key of the credentials.
    #[test]
    fn addresses() {
        let hub = ("registry-1.docker.io", "https://index.docker.io/v1/");
        let cases = [
            ("", hub),
            ("docker.io", hub),
            ("https://index.docker.io/v1/", hub),
            ("localhost:5000", ("localhost:5000", "localhost:5000")),
            ("https://r.example/v2/", ("r.example", "r.example")),
            ("[::1]:5000", ("[::1]:5000", "[::1]:5000")),
        ];
        for (text, (authority, key)) in cases {
            let host = Host::parse(text).unwrap();
            assert_eq!((host.authority(), host.credential_key()), (authority, key), "{text}");
        }
        for bad in ["user@host", "host:", "a b", "-x", "host:80:80", "..", "h\n"] {
            assert!(Host::parse(bad).is_err(), "{bad:?}");
        }
    }

    /// Encryption is left out for this machine alone, and not for names that only look like it.
    #[test]
    fn loopback() {
        let yes = ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000"];
        let no = ["localhost.example", "10.0.0.1:5000", "127.0.0.1.example", "[::2]", "docker.io"];
        assert!(yes.iter().all(|a| is_loopback(a)));
        assert!(!no.iter().any(|a| is_loopback(a)));
    }
}
