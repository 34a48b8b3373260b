//! The container's cgroup: directories and limits before the clone, and what it sees of them.

use super::builder::Builder;
use super::compile::Compiler;
use super::error::CompileError;
use super::mounts::Target;
use super::step::{Change, Missing, Op, Parameter, Slot, SlotKind, Source};
use crate::config::mount_option::{Attributes, MountOptions, attribute};
use crate::config::path::{HostPath, RootPath};
use crate::config::propagation::Propagation;
use crate::facts::CgroupHost;
use crate::sys::mount::Recursion;
use crate::sys::namespace::Namespace;
use crate::sys::path::Links;

/// A directory of one hierarchy, and what is written into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CgroupDirectory {
    /// The hierarchy's directory name below /sys/fs/cgroup (`memory`, `cpu,cpuacct`); empty on v2.
    pub hierarchy: String,
    /// The directory on the host.
    pub path: HostPath,
    /// Files and values, in order.
    pub writes: Vec<(String, String)>,
    /// The device filter, as instructions for bpf(2); v2 only.
    pub devices: Option<Vec<u64>>,
}

/// The cgroup of a container: a directory in each hierarchy that is used. None for no cgroup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CgroupRequest {
    /// The directories.
    pub directories: Vec<CgroupDirectory>,
}

impl CgroupRequest {
    /// Is there a cgroup at all?
    pub fn is_some(&self) -> bool {
        !self.directories.is_empty()
    }
}

/// What [`prepare`] has put into the plan.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// The child is born into this one.
    pub(super) born_into: Option<Slot>,
    /// The host moves the child into these.
    pub(super) joined_by_host: Vec<Slot>,
    /// The child has to wait for that before it makes its cgroup namespace.
    pub(super) join_after_clone: bool,
}

/// Makes the cgroup and sets its limits, before there is a process to be limited.
pub(super) fn prepare(c: &mut Compiler<'_>) -> Prepared {
    let mut prepared = Prepared::default();
    let born_into = matches!(c.input.facts.cgroups, CgroupHost::V2 { .. });
    for directory in c.input.cgroup.directories.clone() {
        let slot = make(&mut c.plan, directory);
        if born_into {
            prepared.born_into = Some(slot);
        } else {
            prepared.joined_by_host.push(slot);
            prepared.join_after_clone = true;
        }
    }
    prepared
}

fn make(plan: &mut Builder, directory: CgroupDirectory) -> Slot {
    let cgroup = plan.slot(SlotKind::Cgroup);
    plan.origin_text("/linux/cgroupsPath");
    plan.early(
        Op::MakeCgroup { cgroup, path: directory.path },
        "limits and a kill of all processes need a cgroup of the container's own",
    );
    plan.origin_text("/linux/resources");
    for (file, value) in directory.writes {
        plan.early(
            Op::WriteCgroup { cgroup, file, value },
            "set before the process exists, so that it never runs without its limit",
        );
    }
    if let Some(program) = directory.devices {
        plan.early(
            Op::CgroupDevices { cgroup, program },
            "a node made in the container must not open a device that was not given to it",
        );
    }
    cgroup
}

/// A mount of type `cgroup`: what the container sees of its cgroups.
pub(super) fn mount(
    c: &mut Compiler<'_>,
    target: &Target,
    options: &MountOptions,
) -> Result<(), CompileError> {
    let own_view = c.namespaces.is_own(Namespace::Cgroup);
    match &c.input.facts.cgroups {
        CgroupHost::V2 { .. } if own_view && !c.namespaces.is_own(Namespace::User) => {
            let fs = super::mounts::NewFs { kind: "cgroup2", source: Some("cgroup"), data: &[] };
            super::mounts::file_system(c, target, options, &fs)
        }
        CgroupHost::V2 { mount } => {
            let inside = if own_view { c.input.cgroup.directories.first() } else { None };
            let source = match inside {
                Some(directory) => directory.path.clone(),
                None => HostPath::new(mount.clone()),
            };
            show(c, source, target.path.clone(), options.top);
            Ok(())
        }
        CgroupHost::V1OrHybrid => hierarchies(c, target, options),
        CgroupHost::None => {
            // A host without cgroups has nothing to show: an empty read-only directory.
            let options = MountOptions { data: Vec::new(), ..options.clone() };
            super::mounts::file_system(c, target, &options, &EMPTY_TMPFS)
        }
    }
}

const EMPTY_TMPFS: super::mounts::NewFs<'static> =
    super::mounts::NewFs { kind: "tmpfs", source: Some("cgroup"), data: &[("mode", "755")] };

/// v1 and hybrid: a tmpfs with one bind for each hierarchy (V11.10).
fn hierarchies(
    c: &mut Compiler<'_>,
    target: &Target,
    options: &MountOptions,
) -> Result<(), CompileError> {
    let directories = c.input.cgroup.directories.clone();
    let writable = Attributes { set: options.top.set & !attribute::RDONLY, clear: 0 };
    let plain = MountOptions { top: writable, ..MountOptions::default() };
    let tree = super::mounts::file_system_tree(c, target, &plain, &EMPTY_TMPFS)?;
    for directory in directories.into_iter().filter(|d| d.hierarchy != "unified") {
        let path = format!("{}/{}", target.path, directory.hierarchy);
        show(c, directory.path, RootPath::clean(&path), options.top);
        // cpu,cpuacct is looked for under both names.
        for name in directory.hierarchy.split(',').filter(|_| directory.hierarchy.contains(',')) {
            c.push(
                Op::MakeLink {
                    directory: tree,
                    name: name.into(),
                    target: directory.hierarchy.clone(),
                },
                "programs look for a controller under its own name, also when it shares a mount",
            );
        }
    }
    if options.top.set & attribute::RDONLY != 0 {
        let change = Change {
            attributes: Attributes { set: attribute::RDONLY, clear: 0 },
            ..Change::default()
        };
        c.push(
            Op::SetAttributes { tree, change, recursion: Recursion::TopOnly },
            "read-only last: the places for the hierarchies had to be made in it first",
        );
    }
    Ok(())
}

/// Binds a directory of a hierarchy.
fn show(c: &mut Compiler<'_>, source: HostPath, path: RootPath, attributes: Attributes) {
    let tree = c.plan.slot(SlotKind::Tree);
    let place = c.plan.slot(SlotKind::Place);
    let clone = Op::CloneTree { tree, source: Source::Host(source), recursion: Recursion::TopOnly };
    let change = Op::SetAttributes {
        tree,
        change: Change { attributes, propagation: Some(Propagation::Private), idmap: None },
        recursion: Recursion::TopOnly,
    };
    let because_clone = "the cgroup files are those of the host's own mount, seen from inside";
    let because_change = "a container that can write here can lift its own limits (CVE-2023-25809)";
    if c.namespaces.host_opens_sources() {
        c.plan.early(clone, because_clone);
        c.plan.early(change, because_change);
    } else {
        c.push(clone, because_clone);
        c.push(change, because_change);
    }
    let (root, links, missing) = (c.root, Links::Refused, Missing::MakeDirectory);
    c.push(
        Op::Pin { place, root, path, links, missing },
        "a link here could lead the mount to another place",
    );
    c.push(Op::Attach { tree, place }, "its attributes are final, so it may be seen now");
}

/// The value of a text parameter.
pub(super) fn text(value: &str) -> Parameter {
    Parameter::Text(value.into())
}
