//! What the commands on volumes begin with, and how they fail.

use std::io;

use crate::cli::Context;
use crate::config::name::VolumeName;
use crate::container::store::ContainerStore;
use crate::say::failure::Failure;
use crate::store::{Store, StoreError};
use crate::volume::VolumeError;
use crate::volume::store::VolumeStore;

/// The store's volumes.
pub(super) fn volumes(cx: &Context) -> Result<VolumeStore, Failure> {
    VolumeStore::open(&cx.store).map_err(|e| failure("open the volumes", &e))
}

/// A failure with its cause and what the kernel said.
pub(super) fn failure(wanted: impl Into<String>, error: &VolumeError) -> Failure {
    let mut failure = Failure::new(wanted, error);
    failure.kernel = error.kernel_words().map(Into::into);
    failure.hint = error.hint();
    failure
}

/// The store cannot be locked.
pub(super) fn lock_failure(error: StoreError) -> Failure {
    Failure::new("lock the store", error)
}

/// The result cannot be written.
pub(super) fn write_failure(error: io::Error) -> Failure {
    Failure::new("write the result", error)
}

/// The volume that a word names. A word that can be no name is that of no volume (V4.12).
pub(super) fn named(text: &str) -> Result<VolumeName, String> {
    VolumeName::parse(text).map_err(|_| format!("get {text}: no such volume"))
}

/// Is there a container with this id, or one that is being made? Its directory is made before its
/// references.
pub(super) fn container_exists(store: &Store) -> impl Fn(&str) -> bool {
    let containers = ContainerStore::at(store);
    move |id| containers.exists(id)
}
