//! `rrun inspect`: containers, images and volumes in Docker's shape (V12.23).

use serde_json::Value;

use super::volume::shown::Inspected;
use super::{Context, Outcome, near};
use crate::config::name::VolumeName;
use crate::container::ContainerError;
use crate::container::inspect::inspect;
use crate::container::store::ContainerStore;
use crate::container::written::written_bytes;
use crate::image::ImageStore;
use crate::image::inspect::Inspect;
use crate::say::failure::Failure;
use crate::say::objects::render;
use crate::volume::VolumeError;
use crate::volume::store::VolumeStore;

/// Display detailed information on containers, images or volumes
///
/// A name is looked for among the containers first, then the images, then the volumes. Prints a
/// JSON array; what is not there is told on standard error, after the others.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Only this kind of object
    #[arg(long = "type", value_enum, value_name = "KIND")]
    kind: Option<Kind>,
    /// Show how much a container has written (SizeRw), and that with its image (SizeRootFs)
    #[arg(short, long)]
    size: bool,
    #[command(flatten)]
    wanted: OneKind,
}

/// The objects of one kind
#[derive(Debug, clap::Args)]
pub struct OneKind {
    /// How to print: json, or a Go template for each object
    #[arg(short, long, value_name = "FORMAT", default_value = "", hide_default_value = true)]
    format: String,
    /// The names or ids
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

/// What can be inspected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    Container,
    Image,
    Volume,
}

impl Kind {
    fn for_hints(self) -> near::Kind {
        match self {
            Kind::Container => near::Kind::Container,
            Kind::Image => near::Kind::Image,
            Kind::Volume => near::Kind::Volume,
        }
    }
}

/// Shows objects of any kind.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let kinds = match &cmd.kind {
        Some(kind) => std::slice::from_ref(kind),
        None => &[Kind::Container, Kind::Image, Kind::Volume],
    };
    let size = if cmd.size { Size::Shown } else { Size::Hidden };
    show(&cmd.wanted, (kinds, size), cx)
}

/// Are sizes shown? To know them, all files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Shown,
    Hidden,
}

/// Containers
#[derive(Debug, clap::Args)]
pub struct Containers {
    /// Show how much a container has written (SizeRw), and that with its image (SizeRootFs)
    #[arg(short, long)]
    size: bool,
    #[command(flatten)]
    wanted: OneKind,
}

/// Shows containers.
pub fn run_containers(cmd: &Containers, cx: &Context) -> Outcome {
    let size = if cmd.size { Size::Shown } else { Size::Hidden };
    show(&cmd.wanted, (&[Kind::Container], size), cx)
}

/// Shows images.
pub fn run_images(cmd: &OneKind, cx: &Context) -> Outcome {
    show(cmd, (&[Kind::Image], Size::Hidden), cx)
}

fn show(cmd: &OneKind, (kinds, size): (&[Kind], Size), cx: &Context) -> Outcome {
    let mut found = Vec::new();
    let mut failures = Vec::new();
    for name in &cmd.names {
        match look(name, (kinds, size), cx) {
            Ok(Some(object)) => found.push(object),
            Ok(None) => failures.push(missing(name, kinds, cx)),
            Err(failure) => failures.push(failure),
        }
    }
    let text = render(&cmd.format, &found).map_err(|e| Failure::new("show what was found", e))?;
    cx.out.text(&text).map_err(|e| Failure::new("write the result", e))?;
    for failure in &failures {
        cx.out.failure(failure);
    }
    Ok(u8::from(!failures.is_empty()))
}

fn missing(name: &str, kinds: &[Kind], cx: &Context) -> Failure {
    let cause = match kinds {
        [Kind::Container] => format!("No such container: {name}"),
        [Kind::Image] => format!("No such image: {name}"),
        [Kind::Volume] => format!("get {name}: no such volume"),
        _ => format!("Error: No such object: {name}"),
    };
    let failure = Failure::new(format!("inspect {name}"), cause);
    let kinds: Vec<near::Kind> = kinds.iter().map(|kind| kind.for_hints()).collect();
    failure.perhaps(near::hint(name, &kinds, cx))
}

/// The first object of this name.
fn look(
    name: &str,
    (kinds, size): (&[Kind], Size),
    cx: &Context,
) -> Result<Option<Value>, Failure> {
    for kind in kinds {
        let found = match kind {
            Kind::Container => container(name, size, cx).map_err(|e| e.to_string()),
            Kind::Image => image(name, cx),
            Kind::Volume => volume(name, cx),
        };
        match found {
            Ok(None) => {}
            Ok(found) => return Ok(found),
            Err(cause) => return Err(Failure::new(format!("inspect {name}"), cause)),
        }
    }
    Ok(None)
}

fn container(name: &str, size: Size, cx: &Context) -> Result<Option<Value>, ContainerError> {
    let volumes = VolumeStore::open(&cx.store)?;
    let container = match ContainerStore::open(&cx.store)?.find(name) {
        Ok(container) => container,
        Err(ContainerError::Missing(_)) => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut shown = inspect(&container, &volumes);
    if let (Size::Shown, Some(fields)) = (size, shown.as_object_mut()) {
        let own = written_bytes(&container);
        let image = ImageStore::open(&cx.store)?.find(&container.record.image_id)?;
        let image = image.map_or(0, |image| image.size_bytes);
        // Docker has them after GraphDriver.
        let at = fields.keys().position(|key| key == "Mounts").unwrap_or(fields.len());
        fields.shift_insert(at, "SizeRw".into(), own.into());
        fields.shift_insert(at + 1, "SizeRootFs".into(), (own + image).into());
    }
    Ok(Some(shown))
}

fn image(name: &str, cx: &Context) -> Result<Option<Value>, String> {
    let found = ImageStore::open(&cx.store).and_then(|images| images.find(name));
    let Some(image) = found.map_err(|e| e.to_string())? else { return Ok(None) };
    serde_json::to_value(Inspect::new(&image)).map(Some).map_err(|e| e.to_string())
}

fn volume(name: &str, cx: &Context) -> Result<Option<Value>, String> {
    let Ok(name) = VolumeName::parse(name) else { return Ok(None) };
    let volumes = VolumeStore::open(&cx.store).map_err(|e| e.to_string())?;
    match volumes.get(&name) {
        Ok(volume) => {
            let shown = serde_json::to_value(Inspected::new(&volume, &volumes, cx));
            shown.map(Some).map_err(|e| e.to_string())
        }
        Err(VolumeError::Missing(_)) => {
            let remote = Inspected::of_plugin(&name).map(serde_json::to_value);
            remote.transpose().map_err(|e| e.to_string())
        }
        Err(e) => Err(e.to_string()),
    }
}
