//! `rrun volume …`: the way to its commands, and what they share in words.

pub mod create;
pub mod inspect;
pub mod ls;
pub mod prune;
pub mod rm;
mod shown;

use std::io;

use clap::Subcommand;

use super::{Context, Outcome};
use crate::config::name::VolumeName;
use crate::say::failure::Failure;
use crate::store::{Store, StoreError};
use crate::volume::VolumeError;
use crate::volume::store::VolumeStore;

/// Manage volumes
#[derive(Debug, Subcommand)]
pub enum VolumeCommand {
    /// Create a volume
    Create(create::Cmd),
    /// Display detailed information on one or more volumes
    Inspect(inspect::Cmd),
    /// List volumes
    #[command(visible_alias = "list")]
    Ls(ls::Cmd),
    /// Remove unused volumes
    Prune(prune::Cmd),
    /// Remove one or more volumes
    #[command(visible_alias = "remove")]
    Rm(rm::Cmd),
}

/// Runs one of the commands.
pub fn run(command: VolumeCommand, cx: &Context) -> Outcome {
    match command {
        VolumeCommand::Create(cmd) => create::run(cmd, cx),
        VolumeCommand::Inspect(cmd) => inspect::run(&cmd, cx),
        VolumeCommand::Ls(cmd) => ls::run(&cmd, cx),
        VolumeCommand::Prune(cmd) => prune::run(&cmd, cx),
        VolumeCommand::Rm(cmd) => rm::run(&cmd, cx),
    }
}

/// The store's volumes.
fn volumes(cx: &Context) -> Result<VolumeStore, Failure> {
    VolumeStore::open(&cx.store).map_err(|e| failure("open the volumes", &e))
}

/// A failure with its cause and what the kernel said.
fn failure(wanted: impl Into<String>, error: &VolumeError) -> Failure {
    let mut failure = Failure::new(wanted, error);
    failure.kernel = error.kernel_words().map(Into::into);
    failure.hint = error.hint();
    failure
}

/// The store cannot be locked.
fn lock_failure(error: StoreError) -> Failure {
    Failure::new("lock the store", error)
}

/// The result cannot be written.
fn write_failure(error: io::Error) -> Failure {
    Failure::new("write the result", error)
}

/// The volume that a word names. A word that can be no name is that of no volume (V4.12).
fn named(text: &str) -> Result<VolumeName, String> {
    VolumeName::parse(text).map_err(|_| format!("get {text}: no such volume"))
}

/// Is there a container with this id? Its directory is made before its references.
fn container_exists(store: &Store) -> impl Fn(&str) -> bool {
    let containers = store.root().join("containers");
    move |id| containers.join(id).exists()
}
