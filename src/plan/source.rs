//! Bind mounts: where the source is looked up and by whom, and what the clone becomes.

use oci_spec::runtime::Mount;

use super::compiler::{Compiler, Idmap};
use super::error::CompileError;
use super::filesystem::Target;
use super::input::MountNote;
use super::namespaces::ranges;
use super::step::{Change, IdRange, Missing, Op, Slot, SlotKind, Source};
use crate::config::mount_option::{Attributes, MountOptions, Reach, attribute};
use crate::config::path::HostPath;
use crate::config::propagation::Propagation;
use crate::facts::SourceFact;
use crate::sys::mount::Recursion;
use crate::sys::namespace::Namespace;

/// Who clones the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// The host, before the clone.
    Early,
    /// The child, in the order of the list.
    InOrder,
}

/// A bind mount.
pub(super) fn bind(
    c: &mut Compiler<'_>,
    index: usize,
    target: &Target,
    options: &MountOptions,
) -> Result<(), CompileError> {
    let mount = &c.input.spec.mounts().as_deref().unwrap_or_default()[index];
    let (source, when) = source(c, index, mount, options)?;
    let fact = c.input.facts.sources.get(index).and_then(Option::as_ref);
    // What the plan itself mounts below is in the root.
    let bare = fact.is_some_and(|fact| fact.is_bare)
        && matches!(source, Source::Host(_) | Source::Seen { .. });
    let recursion = match options.bind {
        Some(Reach::Top) => Recursion::TopOnly,
        _ if bare => Recursion::TopOnly,
        _ => Recursion::Recursive,
    };
    let because = match &source {
        Source::InRoot { .. } => {
            "it lies in the root, so it is looked up there, after the mounts before it"
        }
        Source::Beneath { .. } => "a link in the volume must not lead out of it",
        _ if when == When::Early => "with the host's rights: the container's may not reach it",
        _ if recursion == Recursion::Recursive => "what is mounted below the source belongs to it",
        _ if bare => "nothing is mounted below the source, so the mount itself is all of it",
        _ => "only the mount itself was asked for, not those below it",
    };
    let idmap = idmap(c, mount, options, &target.origin)?;
    let clone = Clone { source, when, recursion, idmap, because };
    attach_clone(c, clone, target, options);
    Ok(())
}

/// The host's own procfs, sysfs or message queues, where the kernel gives no new one: it shows
/// only namespaces that the container has rights over.
pub(super) fn the_host_s(
    c: &mut Compiler<'_>,
    kind: &str,
    target: &Target,
    options: &MountOptions,
) -> bool {
    let (namespace, path) = match kind {
        "proc" => (Namespace::Pid, "/proc"),
        "sysfs" => (Namespace::Network, "/sys"),
        "mqueue" => (Namespace::Ipc, "/dev/mqueue"),
        _ => return false,
    };
    if !c.namespaces.shows_the_host_s(namespace) {
        return false;
    }
    let clone = Clone {
        source: Source::Host(HostPath::new(path)),
        when: When::Early,
        // What the host has mounted below is not asked for.
        recursion: Recursion::TopOnly,
        idmap: None,
        because: "the kernel makes no new one for who has no rights over the namespace it shows",
    };
    attach_clone(c, clone, target, options);
    true
}

/// A tree that is cloned.
struct Clone {
    source: Source,
    when: When,
    recursion: Recursion,
    idmap: Option<(Slot, Reach)>,
    because: &'static str,
}

fn attach_clone(c: &mut Compiler<'_>, clone: Clone, target: &Target, options: &MountOptions) {
    let Clone { source, when, recursion, idmap, because } = clone;
    let tree = c.plan.slot(SlotKind::Tree);
    put(c, when, Op::CloneTree { tree, source, recursion }, because);
    if target.path.as_str() == "/proc" {
        let (magic, name) = (PROC_SUPER_MAGIC, "proc");
        let because = "anything but a procfs here would let the container answer for the kernel";
        put(c, when, Op::ExpectFilesystem { place: tree, magic, name }, because);
    }
    changes(c, &Changed { tree, when, recursion, idmap }, options);
    let place = c.plan.slot(SlotKind::Place);
    let (root, links) = (c.root, target.links);
    let pin =
        Op::Pin { place, root, path: target.path.clone(), links, missing: Missing::MakeLike(tree) };
    c.push(pin, target.because());
    c.push(Op::Attach { tree, place }, "its attributes are final, so it may be seen now");
    if target.path.is_root() {
        c.root_is_covered_by(tree);
    }
}

/// PROC_SUPER_MAGIC of statfs(2).
pub(super) const PROC_SUPER_MAGIC: u64 = 0x9fa0;

fn put(c: &mut Compiler<'_>, when: When, op: Op, because: &'static str) {
    match when {
        When::Early => c.plan.early(op, because),
        When::InOrder => c.push(op, because),
    }
}

fn source(
    c: &Compiler<'_>,
    index: usize,
    mount: &Mount,
    options: &MountOptions,
) -> Result<(Source, When), CompileError> {
    let path = mount.source().as_ref().ok_or_else(|| CompileError::Invalid {
        origin: c.input.mount_origin(index).to_string(),
        what: "bind mount without a source",
        value: String::new(),
    })?;
    // A clone by the child comes from a namespace that is a slave of the host's already.
    let shared = options.propagation.iter().any(|p| p.is_shared());
    let when = if c.namespaces.host_opens_sources() || shared || options.idmap.is_some() {
        When::Early
    } else {
        When::InOrder
    };
    if let Some(MountNote { beneath: Some((directory, below)), .. }) = c.input.mounts.get(index) {
        let source = Source::Beneath { directory: directory.clone(), path: below.clone() };
        return Ok((source, when));
    }
    let fact = c.input.facts.sources.get(index).and_then(Option::as_ref);
    if let Some(fact) = fact.filter(|_| c.namespaces.is_own(Namespace::User)) {
        refuse_locked(c, index, options, fact)?;
    }
    if let Some(inside) = fact.and_then(|fact| fact.in_root.clone()) {
        return Ok((Source::InRoot { root: c.root, path: inside }, When::InOrder));
    }
    let path = HostPath::new(path.clone());
    Ok(match fact.and_then(|fact| fact.seen) {
        Some(seen) => (Source::Seen { path, seen }, when),
        None => (Source::Host(path), when),
    })
}

/// The kernel locks the flags of what a user namespace inherits. The host clones the source, so
/// here nothing would stop a config from clearing them; it is refused as the kernel would.
fn refuse_locked(
    c: &Compiler<'_>,
    index: usize,
    options: &MountOptions,
    fact: &SourceFact,
) -> Result<(), CompileError> {
    let flags = fact.seen.and_then(|seen| seen.flags).unwrap_or(0);
    let top = cleared(flags, options.below.then(options.top));
    let below = match options.bind {
        Some(Reach::Top) => 0,
        _ => cleared(fact.flags_below, options.below),
    };
    let locked = top | below;
    if locked == 0 {
        return Ok(());
    }
    Err(CompileError::Locked {
        origin: c.input.mount_origin(index).to_string(),
        flags: attribute::names(locked),
    })
}

/// Which of `flags` a change clears.
fn cleared(flags: u64, wanted: Attributes) -> u64 {
    let cleared = flags & wanted.clear & !(wanted.set & !attribute::ATIME);
    let same_atime = flags & attribute::ATIME == wanted.set & attribute::ATIME;
    if same_atime { cleared & !attribute::ATIME } else { cleared }
}

/// The user namespace whose mapping the mount gets.
fn idmap(
    c: &mut Compiler<'_>,
    mount: &Mount,
    options: &MountOptions,
    origin: &super::step::Origin,
) -> Result<Option<(Slot, Reach)>, CompileError> {
    let given = (ranges(mount.uid_mappings().as_ref()), ranges(mount.gid_mappings().as_ref()));
    let reach = match (options.idmap, given.0.is_empty() && given.1.is_empty()) {
        (Some(reach), _) => reach,
        (None, false) => Reach::Top,
        (None, true) => return Ok(None),
    };
    let (uids, gids) = if given.0.is_empty() && given.1.is_empty() {
        (c.namespaces.uids.clone(), c.namespaces.gids.clone())
    } else {
        given
    };
    let joined = c.namespaces.joined.iter().find(|(kind, _)| *kind == Namespace::User).cloned();
    let namespace = match joined {
        Some((kind, path)) if uids.is_empty() => {
            let namespace = c.plan.slot(SlotKind::Namespace);
            let because = "the mapping is that of the user namespace that the container joins";
            c.plan.early(Op::OpenNamespace { namespace, kind, path }, because);
            namespace
        }
        _ if uids.is_empty() || gids.is_empty() => {
            let word = if reach == Reach::Below { "ridmap" } else { "idmap" };
            return Err(CompileError::NoMapping { origin: origin.to_string(), word });
        }
        _ => idmap_of(c, uids, gids),
    };
    Ok(Some((namespace, reach)))
}

/// A user namespace with this mapping: one for all mounts that have the same.
fn idmap_of(c: &mut Compiler<'_>, uids: Vec<IdRange>, gids: Vec<IdRange>) -> Slot {
    if let Some(known) = c.idmaps.iter().find(|known| (&known.uids, &known.gids) == (&uids, &gids))
    {
        return known.namespace;
    }
    let namespace = c.plan.slot(SlotKind::Namespace);
    c.plan.early(
        Op::NewIdmap { namespace, uids: uids.clone(), gids: gids.clone() },
        "a mount takes its mapping from a user namespace; the container's own does not exist yet",
    );
    c.idmaps.push(Idmap { uids, gids, namespace });
    namespace
}

/// A cloned tree that is about to be changed.
#[derive(Clone, Copy)]
struct Changed {
    tree: Slot,
    when: When,
    recursion: Recursion,
    idmap: Option<(Slot, Reach)>,
}

/// The propagation that is set on the whole tree first, and what is set after it.
///
/// The kernel's calls reach one mount or all of them, never only those below. So `slave` makes
/// those below slaves as well: they only receive. `shared` leaves them as the clone has them,
/// because a mount that has left its peer group does not find back.
fn propagations(words: &[Propagation]) -> (Option<Propagation>, &[Propagation]) {
    match words {
        [] => (Some(Propagation::RPrivate), &[]),
        [Propagation::Shared, ..] => (None, words),
        [Propagation::Slave, rest @ ..] => (Some(Propagation::RSlave), rest),
        [Propagation::Private, rest @ ..] => (Some(Propagation::RPrivate), rest),
        [Propagation::Unbindable, ..] => (Some(Propagation::RPrivate), words),
        [first, rest @ ..] => (Some(*first), rest),
    }
}

/// Everything is set while the tree is detached: it is never seen otherwise.
fn changes(c: &mut Compiler<'_>, changed: &Changed, options: &MountOptions) {
    let Changed { tree, when, recursion, idmap } = *changed;
    let set = |c: &mut Compiler<'_>, change: Change, recursion, because| {
        if change != Change::default() {
            put(c, when, Op::SetAttributes { tree, change, recursion }, because);
        }
    };
    let (first, later) = propagations(&options.propagation);
    let mut whole = Change { attributes: options.below, propagation: first, ..Change::default() };
    let mut top = Change { attributes: options.top, ..Change::default() };
    if !top.attributes.is_empty() && c.input.facts.kernel.nosymfollow() {
        // Not named means cleared, as with a bind remount.
        let unset = Attributes { set: 0, clear: attribute::NOSYMFOLLOW };
        top.attributes = unset.then(top.attributes);
    }
    if recursion == Recursion::TopOnly {
        whole.attributes = whole.attributes.then(std::mem::take(&mut top.attributes));
    }
    let because = match options.below.is_empty() {
        _ if whole.attributes.set & attribute::RDONLY != 0 => READ_ONLY,
        true => "a clone stays in the peer group of its source until it is told otherwise",
        false => "the mounts below the source would keep their own flags otherwise",
    };
    set(c, whole, recursion, because);
    for &propagation in later {
        let reach = if propagation.is_recursive() { recursion } else { Recursion::TopOnly };
        let change = Change { propagation: Some(propagation), ..Change::default() };
        set(c, change, reach, "each word is a change of its own: a slave can be shared as well");
    }
    if let Some((namespace, reach)) = idmap {
        let reach = if reach == Reach::Below { recursion } else { Recursion::TopOnly };
        let change = Change { idmap: Some(namespace), ..Change::default() };
        set(c, change, reach, "owners are mapped by the mount, so no file has to change its owner");
    }
    let because = if top.attributes.set & attribute::RDONLY != 0 {
        READ_ONLY
    } else {
        "a bind inherits the flags of its source; what the config names is changed here"
    };
    set(c, top, Recursion::TopOnly, because);
}

const READ_ONLY: &str = "MS_BIND ignores MS_RDONLY, so read-only needs a step of its own";
