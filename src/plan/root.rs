//! The container's root: taken from the host or assembled, made ours, and entered.

use super::compiler::Compiler;
use super::error::CompileError;
use super::input::{OVERLAY_FEATURES, OverlayDirectories, RootSource};
use super::step::{Change, Op, Parameter, SlotKind, Source};
use crate::config::mount_option::{Attributes, attribute};
use crate::config::path::HostPath;
use crate::config::propagation::Propagation;
use crate::sys::mount::Recursion;

/// The propagation that the config asks for on the root.
fn wanted(c: &Compiler<'_>) -> Result<Option<Propagation>, CompileError> {
    let linux = c.input.spec.linux().as_ref();
    let Some(word) = linux.and_then(|l| l.rootfs_propagation().as_deref()) else {
        return Ok(None);
    };
    match word {
        "" => Ok(None),
        _ => Propagation::from_word(word).map(Some).ok_or_else(|| CompileError::Invalid {
            origin: "/linux/rootfsPropagation".into(),
            what: "mount propagation",
            value: word.into(),
        }),
    }
}

/// The child's copy of the host's mounts must not pass anything back to the host.
pub(super) fn take_from_host_propagation(c: &mut Compiler<'_>) {
    c.plan.origin_text("default");
    let place = c.plan.slot(SlotKind::Tree);
    c.push(
        Op::OpenMounts { tree: place },
        "the way to all mounts of this namespace, which is a copy of the host's",
    );
    let change = Change { propagation: Some(Propagation::RSlave), ..Change::default() };
    c.push(
        Op::SetAttributes { tree: place, change, recursion: Recursion::Recursive },
        "what is attached below a shared mount becomes shared and would appear on the host; \
         slave still lets the host's unmounts through, so that no device stays busy",
    );
}

/// Makes the root's tree and attaches it on top of `/`.
pub(super) fn make(c: &mut Compiler<'_>) -> Result<(), CompileError> {
    let propagation = wanted(c)?;
    c.plan.origin_text("/root");
    match c.input.root.clone() {
        RootSource::Directory(path) => directory(c, path, propagation),
        RootSource::Overlay(directories) => overlay(c, directories)?,
    }
    let place = c.plan.slot(SlotKind::Place);
    c.push(
        Op::OpenPlace { place, path: HostPath::new("/") },
        "on top of / the new root is reachable for any user, wherever the bundle lies",
    );
    let root = c.root;
    c.push(
        Op::Attach { tree: root, place },
        "only an attached tree can be resolved in and pivoted to on every kernel since 5.12",
    );
    Ok(())
}

fn directory(c: &mut Compiler<'_>, path: HostPath, propagation: Option<Propagation>) {
    let tree = c.root;
    let clone = Op::CloneTree { tree, source: Source::Host(path), recursion: Recursion::Recursive };
    let slave = propagation.is_some_and(Propagation::is_slave);
    let inherited = if slave { Propagation::RSlave } else { Propagation::RPrivate };
    let change = Op::SetAttributes {
        tree,
        change: Change { propagation: Some(inherited), ..Change::default() },
        recursion: Recursion::Recursive,
    };
    let because_clone = "a root must be a mount of its own; its submounts belong to it";
    let because_change = "a clone stays in the peer group of its source until it is told otherwise";
    if c.namespaces.host_opens_sources() {
        c.plan.early(clone, because_clone);
        c.plan.early(change, because_change);
    } else {
        c.push(clone, because_clone);
        c.push(change, because_change);
    }
}

fn overlay(c: &mut Compiler<'_>, directories: OverlayDirectories) -> Result<(), CompileError> {
    let kernel = c.input.facts.kernel;
    let layers = directories.lower.len();
    if layers > 1 && !kernel.overlay_lower_one_by_one() {
        return Err(CompileError::TooManyLayers { layers });
    }
    let host_acts = c.namespaces.host_opens_sources();
    let context = c.plan.slot(SlotKind::Context);
    let mut steps: Vec<(Op, &'static str)> = vec![(
        Op::NewFilesystem { context, kind: "overlay".into() },
        "the image's layers stay as they are; changes go to the container's own directory",
    )];
    let lower_key = if kernel.overlay_lower_one_by_one() { "lowerdir+" } else { "lowerdir" };
    let lower = directories.lower.into_iter().map(|path| (lower_key, path));
    let own = [("upperdir", directories.upper), ("workdir", directories.work)];
    for (key, path) in lower.chain(own) {
        let place = c.plan.slot(SlotKind::Place);
        steps.push((
            Op::OpenPlace { place, path },
            "an option text may have 255 bytes only, a descriptor has no length",
        ));
        let value = if kernel.overlay_by_descriptor() {
            Parameter::Directory(place)
        } else {
            Parameter::DirectoryPath(place)
        };
        steps.push((
            Op::Configure { context, key: key.into(), value },
            "layers are given from the topmost to the lowest, then where changes go",
        ));
    }
    steps.push((
        Op::Configure { context, key: "source".into(), value: super::filesystem::text("overlay") },
        "the name that mountinfo shows for it",
    ));
    for key in OVERLAY_FEATURES {
        steps.push((
            Op::Configure { context, key: key.into(), value: super::filesystem::text("off") },
            "the layers must stay plain directories, whatever the module's defaults are",
        ));
    }
    steps.push((Op::CreateFilesystem { context }, "all its directories are named"));
    let tree = c.root;
    steps.push((
        Op::MountDetached { context, tree, attributes: 0 },
        "only this container's mount namespace ever has it: nothing can be left on the host",
    ));
    for (op, because) in steps {
        if host_acts { c.plan.early(op, because) } else { c.push(op, because) }
    }
    Ok(())
}

/// The last changes of the mount tree, then the root becomes `/`.
pub(super) fn finish(c: &mut Compiler<'_>) -> Result<(), CompileError> {
    read_only(c);
    c.plan.origin_text("default");
    let tree = c.root;
    c.push(
        Op::EnterDirectory { place: tree },
        "pivot_root takes it for both places, so no directory for the old root is needed",
    );
    c.push(Op::PivotRoot, "chroot could be left again by a process with CAP_SYS_CHROOT");
    for _ in 0..c.covers {
        c.push(
            Op::DetachCover,
            "umount2 takes the topmost mount of a place: first what lay between the two roots",
        );
    }
    c.push(Op::DetachOldRoot, "the host's whole tree is below here until it is detached");
    last_propagation(c)
}

/// The root read-only, if the config wants it so.
pub(super) fn read_only(c: &mut Compiler<'_>) {
    c.plan.origin_text("/root/readonly");
    let tree = c.root;
    if c.input.spec.root().as_ref().and_then(|root| root.readonly()).unwrap_or(false) {
        let attributes = Attributes { set: attribute::RDONLY, clear: 0 };
        let change = Change { attributes, ..Change::default() };
        c.push(
            Op::SetAttributes { tree, change, recursion: Recursion::TopOnly },
            "last of all, because mount points had to be made in it; mounts below keep their own",
        );
    }
}

fn last_propagation(c: &mut Compiler<'_>) -> Result<(), CompileError> {
    let Some(propagation) = wanted(c)? else { return Ok(()) };
    if propagation.is_slave() || matches!(propagation, Propagation::Private | Propagation::RPrivate)
    {
        return Ok(());
    }
    c.plan.origin_text("/linux/rootfsPropagation");
    let recursion =
        if propagation.is_recursive() { Recursion::Recursive } else { Recursion::TopOnly };
    let change = Change { propagation: Some(propagation), ..Change::default() };
    let tree = c.root;
    c.push(
        Op::SetAttributes { tree, change, recursion },
        "pivot_root refuses a shared root, and what is attached below one would be shared, too",
    );
    Ok(())
}

/// Without a mount namespace of its own nothing may be mounted; chroot is all there is.
pub(super) fn without_mount_namespace(c: &mut Compiler<'_>) -> Result<(), CompileError> {
    let RootSource::Directory(path) = c.input.root.clone() else {
        return Err(CompileError::MountsOnHost);
    };
    refuse_what_needs_mounts(c)?;
    super::process::open_procfs(c);
    let place = c.plan.slot(SlotKind::Place);
    c.plan.origin_text("/root");
    c.push(Op::OpenPlace { place, path }, "the root that the config names");
    c.root = place;
    super::terminal::of_the_host(c)?;
    super::process::working_directory_made(c)?;
    super::hooks::before_pivot(c)?;
    c.plan.origin_text("/root");
    c.push(Op::EnterDirectory { place }, "chroot takes the working directory");
    c.push(
        Op::ChangeRoot,
        "without a mount namespace pivot_root would change the root of every process",
    );
    Ok(())
}

fn refuse_what_needs_mounts(c: &Compiler<'_>) -> Result<(), CompileError> {
    let spec = c.input.spec;
    if spec.mounts().as_ref().is_some_and(|mounts| !mounts.is_empty()) {
        return Err(CompileError::MountsOnHost);
    }
    let linux = spec.linux().as_ref();
    let any = |list: Option<&Vec<String>>| list.is_some_and(|list| !list.is_empty());
    let devices = linux.and_then(|l| l.devices().as_ref()).is_some_and(|list| !list.is_empty());
    let needs = [
        ("/root/readonly", spec.root().as_ref().and_then(|r| r.readonly()).unwrap_or(false)),
        ("/linux/maskedPaths", any(linux.and_then(|l| l.masked_paths().as_ref()))),
        ("/linux/readonlyPaths", any(linux.and_then(|l| l.readonly_paths().as_ref()))),
        ("/linux/rootfsPropagation", wanted(c)?.is_some()),
        ("/linux/devices", devices),
    ];
    match needs.into_iter().find(|(_, needed)| *needed) {
        None => Ok(()),
        Some((origin, _)) => Err(CompileError::Unsupported {
            origin: origin.into(),
            what: "it needs a mount namespace, or it would change the host".into(),
        }),
    }
}
