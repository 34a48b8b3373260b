//! The network namespace of a container that has more than its own loopback: another container's,
//! or one that `pasta` connects with the host.
//!
//! pasta (package passt) is a program of the user's: no bridge, no firewall rules, nothing that
//! stays on the host. It runs as long as the container does.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::MemfdFlags;
use rustix::io::Errno;

use super::entry::Container;
use super::error::ContainerError;
use super::options::NetworkMode;
use super::process;
use super::record::Status;
use super::store::ContainerStore;
use crate::config::port::{Protocol, Published};
use crate::store::Store;
use crate::sys::namespace::new_network;
use crate::sys::spawn::{Child, Death, Program, spawn};

/// As long may pasta take to be ready.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often is looked whether it is.
const LOOK: Duration = Duration::from_millis(1);

/// A network namespace that a container joins.
#[derive(Debug)]
pub struct Network {
    namespace: OwnedFd,
    pasta: Option<Child>,
    /// The ports that lead into it, with those of the host that were chosen.
    pub ports: Vec<Published>,
}

/// Makes what the container's network needs, or finds it; `None` where it has its own or the
/// host's.
pub fn prepare(store: &Store, container: &Container) -> Result<Option<Network>, ContainerError> {
    let options = &container.record.options.network;
    match &options.mode {
        NetworkMode::None | NetworkMode::Host => Ok(None),
        NetworkMode::Container(name) => {
            let other = ContainerStore::open(store)?.find(name)?;
            if other.state.status != Status::Running {
                return Err(ContainerError::NoNetworkOf(other.record.id));
            }
            let path = format!("/proc/{}/ns/net", other.state.pid);
            let namespace =
                File::open(&path).map_err(|e| ContainerError::io("open", path, e))?.into();
            // The number may have become another's before it was opened.
            match process::of_state(&other.state)? {
                Some(_) => Ok(Some(Network { namespace, pasta: None, ports: Vec::new() })),
                None => Err(ContainerError::NoNetworkOf(other.record.id)),
            }
        }
        NetworkMode::Pasta => {
            let ports = options.ports.iter().map(free).collect::<Result<Vec<_>, _>>()?;
            let namespace = new_network().map_err(|e| ContainerError::io("clone3", "net", e))?;
            let pasta = start(&container.directory, &namespace, &ports)?;
            Ok(Some(Network { namespace, pasta: Some(pasta), ports }))
        }
    }
}

impl Network {
    /// Where the namespace can be opened, by this process.
    pub fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.namespace.as_raw_fd()).into()
    }

    /// Ends what connects it.
    pub fn end(self) {
        if let Some(pasta) = self.pasta {
            let _ = pasta.kill();
        }
    }
}

/// The port with one of the host that is free.
fn free(wanted: &Published) -> Result<Published, ContainerError> {
    let address = wanted.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let socket = SocketAddr::new(address, wanted.host);
    let bound = match wanted.protocol {
        Protocol::Tcp => TcpListener::bind(socket).and_then(|bound| bound.local_addr()),
        Protocol::Udp => UdpSocket::bind(socket).and_then(|bound| bound.local_addr()),
    };
    match bound {
        Ok(bound) => Ok(Published { host: bound.port(), ..wanted.clone() }),
        Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => {
            Err(ContainerError::PortTaken { address: socket.to_string() })
        }
        Err(e) => Err(ContainerError::io("bind", socket.to_string(), e)),
    }
}

/// pasta's word for a port.
fn argument(port: &Published) -> String {
    let ports = format!("{}:{}", port.host, port.container);
    port.address.map_or(ports.clone(), |address| format!("{address}/{ports}"))
}

fn find_pasta() -> Result<PathBuf, ContainerError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join("pasta"));
    found.into_iter().find(|program| program.is_file()).ok_or(ContainerError::NoPasta)
}

fn start(
    directory: &Path,
    namespace: &OwnedFd,
    ports: &[Published],
) -> Result<Child, ContainerError> {
    let program = find_pasta()?;
    let ready = directory.join("pasta.pid");
    let _ = fs::remove_file(&ready);
    // By the descriptor: pasta gives up the capabilities that /proc/PID/ns asks for.
    let mut words: Vec<Vec<u8>> =
        ["pasta", "--config-net", "--netns-only", "--no-netns-quit", "--foreground", "--quiet"]
            .into_iter()
            .chain(["--runas", "0", "-T", "none", "-U", "none", "--netns", "/proc/self/fd/0"])
            .map(|word| word.as_bytes().to_vec())
            .collect();
    words.extend([b"--pid".to_vec(), ready.as_os_str().as_bytes().to_vec()]);
    for (flag, protocol) in [("-t", Protocol::Tcp), ("-u", Protocol::Udp)] {
        let mut some = ports.iter().filter(|port| port.protocol == protocol).peekable();
        if some.peek().is_none() {
            words.extend([flag.into(), b"none".to_vec()]);
        }
        some.for_each(|port| words.extend([flag.into(), argument(port).into_bytes()]));
    }
    let failed = |e: Errno| ContainerError::io("execve", &program, e);
    let text = |word: Vec<u8>| CString::new(word).map_err(|_| failed(Errno::INVAL));
    let said = rustix::fs::memfd_create("pasta", MemfdFlags::CLOEXEC).map_err(failed)?;
    let child = spawn(Program {
        path: text(program.as_os_str().as_bytes().to_vec())?,
        arguments: words.into_iter().map(text).collect::<Result<_, _>>()?,
        environment: Vec::new(),
        stdin: namespace.as_fd(),
        stdout: Some(said.as_fd()),
        stderr: Some(said.as_fd()),
        death: Death::WithUs,
    })
    .map_err(failed)?;
    wait_until_ready(child, &ready, said.into())
}

/// It writes its number when all is set up; if it ends before that, what it said is why.
fn wait_until_ready(child: Child, ready: &Path, mut said: File) -> Result<Child, ContainerError> {
    let until = Instant::now() + PATIENCE;
    loop {
        if fs::metadata(ready).is_ok_and(|seen| seen.len() > 0) {
            return Ok(child);
        }
        if child.has_ended() || Instant::now() > until {
            let _ = child.kill();
            let mut words = String::new();
            let _ = said.rewind().and_then(|()| said.read_to_string(&mut words));
            let words = words.trim().replace('\n', "; ");
            return Err(ContainerError::Pasta(words));
        }
        std::thread::sleep(LOOK);
    }
}
