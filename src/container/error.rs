//! What can go wrong with a container, with the cause in Docker's words where it has some.

use std::path::PathBuf;

use oci_spec::OciSpecError;

use crate::config::capability::CapabilityError;
use crate::config::mount_flag::MountFlagError;
use crate::config::name::NameError;
use crate::engine::spawn::SpawnError;
use crate::facts::kernel::KernelTooOld;
use crate::image::ImageError;
use crate::store::StoreError;
use crate::volume::VolumeError;

/// Why a container cannot be made, found, started or removed.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// No container has this name or id.
    #[error("No such container: {0}")]
    Missing(String),
    /// Several ids begin like this.
    #[error("{0:?} is the beginning of several containers' ids")]
    Ambiguous(String),
    /// The name is taken.
    #[error(
        "Conflict. The container name \"/{name}\" is already in use by container \"{id}\". \
         You have to remove (or rename) that container to be able to reuse that name."
    )]
    NameTaken {
        /// The name.
        name: String,
        /// Whose it is.
        id: String,
    },
    /// The image is not there.
    #[error("Unable to find image '{0}' locally")]
    NoImage(String),
    /// The mounts contradict each other or the rules.
    #[error(transparent)]
    Mounts(#[from] MountFlagError),
    /// A bind's source is missing.
    #[error("invalid mount config for type \"bind\": bind source path does not exist: {path}")]
    NoSource {
        /// The source.
        path: PathBuf,
    },
    /// A bind's source cannot be made.
    #[error("error while creating mount source path '{path}': mkdir {path}: {cause}")]
    SourceNotMade {
        /// The source.
        path: String,
        /// The kernel's answer.
        cause: String,
    },
    /// A propagation that the source's mount does not allow.
    #[error("path {path} is mounted on {mount} but it is not a {wanted} mount")]
    Propagation {
        /// The source.
        path: String,
        /// The mount that it is on.
        mount: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// A VOLUME of the image is a file there.
    #[error("cannot mount volume over existing file, file exists {path}")]
    VolumeOverFile {
        /// Where.
        path: String,
    },
    /// There is nothing to run.
    #[error("no command specified")]
    NoCommand,
    /// A user that the image does not know.
    #[error("unable to find user {0}: no matching entries in passwd file")]
    NoUser(String),
    /// A group that the image does not know.
    #[error("unable to find group {0}: no matching entries in group file")]
    NoGroup(String),
    /// An id that is none.
    #[error("uids and gids must be in range 0-2147483647")]
    IdRange,
    /// A working directory that is no absolute path.
    #[error("the working directory '{0}' is invalid, it needs to be an absolute path")]
    WorkingDirectory(String),
    /// It runs.
    #[error(
        "cannot remove container \"{0}\": container is running: stop the container before \
         removing or force remove"
    )]
    Running(String),
    /// It was killed and does not end.
    #[error(
        "cannot remove container \"{0}\": could not kill: tried to kill container, but did not \
         receive an exit event"
    )]
    Unkillable(String),
    /// Its processes are stopped. The words are Docker's.
    #[error("Container {0} is paused, unpause the container before exec")]
    PausedForExec(String),
    /// It begins to run, or ends, at this very moment.
    #[error("container {0} is about to run or has just ended")]
    Changing(String),
    /// A step on the way to its files failed.
    #[error("{0}")]
    Files(String),
    /// It runs already, under another command.
    #[error("container {0} is running already")]
    RunningAlready(String),
    /// It does not run.
    #[error("container {0} is not running")]
    NotRunning(String),
    /// It is held already.
    #[error("container {0} is already paused")]
    Paused(String),
    /// It is not held.
    #[error("Container {0} is not paused")]
    NotPaused(String),
    /// A name that it has already.
    #[error("Renaming a container with the same name as its current name")]
    SameName,
    /// A container whose network should be joined does not run.
    #[error("cannot join network of a non running container: {0}")]
    NoNetworkOf(String),
    /// A port of the host that somebody else has.
    #[error("Bind for {address} failed: port is already allocated")]
    PortTaken {
        /// The address with the port.
        address: String,
    },
    /// The program that connects containers with the host is missing.
    #[error("the program pasta is not there")]
    NoPasta,
    /// It could not do its work.
    #[error("pasta cannot connect the container: {0}")]
    Pasta(String),
    /// Another command works on its files.
    #[error("container {0} is in use by another command (cp, commit, export)")]
    Busy(String),
    /// Its cgroup cannot be frozen.
    #[error(transparent)]
    Freezer(crate::apply::cgroup::CgroupError),
    /// A file of the container cannot be written.
    #[error("{call}({path:?}): {source}")]
    Io {
        /// What was tried.
        call: &'static str,
        /// On what.
        path: PathBuf,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// The kernel is too old.
    #[error(transparent)]
    Kernel(#[from] KernelTooOld),
    /// A name or id that was made for it, or that its record has, is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Capabilities that are none.
    #[error(transparent)]
    Capability(#[from] CapabilityError),
    /// A part of an image whose files lie in several layers.
    #[error("image-subpath needs an image of one layer, this one has {layers}")]
    SubpathOfLayers {
        /// How many layers it has.
        layers: usize,
    },
    /// What was put together is no OCI config.
    #[error("cannot write the container's config: {0}")]
    Spec(#[from] OciSpecError),
    /// The page that is shared with the child cannot be had.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// A volume was resolved to something else: a mistake of ours.
    #[error("a volume was taken for another mount, which is a mistake in rrun")]
    NotAVolume,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A volume.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// An image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A config that has no plan.
    #[error(transparent)]
    Plan(#[from] crate::engine::bundle::PlanError),
}

impl ContainerError {
    /// An error of `call` on `path`.
    pub fn io(
        call: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<std::io::Error>,
    ) -> Self {
        Self::Io { call, path: path.into(), source: source.into() }
    }
}
