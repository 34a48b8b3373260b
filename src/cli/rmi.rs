//! `rrun rmi`.

use super::{Context, Outcome, near};
use crate::container::ContainerError;
use crate::container::record::Status;
use crate::container::store::{Container, ContainerStore};
use crate::image::store::{Force, Removed, User};
use crate::image::{Digest, ImageError, ImageStore};
use crate::say::failure::Failure;
use crate::store::{Store, StoreError};

/// Remove images
///
/// A name is taken away from its image; with the last one the image goes, and what no other image
/// shares with it. An image that a container uses stays.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Take away all names at once, also those of an image that a stopped container uses (which
    /// itself then stays), and be content with images that do not exist
    #[arg(short, long)]
    force: bool,
    /// The images, by name or id
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let force = if cmd.force { Force::Yes } else { Force::No };
    let store = ImageStore::open(&cx.store).map_err(|e| Failure::new("remove images", e))?;
    let mut status = 0;
    for name in &cmd.images {
        let failed =
            |cause: &dyn std::fmt::Display| Failure::new(format!("remove image {name}"), cause);
        let removed = match store.remove(name, force, || users(&cx.store)) {
            Ok(removed) => removed,
            Err(e) => {
                let missing = matches!(e, ImageError::NotFound(_));
                let hint = missing.then(|| near::hint(name, &[near::Kind::Image], cx)).flatten();
                cx.out.failure(&failed(&e).perhaps(hint));
                status |= u8::from(!(missing && cmd.force));
                continue;
            }
        };
        for step in removed {
            let line = match step {
                Removed::Untagged(name) => format!("Untagged: {name}"),
                Removed::Deleted(digest) => format!("Deleted: {digest}"),
            };
            cx.out.line(line).map_err(|e| failed(&e))?;
        }
    }
    Ok(status)
}

/// Which containers use which images. A container whose record cannot be read cannot be started
/// either, so it holds no image.
pub(super) fn users(store: &Store) -> Result<Vec<User>, ImageError> {
    let containers = ContainerStore::open(store)?;
    let (containers, _) = containers.list().map_err(|e| match e {
        ContainerError::Store(e) => e,
        e => StoreError::io("getdents64", containers.directory(), std::io::Error::other(e)),
    })?;
    let user = |container: &Container| {
        Some(User {
            image: Digest::parse(&container.record.image_id).ok()?,
            container: container.short_id().into(),
            running: container.state.status == Status::Running,
        })
    };
    Ok(containers.iter().filter_map(user).collect())
}
