//! Addresses of hosts that a volume names.
//!
//! Not by getaddrinfo: a static program would load the host's libraries for it. What is known
//! without asking anybody is an address as it is, and /etc/hosts.

use std::io;
use std::net::IpAddr;

/// The address of `host`.
pub fn of_host(host: &str) -> io::Result<IpAddr> {
    if let Ok(address) = host.parse() {
        return Ok(address);
    }
    let text = std::fs::read_to_string("/etc/hosts")?;
    find(&text, host).ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, format!("lookup {host}: no such host in /etc/hosts"))
    })
}

fn find(hosts: &str, wanted: &str) -> Option<IpAddr> {
    hosts.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_ascii_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(wanted)).then_some(address)
    })
}

#[cfg(test)]
mod tests {
    /// Comments are no names, and case does not matter.
    #[test]
    fn hosts_file() {
        let text = "# 1.2.3.4 nas\n10.0.0.7 nas nas.lan # backup\n::1 six\n";
        let find = |name| super::find(text, name).map(|a| a.to_string());
        assert_eq!(find("NAS.lan").as_deref(), Some("10.0.0.7"));
        assert_eq!(find("six").as_deref(), Some("::1"));
        assert_eq!(find("backup"), None);
    }
}
