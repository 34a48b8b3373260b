//! Containers for tests: records in a store of their own, without an image and without a process.

use std::path::Path;

use super::clock::now;
use super::options::RunOptions;
use super::record::{
    ContainerRecord, ContainerState, Mounted, Ownership, ProcessRecord, ResolvedMount,
};
use super::store::{Container, ContainerStore};
use crate::config::mount_flag::{parse_mount, parse_tmpfs, parse_volume};
use crate::config::name::VolumeName;
use crate::config::path::RootPath;
use crate::config::request::{MountKind, MountRequest, ReadOnly, Style};
use crate::container::record::Listed;
use crate::store::{Durability, Store, write_record};
use crate::volume::create::NewVolume;
use crate::volume::lock::StoreAlone;
use crate::volume::store::VolumeStore;

/// A store of a test's own.
pub(crate) struct Bench {
    _scratch: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) volumes: VolumeStore,
    pub(crate) containers: ContainerStore,
}

/// The options of `run alpine sh`.
pub(crate) fn options() -> RunOptions {
    RunOptions {
        image: "alpine".into(),
        command: vec!["sh".into()],
        name: None,
        mounts: Vec::new(),
        volumes_from: Vec::new(),
        volume_driver: String::new(),
        env: Vec::new(),
        entrypoint: None,
        working_dir: None,
        user: None,
        labels: Default::default(),
        interactive: false,
        terminal: false,
        remove: false,
        detached: false,
        restart: Default::default(),
        stop_signal: None,
        stop_timeout: None,
        limits: Default::default(),
        network: Default::default(),
        log: Default::default(),
    }
}

/// A container called `name` whose id is `digit` 64 times, in `directory`.
pub(crate) fn container(name: &str, digit: char, directory: &Path) -> Container {
    let id: String = std::iter::repeat_n(digit, 64).collect();
    let record = ContainerRecord {
        name: name.parse().unwrap(),
        created: now(),
        image_id: "sha256:image".into(),
        layers: vec!["/layers/top".into(), "/layers/base".into()],
        options: options(),
        process: ProcessRecord {
            entrypoint: Vec::new(),
            command: vec!["sh".into()],
            env: vec!["PATH=/bin".into()],
            working_dir: "/".into(),
            user: String::new(),
            labels: Default::default(),
            exposed_ports: Vec::new(),
            volumes: Vec::new(),
            stop_signal: None,
        },
        mounts: Vec::new(),
        id: id.clone(),
    };
    Container { record, state: ContainerState::default(), directory: directory.join(id) }
}

/// What `-v text` asks for.
pub(crate) fn volume_flag(text: &str) -> MountRequest {
    parse_volume(text, Path::new("/here")).unwrap()
}

/// What `--mount text` asks for.
pub(crate) fn mount_flag(text: &str) -> MountRequest {
    parse_mount(text, Path::new("/here")).unwrap()
}

/// What `--tmpfs text` asks for.
pub(crate) fn tmpfs_flag(text: &str) -> MountRequest {
    parse_tmpfs(text).unwrap()
}

/// A request as it would be resolved; a volume without a name is called `anonymous`.
pub(crate) fn resolved(request: &MountRequest) -> ResolvedMount {
    let mut propagation = None;
    let what = match &request.kind {
        MountKind::Volume(volume) => Mounted::Volume {
            name: volume.source.clone().unwrap_or("anonymous".parse().unwrap()),
            driver: "local".into(),
            subpath: None,
            ownership: match volume.source {
                Some(_) => Ownership::Named,
                None => Ownership::Anonymous,
            },
        },
        MountKind::Bind(bind) => {
            propagation = bind.propagation;
            Mounted::Bind { source: bind.source.clone(), recursion: bind.recursion }
        }
        MountKind::Tmpfs(tmpfs) => Mounted::Tmpfs {
            options: tmpfs.options.clone(),
            listed: match request.style {
                Style::Mount => Listed::InMounts,
                _ => Listed::InHostConfig,
            },
        },
        MountKind::Image(image) => Mounted::Image {
            reference: image.reference.clone(),
            layers: vec!["/layers/data".into()],
            subpath: None,
        },
    };
    ResolvedMount {
        origin: request.flag.clone(),
        target: request.target.clone(),
        read_only: request.read_only,
        propagation,
        mode: request.mode.clone(),
        what,
    }
}

/// A mount of the volume `name` at `/NAME`.
pub(crate) fn volume_mount(name: &str, ownership: Ownership) -> ResolvedMount {
    ResolvedMount {
        origin: format!("-v {name}:/{name}"),
        target: RootPath::clean(name),
        read_only: ReadOnly::No,
        propagation: None,
        mode: "z".into(),
        what: Mounted::Volume {
            name: name.parse().unwrap(),
            driver: "local".into(),
            subpath: None,
            ownership,
        },
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(&scratch.path().join("store")).unwrap();
        let volumes = VolumeStore::open(&store).unwrap();
        let containers = ContainerStore::open(&store).unwrap();
        Self { _scratch: scratch, store, volumes, containers }
    }

    /// Puts a container with these mounts into the store, its volumes and references, too.
    pub(crate) fn add(&self, name: &str, digit: char, mounts: Vec<ResolvedMount>) -> Container {
        let mut container = container(name, digit, self.containers.directory());
        container.record.mounts = mounts;
        std::fs::create_dir_all(container.directory.join("upper/a/b")).unwrap();
        std::fs::write(container.directory.join("upper/a/file"), "x").unwrap();
        let record = container.directory.join("container.json");
        write_record(&record, &container.record, Durability::Passing).unwrap();
        let alone = StoreAlone::take(&self.store).unwrap();
        for mount in &container.record.mounts {
            let Mounted::Volume { name, .. } = &mount.what else { continue };
            self.volumes.create(&alone, &NewVolume::named(name.clone())).unwrap();
            let user = (container.record.id.as_str(), Durability::Passing);
            self.volumes.add_ref(&alone, name, user).unwrap();
        }
        container
    }

    /// Writes a container's state.
    pub(crate) fn state(&self, container: &Container, state: &ContainerState) {
        super::entry::write_state(container, state).unwrap();
    }

    /// The names of the volumes.
    pub(crate) fn volume_names(&self) -> Vec<String> {
        let listing = self.volumes.list().unwrap();
        listing.volumes.iter().map(|volume| volume.name.to_string()).collect()
    }

    /// The names in the directory of the containers.
    pub(crate) fn entries(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.containers.directory()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Who refers to a volume.
    pub(crate) fn references(&self, name: &str) -> Vec<String> {
        let name: VolumeName = name.parse().unwrap();
        self.volumes.references(&name).unwrap()
    }
}
