//! The mounts of the config in their order, and the paths that are hidden or made read-only.

use std::path::Path;

use oci_spec::runtime::Mount;

use super::compiler::Compiler;
use super::error::CompileError;
use super::filesystem::{NewFs, Target, file_system_tree, make_read_only, text};
use super::step::{NodeKind, Op, Origin, Slot, SlotKind};
use super::{cgroup, devices, source};
use crate::config::mount_option::{MountOptions, attribute};
use crate::config::path::{HostPath, RootPath};
use crate::sys::path::Links;

/// Mounts that replace single files of procfs with ones of the user's (V1.42).
const ALLOWED_IN_PROC: [&str; 10] = [
    "cpuinfo",
    "diskstats",
    "meminfo",
    "stat",
    "swaps",
    "uptime",
    "loadavg",
    "slabinfo",
    "sys/kernel/ns_last_pid",
    "sys/crypto/fips_enabled",
];

/// What the terminal needs to know of the mounts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mounted {
    /// The /dev that we made, or the one of the root.
    pub(super) dev: Option<Slot>,
    /// The devpts instance.
    pub(super) devpts: Option<Slot>,
}

/// All mounts of the config, in order; then the devices.
pub(super) fn all(c: &mut Compiler<'_>) -> Result<Mounted, CompileError> {
    let (mounted, read_only_last) = listed(c)?;
    devices::outside_our_dev(c, mounted.dev)?;
    for (tree, origin) in read_only_last {
        c.plan.origin(&origin);
        let because = "read-only last: the places for the mounts below had to be made in it first";
        make_read_only(c, tree, because);
    }
    Ok(mounted)
}

/// The mounts of the config, in order, and those that become read-only when all else is there.
pub(super) fn listed(c: &mut Compiler<'_>) -> Result<(Mounted, Vec<(Slot, Origin)>), CompileError> {
    let mounts = c.input.spec.mounts().as_deref().unwrap_or_default();
    let mut mounted = Mounted::default();
    let mut read_only_last = Vec::new();
    for (index, mount) in mounts.iter().enumerate() {
        let origin = c.input.mount_origin(index);
        c.plan.origin(&origin);
        let mut options = MountOptions::parse(mount.options().iter().flatten().map(String::as_str));
        let is_bind = is_bind(mount, &options);
        let target = target(mount, origin.clone(), is_bind)?;
        if is_bind {
            source::bind(c, index, &target, &options)?;
            continue;
        }
        let kind = mount.typ().as_deref().unwrap_or_default();
        if kind == "cgroup" || kind == "cgroup2" {
            cgroup::mount(c, &target, &options)?;
            continue;
        }
        if source::the_host_s(c, kind, &target, &options) {
            continue;
        }
        let later = kind == "tmpfs" && has_later_below(mounts, index, &target.path);
        let delayed = later && options.is_read_only();
        if delayed {
            options.below.set &= !attribute::RDONLY;
            options.top.set &= !attribute::RDONLY;
        }
        let fs =
            NewFs { kind, source: mount.source().as_deref().and_then(Path::to_str), data: &[] };
        let tree = file_system_tree(c, &target, &options, &fs)?;
        match target.path.as_str() {
            "/dev" => mounted.dev = Some(tree),
            "/dev/pts" => mounted.devpts = Some(tree),
            _ => {}
        }
        if delayed {
            read_only_last.push((tree, origin));
        }
    }
    Ok((mounted, read_only_last))
}

fn has_later_below(mounts: &[Mount], index: usize, path: &RootPath) -> bool {
    path.as_str() == "/dev"
        || mounts[index + 1..].iter().any(|later| {
            later.destination().to_str().is_some_and(|d| RootPath::clean(d).is_under(path))
        })
}

/// Is it a bind? The words `bind` and `rbind` say so, or a source without a type.
pub fn is_bind(mount: &Mount, options: &MountOptions) -> bool {
    let plain = matches!(mount.typ().as_deref(), None | Some("none" | "bind" | ""));
    options.bind.is_some() || (plain && mount.source().is_some())
}

fn target(mount: &Mount, origin: Origin, is_bind: bool) -> Result<Target, CompileError> {
    let text = mount.destination().to_str().ok_or_else(|| CompileError::Invalid {
        origin: origin.to_string(),
        what: "text in UTF-8",
        value: mount.destination().display().to_string(),
    })?;
    let path = RootPath::clean(text);
    if let Some(inside) = path.as_str().strip_prefix("/proc/") {
        let allowed = is_bind && ALLOWED_IN_PROC.contains(&inside);
        // A file system such as binfmt_misc has its place in procfs and is the kernel's own.
        let kernel_own = !is_bind && inside == "sys/fs/binfmt_misc";
        if !allowed && !kernel_own {
            let origin = origin.to_string();
            return Err(CompileError::InsideProc { origin, target: path.as_str().into() });
        }
    }
    let exact = matches!(path.as_str(), "/proc" | "/sys" | "/dev" | "/dev/pts" | "/dev/console")
        || matches!(mount.typ().as_deref(), Some("proc" | "sysfs") if !is_bind);
    let links = if exact { Links::Refused } else { Links::InRoot };
    Ok(Target { path, links, origin })
}

/// What masks are made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Masks {
    null: Slot,
    empty: Slot,
}

fn masked<'a>(c: &Compiler<'a>) -> &'a [String] {
    let linux = c.input.spec.linux().as_ref();
    linux.and_then(|l| l.masked_paths().as_deref()).unwrap_or_default()
}

/// The host's /dev/null and an empty directory, made before anything of the container is there.
pub(super) fn prepare_masks(c: &mut Compiler<'_>) -> Option<Masks> {
    if masked(c).is_empty() {
        return None;
    }
    c.plan.origin_text("/linux/maskedPaths");
    let null = c.plan.slot(SlotKind::Place);
    c.push(
        Op::OpenPlace { place: null, path: HostPath::new("/dev/null") },
        "the host's own: one from the container's root could be anything (CVE-2025-31133)",
    );
    c.push(
        Op::ExpectDevice { place: null, kind: NodeKind::Character, device: (1, 3) },
        "only the null device hides a file without a way to read or fill it",
    );
    let context = c.plan.slot(SlotKind::Context);
    let empty = c.plan.slot(SlotKind::Tree);
    c.push(
        Op::NewFilesystem { context, kind: "tmpfs".into() },
        "one empty file system serves for all hidden directories",
    );
    c.push(
        Op::Configure { context, key: "source".into(), value: text("tmpfs") },
        "the name that mountinfo shows for it",
    );
    c.push(
        Op::Configure { context, key: "nr_inodes".into(), value: text("1") },
        "it can never hold anything, also if it is remounted writable",
    );
    c.push(Op::CreateFilesystem { context }, "all its parameters are set");
    c.push(
        Op::MountDetached { context, tree: empty, attributes: attribute::RDONLY },
        "read-only from the start; nobody can see it yet",
    );
    if !c.input.facts.kernel.clones_detached_trees() {
        let place = c.plan.slot(SlotKind::Place);
        c.push(
            Op::OpenPlace { place, path: HostPath::new("/") },
            "a place that the new root will cover and that goes away with the old one",
        );
        c.push(
            Op::Attach { tree: empty, place },
            "before Linux 6.15 only an attached tree can be cloned",
        );
        c.covers += 1;
    }
    Some(Masks { null, empty })
}

/// Hides what the config hides, then makes read-only what it protects.
pub(super) fn hide(c: &mut Compiler<'_>, masks: Option<Masks>) {
    let root = c.root;
    if let Some(Masks { null, empty }) = masks {
        for (index, path) in masked(c).iter().enumerate() {
            c.plan.origin_text(&format!("/linux/maskedPaths/{index}"));
            let path = RootPath::clean(path);
            c.push(
                Op::Mask { root, path, null, empty },
                "it tells of the host, or lets the host be changed",
            );
        }
    }
    let linux = c.input.spec.linux().as_ref();
    let read_only = linux.and_then(|l| l.readonly_paths().as_deref()).unwrap_or_default();
    for (index, path) in read_only.iter().enumerate() {
        c.plan.origin_text(&format!("/linux/readonlyPaths/{index}"));
        let path = RootPath::clean(path);
        c.push(
            Op::ReadOnlyPath { root, path },
            "the kernel keeps settings of the whole machine here",
        );
    }
}
