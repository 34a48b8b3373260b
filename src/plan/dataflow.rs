//! Which slots an operation makes and which it uses.

use super::step::{Missing, Op, Parameter, Slot, SlotKind, Source};

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

/// The slots that `op` makes.
pub fn makes(op: &Op) -> Vec<Slot> {
    let mut made = Vec::new();
    each_made(op, |slot| made.push(slot));
    made
}

/// The slots that `op` uses, and what it takes them for.
pub fn uses(op: &Op) -> Vec<(Slot, Use)> {
    let mut used = Vec::new();
    each_use(op, |slot, use_| used.push((slot, use_)));
    used
}

/// Tells `tell` each slot that `op` makes. A plan may have thousands of steps: no list is made.
pub fn each_made(op: &Op, mut tell: impl FnMut(Slot)) {
    use Op as O;
    match op {
        O::OpenPlace { place: slot, .. }
        | O::Pin { place: slot, .. }
        | O::MakeFile { place: slot, .. }
        | O::OpenNamespace { namespace: slot, .. }
        | O::NewIdmap { namespace: slot, .. }
        | O::CloneTree { tree: slot, .. }
        | O::OpenMounts { tree: slot }
        | O::CloneTerminal { tree: slot, .. }
        | O::MountDetached { tree: slot, .. }
        | O::NewFilesystem { context: slot, .. }
        | O::MakeCgroup { cgroup: slot, .. }
        | O::OpenCgroup { cgroup: slot, .. } => tell(*slot),
        O::OpenTerminal { master, peer, .. } => {
            tell(*master);
            tell(*peer);
        }
        _ => {}
    }
}

/// Tells `tell` each slot that `op` uses, and what it takes it for.
pub fn each_use(op: &Op, mut tell: impl FnMut(Slot, Use)) {
    use Op as O;
    use SlotKind as K;
    use Use::{Directory, Kind};
    match op {
        O::ExpectDevice { place, .. } | O::ExpectFilesystem { place, .. } => {
            tell(*place, Directory);
        }
        O::CloneTree { source, .. } => match source {
            Source::InRoot { root: slot, .. } | Source::Place(slot) => tell(*slot, Directory),
            Source::Host(_) | Source::Seen { .. } | Source::Beneath { .. } => {}
        },
        O::Configure { context, value, .. } => {
            tell(*context, Kind(K::Context));
            match value {
                Parameter::ModeOf(place)
                | Parameter::Directory(place)
                | Parameter::DirectoryPath(place) => tell(*place, Kind(K::Place)),
                Parameter::Flag | Parameter::Text(_) => {}
            }
        }
        O::CreateFilesystem { context } | O::MountDetached { context, .. } => {
            tell(*context, Kind(K::Context));
        }
        O::SetAttributes { tree, change, .. } => {
            tell(*tree, Kind(K::Tree));
            if let Some(user) = change.idmap {
                tell(user, Kind(K::Namespace));
            }
        }
        O::CopyUp { from, tree } => {
            tell(*from, Kind(K::Place));
            tell(*tree, Kind(K::Tree));
        }
        O::Pin { root, missing, .. } => {
            tell(*root, Directory);
            if let Missing::MakeLike(tree) = missing {
                tell(*tree, Kind(K::Tree));
            }
        }
        O::Attach { tree, place } => {
            tell(*tree, Kind(K::Tree));
            tell(*place, Kind(K::Place));
        }
        O::ReadOnlyPath { root, .. } => tell(*root, Directory),
        O::Mask { root, null, empty, .. } => {
            tell(*root, Directory);
            tell(*null, Kind(K::Place));
            tell(*empty, Kind(K::Tree));
        }
        other => each_use_of_a_process(other, tell),
    }
}

fn each_use_of_a_process(op: &Op, mut tell: impl FnMut(Slot, Use)) {
    use Op as O;
    use SlotKind as K;
    use Use::{Directory, Kind};
    match op {
        O::MakeNode { directory, .. }
        | O::MakeFile { directory, .. }
        | O::MakeLink { directory, .. } => tell(*directory, Directory),
        O::WriteCgroup { cgroup, .. }
        | O::CgroupDevices { cgroup, .. }
        | O::JoinCgroup { cgroup } => tell(*cgroup, Kind(K::Cgroup)),
        O::Clone(spec) => {
            let joined = [spec.user, spec.pid].into_iter().flatten();
            let joined = joined.chain(spec.entered.iter().map(|(_, slot)| *slot));
            joined.for_each(|slot| tell(slot, Kind(K::Namespace)));
            spec.cgroup.into_iter().for_each(|slot| tell(slot, Kind(K::Cgroup)));
        }
        O::JoinNamespace { namespace, .. } => tell(*namespace, Kind(K::Namespace)),
        O::JoinProcess { process, .. } => tell(*process, Kind(K::Given)),
        O::OpenTerminal { devpts, .. } => tell(*devpts, Directory),
        O::SendTerminal { master } => tell(*master, Kind(K::TerminalMaster)),
        O::SendTree { tree } => tell(*tree, Directory),
        O::CloneTerminal { peer, .. } | O::ControllingTerminal { peer } => {
            tell(*peer, Kind(K::TerminalPeer));
        }
        O::Duplicate { file, .. } => tell(*file, Use::Stream),
        O::EnterDirectory { place } => tell(*place, Directory),
        O::SetSysctl { procfs, .. } | O::SetOomScore { procfs, .. } => {
            tell(*procfs, Kind(K::Place));
        }
        _ => {}
    }
}
