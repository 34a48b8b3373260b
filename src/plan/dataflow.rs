//! Which slots an operation makes and which it uses.

use super::step::{Op, Parameter, Slot, SlotKind, Source};

/// What an operation may take a slot for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It must be exactly of this kind.
    Kind(SlotKind),
    /// A place or a tree: something that a path can be resolved from.
    Directory,
    /// What can be a standard stream.
    Stream,
}

impl Use {
    /// Does a slot of `kind` serve?
    pub fn accepts(self, kind: SlotKind) -> bool {
        match self {
            Use::Kind(wanted) => wanted == kind,
            Use::Directory => matches!(kind, SlotKind::Place | SlotKind::Tree),
            Use::Stream => matches!(kind, SlotKind::Given | SlotKind::TerminalPeer),
        }
    }
}

/// The slots of one operation; the clone uses the most, a namespace of each kind and a cgroup.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slots<T>([Option<T>; MOST]);

const MOST: usize = 9;

impl<T: Copy> Slots<T> {
    fn of<const N: usize>(items: [T; N]) -> Self {
        let mut slots = [None; MOST];
        for (slot, item) in slots.iter_mut().zip(items) {
            *slot = Some(item);
        }
        Self(slots)
    }

    /// The slots, in order.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.0.iter().flatten().copied()
    }
}

/// The slots that `op` makes.
pub fn makes(op: &Op) -> Slots<Slot> {
    use Op as O;
    match op {
        O::OpenPlace { place, .. } | O::Pin { place, .. } | O::MakeFile { place, .. } => {
            Slots::of([*place])
        }
        O::OpenNamespace { namespace, .. } | O::NewIdmap { namespace, .. } => {
            Slots::of([*namespace])
        }
        O::CloneTree { tree, .. }
        | O::OpenMounts { tree }
        | O::CloneTerminal { tree, .. }
        | O::MountDetached { tree, .. } => Slots::of([*tree]),
        O::NewFilesystem { context, .. } => Slots::of([*context]),
        O::MakeCgroup { cgroup, .. } | O::OpenCgroup { cgroup, .. } => Slots::of([*cgroup]),
        O::OpenTerminal { master, peer, .. } => Slots::of([*master, *peer]),
        _ => Slots::of([]),
    }
}

/// The slots that `op` uses, and what it takes them for.
pub fn uses(op: &Op) -> Slots<(Slot, Use)> {
    use Op as O;
    use SlotKind as K;
    use Use::{Directory, Kind};
    match op {
        O::ExpectDevice { place, .. } | O::ExpectFilesystem { place, .. } => {
            Slots::of([(*place, Directory)])
        }
        O::CloneTree { source, .. } => source_uses(source),
        O::Configure { context, value, .. } => match value {
            Parameter::ModeOf(place)
            | Parameter::Directory(place)
            | Parameter::DirectoryPath(place) => {
                Slots::of([(*context, Kind(K::Context)), (*place, Kind(K::Place))])
            }
            Parameter::Flag | Parameter::Text(_) => Slots::of([(*context, Kind(K::Context))]),
        },
        O::CreateFilesystem { context } | O::MountDetached { context, .. } => {
            Slots::of([(*context, Kind(K::Context))])
        }
        O::SetAttributes { tree, change, .. } => match change.idmap {
            Some(user) => Slots::of([(*tree, Kind(K::Tree)), (user, Kind(K::Namespace))]),
            None => Slots::of([(*tree, Kind(K::Tree))]),
        },
        O::CopyUp { from, tree } => Slots::of([(*from, Kind(K::Place)), (*tree, Kind(K::Tree))]),
        O::Pin { root, missing, .. } => match missing {
            super::step::Missing::MakeLike(tree) => {
                Slots::of([(*root, Directory), (*tree, Kind(K::Tree))])
            }
            _ => Slots::of([(*root, Directory)]),
        },
        O::Attach { tree, place } => Slots::of([(*tree, Kind(K::Tree)), (*place, Kind(K::Place))]),
        O::ReadOnlyPath { root, .. } => Slots::of([(*root, Directory)]),
        O::Mask { root, null, empty, .. } => {
            Slots::of([(*root, Directory), (*null, Kind(K::Place)), (*empty, Kind(K::Tree))])
        }
        other => process_uses(other),
    }
}

fn source_uses(source: &Source) -> Slots<(Slot, Use)> {
    match source {
        Source::InRoot { root, .. } => Slots::of([(*root, Use::Directory)]),
        Source::Place(place) => Slots::of([(*place, Use::Directory)]),
        Source::Host(_) | Source::Seen { .. } | Source::Beneath { .. } => Slots::of([]),
    }
}

fn process_uses(op: &Op) -> Slots<(Slot, Use)> {
    use Op as O;
    use SlotKind as K;
    use Use::{Directory, Kind};
    match op {
        O::MakeNode { directory, .. }
        | O::MakeFile { directory, .. }
        | O::MakeLink { directory, .. } => Slots::of([(*directory, Directory)]),
        O::WriteCgroup { cgroup, .. }
        | O::CgroupDevices { cgroup, .. }
        | O::JoinCgroup { cgroup } => Slots::of([(*cgroup, Kind(K::Cgroup))]),
        O::Clone(spec) => {
            let joined = [spec.user, spec.pid].into_iter().flatten();
            let joined = joined.chain(spec.entered.iter().map(|(_, slot)| *slot));
            let joined = joined.map(|slot| (slot, Kind(K::Namespace)));
            let cgroup = spec.cgroup.map(|slot| (slot, Kind(K::Cgroup)));
            let mut slots = [None; MOST];
            slots.iter_mut().zip(joined.chain(cgroup)).for_each(|(to, slot)| *to = Some(slot));
            Slots(slots)
        }
        O::JoinNamespace { namespace, .. } => Slots::of([(*namespace, Kind(K::Namespace))]),
        O::JoinProcess { process, .. } => Slots::of([(*process, Kind(K::Given))]),
        O::OpenTerminal { devpts, .. } => Slots::of([(*devpts, Directory)]),
        O::SendTerminal { master } => Slots::of([(*master, Kind(K::TerminalMaster))]),
        O::SendTree { tree } => Slots::of([(*tree, Directory)]),
        O::CloneTerminal { peer, .. } | O::ControllingTerminal { peer } => {
            Slots::of([(*peer, Kind(K::TerminalPeer))])
        }
        O::Duplicate { file, .. } => Slots::of([(*file, Use::Stream)]),
        O::EnterDirectory { place } => Slots::of([(*place, Directory)]),
        O::SetSysctl { procfs, .. } | O::SetOomScore { procfs, .. } => {
            Slots::of([(*procfs, Kind(K::Place))])
        }
        _ => Slots::of([]),
    }
}
