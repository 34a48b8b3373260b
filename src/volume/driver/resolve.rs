//! The address of a host's name: /etc/hosts, else the name servers of /etc/resolv.conf.
//!
//! Our own few questions, because the C library would load the host's plugins into a static
//! program. Called on the host's side, before anything is entered. No cache, no TCP: a file
//! server has few addresses.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;
/// Files of the host that are longer are not read.
const FILE_MAX: u64 = 1 << 20;

/// Finds the address of `host`, an IPv4 one before an IPv6 one.
pub fn resolve(host: &str) -> io::Result<IpAddr> {
    if let Ok(address) = host.parse() {
        return Ok(address);
    }
    if let Some(address) = in_hosts(&read(Path::new("/etc/hosts")), host) {
        return Ok(address);
    }
    ask(&Servers::parse(&read(Path::new("/etc/resolv.conf")), 53), host)
}

fn read(path: &Path) -> String {
    let small = std::fs::metadata(path).is_ok_and(|seen| seen.is_file() && seen.len() < FILE_MAX);
    if small { std::fs::read_to_string(path).unwrap_or_default() } else { String::new() }
}

/// The address that a hosts file gives a name.
fn in_hosts(file: &str, host: &str) -> Option<IpAddr> {
    let found = |line: &str| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?.parse::<IpAddr>().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
    };
    let addresses: Vec<IpAddr> = file.lines().filter_map(found).collect();
    addresses.iter().find(|address| address.is_ipv4()).or(addresses.first()).copied()
}

/// What a resolv.conf says.
struct Servers {
    addresses: Vec<SocketAddr>,
    search: Vec<String>,
}

impl Servers {
    fn parse(file: &str, port: u16) -> Self {
        let mut servers = Self { addresses: Vec::new(), search: Vec::new() };
        for line in file.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                    servers.addresses.extend(address.map(|ip| SocketAddr::new(ip, port)));
                }
                Some("search" | "domain") => servers.search = words.map(str::to_owned).collect(),
                _ => {}
            }
        }
        servers.addresses.truncate(3);
        servers
    }

    /// The names to ask for, in resolv.conf(5)'s order with one dot as the limit.
    fn names(&self, host: &str) -> Vec<String> {
        let host = host.strip_suffix('.').unwrap_or(host).to_owned();
        let mut names: Vec<String> = self.search.iter().map(|at| format!("{host}.{at}")).collect();
        let at = if host.contains('.') { 0 } else { names.len() };
        names.insert(at, host);
        names
    }
}

const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;

fn ask(servers: &Servers, host: &str) -> io::Result<IpAddr> {
    for name in servers.names(host) {
        for kind in [TYPE_A, TYPE_AAAA] {
            // Servers that are silent now are silent for the next name too.
            if let Some(address) = ask_all(servers, &name, kind)? {
                return Ok(address);
            }
        }
    }
    Err(io::Error::new(ErrorKind::NotFound, "no such host"))
}

fn ask_all(servers: &Servers, name: &str, kind: u16) -> io::Result<Option<IpAddr>> {
    let mut last = Ok(None);
    for _ in 0..ATTEMPTS {
        for server in &servers.addresses {
            match ask_one(*server, name, kind) {
                Ok(answer) => return Ok(answer),
                Err(e) => last = Err(e),
            }
        }
    }
    last
}

fn ask_one(server: SocketAddr, name: &str, kind: u16) -> io::Result<Option<IpAddr>> {
    let ours: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let mut id = [0; 2];
    rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty())?;
    let question = question(id, name, kind)
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "no such host"))?;
    let socket = UdpSocket::bind(ours)?;
    // Connected: datagrams of others are dropped by the kernel.
    socket.connect(server)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.send(&question)?;
    let mut answer = [0; 1500];
    loop {
        let length = socket.recv(&mut answer).map_err(|e| match e.kind() {
            ErrorKind::WouldBlock => io::Error::new(ErrorKind::TimedOut, "no answer"),
            _ => e,
        })?;
        // An answer to an earlier question is passed over.
        if answer[..length].starts_with(&id) {
            return Ok(address(&answer[..length], question.len(), kind));
        }
    }
}

/// A question in the form of RFC 1035; `None` for a text that can be no name.
fn question(id: [u8; 2], name: &str, kind: u16) -> Option<Vec<u8>> {
    const RECURSION_DESIRED: u8 = 1;
    let mut text = vec![id[0], id[1], RECURSION_DESIRED, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        text.push(length);
        text.extend_from_slice(label.as_bytes());
    }
    text.push(0);
    text.extend_from_slice(&kind.to_be_bytes());
    text.extend_from_slice(&[0, 1]);
    (name.len() <= 253).then_some(text)
}

/// The first address in an answer whose records begin at `start`. The chain of names that leads
/// to it is the server's to follow.
fn address(answer: &[u8], start: usize, kind: u16) -> Option<IpAddr> {
    let mut at = start;
    let count = u16::from_be_bytes(answer.get(6..8)?.try_into().ok()?);
    for _ in 0..count {
        at = after_name(answer, at)?;
        let head = answer.get(at..at + 10)?;
        let length = usize::from(u16::from_be_bytes([head[8], head[9]]));
        let data = answer.get(at + 10..at + 10 + length)?;
        at += 10 + length;
        if u16::from_be_bytes([head[0], head[1]]) != kind {
            continue;
        }
        if let Ok(v4) = <[u8; 4]>::try_from(data) {
            return Some(v4.into());
        }
        if let Ok(v6) = <[u8; 16]>::try_from(data) {
            return Some(v6.into());
        }
    }
    None
}

/// Where a name ends. A pointer ends it and is not followed, so no answer can lead us in circles.
fn after_name(answer: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *answer.get(at)? {
            0 => return Some(at + 1),
            pointer if pointer >= 0xc0 => return Some(at + 2),
            length => at += 1 + usize::from(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// An address is itself; a hosts file gives names in any case, IPv4 first.
    #[test]
    fn without_a_server() {
        assert_eq!(resolve("192.0.2.7").unwrap(), ip("192.0.2.7"));
        let file = "::1 store # store2\n# 192.0.2.9 store\n192.0.2.7\tother Store\nx store\n";
        assert_eq!(in_hosts(file, "store"), Some(ip("192.0.2.7")));
        assert_eq!(in_hosts(file, "store2"), None);
    }

    /// The search list comes first for a bare name, last for one with a dot.
    #[test]
    fn names_to_ask_for() {
        let file = "nameserver 192.0.2.1\nnameserver nonsense\nsearch a.example b.example\n";
        let servers = Servers::parse(file, 53);
        assert_eq!(servers.addresses, [SocketAddr::new(ip("192.0.2.1"), 53)]);
        assert_eq!(servers.names("nas"), ["nas.a.example", "nas.b.example", "nas"]);
        assert_eq!(servers.names("n.x.")[0], "n.x");
        assert_eq!(question([0, 0], "a..b", TYPE_A), None);
        assert_eq!(question([0, 0], &"a".repeat(64), TYPE_A), None);
    }

    /// Any bytes are an answer or none; they never end the program.
    #[test]
    fn hostile_answers() {
        let asked = question([1, 2], "nas.example", TYPE_A).unwrap();
        let mut answer = asked.clone();
        answer[7] = 2;
        // A CNAME, then an address.
        answer.extend_from_slice(b"\xc0\x0c\0\x05\0\x01\0\0\0\x09\0\x02\xc0\x0c");
        answer.extend_from_slice(b"\x01x\0\0\x01\0\x01\0\0\0\x09\0\x04\xc0\0\x02\x07");
        assert_eq!(address(&answer, asked.len(), TYPE_A), Some(ip("192.0.2.7")));
        assert_eq!(address(&answer, asked.len(), TYPE_AAAA), None);
        for length in 0..answer.len() {
            assert_eq!(address(&answer[..length], asked.len(), TYPE_A), None);
        }
        for at in 0..answer.len() {
            for byte in [0, 0x3f, 0xc0, 0xff] {
                let mut broken = answer.clone();
                broken[at] = byte;
                let _ = address(&broken, asked.len(), TYPE_A);
            }
        }
    }

    /// A real question to a server of our own, which first answers something else.
    #[test]
    fn a_server_is_asked() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let serving = std::thread::spawn(move || {
            let mut asked = [0; 512];
            let (length, client) = server.recv_from(&mut asked).unwrap();
            let mut answer = asked[..length].to_vec();
            answer[0] ^= 1;
            server.send_to(&answer, client).unwrap();
            answer[0] ^= 1;
            answer[7] = 1;
            answer.extend_from_slice(b"\xc0\x0c\0\x01\0\x01\0\0\0\x09\0\x04\xc0\0\x02\x07");
            server.send_to(&answer, client).unwrap();
        });
        let servers = Servers::parse("nameserver 127.0.0.1\n", port);
        assert_eq!(ask(&servers, "nas.example").unwrap(), ip("192.0.2.7"));
        serving.join().unwrap();
        let nowhere = Servers::parse("", 53);
        assert_eq!(ask(&nowhere, "nas").unwrap_err().to_string(), "no such host");
    }
}
