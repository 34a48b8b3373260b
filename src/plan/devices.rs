//! The nodes and links of /dev.

use oci_spec::runtime::{LinuxDevice, LinuxDeviceType};

use super::compiler::Compiler;
use super::error::CompileError;
use super::step::{Change, Missing, NodeKind, NodeSpec, Op, Slot, SlotKind, Source};
use crate::config::path::{HostPath, RootPath};
use crate::config::propagation::Propagation;
use crate::sys::mount::Recursion;
use crate::sys::namespace::Namespace;
use crate::sys::path::Links;

/// The devices that the specification's default list has.
const DEFAULT: [(&str, (u32, u32)); 6] = [
    ("null", (1, 3)),
    ("zero", (1, 5)),
    ("full", (1, 7)),
    ("random", (1, 8)),
    ("urandom", (1, 9)),
    ("tty", (5, 0)),
];

/// The links of the default list.
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
];

fn default_nodes() -> impl Iterator<Item = NodeSpec> {
    DEFAULT.iter().map(|(name, device)| NodeSpec {
        name: (*name).into(),
        kind: NodeKind::Character,
        device: *device,
        mode: 0o666,
        owner: (0, 0),
    })
}

/// A device of the config: its directory below the root and the node in it.
fn listed(index: usize, device: &LinuxDevice) -> Result<(RootPath, NodeSpec), CompileError> {
    let invalid = |what| CompileError::Invalid {
        origin: format!("/linux/devices/{index}"),
        what,
        value: device.path().display().to_string(),
    };
    let text = device.path().to_str().ok_or_else(|| invalid("text in UTF-8"))?;
    let path = RootPath::clean(text);
    let (directory, name) = path.as_str().rsplit_once('/').unwrap_or_default();
    if name.is_empty() {
        return Err(invalid("path of a device"));
    }
    let kind = match device.typ() {
        LinuxDeviceType::B => NodeKind::Block,
        LinuxDeviceType::P => NodeKind::Fifo,
        LinuxDeviceType::C | LinuxDeviceType::U => NodeKind::Character,
        LinuxDeviceType::A => return Err(invalid("device of one type")),
    };
    let number = |n: i64| u32::try_from(n).map_err(|_| invalid("device with numbers of 32 bits"));
    let device_number = match kind {
        NodeKind::Fifo => (0, 0),
        _ => (number(device.major())?, number(device.minor())?),
    };
    let node = NodeSpec {
        name: name.into(),
        kind,
        device: device_number,
        mode: device.file_mode().unwrap_or(0o666) & 0o7777,
        owner: (device.uid().unwrap_or(0), device.gid().unwrap_or(0)),
    };
    Ok((RootPath::clean(directory), node))
}

fn all_listed(c: &Compiler<'_>) -> Result<Vec<(RootPath, NodeSpec)>, CompileError> {
    let linux = c.input.spec.linux().as_ref();
    let devices = linux.and_then(|l| l.devices().as_deref()).unwrap_or_default();
    devices.iter().enumerate().map(|(index, device)| listed(index, device)).collect()
}

/// Fills the tmpfs of /dev while nobody else can see it.
pub(super) fn in_our_dev(c: &mut Compiler<'_>, dev: Slot) -> Result<(), CompileError> {
    let here: Vec<NodeSpec> = all_listed(c)?
        .into_iter()
        .filter(|(directory, _)| directory.as_str() == "/dev")
        .map(|(_, node)| node)
        .collect();
    fill(c, (dev, &RootPath::clean("/dev")), here);
    let has_devpts = c.input.spec.mounts().iter().flatten().any(|mount| {
        mount.destination().to_str().map(RootPath::clean) == Some(RootPath::clean("/dev/pts"))
    });
    let ptmx = has_devpts.then_some(("ptmx", "pts/ptmx"));
    for (name, target) in LINKS.into_iter().chain(ptmx) {
        c.push(
            Op::MakeLink { directory: dev, name: name.into(), target: target.into() },
            "programs expect the default links of the specification",
        );
    }
    Ok(())
}

/// The default nodes that the config does not list itself, then those that it lists.
fn fill(c: &mut Compiler<'_>, directory: (Slot, &RootPath), listed: Vec<NodeSpec>) {
    let defaults: Vec<NodeSpec> =
        default_nodes().filter(|d| listed.iter().all(|l| l.name != d.name)).collect();
    for node in defaults {
        make(c, directory, node, "programs expect the default devices of the specification");
    }
    for node in listed {
        make(c, directory, node, "the config gives this device to the container");
    }
}

/// Makes a node in the directory that is at a path of the root.
fn make(
    c: &mut Compiler<'_>,
    (directory, path): (Slot, &RootPath),
    node: NodeSpec,
    because: &'static str,
) {
    if c.namespaces.is_own(Namespace::User) && node.kind != NodeKind::Fifo {
        bind_node(c, (directory, path), &node);
    } else {
        c.push(Op::MakeNode { directory, node }, because);
    }
}

/// In a user namespace mknod is EPERM, so the host's own node is bound.
fn bind_node(c: &mut Compiler<'_>, (directory, path): (Slot, &RootPath), node: &NodeSpec) {
    let tree = c.plan.slot(SlotKind::Tree);
    let source = Source::Host(HostPath::new(format!("{}/{}", path.as_str(), node.name)));
    c.plan.early(
        Op::CloneTree { tree, source, recursion: Recursion::TopOnly },
        "mknod is EPERM in a user namespace, so the host's node is bound",
    );
    c.plan.early(
        Op::ExpectDevice { place: tree, kind: node.kind, device: node.device },
        "the name on the host must be the device that is meant",
    );
    let change = Change { propagation: Some(Propagation::Private), ..Change::default() };
    c.plan.early(
        Op::SetAttributes { tree, change, recursion: Recursion::TopOnly },
        "a clone stays in the peer group of its source until it is told otherwise",
    );
    let place = c.plan.slot(SlotKind::Place);
    c.push(
        Op::MakeFile { directory, place, name: node.name.clone() },
        "a bind needs a place, and a device goes onto a file",
    );
    // Before Linux 6.15 nothing can be mounted on a detached tree, so the attach comes later.
    c.plan.after_dev(Op::Attach { tree, place }, "its device number has been checked");
}

/// Devices that do not go into a /dev of our own making.
pub(super) fn outside_our_dev(c: &mut Compiler<'_>, dev: Option<Slot>) -> Result<(), CompileError> {
    c.plan.origin_text("/linux/devices");
    c.plan.flush_after_dev();
    let mounts = c.input.spec.mounts().as_deref().unwrap_or_default();
    let bound = mounts.iter().any(|m| m.destination().to_str() == Some("/dev")) && dev.is_none();
    let mut others: Vec<(RootPath, Vec<NodeSpec>)> = Vec::new();
    for (directory, node) in all_listed(c)? {
        if dev.is_some() && directory.as_str() == "/dev" {
            continue;
        }
        match others.iter_mut().find(|(known, _)| *known == directory) {
            Some((_, nodes)) => nodes.push(node),
            None => others.push((directory, vec![node])),
        }
    }
    let plain_dev = RootPath::clean("/dev");
    let listed = others.iter().any(|(directory, _)| *directory == plain_dev);
    if dev.is_none() && !bound && !listed {
        others.push((plain_dev.clone(), Vec::new()));
    }
    for (path, nodes) in others {
        let directory = c.plan.slot(SlotKind::Place);
        let (root, links, missing) = (c.root, Links::Refused, Missing::MakeDirectory);
        let in_dev = path == plain_dev;
        c.push(
            Op::Pin { place: directory, root, path: path.clone(), links, missing },
            "a link here would let the nodes be made outside of the root",
        );
        if in_dev && !bound {
            fill(c, (directory, &path), nodes);
        } else {
            for node in nodes {
                make(c, (directory, &path), node, "the config gives this device to the container");
            }
        }
        c.plan.flush_after_dev();
    }
    Ok(())
}
