//! The object that was probably meant: what there is in the store, near to a name that is not.

use super::Context;
use super::run_args::{Extra, Unnamed};
use crate::config::nearest::nearest;
use crate::container::store::ContainerStore;
use crate::image::ImageStore;
use crate::say::failure::Failure;
use crate::volume::store::VolumeStore;

/// What a name is to name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A container.
    Container,
    /// An image.
    Image,
    /// A volume.
    Volume,
}

/// `did you mean data?`, if one of these kinds has an object with a name near `name`.
///
/// A store that cannot be read has no names: that is told by whoever needs more than a hint.
pub fn hint(name: &str, kinds: &[Kind], cx: &Context) -> Option<String> {
    let names: Vec<String> = kinds.iter().flat_map(|kind| names(*kind, cx)).collect();
    nearest(name, names.iter().map(String::as_str)).map(|near| format!("did you mean {near}?"))
}

/// An image that is not there: a command of Docker's, a slip of a command, or one of an image.
pub fn no_image(failure: Failure, image: &str, extra: &Extra, cx: &Context) -> Failure {
    match extra.meaning.and_then(|meaning| meaning(image)) {
        Some(Unnamed::Absent(instead)) => {
            let wanted = format!("run the command {image}");
            Failure::new(wanted, format_args!("rrun has no `{image}`"))
                .hint(instead)
                .status(failure.status)
        }
        Some(Unnamed::Near(command)) => {
            failure.hint(format!("did you mean the command `rrun {command}`?"))
        }
        None => failure.perhaps(hint(image, &[Kind::Image], cx)),
    }
}

fn names(kind: Kind, cx: &Context) -> Vec<String> {
    match kind {
        Kind::Container => ContainerStore::open(&cx.store)
            .ok()
            .and_then(|containers| containers.list().ok())
            .map(|(listed, _)| listed.iter().map(|one| one.record.name.to_string()).collect()),
        Kind::Image => ImageStore::open(&cx.store)
            .ok()
            .and_then(|images| images.list().ok())
            .map(|listing| listing.images.iter().flat_map(image_names).collect()),
        Kind::Volume => VolumeStore::open(&cx.store)
            .ok()
            .and_then(|volumes| volumes.list().ok())
            .map(|listing| listing.volumes.iter().map(|one| one.name.to_string()).collect()),
    }
    .unwrap_or_default()
}

/// With the tag and without: `alpin` and `alpine:lastest` are both slips.
fn image_names(image: &crate::image::Image) -> Vec<String> {
    let both = |name: &crate::image::Reference| [name.familiar_repository(), name.to_string()];
    image.references.iter().flat_map(both).collect()
}
