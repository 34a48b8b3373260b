//! Mount trees and the kernel's rules for them: lookup, copies, attributes, peer groups.

use super::mount::{ExpectedMount, Peers, Seen};
use crate::config::path::RootPath;
use crate::config::propagation::Propagation;
use crate::plan::step::Change;
use crate::sys::mount::Recursion;

/// A mount, and what is mounted on it: each at a path from its own root.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// What mountinfo would show.
    pub(super) mount: Seen,
    /// It is there only if its target is.
    pub(super) if_target_exists: bool,
    /// Its peer group has no other member, so that nobody is left to be a slave of.
    alone: bool,
    children: Vec<(RootPath, usize)>,
}

/// A place: a mount, and a path from its root.
pub(super) type Place = (usize, RootPath);

/// All mounts, attached or not.
#[derive(Debug, Default)]
pub(super) struct Forest {
    nodes: Vec<Node>,
}

impl Forest {
    /// One more mount, detached.
    pub(super) fn add(&mut self, mount: Seen) -> usize {
        self.nodes.push(Node { mount, ..Node::default() });
        self.nodes.len() - 1
    }

    /// The mount is there only if its target is.
    pub(super) fn depends_on_target(&mut self, top: usize) {
        self.nodes[top].if_target_exists = true;
    }

    /// Puts `child` where it is, whatever is there already.
    pub(super) fn hang(&mut self, child: usize, (mount, inside): Place) {
        self.nodes[mount].children.push((inside, child));
    }

    /// Follows `path` name by name; the place that it starts from is not followed itself, as the
    /// kernel does not for the root of a lookup.
    pub(super) fn walk(&self, (mut mount, mut inside): Place, path: &RootPath) -> Place {
        for name in path.as_str().split('/').filter(|name| !name.is_empty()) {
            inside = joined(&inside, name);
            (mount, inside) = self.topmost((mount, inside));
        }
        (mount, inside)
    }

    fn topmost(&self, (mut mount, mut inside): Place) -> Place {
        let on = |mount: usize, inside: &RootPath| {
            let children = &self.nodes[mount].children;
            children.iter().rfind(|(point, _)| point == inside).map(|(_, child)| *child)
        };
        while let Some(child) = on(mount, &inside) {
            (mount, inside) = (child, RootPath::root());
        }
        (mount, inside)
    }

    /// Would what is attached here appear in other places as well?
    pub(super) fn has_peers(&self, place: &Place) -> bool {
        let (mount, _) = self.topmost(place.clone());
        self.nodes[mount].mount.peers.shared && !self.nodes[mount].alone
    }

    /// do_move_mount: an unbindable mount cannot be put below a shared one, where it might have to
    /// be copied to peers.
    pub(super) fn takes(&self, place: &Place, tree: usize) -> bool {
        let (mount, _) = self.topmost(place.clone());
        !self.nodes[mount].mount.peers.shared || !self.has_unbindable(tree)
    }

    fn has_unbindable(&self, top: usize) -> bool {
        let node = &self.nodes[top];
        node.mount.peers.unbindable
            || node.children.iter().any(|(_, child)| self.has_unbindable(*child))
    }

    /// move_mount: below a shared mount all of the tree becomes shared.
    pub(super) fn attach(&mut self, tree: usize, place: Place) {
        let (mount, inside) = self.topmost(place);
        if self.nodes[mount].mount.peers.shared {
            let propagation = Some(Propagation::RShared);
            let change = Change { propagation, ..Change::default() };
            self.change(tree, &change, Recursion::Recursive);
        }
        self.hang(tree, (mount, inside));
    }

    /// open_tree(OPEN_TREE_CLONE); none where the mount is unbindable.
    pub(super) fn clone_at(&mut self, place: &Place, recursion: Recursion) -> Option<usize> {
        let (mount, inside) = place;
        let bindable = !self.nodes[*mount].mount.peers.unbindable;
        bindable.then(|| self.copy(*mount, inside, recursion))
    }

    /// A copy of what of `mount` is at or below `inside`; unbindable mounts below are left out.
    fn copy(&mut self, mount: usize, inside: &RootPath, recursion: Recursion) -> usize {
        // A copy of a peer is one more peer.
        self.nodes[mount].alone = false;
        let original = self.nodes[mount].clone();
        let top = self.add(original.mount);
        self.nodes[top].if_target_exists = original.if_target_exists;
        if recursion == Recursion::TopOnly {
            return top;
        }
        for (point, child) in original.children {
            if !point.is_under(inside) || self.nodes[child].mount.peers.unbindable {
                continue;
            }
            let copied = self.copy(child, &RootPath::root(), recursion);
            self.nodes[top].children.push((seen_from(&point, inside), copied));
        }
        top
    }

    /// mount_setattr.
    pub(super) fn change(&mut self, top: usize, change: &Change, recursion: Recursion) {
        let node = &mut self.nodes[top];
        let Seen { attributes, idmapped, .. } = &mut node.mount;
        *attributes = (*attributes & !change.attributes.clear) | change.attributes.set;
        *idmapped |= change.idmap.is_some();
        if let Some(propagation) = change.propagation {
            node.propagate(propagation);
        }
        if recursion == Recursion::Recursive {
            let children: Vec<usize> = node.children.iter().map(|(_, child)| *child).collect();
            for child in children {
                self.change(child, change, recursion);
            }
        }
    }

    /// The tree below `top`, with its paths from there.
    pub(super) fn list(&self, top: usize) -> Vec<ExpectedMount> {
        let mut expected = Vec::new();
        let mut waiting = vec![(top, RootPath::root())];
        while let Some((mount, path)) = waiting.pop() {
            let node = &self.nodes[mount];
            let below = node.children.iter();
            waiting.extend(below.map(|(point, child)| (*child, joined(&path, point.as_str()))));
            expected.push(ExpectedMount {
                path,
                mount: node.mount.clone(),
                if_target_exists: node.if_target_exists,
            });
        }
        expected.sort();
        expected
    }
}

impl Node {
    /// mount_namespaces(7), "Propagation type transitions". A slave has to have been a peer: what
    /// is private stays so, and a slave that is shared as well is the slave that it was.
    fn propagate(&mut self, propagation: Propagation) {
        use Propagation as P;
        let before = self.mount.peers;
        self.mount.peers = match propagation {
            P::Private | P::RPrivate => Peers::default(),
            P::Unbindable | P::RUnbindable => Peers { unbindable: true, ..Peers::default() },
            P::Shared | P::RShared => {
                self.alone |= !before.shared;
                Peers { shared: true, unbindable: false, ..before }
            }
            P::Slave | P::RSlave => {
                let of_peers = before.shared && !self.alone;
                Peers { shared: false, slave: before.slave || of_peers, ..before }
            }
        };
    }
}

/// `path` from `directory` on.
fn joined(directory: &RootPath, path: &str) -> RootPath {
    RootPath::clean(&format!("{directory}/{path}"))
}

/// `path` as it is seen from `directory`, which is above it.
pub(super) fn seen_from(path: &RootPath, directory: &RootPath) -> RootPath {
    RootPath::clean(path.as_str().strip_prefix(directory.as_str()).unwrap_or_default())
}
