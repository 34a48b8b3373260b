//! From a name to addresses, without the C library.
//!
//! In a static program glibc's getaddrinfo loads the host's libraries. So names are looked up
//! here: in /etc/hosts, then by the servers of /etc/resolv.conf. What nsswitch.conf adds to these
//! (mDNS, LDAP) is not asked; a local resolver such as systemd's answers as a server.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};

const HOSTS: &str = "/etc/hosts";
const SERVERS: &str = "/etc/resolv.conf";
/// Neither file is larger on any machine that works.
const MAX_FILE_BYTES: u64 = 1 << 20;
const PORT: u16 = 53;
/// However many servers and tries the file has: nobody waits longer than this.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer: what the length field of the protocol can say.
const MAX_ANSWER_BYTES: usize = 65_535;

/// Why a name has no address.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The servers know no such name.
    #[error("lookup {0}: no such host")]
    NoSuchHost(String),
    /// No server answered.
    #[error("lookup {name}: {server}: {source}")]
    NoAnswer {
        /// The name.
        name: String,
        /// The server that was asked last.
        server: SocketAddr,
        /// What went wrong.
        source: io::Error,
    },
}

/// The addresses of a name, those that are to be tried first at the front.
pub fn addresses(name: &str) -> Result<Vec<IpAddr>, LookupError> {
    if let Ok(address) = name.parse() {
        return Ok(vec![address]);
    }
    let known = in_hosts(&read(HOSTS), name);
    if !known.is_empty() {
        return Ok(known);
    }
    if name == "localhost" || name.ends_with(".localhost") {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let (servers, _) = resolv_conf::Config::parse_with_errors(&read(SERVERS));
    Query { config: &servers, until: Instant::now() + PATIENCE }.addresses(name)
}

/// A file that is not there is as good as empty.
fn read(path: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        let _ = file.take(MAX_FILE_BYTES).read_to_end(&mut bytes);
    }
    bytes
}

/// The addresses that a hosts file has for a name.
fn in_hosts(text: &[u8], name: &str) -> Vec<IpAddr> {
    let text = String::from_utf8_lossy(text);
    let line = |line: &str| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let address: IpAddr = words.next()?.parse().ok()?;
        words.any(|word| word.eq_ignore_ascii_case(name)).then_some(address)
    };
    text.lines().filter_map(line).collect()
}

/// The names to ask for, in their order: the name itself and with the domains of the file.
fn candidates(name: &str, config: &resolv_conf::Config) -> Vec<String> {
    if name.ends_with('.') {
        return vec![name.trim_end_matches('.').to_owned()];
    }
    let mut all: Vec<String> =
        config.get_last_search_or_domain().map(|domain| format!("{name}.{domain}")).collect();
    let dots = name.bytes().filter(|b| *b == b'.').count();
    let at = if dots >= config.ndots as usize { 0 } else { all.len() };
    all.insert(at, name.to_owned());
    all
}

struct Query<'a> {
    config: &'a resolv_conf::Config,
    until: Instant,
}

impl Query<'_> {
    fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, LookupError> {
        for candidate in candidates(name, self.config) {
            let mut found = self.ask(&candidate, TYPE::A)?;
            if !self.config.no_aaaa {
                // A server that does not answer this question has answered the other.
                found.extend(self.ask(&candidate, TYPE::AAAA).unwrap_or_default());
            }
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Err(LookupError::NoSuchHost(name.into()))
    }

    /// Asks one server after the other, as often as the file says.
    fn ask(&self, name: &str, kind: TYPE) -> Result<Vec<IpAddr>, LookupError> {
        let servers = self.config.get_nameservers_or_local();
        let mut failed = None;
        for _ in 0..self.config.attempts.clamp(1, 5) {
            for server in &servers {
                let server = SocketAddr::new(server.into(), PORT);
                match self.exchange(server, name, kind) {
                    Ok(found) => return Ok(found),
                    Err(source) => failed = Some((server, source)),
                }
            }
        }
        match failed {
            Some((server, source)) => {
                Err(LookupError::NoAnswer { name: name.into(), server, source })
            }
            None => Err(LookupError::NoSuchHost(name.into())),
        }
    }

    fn exchange(&self, server: SocketAddr, name: &str, kind: TYPE) -> io::Result<Vec<IpAddr>> {
        let mut id = [0; 2];
        rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty())?;
        let question = question(u16::from_ne_bytes(id), name, kind)?;
        let own = Duration::from_secs(u64::from(self.config.timeout.clamp(1, 30)));
        let until = self.until.min(Instant::now() + own);
        match by_datagram(server, &question, until)? {
            Answer::Addresses(found) => Ok(found),
            Answer::Truncated => match by_stream(server, &question, until)? {
                Answer::Addresses(found) => Ok(found),
                Answer::Truncated => Err(io::Error::other("the answer is cut off")),
            },
        }
    }
}

/// A question, as it is sent, and what its answer must repeat.
struct Asked {
    bytes: Vec<u8>,
    id: u16,
    name: Name<'static>,
}

enum Answer {
    Addresses(Vec<IpAddr>),
    Truncated,
}

fn question(id: u16, name: &str, kind: TYPE) -> io::Result<Asked> {
    let invalid = |e| io::Error::new(io::ErrorKind::InvalidInput, e);
    let name = Name::new(name).map_err(invalid)?.into_owned();
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(
        name.clone(),
        QTYPE::TYPE(kind),
        QCLASS::CLASS(CLASS::IN),
        false,
    ));
    Ok(Asked { bytes: packet.build_bytes_vec().map_err(invalid)?, id, name })
}

fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// A socket's time is over with EAGAIN; people know another word.
fn told(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

fn by_datagram(server: SocketAddr, asked: &Asked, until: Instant) -> io::Result<Answer> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    // Connected: datagrams of others do not come through.
    socket.connect(server)?;
    socket.send(&asked.bytes)?;
    let mut buffer = vec![0; MAX_ANSWER_BYTES];
    loop {
        socket.set_read_timeout(Some(left(until)?))?;
        let length = socket.recv(&mut buffer).map_err(told)?;
        // What does not fit the question is somebody's guess.
        if let Some(answer) = answer(&buffer[..length], asked) {
            return answer;
        }
    }
}

fn by_stream(server: SocketAddr, asked: &Asked, until: Instant) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&server, left(until)?)?;
    stream.set_read_timeout(Some(left(until)?))?;
    let length = u16::try_from(asked.bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), asked.bytes.as_slice()].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).map_err(told)?;
    let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut bytes).map_err(told)?;
    answer(&bytes, asked).unwrap_or_else(|| Err(io::Error::other("the answer is another's")))
}

/// Reads an answer; `None` if it is none to this question.
fn answer(bytes: &[u8], asked: &Asked) -> Option<io::Result<Answer>> {
    let packet = Packet::parse(bytes).ok()?;
    let fits = packet.id() == asked.id
        && packet.has_flags(PacketFlag::RESPONSE)
        && packet.questions.first().is_some_and(|q| same_name(&q.qname, &asked.name));
    if !fits {
        return None;
    }
    if packet.has_flags(PacketFlag::TRUNCATION) {
        return Some(Ok(Answer::Truncated));
    }
    Some(match packet.rcode() {
        RCODE::NoError | RCODE::NameError => {
            let addresses = packet.answers.iter().filter_map(|record| match &record.rdata {
                RData::A(a) => Some(Ipv4Addr::from(a.address).into()),
                RData::AAAA(a) => Some(Ipv6Addr::from(a.address).into()),
                _ => None,
            });
            Ok(Answer::Addresses(addresses.collect()))
        }
        code => Err(io::Error::other(format!("the server refuses: {code:?}"))),
    })
}

fn same_name(a: &Name<'_>, b: &Name<'_>) -> bool {
    a.to_string().eq_ignore_ascii_case(&b.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Comments, several names, capitals; what is no line is passed over.
    #[test]
    fn hosts() {
        let text =
            b"# 1.1.1.1 x\n127.0.0.1\tlocalhost a.b # x\n::1 LocalHost\nbad x\n\xff\n10.0.0.1\n";
        let found = |name| in_hosts(text, name);
        assert_eq!(
            found("localhost"),
            ["127.0.0.1".parse::<IpAddr>().unwrap(), "::1".parse().unwrap()]
        );
        assert_eq!(found("a.b").len(), 1);
        assert!(found("x").is_empty() && found("bad").is_empty() && found("").is_empty());
    }

    /// A name with enough dots is asked for as it is first, another one last.
    #[test]
    fn search_list() {
        let config = |text: &str| resolv_conf::Config::parse_with_errors(text.as_bytes()).0;
        let cases = [
            ("", "r.x", vec!["r.x"]),
            ("search a b", "r", vec!["r.a", "r.b", "r"]),
            ("search a", "r.x", vec!["r.x", "r.x.a"]),
            ("search a\noptions ndots:2", "r.x", vec!["r.x.a", "r.x"]),
            ("search a", "r.x.", vec!["r.x"]),
        ];
        for (text, name, wanted) in cases {
            assert_eq!(candidates(name, &config(text)), wanted, "{text:?} {name}");
        }
    }

    /// A server of our own: addresses, an unknown name, a lie, and an answer that is cut off.
    #[test]
    fn answers() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let stream = std::net::TcpListener::bind(address).unwrap();
        let serve = move || {
            let mut buffer = [0; 512];
            for _ in 0..3 {
                let (length, from) = server.recv_from(&mut buffer).unwrap();
                let query = buffer[..length].to_vec();
                let lie = reply(&query, |packet| packet.set_id(packet.id().wrapping_add(1)));
                server.send_to(&lie, from).unwrap();
                let reply = reply(&query, |packet| {
                    let name = packet.questions[0].qname.to_string();
                    match name.as_str() {
                        "unknown.test" => *packet.rcode_mut() = RCODE::NameError,
                        "long.test" => packet.set_flags(PacketFlag::TRUNCATION),
                        _ => add_address(packet),
                    }
                });
                server.send_to(&reply, from).unwrap();
            }
            let (mut stream, _) = stream.accept().unwrap();
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut query).unwrap();
            let reply = reply(&query, add_address);
            let length = u16::try_from(reply.len()).unwrap().to_be_bytes();
            stream.write_all(&[&length, reply.as_slice()].concat()).unwrap();
        };
        let server = std::thread::spawn(serve);
        let config = resolv_conf::Config::new();
        let query = Query { config: &config, until: Instant::now() + PATIENCE };
        let ask = |name| query.exchange(address, name, TYPE::A).unwrap();
        let ten: IpAddr = "10.1.2.3".parse().unwrap();
        assert_eq!(ask("good.test"), [ten]);
        assert_eq!(ask("unknown.test"), [] as [IpAddr; 0]);
        assert_eq!(ask("long.test"), [ten]);
        server.join().unwrap();
    }

    fn reply(query: &[u8], change: impl FnOnce(&mut Packet<'_>)) -> Vec<u8> {
        let mut packet = Packet::parse(query).unwrap().into_reply();
        packet.set_flags(PacketFlag::RESPONSE);
        change(&mut packet);
        packet.build_bytes_vec().unwrap()
    }

    fn add_address(packet: &mut Packet<'_>) {
        let name = packet.questions[0].qname.clone().into_owned();
        let address = RData::A(Ipv4Addr::new(10, 1, 2, 3).into());
        packet.answers.push(simple_dns::ResourceRecord::new(name, CLASS::IN, 60, address));
    }
}
