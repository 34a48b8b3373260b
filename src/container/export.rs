//! The root file system of a container as a tar stream: without what is mounted in it (V6.13).

use std::io::Write;
use std::os::fd::AsFd;

use super::error::ContainerError;
use super::files::Files;
use super::store::Container;
use crate::plan::files::Reach;
use crate::store::Store;
use crate::tree::archive::{Archive, ArchiveError};
use crate::tree::{Manner, SourceKind};

/// Why it could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The container or its files.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// The writing.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// Writes the files of `container`, whether it runs or not.
pub fn export(store: &Store, container: &Container, out: impl Write) -> Result<(), ExportError> {
    let files = Files::open(store, container, Reach::RootOnly)?;
    let mut archive = Archive::new(out, Manner::whole(SourceKind::Tree));
    archive.add_contents(files.as_fd())?;
    archive.finish()?;
    Ok(())
}
