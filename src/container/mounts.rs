//! The mounts of a container's config: the usual ones, the user's, and the identity files.

use std::path::PathBuf;

use oci_spec::runtime::{Mount, MountBuilder};

use super::error::ContainerError;
use super::identity;
use super::record::{ContainerRecord, Mounted, ResolvedMount};
use super::surroundings::Surroundings;
use crate::config::path::{HostPath, RootPath};
use crate::config::request::{ReadOnly, Recursion};
use crate::plan::compile::MountNote;
use crate::plan::input::OVERLAY_FEATURES;
use crate::plan::step::Origin;

/// A mount of the config with its note.
#[derive(Debug)]
pub struct Noted {
    /// The mount.
    pub mount: Mount,
    /// What asked for it.
    pub note: MountNote,
}

/// 64 MiB, as Docker has it.
pub(super) const SHM_BYTES: u64 = 64 << 20;

/// All mounts, in the order in which they are made.
pub fn all(
    record: &ContainerRecord,
    around: &Surroundings<'_>,
) -> Result<Vec<Noted>, ContainerError> {
    let targets: Vec<&RootPath> = record.mounts.iter().map(|mount| &mount.target).collect();
    let replaced = |path: &RootPath| {
        targets.iter().any(|target| *target == path || (hides(target) && path.is_under(target)))
    };
    let mut mounts = Vec::new();
    for usual in usual(record) {
        if !replaced(&RootPath::clean(usual.0)) {
            let (target, kind, source, options) = usual;
            mounts.push(noted(target, (kind, source, options), "default")?);
        }
    }
    for mount in &record.mounts {
        mounts.push(resolved(mount, around)?);
    }
    let read_only = if record.options.limits.read_only_root { "ro" } else { "rw" };
    for (file, place) in identity::FILES {
        if targets.iter().any(|target| target.as_str() == place) {
            continue;
        }
        let source = around.directory.join("etc").join(file).display().to_string();
        let options = vec!["bind".to_owned(), "rprivate".into(), read_only.into()];
        mounts.push(noted(place, ("bind", source, options), "default")?);
    }
    Ok(mounts)
}

/// A mount on one of these replaces the usual mounts below it, too (V1.44).
fn hides(target: &RootPath) -> bool {
    matches!(target.as_str(), "/dev" | "/sys" | "/proc")
}

type Usual = (&'static str, &'static str, String, Vec<String>);

fn usual(record: &ContainerRecord) -> Vec<Usual> {
    let shm = record.options.limits.shm_size.unwrap_or(SHM_BYTES);
    let sys = if record.options.limits.privileged { "rw" } else { "ro" };
    let words = |text: &str| text.split(',').map(String::from).collect::<Vec<_>>();
    let row = |target, kind, source: &str, options: &str| {
        (target, kind, source.to_owned(), words(options))
    };
    vec![
        row("/proc", "proc", "proc", "nosuid,noexec,nodev"),
        row("/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"),
        row(
            "/dev/pts",
            "devpts",
            "devpts",
            "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5",
        ),
        row("/sys", "sysfs", "sysfs", &format!("nosuid,noexec,nodev,{sys}")),
        row("/sys/fs/cgroup", "cgroup", "cgroup", &format!("nosuid,noexec,nodev,{sys}")),
        row("/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"),
        row("/dev/shm", "tmpfs", "shm", &format!("nosuid,noexec,nodev,mode=1777,size={shm}")),
    ]
}

fn resolved(mount: &ResolvedMount, around: &Surroundings<'_>) -> Result<Noted, ContainerError> {
    let mut beneath = None;
    let (kind, source, mut options) = match &mount.what {
        Mounted::Volume { name, subpath, .. } => {
            let data = (around.volume_data)(name);
            if let Some(subpath) = subpath {
                beneath = Some((data.clone(), subpath.as_str().to_owned()));
            }
            ("bind", data, vec!["rbind".to_owned()])
        }
        Mounted::Bind { source, recursion } => {
            let word = match recursion {
                Recursion::Enabled => "rbind",
                Recursion::Disabled => "bind",
            };
            ("bind", source.as_path().to_path_buf(), vec![word.to_owned()])
        }
        Mounted::Tmpfs { options, .. } => ("tmpfs", PathBuf::from("tmpfs"), options.clone()),
        Mounted::Image { layers, subpath, .. } => {
            if let Some(subpath) = subpath {
                beneath = Some((one_layer(layers)?, subpath.as_str().to_owned()));
            }
            image(layers)
        }
    };
    if let Some(word) = read_only_word(mount) {
        options.push(word.into());
    }
    if let Some(propagation) = mount.propagation {
        options.push(propagation.word().into());
    }
    let source = source.display().to_string();
    let mut noted = noted(mount.target.as_str(), (kind, source, options), &mount.origin)?;
    noted.note.beneath =
        beneath.map(|(directory, path)| (HostPath::new(directory), RootPath::clean(&path)));
    Ok(noted)
}

fn noted(
    target: &str,
    (kind, source, options): (&'static str, String, Vec<String>),
    origin: &str,
) -> Result<Noted, ContainerError> {
    let mount = MountBuilder::default()
        .destination(target)
        .typ(kind)
        .source(source)
        .options(options)
        .build()?;
    let note = MountNote { origin: Some(Origin::new(origin)), beneath: None };
    Ok(Noted { mount, note })
}

/// V11.02: read-only reaches the mounts below, unless it was asked not to.
fn read_only_word(mount: &ResolvedMount) -> Option<&'static str> {
    let is_tmpfs = matches!(mount.what, Mounted::Tmpfs { .. });
    match mount.read_only {
        _ if matches!(mount.what, Mounted::Image { .. }) => Some("rro"),
        ReadOnly::No => None,
        _ if is_tmpfs => Some("ro"),
        ReadOnly::TopOnly => Some("ro"),
        ReadOnly::Recursive | ReadOnly::RecursiveStrict => Some("rro"),
    }
}

/// An image's files: its one layer as it is, or its layers as a read-only overlay (V2.30).
fn image(layers: &[PathBuf]) -> (&'static str, PathBuf, Vec<String>) {
    match layers {
        [layer] => ("bind", layer.clone(), vec!["rbind".into()]),
        _ => {
            let lower = layers.iter().map(|layer| format!("lowerdir+={}", layer.display()));
            let off = OVERLAY_FEATURES.iter().map(|feature| format!("{feature}=off"));
            ("overlay", PathBuf::from("overlay"), lower.chain(off).collect())
        }
    }
}

fn one_layer(layers: &[PathBuf]) -> Result<PathBuf, ContainerError> {
    match layers {
        [layer] => Ok(layer.clone()),
        _ => Err(ContainerError::SubpathOfLayers { layers: layers.len() }),
    }
}
