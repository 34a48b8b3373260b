//! What a plan is made from.

use oci_spec::runtime::{LinuxSeccomp, Process, Spec};

use super::error::CompileError;
use super::step::{DeviceProgram, Origin, Program};
use crate::config::cgroup::limits::CgroupWrite;
use crate::config::cgroup::site::Site;
use crate::config::path::{HostPath, RootPath};
use crate::facts::Facts;

/// Where the container's root file system comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootSource {
    /// A directory of the host.
    Directory(HostPath),
    /// Layers and a writable directory, as an overlay that only the container sees.
    Overlay(OverlayDirectories),
}

/// What is always off in an overlay of ours: its layers must stay plain directories, whatever the
/// module's defaults are.
pub const OVERLAY_FEATURES: [&str; 3] = ["redirect_dir", "metacopy", "index"];

/// The directories of an overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverlayDirectories {
    /// Read-only layers, the topmost first.
    pub lower: Vec<HostPath>,
    /// Where changes go.
    pub upper: HostPath,
    /// The kernel's work place, on the same file system as `upper`.
    pub work: HostPath,
}

/// What is known of a mount beside its entry in the config.
#[derive(Debug, Clone, Default)]
pub struct MountNote {
    /// What asked for it, in the user's words.
    pub origin: Option<Origin>,
    /// The source is this path below a directory, and must not leave it.
    pub beneath: Option<(HostPath, RootPath)>,
}

/// Where the process's standard streams come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdio {
    /// The caller's own, as engines expect it.
    Inherited,
    /// Three files that the caller of the plan gives: the first three slots.
    Given,
}

/// Does the container end with its supervisor?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// A parent-death signal is set.
    Supervised,
    /// It may outlive the command that made it.
    Independent,
}

/// All that a plan is made from.
#[derive(Debug)]
pub struct Input<'a> {
    /// The config.
    pub spec: &'a Spec,
    /// This machine.
    pub facts: &'a Facts,
    /// The root file system.
    pub root: RootSource,
    /// Notes, by the number of the mount.
    pub mounts: &'a [MountNote],
    /// The compiled seccomp filter, where the config has one.
    pub seccomp: Option<(Program, u32)>,
    /// The cgroup and what to write into it.
    pub cgroup: CgroupRequest,
    /// The standard streams.
    pub stdio: Stdio,
    /// Whether it ends with us.
    pub lifetime: Lifetime,
}

impl Input<'_> {
    /// What asked for the mount with this number.
    pub(super) fn mount_origin(&self, index: usize) -> Origin {
        let note = self.mounts.get(index).and_then(|note| note.origin.clone());
        note.unwrap_or_else(|| {
            let mount = self.spec.mounts().as_ref().and_then(|mounts| mounts.get(index));
            let Some(mount) = mount else { return Origin::new(&format!("/mounts/{index}")) };
            // A number alone would have to be looked up in the config.
            let kind = mount.typ().as_deref().filter(|kind| !kind.is_empty() && *kind != "none");
            let target = mount.destination().display();
            Origin::new(&format!("/mounts/{index} ({} on {target})", kind.unwrap_or("bind")))
        })
    }

    /// The process of the config.
    pub(super) fn process(&self) -> Result<&Process, CompileError> {
        self.spec.process().as_ref().ok_or(CompileError::Missing { field: "/process" })
    }

    /// The seccomp part of the config.
    pub fn seccomp_config(spec: &Spec) -> Option<&LinuxSeccomp> {
        spec.linux().as_ref()?.seccomp().as_ref()
    }
}

/// A directory of one hierarchy, and what is written into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CgroupDirectory {
    /// Where it is made.
    pub site: Site,
    /// The limits that are written here, in order.
    pub limits: Vec<CgroupWrite>,
    /// The device filter; v2 only.
    pub devices: Option<DeviceProgram>,
}

/// The cgroup of a container: a directory in each hierarchy that is used. None for no cgroup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CgroupRequest {
    /// The directories.
    pub directories: Vec<CgroupDirectory>,
    /// What is left out because there is no cgroup for it.
    pub left_out: Vec<String>,
}

impl CgroupRequest {
    /// Is there a cgroup at all?
    pub fn is_some(&self) -> bool {
        !self.directories.is_empty()
    }
}
