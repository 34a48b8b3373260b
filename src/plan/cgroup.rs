//! The container's cgroup: directories and limits before the clone, and what it sees of them.

use super::builder::Builder;
use super::compiler::Compiler;
use super::error::CompileError;
use super::filesystem::{self, NewFs, Target};
use super::input::CgroupDirectory;
pub use super::input::CgroupRequest;
use super::step::{Change, Missing, Op, Slot, SlotKind, Source};
use crate::config::cgroup::layout::{Kind, Version};
use crate::config::cgroup::limits::CgroupWrite;
use crate::config::mount_option::{Attributes, MountOptions, attribute};
use crate::config::path::{HostPath, RootPath};
use crate::config::propagation::Propagation;
use crate::sys::mount::Recursion;
use crate::sys::namespace::Namespace;
use crate::sys::path::Links;

/// What [`prepare`] has put into the plan.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// The child is born into this one.
    pub(super) born_into: Option<Slot>,
    /// The host moves the child into these, and the child has to wait for that before it makes its
    /// cgroup namespace.
    pub(super) joined_by_host: Vec<Slot>,
    /// Limits that would refuse the process itself.
    pub(super) written_after_clone: Vec<(Slot, CgroupWrite)>,
}

impl Prepared {
    /// Does the child have to wait for the host?
    pub(super) fn child_waits(&self) -> bool {
        !self.joined_by_host.is_empty() || !self.written_after_clone.is_empty()
    }
}

/// Makes the cgroup and sets its limits, before there is a process to be limited.
pub(super) fn prepare(c: &mut Compiler<'_>) -> Prepared {
    let mut prepared = Prepared::default();
    for directory in &c.input.cgroup.directories {
        let slot = make(&mut c.plan, directory);
        if c.input.facts.cgroups.kind() == Kind::V2 {
            prepared.born_into = Some(slot);
        } else {
            prepared.joined_by_host.push(slot);
        }
        let late = directory.limits.iter().filter(|limit| limit.waits_for_process());
        prepared.written_after_clone.extend(late.map(|limit| (slot, limit.clone())));
    }
    prepared
}

fn make(plan: &mut Builder, directory: &CgroupDirectory) -> Slot {
    let cgroup = plan.slot(SlotKind::Cgroup);
    plan.origin_text("/linux/cgroupsPath");
    plan.early(
        Op::MakeCgroup { cgroup, site: Box::new(directory.site.clone()) },
        "limits and a kill of all processes need a cgroup of the container's own",
    );
    plan.origin_text("/linux/resources");
    for limit in directory.limits.iter().filter(|limit| !limit.waits_for_process()) {
        plan.early(
            Op::WriteCgroup { cgroup, limit: Box::new(limit.clone()) },
            "set before the process exists, so that it never runs without its limit",
        );
    }
    if let Some(program) = directory.devices.clone() {
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
    match c.input.facts.cgroups.kind() {
        Kind::V2 if own_view && !c.namespaces.is_own(Namespace::User) => {
            let fs = NewFs { kind: "cgroup2", source: Some("cgroup"), data: &[] };
            filesystem::file_system(c, target, options, &fs)
        }
        Kind::V2 => {
            let inside = c.input.cgroup.directories.first().filter(|_| own_view);
            let unified = c.input.facts.cgroups.unified.as_ref();
            let source = match inside {
                Some(directory) => Some(directory.site.directory()),
                None => unified.map(|unified| unified.hierarchy.mount.as_path()),
            };
            if let Some(source) = source.map(HostPath::new) {
                show(c, source, target.path.clone(), options.top);
            }
            Ok(())
        }
        Kind::V1 | Kind::Hybrid => hierarchies(c, target, options),
        Kind::None => {
            // A host without cgroups has nothing to show: an empty read-only directory.
            let options = MountOptions { data: Vec::new(), ..options.clone() };
            filesystem::file_system(c, target, &options, &EMPTY_TMPFS)
        }
    }
}

const EMPTY_TMPFS: NewFs<'static> =
    NewFs { kind: "tmpfs", source: Some("cgroup"), data: &[("mode", "755")] };

/// v1 and hybrid: a tmpfs with one bind for each hierarchy (V11.10).
fn hierarchies(
    c: &mut Compiler<'_>,
    target: &Target,
    options: &MountOptions,
) -> Result<(), CompileError> {
    let directories = c.input.cgroup.directories.clone();
    let writable = Attributes { set: options.top.set & !attribute::RDONLY, clear: 0 };
    let plain = MountOptions { top: writable, ..MountOptions::default() };
    let tree = filesystem::file_system_tree(c, target, &plain, &EMPTY_TMPFS)?;
    for CgroupDirectory { site, .. } in
        directories.iter().filter(|directory| directory.site.version == Version::V1)
    {
        let name = site.name();
        let path = format!("{}/{name}", target.path);
        show(c, HostPath::new(site.directory()), RootPath::clean(&path), options.top);
        // cpu,cpuacct is looked for under both names.
        for part in name.split(',').filter(|_| name.contains(',')) {
            c.push(
                Op::MakeLink { directory: tree, name: part.into(), target: name.into() },
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
