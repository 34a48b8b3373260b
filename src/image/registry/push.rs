//! A push: the blobs that the registry lacks, then the manifest that names them.
//!
//! Blobs go as they are in the store, so an image that was pulled has the same digests elsewhere.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use oci_spec::image::Descriptor;
use ureq::http::header::LOCATION;
use ureq::http::{Method, StatusCode, Uri};

use super::answer::{Answer, unexpected, words};
use super::client::{Call, Client, Payload};
use super::error::RegistryError;
use super::event::{Event, Watch};
use super::url::{join, may_be_asked, parse, shown};
use crate::image::digest::Digest;
use crate::image::reference::Reference;
use crate::image::store::{ImageError, ImageStore};

/// How many blobs go at once. Docker's number.
const AT_ONCE: usize = 5;
/// How often a connection may break. Docker's number.
const ATTEMPTS: u64 = 5;
const DENIED: &str = "requested access to the resource is denied";

/// What is to be pushed.
#[derive(Debug)]
pub struct Push {
    /// The image, by the name that it shall have there.
    pub name: Reference,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The manifest's digest.
    pub digest: Digest,
    /// The manifest's size.
    pub size_bytes: u64,
}

/// A blob to send. It is open, so that it may be removed meanwhile.
struct Blob {
    kind: Kind,
    descriptor: Descriptor,
    digest: Digest,
    file: File,
}

/// Which part of an image is it?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Configuration,
    Layer,
}

/// What there is to send.
struct Parcel {
    manifest: Vec<u8>,
    media_type: String,
    digest: Digest,
    blobs: Vec<Blob>,
}

impl Push {
    /// Sends what the registry lacks.
    pub fn run(
        &self,
        store: &ImageStore,
        client: &Client,
        watch: Watch<'_>,
    ) -> Result<Pushed, RegistryError> {
        let parcel = self.parcel(store)?;
        let layers = parcel.blobs.iter().filter(|blob| blob.kind == Kind::Layer);
        layers.for_each(|blob| watch(&blob.digest, Event::Preparing));
        let way = Way { client, repository: self.name.path(), watch };
        way.blobs(&parcel.blobs)?;
        let tag = self.name.tag().unwrap_or("latest");
        let call = Call {
            method: Method::PUT,
            url: client.url(&format!("/v2/{}/manifests/{tag}", way.repository))?,
            headers: vec![("content-type", parcel.media_type)],
        };
        let answer = client.send(call, Payload::Bytes(&parcel.manifest))?;
        expect(answer, StatusCode::CREATED)?;
        Ok(Pushed { digest: parcel.digest, size_bytes: parcel.manifest.len() as u64 })
    }

    /// Opens everything, the configuration first.
    fn parcel(&self, store: &ImageStore) -> Result<Parcel, RegistryError> {
        let _held = store.hold()?;
        let name = self.name.to_string();
        let image = store.find(&name)?.ok_or_else(|| RegistryError::NothingToPush(name))?;
        let digest = image.manifest;
        let parsed = store.read_manifest(&digest)?;
        let path = store.blob_path(&digest);
        let failed = |e| RegistryError::File(path.display().to_string(), e);
        let manifest = fs::read(&path).map_err(failed)?;
        let mut blobs: Vec<Blob> = Vec::new();
        let layers = parsed.layers().iter().map(|layer| (Kind::Layer, layer));
        for (kind, descriptor) in [(Kind::Configuration, parsed.config())].into_iter().chain(layers)
        {
            let digest = Digest::parse(descriptor.digest().as_ref())
                .map_err(|e| ImageError::damaged("manifest", &image.id, &e))?;
            if blobs.iter().any(|blob| blob.digest == digest) {
                continue;
            }
            let path = store.blob_path(&digest);
            let failed = |e| RegistryError::File(path.display().to_string(), e);
            let file = File::open(&path).map_err(failed)?;
            blobs.push(Blob { kind, descriptor: descriptor.clone(), digest, file });
        }
        let media_type = store.descriptor(&digest)?.media_type().to_string();
        Ok(Parcel { manifest, media_type, digest, blobs })
    }
}

/// Where blobs go.
#[derive(Clone, Copy)]
struct Way<'a> {
    client: &'a Client,
    repository: &'a str,
    watch: Watch<'a>,
}

impl Way<'_> {
    /// Sends all, several at once; the first failure ends it.
    fn blobs(self, blobs: &[Blob]) -> Result<(), RegistryError> {
        let waiting: Mutex<VecDeque<&Blob>> = Mutex::new(blobs.iter().collect());
        let failure: Mutex<Option<RegistryError>> = Mutex::default();
        let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        std::thread::scope(|scope| {
            for _ in 0..blobs.len().min(AT_ONCE) {
                scope.spawn(|| {
                    while let Some(blob) = next() {
                        if let Err(error) = self.blob(blob) {
                            waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
                            let mut first = failure.lock().unwrap_or_else(PoisonError::into_inner);
                            first.get_or_insert(error);
                        }
                    }
                });
            }
        });
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn blob(self, blob: &Blob) -> Result<(), RegistryError> {
        let mut broken = 0;
        loop {
            match self.attempt(blob) {
                Ok(event) => {
                    self.tell(blob, event);
                    return Ok(());
                }
                Err(error) if error.is_passing() && broken < ATTEMPTS => {
                    broken += 1;
                    self.tell(blob, Event::Retrying { seconds: broken });
                    std::thread::sleep(Duration::from_secs(broken));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The configuration is no layer, and nobody asked about it.
    fn tell(self, blob: &Blob, event: Event) {
        if blob.kind == Kind::Layer {
            (self.watch)(&blob.digest, event);
        }
    }

    fn attempt(self, blob: &Blob) -> Result<Event, RegistryError> {
        let Blob { descriptor, digest, file, .. } = blob;
        let path = format!("/v2/{}/blobs/{digest}", self.repository);
        let call = |method, url| Call { method, url, headers: Vec::new() };
        let there = self.client.send(call(Method::HEAD, self.client.url(&path)?), Payload::Nothing);
        match there?.response.status() {
            StatusCode::OK => return Ok(Event::Known),
            StatusCode::NOT_FOUND => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(RegistryError::PushDenied(DENIED.into()));
            }
            // The upload itself will say what is wrong.
            _ => {}
        }
        let path = format!("/v2/{}/blobs/uploads/", self.repository);
        let begun =
            self.client.send(call(Method::POST, self.client.url(&path)?), Payload::Bytes(&[]))?;
        let place = place(&expect(begun, StatusCode::ACCEPTED)?, digest)?;
        let length = descriptor.size();
        let tell = |at| self.tell(blob, Event::Moved { at, of: length });
        let mut content = Content { file, at: 0, of: length, tell: &tell };
        let mut put = call(Method::PUT, place);
        put.headers.push(("content-type", "application/octet-stream".into()));
        let answer = self.client.send(put, Payload::Stream(&mut content, length))?;
        expect(answer, StatusCode::CREATED)?;
        Ok(Event::Pushed)
    }
}

/// The URL that takes the blob.
fn place(answer: &Answer, digest: &Digest) -> Result<Uri, RegistryError> {
    let location = answer.response.headers().get(LOCATION).and_then(|h| h.to_str().ok());
    let location = location.unwrap_or_default();
    let url = join(&answer.url, location).filter(may_be_asked);
    let url = url.ok_or_else(|| RegistryError::Redirect {
        url: shown(&answer.url),
        target: location.split('?').next().unwrap_or_default().into(),
        why: "it is no URL, or one without TLS",
    })?;
    let joint = if url.query().is_some() { '&' } else { '?' };
    parse(&format!("{url}{joint}digest={digest}"))
}

fn expect(answer: Answer, wanted: StatusCode) -> Result<Answer, RegistryError> {
    match answer.response.status() {
        status if status == wanted => Ok(answer),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Err(RegistryError::PushDenied(words(answer.response, DENIED)))
        }
        _ => Err(unexpected(answer)),
    }
}

/// A blob as it is read, from its start each time.
struct Content<'a> {
    file: &'a File,
    at: u64,
    of: u64,
    tell: &'a dyn Fn(u64),
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.of - self.at).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let read = self.file.read_at(&mut buffer[..length], self.at)?;
        if read == 0 && length > 0 {
            return Err(io::Error::other("the blob in the store is cut off"));
        }
        self.at += read as u64;
        (self.tell)(self.at);
        Ok(read)
    }
}
