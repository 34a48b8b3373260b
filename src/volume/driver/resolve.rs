//! The address of a host's name: /etc/hosts, else the name servers of /etc/resolv.conf.
//!
//! Our own few questions, because the C library would load the host's plugins into a static
//! program. Called on the host's side, before anything is entered. No cache; what other sources
//! nsswitch.conf(5) names (mDNS, LDAP) are not asked. No TCP: an answer that was cut short has
//! its first records, and one address is enough.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;
/// All questions for one name together, whatever the servers do.
const LIMIT: Duration = Duration::from_secs(15);
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
    // RFC 6761: never a question for a server.
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(Ipv4Addr::LOCALHOST.into());
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
    /// So many dots make a name one that is asked for as it is first.
    dots: usize,
}

impl Servers {
    fn parse(file: &str, port: u16) -> Self {
        let mut servers = Self { addresses: Vec::new(), search: Vec::new(), dots: 1 };
        for line in file.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                    servers.addresses.extend(address.map(|ip| SocketAddr::new(ip, port)));
                }
                Some("search" | "domain") => servers.search = words.map(str::to_owned).collect(),
                Some("options") => {
                    let dots = words.find_map(|word| word.strip_prefix("ndots:")?.parse().ok());
                    servers.dots = dots.unwrap_or(servers.dots).min(15);
                }
                _ => {}
            }
        }
        if servers.addresses.is_empty() {
            // resolv.conf(5): without a server it is the one of this machine.
            servers.addresses.push((Ipv4Addr::LOCALHOST, port).into());
        }
        servers.addresses.truncate(3);
        servers.search.truncate(6);
        servers
    }

    /// The names to ask for, in resolv.conf(5)'s order. A dot at the end is for no search.
    fn names(&self, host: &str) -> Vec<String> {
        if let Some(whole) = host.strip_suffix('.') {
            return vec![whole.to_owned()];
        }
        let host = host.to_owned();
        let mut names: Vec<String> = self.search.iter().map(|at| format!("{host}.{at}")).collect();
        let at = if host.matches('.').count() >= self.dots { 0 } else { names.len() };
        names.insert(at, host);
        names
    }
}

const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;

/// What one server says of one name.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Address(IpAddr),
    /// There is no such name, or none with such an address.
    None,
    /// The server cannot say: another may.
    Refused(u8),
}

fn ask(servers: &Servers, host: &str) -> io::Result<IpAddr> {
    let until = Instant::now() + LIMIT;
    for name in servers.names(host) {
        for kind in [TYPE_A, TYPE_AAAA] {
            // Servers that are silent now are silent for the next name too.
            if let Some(address) = ask_all(servers, (&name, kind), until)? {
                return Ok(address);
            }
        }
    }
    Err(io::Error::new(ErrorKind::NotFound, "no such host"))
}

fn ask_all(servers: &Servers, question: (&str, u16), until: Instant) -> io::Result<Option<IpAddr>> {
    let mut last = Ok(None);
    for _ in 0..ATTEMPTS {
        for server in &servers.addresses {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::new(ErrorKind::TimedOut, "no answer"));
            }
            last = match ask_one(*server, question, left.min(TIMEOUT)) {
                Ok(Answer::Address(address)) => return Ok(Some(address)),
                Ok(Answer::None) => return Ok(None),
                Ok(Answer::Refused(code)) => {
                    let words = format!("the name server {} answers {}", server.ip(), rcode(code));
                    Err(io::Error::other(words))
                }
                Err(e) => Err(e),
            };
        }
    }
    last
}

/// RFC 1035's name of an answer's code.
fn rcode(code: u8) -> String {
    match code {
        1 => "that it cannot read the question".into(),
        2 => "with a server failure".into(),
        5 => "that it refuses".into(),
        other => format!("with code {other}"),
    }
}

fn ask_one(server: SocketAddr, (name, kind): (&str, u16), timeout: Duration) -> io::Result<Answer> {
    let ours: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let mut id = [0; 2];
    rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty())?;
    // What can be no name is nobody's.
    let Some(question) = question(id, name, kind) else { return Ok(Answer::None) };
    let socket = UdpSocket::bind(ours)?;
    // Connected: datagrams of others are dropped by the kernel.
    socket.connect(server)?;
    socket.send(&question)?;
    let mut answer = [0; 4096];
    let until = Instant::now() + timeout;
    loop {
        // A server that goes on answering other questions has no more time than a silent one.
        let left = until.saturating_duration_since(Instant::now());
        socket.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let length = socket.recv(&mut answer).map_err(|e| match e.kind() {
            ErrorKind::WouldBlock => io::Error::new(ErrorKind::TimedOut, "no answer"),
            _ => e,
        })?;
        if answers(&answer[..length], &question) {
            return Ok(read_answer(&answer[..length], question.len(), kind));
        }
        if left.is_zero() {
            return Err(io::Error::new(ErrorKind::TimedOut, "no answer"));
        }
    }
}

/// Is it an answer, and to this question? Any other is passed over, like one to an earlier one.
fn answers(answer: &[u8], question: &[u8]) -> bool {
    const HEAD: usize = 12;
    const IS_ANSWER: u8 = 0x80;
    answer.len() >= question.len()
        && answer[..2] == question[..2]
        && answer[2] & IS_ANSWER != 0
        && answer[4..6] == question[4..6]
        && answer[HEAD..question.len()].eq_ignore_ascii_case(&question[HEAD..])
}

fn read_answer(answer: &[u8], start: usize, kind: u16) -> Answer {
    const NO_ERROR: u8 = 0;
    const NO_SUCH_NAME: u8 = 3;
    match answer[3] & 0x0f {
        NO_ERROR => address(answer, start, kind).map_or(Answer::None, Answer::Address),
        NO_SUCH_NAME => Answer::None,
        code => Answer::Refused(code),
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
        assert_eq!(servers.names("n.x")[0], "n.x");
        assert_eq!(servers.names("n.x."), ["n.x"]);
        let servers = Servers::parse("search a.example\noptions timeout:1 ndots:2\n", 53);
        assert_eq!(servers.addresses, [SocketAddr::new(ip("127.0.0.1"), 53)]);
        assert_eq!(servers.names("n.x"), ["n.x.a.example", "n.x"]);
        assert_eq!(servers.names("n.x.y")[0], "n.x.y");
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

    /// The datagrams that answer a question.
    type Answerer = fn(&[u8]) -> Vec<Vec<u8>>;

    /// Serves as many questions as there are answers.
    fn server(answers: Vec<Answerer>) -> (u16, std::thread::JoinHandle<()>) {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let serving = std::thread::spawn(move || {
            for answer in answers {
                let mut asked = [0; 512];
                let (length, client) = server.recv_from(&mut asked).unwrap();
                for datagram in answer(&asked[..length]) {
                    server.send_to(&datagram, client).unwrap();
                }
            }
        });
        (port, serving)
    }

    fn found(asked: &[u8]) -> Vec<u8> {
        let mut answer = asked.to_vec();
        answer[2] |= 0x80;
        answer[7] = 1;
        answer.extend_from_slice(b"\xc0\x0c\0\x01\0\x01\0\0\0\x09\0\x04\xc0\0\x02\x07");
        answer
    }

    fn with_code(asked: &[u8], code: u8) -> Vec<u8> {
        let mut answer = asked.to_vec();
        answer[2] |= 0x80;
        answer[3] = code;
        answer
    }

    /// A real question to a server of our own. Answers to other questions, the question itself
    /// and what is cut off are passed over.
    #[test]
    fn a_server_is_asked() {
        let (port, serving) = server(vec![|asked| {
            let mut other_id = found(asked);
            other_id[0] ^= 1;
            let mut other_name = found(asked);
            other_name[13] ^= 1;
            *other_name.last_mut().unwrap() = 66;
            let mut other_case = found(asked);
            other_case[13] = other_case[13].to_ascii_uppercase();
            let cut = asked[..5].to_vec();
            vec![other_id, other_name, asked.to_vec(), cut, other_case]
        }]);
        let servers = Servers::parse("nameserver 127.0.0.1\n", port);
        assert_eq!(ask(&servers, "nas.example").unwrap(), ip("192.0.2.7"));
        serving.join().unwrap();
    }

    /// A server that cannot say is not believed: the next is asked. One that says that there is
    /// no such name is.
    #[test]
    fn failures_of_servers() {
        let (bad, serving_bad) = server(vec![|asked| vec![with_code(asked, 2)]]);
        let (good, serving_good) = server(vec![|asked| vec![found(asked)]]);
        let address = |port| SocketAddr::new(ip("127.0.0.1"), port);
        let mut servers = Servers::parse("", bad);
        servers.addresses.push(address(good));
        assert_eq!(ask(&servers, "nas.example").unwrap(), ip("192.0.2.7"));
        serving_bad.join().unwrap();
        serving_good.join().unwrap();

        let none: Answerer = |asked| vec![with_code(asked, 3)];
        let (port, serving) = server(vec![none, none]);
        let words = ask(&Servers::parse("", port), "nas.example").unwrap_err().to_string();
        assert_eq!(words, "no such host");
        serving.join().unwrap();

        let refused: Answerer = |asked| vec![with_code(asked, 5)];
        let (port, serving) = server(vec![refused, refused]);
        let words = ask(&Servers::parse("", port), "nas.example").unwrap_err().to_string();
        assert_eq!(words, "the name server 127.0.0.1 answers that it refuses");
        serving.join().unwrap();
        assert_eq!(
            ask_all(&Servers::parse("", port), ("a..b", TYPE_A), Instant::now() + LIMIT).unwrap(),
            None
        );
    }
}
