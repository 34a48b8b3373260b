//! Connections to a host: its certificates, its addresses, how long it may be silent.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ureq::config::{AutoHeaderValue, Config};
use ureq::http::Uri;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error, Proxy};

use super::error::RegistryError;
use super::host::{host_of, is_loopback};
use super::lookup::{self, LookupError};

/// How long a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(15);
/// How long a registry may be silent.
const SILENCE: Duration = Duration::from_secs(30);
/// How long it may think about an answer: some assemble what was pushed.
const ANSWER: Duration = Duration::from_secs(120);
/// The most bytes of headers; tokens are long.
const MAX_HEADER_BYTES: usize = 64 << 10;

/// One agent a host: each has its own certificates.
#[derive(Debug, Default)]
pub struct Agents(Mutex<HashMap<String, Agent>>);

impl Agents {
    /// The agent for a URL's host.
    pub fn of(&self, url: &Uri) -> Result<Agent, RegistryError> {
        let authority = url.authority().map(|a| a.as_str()).unwrap_or_default();
        let mut agents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = agents.get(authority) {
            return Ok(agent.clone());
        }
        let agent = agent(authority)?;
        agents.insert(authority.to_owned(), agent.clone());
        Ok(agent)
    }
}

/// A client for one host, `host[:port]`. It follows no redirects and believes no status.
fn agent(authority: &str) -> Result<Agent, RegistryError> {
    let loopback = is_loopback(authority);
    let config = Config::builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("rrun/", env!("CARGO_PKG_VERSION")))
        .accept_encoding(AutoHeaderValue::None)
        .timeout_connect(Some(CONNECT))
        .timeout_per_read(Some(SILENCE))
        .timeout_per_write(Some(SILENCE))
        .timeout_recv_response(Some(ANSWER))
        .max_response_header_size(MAX_HEADER_BYTES)
        // As everywhere: this machine is not behind a proxy.
        .proxy(if loopback { None } else { Proxy::try_from_env() })
        .tls_config(tls(authority)?)
        .build();
    Ok(Agent::with_parts(config, DefaultConnector::new(), Names))
}

/// Whom this host may be signed by, and how we show who we are.
fn tls(authority: &str) -> Result<TlsConfig, RegistryError> {
    let directories = certificate_directories(authority);
    let mut roots = system_roots().to_vec();
    let mut own = None;
    for directory in directories {
        roots.extend(authorities(&directory)?);
        if own.is_none() {
            own = client_certificate(&directory)?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .client_cert(own)
        // Docker's rule: where no TLS would do, a certificate of nobody known does, too.
        .disable_verification(is_loopback(authority))
        .build())
}

/// The certificates that this machine trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` name others.
fn system_roots() -> &'static [Certificate<'static>] {
    static ROOTS: OnceLock<Vec<Certificate<'static>>> = OnceLock::new();
    ROOTS.get_or_init(|| {
        // A file that is no certificate among many is no reason to trust none.
        let found = rustls_native_certs::load_native_certs().certs;
        found.iter().map(|der| Certificate::from_der(der).to_owned()).collect()
    })
}

/// Where Docker looks for a registry's certificates, also as an unprivileged user.
fn certificate_directories(authority: &str) -> Vec<PathBuf> {
    let mut found = vec![Path::new("/etc/docker/certs.d").join(authority)];
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let own = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
    if !rustix::process::geteuid().is_root() {
        found.extend(own.map(|base| base.join("docker/certs.d").join(authority)));
    }
    found
}

/// The files of a directory whose names end so, sorted; none where there is no directory.
fn files(directory: &Path, ending: &str) -> Result<Vec<PathBuf>, RegistryError> {
    let failed = |e| RegistryError::File(directory.display().to_string(), e);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed(e)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|e| e == ending) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn pem(path: &Path) -> Result<Vec<PemItem<'static>>, RegistryError> {
    let bytes = fs::read(path).map_err(|e| RegistryError::File(path.display().to_string(), e))?;
    let wrong = |why: String| RegistryError::CertificateFile(path.display().to_string(), why);
    let items: Result<Vec<_>, Error> = parse_pem(&bytes).collect();
    let items = items.map_err(|e| wrong(e.to_string()))?;
    if items.is_empty() { Err(wrong("there is none in it".into())) } else { Ok(items) }
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, RegistryError> {
    let certificate = |item| match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    };
    Ok(pem(path)?.into_iter().filter_map(certificate).collect())
}

/// `*.crt`: whom we trust.
fn authorities(directory: &Path) -> Result<Vec<Certificate<'static>>, RegistryError> {
    let mut found = Vec::new();
    for path in files(directory, "crt")? {
        found.extend(certificates(&path)?);
    }
    Ok(found)
}

/// `client.cert` and `client.key`: who we are.
fn client_certificate(directory: &Path) -> Result<Option<ClientCert>, RegistryError> {
    let Some(path) = files(directory, "cert")?.into_iter().next() else { return Ok(None) };
    let chain = certificates(&path)?;
    let key_path = path.with_extension("key");
    let key = pem(&key_path)?.into_iter().find_map(|item| match item {
        PemItem::PrivateKey(key) => Some(key),
        _ => None,
    });
    let key: PrivateKey<'static> = key.ok_or_else(|| {
        let path = key_path.display().to_string();
        RegistryError::CertificateFile(path, "there is no private key in it".into())
    })?;
    Ok(Some(ClientCert::new_with_certs(&chain, key)))
}

/// Looks names up without the C library.
#[derive(Debug)]
struct Names;

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let authority = uri.authority().ok_or_else(|| Error::BadUri(uri.to_string()))?;
        let secure = uri.scheme_str() != Some("http");
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let found = lookup::addresses(host_of(authority.as_str())).map_err(|e| match e {
            LookupError::NoSuchHost(_) => Error::HostNotFound,
            e => Error::Io(io::Error::new(io::ErrorKind::HostUnreachable, e)),
        })?;
        let mut addresses = self.empty();
        // The array has room for so many.
        for address in found.into_iter().take(16) {
            addresses.push(SocketAddr::new(address, port));
        }
        Ok(addresses)
    }
}
