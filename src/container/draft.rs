//! A container that could be created: everything is looked up and checked, nothing is made.
//!
//! `create` carries a draft out; `explain` only shows what would come of it.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::error::ContainerError;
use super::options::RunOptions;
use super::record::{ContainerRecord, Listed, Mounted, ProcessRecord, ResolvedMount};
use super::storage::{self, Wanted};
use super::store::ContainerStore;
use super::view::View;
use super::{name, user};
use crate::config::name::VolumeName;
use crate::config::path::RootPath;
use crate::config::request::{
    BindRequest, CopyUp, MissingSource, MountKind, MountRequest, ReadOnly, VolumeRequest,
};
use crate::facts::Kernel;
use crate::image::reference::ReferenceError;
use crate::image::{Image, ImageError, ImageStore, Reference};
use crate::store::{Durability, Lock, Store};
use crate::volume::VolumeError;
use crate::volume::create::NewVolume;
use crate::volume::driver::Driver;
use crate::volume::record::{ANONYMOUS_LABEL, Origin};
use crate::volume::store::VolumeStore;

/// A volume that the container will use.
#[derive(Debug, Clone)]
pub struct VolumeWish {
    /// The volume as it is made if it is missing.
    pub volume: NewVolume,
    /// Its name.
    pub name: VolumeName,
    /// Where it goes.
    pub target: RootPath,
    /// Is it filled from the image?
    pub copy_up: CopyUp,
}

/// A container to be.
#[derive(Debug)]
pub struct Draft {
    /// What will be kept of it.
    pub record: ContainerRecord,
    /// The volumes that it brings; those of other containers are not among them.
    pub volumes: Vec<VolumeWish>,
    /// Sources of binds that are made (V1.29).
    pub sources_to_make: Vec<PathBuf>,
    /// The image's files.
    pub view: View,
    /// The image.
    pub image: Image,
    /// As long as the draft is there no image goes away.
    _images: Lock,
}

/// May a missing source of `-v` be made?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sources {
    /// As Docker does.
    Make,
    /// Never: a typing error must not become a directory.
    Strict,
}

/// Drafts a container.
pub fn draft(
    store: &Store,
    options: RunOptions,
    sources: Sources,
) -> Result<Draft, ContainerError> {
    let images = ImageStore::open(store)?.hold()?;
    let image = find_image(store, &options.image)?;
    let process = process(&options, &image)?;
    let kernel = Kernel::probe()?;
    let view = View::open(&image.layers, kernel)?;
    user::identify(&view, &process.user)?;
    let containers = ContainerStore::open(store)?;
    let shared = options
        .volumes_from
        .iter()
        .map(|from| Ok((from.clone(), containers.find(&from.container)?.record.mounts)))
        .collect::<Result<Vec<_>, ContainerError>>()?;
    let id = name::random_id()?;
    let wanted = storage::resolve(&options.mounts, &shared, &process.volumes_of_image(&image));
    let mut draft = Draft {
        record: ContainerRecord {
            name: name::choose(&options.name, &containers, &id)?,
            id,
            created: super::clock::now(),
            image_id: image.id.to_string(),
            layers: image.layers.clone(),
            options,
            process,
            mounts: Vec::new(),
        },
        volumes: Vec::new(),
        sources_to_make: Vec::new(),
        view,
        image,
        _images: images,
    };
    for wanted in wanted {
        let mount = draft.resolve(store, wanted, sources)?;
        draft.record.mounts.push(mount);
    }
    Ok(draft)
}

fn find_image(store: &Store, name: &str) -> Result<Image, ContainerError> {
    ImageStore::open(store)?.find(name)?.ok_or_else(|| {
        match Reference::parse(name) {
            // As an id it was looked for already.
            Ok(_) | Err(ReferenceError::LooksLikeId(_)) => {}
            Err(e) => return ImageError::from(e).into(),
        }
        let tagged = name.contains('@') || name.rsplit('/').next().unwrap_or(name).contains(':');
        ContainerError::NoImage(if tagged { name.into() } else { format!("{name}:latest") })
    })
}

/// ENTRYPOINT and CMD, environment, directory, user: image and options together (V12.07).
fn process(options: &RunOptions, image: &Image) -> Result<ProcessRecord, ContainerError> {
    let config = &image.config;
    let (entrypoint, default_command) = match &options.entrypoint {
        // An entry point of the user's own has nothing to do with the image's command.
        Some(entrypoint) => (entrypoint.clone(), Vec::new()),
        None => (config.entrypoint.clone(), config.cmd.clone()),
    };
    let command =
        if options.command.is_empty() { default_command } else { options.command.clone() };
    if entrypoint.is_empty() && command.is_empty() {
        return Err(ContainerError::NoCommand);
    }
    let working_dir = options.working_dir.clone().unwrap_or_else(|| config.working_dir.clone());
    let working_dir = if working_dir.is_empty() { "/".into() } else { working_dir };
    if !working_dir.starts_with('/') {
        return Err(ContainerError::WorkingDirectory(working_dir));
    }
    let mut labels = config.labels.clone();
    labels.extend(options.labels.clone());
    let anonymous = options.mounts.iter().filter(|m| m.is_anonymous_volume());
    let mut volumes: Vec<String> = config.volumes.iter().cloned().collect();
    volumes.extend(anonymous.map(|m| m.target_text.clone()));
    Ok(ProcessRecord {
        entrypoint,
        command,
        env: environment(options, config.env.clone()),
        working_dir,
        user: options.user.clone().unwrap_or_else(|| config.user.clone()),
        labels,
        exposed_ports: config.exposed_ports.iter().cloned().collect(),
        volumes,
        stop_signal: config.stop_signal.clone(),
    })
}

/// What a shell finds its programs by, where the image does not say.
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn environment(options: &RunOptions, image: Vec<String>) -> Vec<String> {
    let name = |entry: &str| entry.split('=').next().unwrap_or_default().to_owned();
    let mut env = options.env.clone();
    for entry in image {
        if env.iter().all(|known| name(known) != name(&entry)) {
            env.push(entry);
        }
    }
    if env.iter().all(|entry| name(entry) != "PATH") {
        env.push(DEFAULT_PATH.into());
    }
    env
}

impl ProcessRecord {
    fn volumes_of_image(&self, image: &Image) -> Vec<String> {
        image.config.volumes.iter().cloned().collect()
    }
}

impl Draft {
    fn resolve(
        &mut self,
        store: &Store,
        wanted: Wanted,
        sources: Sources,
    ) -> Result<ResolvedMount, ContainerError> {
        let volume = wanted.volume();
        match (wanted, volume) {
            (Wanted::Shared(mount), _) => Ok(mount),
            (wanted, Some(volume)) => self.volume(store, &wanted, &volume),
            (Wanted::Request(request), None) => self.other(store, &request, sources),
            (Wanted::ImageVolume(_), None) => Err(ContainerError::NotAVolume),
        }
    }

    fn volume(
        &mut self,
        store: &Store,
        wanted: &Wanted,
        volume: &VolumeRequest,
    ) -> Result<ResolvedMount, ContainerError> {
        let target = wanted.target().clone();
        let (origin, read_only, mode) = match wanted {
            Wanted::Request(request) => {
                (request.flag.clone(), request.read_only, storage::shown_mode(request))
            }
            _ => (format!("VOLUME {target}"), ReadOnly::No, String::new()),
        };
        if matches!(wanted, Wanted::ImageVolume(_)) {
            self.refuse_file(&target)?;
        }
        let ownership = storage::ownership(volume);
        let mut wish = self.wish(volume, &target)?;
        if wanted.takes_volume_driver() && wish.volume.driver.is_empty() {
            wish.volume.driver = self.record.options.volume_driver.clone();
        }
        let driver = check_driver(store, &wish)?;
        let name = wish.name.clone();
        self.volumes.push(wish);
        let what = Mounted::Volume { name, driver, subpath: volume.subpath.clone(), ownership };
        Ok(ResolvedMount { origin, target, read_only, propagation: None, mode, what })
    }

    fn refuse_file(&self, target: &RootPath) -> Result<(), ContainerError> {
        let place = self
            .view
            .lookup(target)
            .map_err(|e| ContainerError::io("openat2", target.as_str(), e))?;
        let node = place.and_then(|place| crate::sys::path::node(place).ok());
        match node {
            Some(node) if node.kind != rustix::fs::FileType::Directory => {
                Err(ContainerError::VolumeOverFile { path: target.to_string() })
            }
            _ => Ok(()),
        }
    }

    fn wish(
        &self,
        volume: &VolumeRequest,
        target: &RootPath,
    ) -> Result<VolumeWish, ContainerError> {
        let durability =
            if self.record.options.remove { Durability::Passing } else { Durability::Kept };
        let mut new = match &volume.source {
            Some(name) => NewVolume::named(name.clone()),
            None => {
                let origin = Origin {
                    image: self.record.options.image.clone(),
                    container: self.record.id.clone(),
                    path: target.to_string(),
                };
                NewVolume { origin: Some(origin), ..NewVolume::anonymous(durability) }
            }
        };
        new.driver = volume.driver.clone().unwrap_or_default();
        new.options = volume.driver_options.clone();
        new.labels = volume.labels.clone();
        let name = match &volume.source {
            Some(name) => name.clone(),
            None => {
                new.labels.insert(ANONYMOUS_LABEL.into(), String::new());
                let random = name::random_id()?;
                VolumeName::parse(&random)?
            }
        };
        new.name = Some(name.clone());
        // V5.21: a part of a volume is there already or it is an error.
        let copy_up = if volume.subpath.is_some() { CopyUp::No } else { volume.copy_up };
        Ok(VolumeWish { volume: new, name, target: target.clone(), copy_up })
    }

    fn other(
        &mut self,
        store: &Store,
        request: &MountRequest,
        sources: Sources,
    ) -> Result<ResolvedMount, ContainerError> {
        let mut propagation = None;
        let what = match &request.kind {
            MountKind::Bind(bind) => {
                self.check_source(bind, sources)?;
                propagation = bind.propagation;
                Mounted::Bind { source: bind.source.clone(), recursion: bind.recursion }
            }
            MountKind::Tmpfs(tmpfs) => {
                let listed = match request.style {
                    crate::config::request::Style::Mount => Listed::InMounts,
                    _ => Listed::InHostConfig,
                };
                Mounted::Tmpfs { options: tmpfs.options.clone(), listed }
            }
            MountKind::Image(image) => {
                let layers = find_image(store, &image.reference)?.layers;
                let (reference, subpath) = (image.reference.clone(), image.subpath.clone());
                Mounted::Image { reference, layers, subpath }
            }
            MountKind::Volume(_) => return Err(ContainerError::NotAVolume),
        };
        Ok(ResolvedMount {
            origin: request.flag.clone(),
            target: request.target.clone(),
            read_only: request.read_only,
            propagation,
            mode: storage::shown_mode(request),
            what,
        })
    }

    /// V1.29, V1.30, V2.11: a missing source is made or refused.
    fn check_source(&mut self, bind: &BindRequest, sources: Sources) -> Result<(), ContainerError> {
        let path = bind.source.as_path();
        match path.metadata() {
            Ok(_) => super::propagation::check(path, bind.propagation),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                if bind.missing == MissingSource::Refuse || sources == Sources::Strict {
                    return Err(ContainerError::NoSource { path: path.into() });
                }
                if path.symlink_metadata().is_ok() {
                    let path = path.display().to_string();
                    return Err(ContainerError::SourceNotMade {
                        path,
                        cause: "file exists".into(),
                    });
                }
                self.sources_to_make.push(path.into());
                Ok(())
            }
            Err(e) => Err(ContainerError::io("stat", path, e)),
        }
    }
}

/// V4.03, V2.20, V2.21: a volume's driver and options are checked before anything is made.
fn check_driver(store: &Store, wish: &VolumeWish) -> Result<String, ContainerError> {
    let existing = match VolumeStore::open(store)?.get(&wish.name) {
        Ok(record) => Some(record),
        Err(VolumeError::Missing(_)) => None,
        Err(e) => return Err(e.into()),
    };
    if let Some(record) = existing {
        return Ok(record.driver);
    }
    let driver = Driver::find(&wish.volume.driver).ok_or_else(|| VolumeError::NoDriver {
        name: wish.name.clone(),
        driver: wish.volume.driver.clone(),
    })?;
    driver
        .accept(&wish.volume.options)
        .map_err(|source| VolumeError::Driver { name: wish.name.clone(), source })?;
    Ok(driver.name().into())
}
