//! A registry of our own: right by itself, and wrong in whatever way a test wants.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rrun::image::Digest;
use serde_json::{Value, json};

/// One request.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
}

impl Asked {
    /// A header, empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// One answer.
#[derive(Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// Bytes after which the connection breaks.
    cut: Option<usize>,
    /// More bytes than will come.
    announced: Option<usize>,
    /// The body goes on for ever.
    endless: bool,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let (headers, body) = (Vec::new(), body.into());
        Self { status, headers, body, cut: None, announced: None, endless: false }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self
    }

    /// So many bytes are announced; after the body the connection stays open, and silent.
    pub fn endless_silence(mut self, announced: usize) -> Self {
        self.announced = Some(announced);
        self
    }

    pub fn endless(mut self) -> Self {
        self.endless = true;
        self
    }

    fn send(&self, mut stream: &TcpStream, head_only: bool) -> std::io::Result<()> {
        let mut text = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        if !self.endless {
            text += &format!("Content-Length: {}\r\n", self.announced.unwrap_or(self.body.len()));
        }
        stream.write_all((text + "\r\n").as_bytes())?;
        if head_only {
            return Ok(());
        }
        stream.write_all(&self.body[..self.cut.unwrap_or(self.body.len())])?;
        if self.announced.is_some() {
            std::thread::sleep(std::time::Duration::from_secs(60));
        }
        if self.endless {
            std::io::copy(&mut std::io::repeat(b' '), &mut stream)?;
        }
        Ok(())
    }
}

/// What a test wants done otherwise; `None` leaves it to the registry.
type Otherwise = dyn Fn(&Asked) -> Option<Reply> + Send + Sync;

/// A server on the loopback interface.
pub struct Fake {
    /// `127.0.0.1:PORT`
    pub address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// What a registry keeps: manifests by tag and digest, blobs by digest.
#[derive(Default, Clone)]
pub struct Shelf {
    pub manifests: BTreeMap<String, (String, Vec<u8>)>,
    pub blobs: BTreeMap<String, Vec<u8>>,
}

/// An image, taken apart.
#[derive(Debug, Clone)]
pub struct Parts {
    pub layers: Vec<Vec<u8>>,
    pub config: Vec<u8>,
    pub manifest: Vec<u8>,
}

pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A layer with one file, `bytes` long, that does not shrink.
pub fn layer(name: &str, bytes: usize) -> Vec<u8> {
    let mut seed = Digest::of(name.as_bytes()).hex().as_bytes().to_vec();
    let mut data = Vec::new();
    while data.len() < bytes {
        seed = Digest::of(&seed).hex().as_bytes().to_vec();
        data.extend_from_slice(&seed);
    }
    data.truncate(bytes);
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, name, &data[..]).unwrap();
    archive.into_inner().unwrap()
}

pub fn descriptor(kind: &str, data: &[u8]) -> Value {
    json!({"mediaType": kind, "digest": Digest::of(data).to_string(), "size": data.len()})
}

impl Parts {
    /// An image of these layers for an architecture.
    pub fn new(layers: Vec<Vec<u8>>, architecture: &str) -> Self {
        let diff_ids: Vec<String> = layers.iter().map(|l| Digest::of(l).to_string()).collect();
        let config = json!({
            "architecture": architecture, "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config = serde_json::to_vec(&config).unwrap();
        let kind = "application/vnd.oci.image.layer.v1.tar";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
            "layers": layers.iter().map(|l| descriptor(kind, l)).collect::<Vec<_>>(),
        });
        let manifest = serde_json::to_vec(&manifest).unwrap();
        Self { layers, config, manifest }
    }

    /// An image for this machine.
    pub fn here(layers: Vec<Vec<u8>>) -> Self {
        Self::new(layers, &rrun::image::import::Platform::host().architecture)
    }

    pub fn digest(&self) -> String {
        Digest::of(&self.manifest).to_string()
    }
}

impl Shelf {
    pub fn with(image: &Parts, tag: &str) -> Self {
        let mut shelf = Self::default();
        shelf.add(image, tag);
        shelf
    }

    pub fn add(&mut self, image: &Parts, tag: &str) {
        self.add_manifest(OCI_MANIFEST, &image.manifest, tag);
        for blob in image.layers.iter().chain([&image.config]) {
            self.blobs.insert(Digest::of(blob).to_string(), blob.clone());
        }
    }

    pub fn add_manifest(&mut self, kind: &str, text: &[u8], tag: &str) {
        for name in [tag.to_owned(), Digest::of(text).to_string()] {
            self.manifests.insert(name, (kind.to_owned(), text.to_vec()));
        }
    }

    /// What a registry answers.
    pub fn answer(&self, asked: &Asked) -> Reply {
        let path = asked.path.split('?').next().unwrap();
        if path == "/v2/" {
            return Reply::new(200, "{}");
        }
        if let Some((_, name)) = path.split_once("/manifests/")
            && let Some((kind, text)) = self.manifests.get(name)
        {
            return Reply::new(200, text.clone()).header("Content-Type", kind);
        }
        if let Some((_, digest)) = path.split_once("/blobs/")
            && let Some(blob) = self.blobs.get(digest)
        {
            return ranged(blob, asked.header("range"));
        }
        let code = if path.contains("/manifests/") { "MANIFEST_UNKNOWN" } else { "BLOB_UNKNOWN" };
        let message = code.to_lowercase().replace('_', " ");
        Reply::new(404, json!({"errors": [{"code": code, "message": message}]}).to_string())
    }
}

/// A blob, or the rest of it.
pub fn ranged(blob: &[u8], range: &str) -> Reply {
    let Some(start) = range.strip_prefix("bytes=").and_then(|r| r.strip_suffix('-')) else {
        return Reply::new(200, blob);
    };
    let start: usize = start.parse().unwrap();
    if start >= blob.len() {
        return Reply::new(416, "");
    }
    let (last, all) = (blob.len() - 1, blob.len());
    Reply::new(206, &blob[start..]).header("Content-Range", format!("bytes {start}-{last}/{all}"))
}

impl Fake {
    /// Serves a shelf, but for what `otherwise` answers.
    pub fn registry(
        shelf: Shelf,
        otherwise: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        Self::serve(Arc::new(move |asked: &Asked| {
            Some(otherwise(asked).unwrap_or_else(|| shelf.answer(asked)))
        }))
    }

    fn serve(answer: Arc<Otherwise>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let log = Arc::clone(&asked);
        // It ends with the test program; the namespace's loopback goes with it.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                std::thread::spawn(move || connection(&stream.unwrap(), &*answer, &log));
            }
        });
        Self { address, asked }
    }

    /// What was asked for so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How many requests had this in their path.
    pub fn count(&self, method: &str, part: &str) -> usize {
        let fits = |a: &&Asked| a.method == method && a.path.contains(part);
        self.asked().iter().filter(fits).count()
    }
}

fn connection(stream: &TcpStream, answer: &Otherwise, log: &Mutex<Vec<Asked>>) {
    let mut first = [0];
    // It begins to speak TLS: this server does not.
    if stream.peek(&mut first).ok() != Some(1) || first[0] == 0x16 {
        return;
    }
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut words = lines[0].split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let headers = lines[1..].iter().filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<String, String> =
        headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let length = headers.get("content-length").map_or(0, |l| l.parse().unwrap());
    let mut body = Vec::new();
    let _ = reader.take(length).read_to_end(&mut body);
    let asked = Asked { method, path, headers };
    log.lock().unwrap().push(asked.clone());
    if let Some(reply) = answer(&asked) {
        // A client that has gone has heard enough.
        let _ = reply.send(stream, asked.method == "HEAD");
    }
}
