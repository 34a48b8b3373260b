//! A pull: from a name to an image in the store.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Condvar, Mutex, PoisonError};

use oci_spec::image::{Descriptor, ImageConfiguration, ImageManifest};

use super::client::Client;
use super::download::{self, Line};
use super::error::RegistryError;
use super::event::{Event, Watch};
use super::fetch::{self, Job, Places};
use super::manifest::{self, Resolved};
use super::media;
use super::partial::Partials;
use crate::image::chain::chain_ids;
use crate::image::digest::Digest;
use crate::image::import::Platform;
use crate::image::layer::LeftOut;
use crate::image::limits::Limits;
use crate::image::load::{Blobs, Fetched};
use crate::image::reference::Reference;
use crate::image::store::{Image, ImageError, ImageStore, MAX_JSON_BYTES, Staging};

/// What is to be pulled.
#[derive(Debug)]
pub struct Pull {
    /// The image.
    pub name: Reference,
    /// The machine that it shall be for.
    pub platform: Platform,
    /// Was that asked for? Then another one is not taken.
    pub strict: bool,
    /// What it may cost.
    pub limits: Limits,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// The digest by which the registry knows the image.
    pub digest: Digest,
    /// Was anything done?
    pub outcome: Outcome,
    /// What could not be unpacked here.
    pub left_out: LeftOut,
}

/// Was anything done?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The name stands for another image now.
    Newer,
    /// It stood for this image already.
    UpToDate,
}

impl Pull {
    /// Fetches what is missing and gives the image its name.
    pub fn run(
        &self,
        store: &ImageStore,
        client: &Client,
        watch: Watch<'_>,
    ) -> Result<Pulled, RegistryError> {
        let name = self.name.clone().with_default_tag().without_tag_beside_digest();
        let resolved = manifest::resolve(client, &name, &self.platform)?;
        let partials = Partials::open(store)?;
        store.sweep_abandoned()?;
        partials.sweep();
        let _alone = partials.lock_image(&resolved.manifest.digest)?;
        let before = store.find(&name.to_string())?;
        if let Some(image) = &before
            && is_current(image, &name, &resolved)
        {
            for blob in &image.blobs {
                watch(blob, Event::AlreadyExists);
            }
            let (digest, left_out) = (resolved.digest, LeftOut::default());
            return Ok(Pulled { digest, outcome: Outcome::UpToDate, left_out });
        }
        let work = Work { pull: self, name: &name, store, client, partials: &partials, watch };
        let left_out = match work.fetch(&resolved) {
            // Another command removed what this one counted on: it is fetched like the rest.
            Err(RegistryError::Image(ImageError::Vanished(_))) => work.fetch(&resolved)?,
            result => result?,
        };
        let now = store.find(&name.to_string())?;
        let same = before.map(|i| i.id) == now.map(|i| i.id);
        let outcome = if same { Outcome::UpToDate } else { Outcome::Newer };
        Ok(Pulled { digest: resolved.digest, outcome, left_out })
    }
}

/// Is there nothing to do? The name stands for the image, with the same list, and it is whole.
fn is_current(image: &Image, name: &Reference, resolved: &Resolved) -> bool {
    image.manifest == resolved.manifest.digest
        && *image.digest_as(name) == resolved.digest
        && image.require_layers().is_ok()
}

struct Work<'a> {
    pull: &'a Pull,
    name: &'a Reference,
    store: &'a ImageStore,
    client: &'a Client,
    partials: &'a Partials,
    watch: Watch<'a>,
}

impl Work<'_> {
    fn fetch(&self, resolved: &Resolved) -> Result<LeftOut, RegistryError> {
        let cancelled = AtomicBool::new(false);
        let line = Line {
            client: self.client,
            repository: self.name.path(),
            watch: self.watch,
            cancelled: &cancelled,
        };
        let mut staging = self.store.stage()?;
        let parsed = self.manifest(resolved)?;
        staging.add_blob(&resolved.manifest.text)?;
        let config = self.config(line, &parsed, &mut staging)?;
        let jobs = self.jobs(&parsed, &config, &mut staging)?;
        let arrivals = Arrivals::new(&jobs, self.watch);
        for digest in [&resolved.manifest.digest, &sha256(parsed.config(), self.name)?] {
            arrivals.add(digest.clone(), Arrival::Here(staging.blob_path(digest)));
        }
        let fetched: Vec<Digest> = jobs.iter().map(|job| job.digest.clone()).collect();
        let places = Places { store: self.store, partials: self.partials };
        let image = Fetched {
            manifest: resolved.manifest.descriptor()?,
            reference: self.name.clone(),
            listed: (resolved.digest != resolved.manifest.digest).then(|| resolved.digest.clone()),
            blobs: &arrivals,
        };
        let tell = |digest, result| arrivals.tell(digest, result);
        let loaded = fetch::while_fetching(line, places, (jobs, &tell), || {
            self.store.load_fetched(staging, image, &self.pull.limits)
        })?;
        arrivals.all_done();
        for digest in &fetched {
            self.partials.remove(digest)?;
        }
        Ok(loaded.left_out)
    }

    fn manifest(&self, resolved: &Resolved) -> Result<ImageManifest, RegistryError> {
        let no_image = |why: String| RegistryError::NoImage { name: self.name.to_string(), why };
        let parsed: ImageManifest = serde_json::from_slice(&resolved.manifest.text)
            .map_err(|e| no_image(format!("its manifest: {e}")))?;
        if !media::is_config(parsed.config()) {
            return Err(no_image(format!("it is a {}", parsed.config().media_type())));
        }
        let layers = parsed.layers().iter().map(Descriptor::size);
        let announced: u64 = layers.fold(0, u64::saturating_add);
        let limit = self.pull.limits.bytes;
        match announced > limit {
            true => Err(RegistryError::Size { what: self.name.to_string(), announced: limit }),
            false => Ok(parsed),
        }
    }

    /// The configuration comes first: it says what the layers unpack to.
    fn config(
        &self,
        line: Line<'_>,
        manifest: &ImageManifest,
        staging: &mut Staging,
    ) -> Result<ImageConfiguration, RegistryError> {
        let descriptor = manifest.config();
        let digest = sha256(descriptor, self.name)?;
        if descriptor.size() > MAX_JSON_BYTES {
            let what = format!("the configuration of {}", self.name);
            return Err(RegistryError::Size { what, announced: MAX_JSON_BYTES });
        }
        let mut partial = self.partials.take(&digest)?;
        // It is no layer, and nobody asked about it.
        let quietly = Line { watch: &|_, _| (), ..line };
        download::blob(quietly, descriptor, &mut partial)?;
        let place = staging.blob_path(&digest);
        partial.link(&place)?;
        drop(partial);
        self.partials.remove(&digest)?;
        let failed = |e| RegistryError::File(place.display().to_string(), e);
        let text = fs::read(&place).map_err(failed)?;
        let config: ImageConfiguration = serde_json::from_slice(&text).map_err(|e| {
            let why = format!("its configuration: {e}");
            RegistryError::NoImage { name: self.name.to_string(), why }
        })?;
        self.check_platform(&config)?;
        Ok(config)
    }

    fn check_platform(&self, config: &ImageConfiguration) -> Result<(), RegistryError> {
        let wanted = &self.pull.platform;
        let (os, architecture) = (config.os().to_string(), config.architecture().to_string());
        let fits = os == wanted.os && architecture == wanted.architecture;
        if fits || !self.pull.strict {
            return Ok(());
        }
        Err(RegistryError::OtherPlatform {
            name: self.name.to_string(),
            wanted: wanted.to_string(),
            actual: format!("{os}/{architecture}"),
        })
    }

    /// The blobs of the layers that the store does not have.
    fn jobs(
        &self,
        manifest: &ImageManifest,
        config: &ImageConfiguration,
        staging: &mut Staging,
    ) -> Result<Vec<Job>, RegistryError> {
        let no_image =
            |why: &str| RegistryError::NoImage { name: self.name.to_string(), why: why.to_owned() };
        let diff_ids = config.rootfs().diff_ids().iter().map(|text| Digest::parse(text));
        let diff_ids: Vec<Digest> =
            diff_ids.collect::<Result<_, _>>().map_err(|e| no_image(&e.to_string()))?;
        if diff_ids.len() != manifest.layers().len() {
            return Err(no_image("its layers and those of its configuration differ in number"));
        }
        let mut jobs: Vec<Job> = Vec::new();
        for (descriptor, chain_id) in manifest.layers().iter().zip(chain_ids(&diff_ids)) {
            let digest = sha256(descriptor, self.name)?;
            if self.store.has_layer_of(&chain_id, &digest) {
                (self.watch)(&digest, Event::AlreadyExists);
            } else if jobs.iter().all(|job| job.digest != digest) {
                (self.watch)(&digest, Event::Pulling);
                let place = staging.fresh_path("fetched");
                jobs.push(Job { digest, descriptor: descriptor.clone(), place });
            }
        }
        Ok(jobs)
    }
}

fn sha256(descriptor: &Descriptor, name: &Reference) -> Result<Digest, RegistryError> {
    Digest::parse(descriptor.digest().as_ref())
        .map_err(|e| RegistryError::NoImage { name: name.to_string(), why: e.to_string() })
}

type Failed = Box<dyn Error + Send + Sync>;

/// What is known of a blob.
enum Arrival {
    OnItsWay,
    Here(PathBuf),
    Lost(Option<Failed>),
}

/// The blobs of an image, as they arrive from other threads.
struct Arrivals<'a> {
    known: Mutex<HashMap<Digest, Arrival>>,
    changed: Condvar,
    watch: Watch<'a>,
    /// The layer that is being unpacked now.
    current: Mutex<Option<Digest>>,
    layers: Vec<Digest>,
}

impl<'a> Arrivals<'a> {
    fn new(jobs: &[Job], watch: Watch<'a>) -> Self {
        let layers: Vec<Digest> = jobs.iter().map(|job| job.digest.clone()).collect();
        let known = layers.iter().map(|digest| (digest.clone(), Arrival::OnItsWay)).collect();
        Self {
            known: Mutex::new(known),
            changed: Condvar::new(),
            watch,
            current: Mutex::default(),
            layers,
        }
    }

    fn add(&self, digest: Digest, arrival: Arrival) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, arrival);
        self.changed.notify_all();
    }

    fn tell(&self, digest: Digest, result: Result<PathBuf, RegistryError>) {
        self.add(
            digest,
            match result {
                Ok(place) => Arrival::Here(place),
                Err(error) => Arrival::Lost(Some(error.into())),
            },
        );
    }

    /// One layer is unpacked, and the next one begins.
    fn begin(&self, next: Option<&Digest>) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(done) = std::mem::replace(&mut *current, next.cloned()) {
            (self.watch)(&done, Event::PullComplete);
        }
        if let Some(digest) = next {
            (self.watch)(digest, Event::Extracting);
        }
    }

    fn all_done(&self) {
        self.begin(None);
    }
}

impl Blobs for Arrivals<'_> {
    fn wait(&self, digest: &Digest) -> Result<PathBuf, Failed> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match known.get_mut(digest) {
                Some(Arrival::Here(place)) => {
                    if self.layers.contains(digest) {
                        self.begin(Some(digest));
                    }
                    return Ok(place.clone());
                }
                Some(Arrival::Lost(error)) => {
                    return Err(error.take().unwrap_or_else(|| "it did not come".into()));
                }
                // A layer that was in the store when this began, and has gone since.
                None => {
                    return Err(Box::new(RegistryError::from(ImageError::Vanished(
                        digest.clone(),
                    ))));
                }
                Some(Arrival::OnItsWay) => {
                    known = self.changed.wait(known).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}
