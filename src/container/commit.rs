//! A container's changes as a new layer, and an image of it.

use std::fs::File;
use std::io::BufWriter;
use std::os::fd::AsFd;

use rustix::fs::CWD;

use super::error::ContainerError;
use super::record::Status;
use super::store::Container;
use super::view::View;
use super::{diff, freezer};
use crate::facts::Kernel;
use crate::image::commit::{Commit, Committed};
use crate::image::{ImageConfig, ImageError, ImageStore, Reference};
use crate::store::{Store, StoreError};
use crate::sys::path::open_place;
use crate::tree::archive::{Archive, ArchiveError};
use crate::tree::{Manner, SourceKind};

/// Is a container that runs held still meanwhile?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// What is said of the new image.
#[derive(Debug)]
pub struct Wanted {
    /// Its name.
    pub reference: Option<Reference>,
    /// What its containers inherit: this container's, with the changes asked for.
    pub config: ImageConfig,
    /// Who made it.
    pub author: String,
    /// Why.
    pub comment: String,
    /// When, RFC 3339.
    pub created: String,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The container or its files.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// Reading its changes.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The image store.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A file of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What containers of an image of this container inherit.
pub fn config_of(container: &Container) -> ImageConfig {
    let process = &container.record.process;
    ImageConfig {
        user: process.user.clone(),
        exposed_ports: process.exposed_ports.iter().cloned().collect(),
        env: process.env.clone(),
        entrypoint: process.entrypoint.clone(),
        cmd: process.command.clone(),
        volumes: process.volumes.iter().cloned().collect(),
        working_dir: if process.working_dir == "/" {
            String::new()
        } else {
            process.working_dir.clone()
        },
        labels: process.labels.clone(),
        stop_signal: process.stop_signal.clone(),
    }
}

/// Held still as long as this is there.
struct Held<'a>(&'a Container);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // A container that has ended meanwhile has nothing to be thawed.
        let _ = freezer::thaw(self.0);
    }
}

/// Makes an image of the container's image and what the container has changed in it.
pub fn commit(
    store: &Store,
    container: &Container,
    (wanted, pause): (Wanted, Pause),
) -> Result<Committed, CommitError> {
    let images = ImageStore::open(store)?;
    let base = images.get(&container.record.image_id)?;
    let mut staging = images.stage()?;
    let layer = staging.fresh_path("changes");
    let runs = container.state.status == Status::Running && !freezer::is_frozen(container);
    let held =
        (pause == Pause::Yes && runs).then(|| freezer::freeze(container).map(|()| Held(container)));
    let held = held.transpose()?;
    write_changes(container, &layer)?;
    drop(held);
    let command = container.record.process.entrypoint.iter();
    let command = command.chain(&container.record.process.command).cloned().collect::<Vec<_>>();
    let commit = Commit {
        config: wanted.config,
        author: wanted.author,
        comment: wanted.comment,
        created: wanted.created,
        created_by: command.join(" "),
        reference: wanted.reference,
    };
    Ok(images.commit(staging, (&base, layer), &commit)?)
}

/// Writes what the container has changed as a layer's archive.
fn write_changes(container: &Container, path: &std::path::Path) -> Result<(), CommitError> {
    let upper = container.directory.join("upper");
    let upper = open_place(CWD, &upper).map_err(|e| ContainerError::io("open", &upper, e))?;
    let kernel = Kernel::probe().map_err(ContainerError::from)?;
    let lower = View::open(&container.record.layers, kernel)?;
    let file = File::create_new(path).map_err(|e| StoreError::io("open", path, e))?;
    let out = BufWriter::with_capacity(1 << 18, file);
    let mut archive = Archive::new(out, Manner::whole(SourceKind::Layer));
    archive.leave_out(diff::places(upper.as_fd(), lower.as_fd()));
    archive.add_contents(upper.as_fd())?;
    archive.finish()?;
    Ok(())
}
