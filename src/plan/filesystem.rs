//! File systems that are made new for a container, and where they go.

use super::compiler::Compiler;
use super::error::CompileError;
use super::step::{Change, Missing, Op, Origin, Parameter, Slot, SlotKind};
use super::{devices, overlay};
use crate::config::mount_option::{Attributes, MountOptions, attribute};
use crate::config::path::RootPath;
use crate::config::propagation::Propagation;
use crate::sys::mount::Recursion;
use crate::sys::path::Links;

/// Where a mount goes.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) path: RootPath,
    pub(super) links: Links,
    pub(super) origin: Origin,
}

impl Target {
    /// Why the target is pinned the way it is.
    pub(super) fn because(&self) -> &'static str {
        match self.links {
            Links::Refused => {
                "/proc, /sys and /dev must be plain directories: a link could lead anywhere"
            }
            Links::InRoot => {
                "looked up below the root once; a link swapped in later changes nothing \
                 (CVE-2021-30465)"
            }
        }
    }
}

/// A file system to make.
pub(super) struct NewFs<'a> {
    /// Its type.
    pub(super) kind: &'a str,
    /// What mountinfo shows as its source.
    pub(super) source: Option<&'a str>,
    /// Data beside that of the options.
    pub(super) data: &'a [(&'a str, &'a str)],
}

/// A file system that is made new.
pub(super) fn file_system(
    c: &mut Compiler<'_>,
    target: &Target,
    options: &MountOptions,
    fs: &NewFs<'_>,
) -> Result<(), CompileError> {
    file_system_tree(c, target, options, fs).map(drop)
}

/// As [`file_system`]; the tree is returned for what has to be made in it.
pub(super) fn file_system_tree(
    c: &mut Compiler<'_>,
    target: &Target,
    options: &MountOptions,
    fs: &NewFs<'_>,
) -> Result<Slot, CompileError> {
    let place = c.plan.slot(SlotKind::Place);
    let (root, links, path) = (c.root, target.links, target.path.clone());
    let missing = Missing::MakeDirectory;
    c.push(Op::Pin { place, root, path, links, missing }, target.because());
    let context = c.plan.slot(SlotKind::Context);
    c.push(
        Op::NewFilesystem { context, kind: fs.kind.into() },
        "each parameter is checked by itself, and the kernel can say which one is wrong",
    );
    parameters(c, context, place, (options, fs))?;
    c.push(Op::CreateFilesystem { context }, "all its parameters are set");
    let tree = c.plan.slot(SlotKind::Tree);
    let nodes = target.path.as_str() == "/dev" && fs.kind == "tmpfs";
    let copies = options.copy_up && !target.path.is_root();
    let mut attributes = options.below.then(options.top).set;
    if copies {
        attributes &= !attribute::RDONLY;
    }
    c.push(
        Op::MountDetached { context, tree, attributes },
        "its flags are there from the start; nobody can see it yet",
    );
    if copies {
        c.push(Op::CopyUp { from: place, tree }, "tmpcopyup: what the mount would hide is kept");
        if options.is_read_only() {
            make_read_only(c, tree, "read-only last: what is kept had to be written first");
        }
    }
    if nodes {
        devices::in_our_dev(c, tree)?;
    }
    for &propagation in &options.propagation {
        set_propagation(c, tree, propagation);
    }
    c.push(Op::Attach { tree, place }, "its attributes are final, so it may be seen now");
    if target.path.is_root() {
        c.root_is_covered_by(tree);
    }
    Ok(tree)
}

fn set_propagation(c: &mut Compiler<'_>, tree: Slot, propagation: Propagation) {
    let change = Change { propagation: Some(propagation), ..Change::default() };
    let recursion =
        if propagation.is_recursive() { Recursion::Recursive } else { Recursion::TopOnly };
    c.push(
        Op::SetAttributes { tree, change, recursion },
        "set while detached it holds after attaching; later it would have a moment without",
    );
}

fn parameters(
    c: &mut Compiler<'_>,
    context: Slot,
    place: Slot,
    (options, fs): (&MountOptions, &NewFs<'_>),
) -> Result<(), CompileError> {
    let given = |key: &str| options.data.iter().any(|d| d.key == key);
    let set = |c: &mut Compiler<'_>, key: &str, value: Parameter, because: &'static str| {
        c.plan.push(Op::Configure { context, key: key.into(), value }, because);
    };
    if let Some(source) = fs.source.filter(|source| !source.is_empty()) {
        set(c, "source", text(source), "the name that mountinfo shows for it");
    }
    for (key, value) in fs.data {
        set(c, key, text(value), "what a file system for this place needs");
    }
    if fs.kind == "tmpfs" && !given("mode") && fs.data.is_empty() {
        let because = "a tmpfs has its target's mode, so that what could be used before still can";
        set(c, "mode", Parameter::ModeOf(place), because);
    }
    if options.is_read_only() && is_on_device(fs) {
        let because = "as mount(8) does: a device that is read-only takes no other mount, and a \
                       journal must not be replayed onto it";
        set(c, "ro", Parameter::Flag, because);
    }
    for datum in &options.data {
        if fs.kind == "overlay" && overlay::directories(c, context, datum)? {
            continue;
        }
        let value = datum.value.as_ref().map_or(Parameter::Flag, |word| text(word));
        set(c, &datum.key, value, "an option that is the file system's own");
    }
    Ok(())
}

/// Is it a file system on a block device of the host?
fn is_on_device(fs: &NewFs<'_>) -> bool {
    const ON_NONE: [&str; 7] =
        ["tmpfs", "proc", "sysfs", "overlay", "mqueue", "devpts", "binfmt_misc"];
    fs.source.is_some_and(|source| source.starts_with('/')) && !ON_NONE.contains(&fs.kind)
}

/// The value of a text parameter.
pub(super) fn text(value: &str) -> Parameter {
    Parameter::Text(value.into())
}

/// Read-only at last, when what had to be made in it is there.
pub(super) fn make_read_only(c: &mut Compiler<'_>, tree: Slot, because: &'static str) {
    let attributes = Attributes { set: attribute::RDONLY, clear: 0 };
    let change = Change { attributes, ..Change::default() };
    c.push(Op::SetAttributes { tree, change, recursion: Recursion::TopOnly }, because);
}
