//! What a plan's mount tree will look like: the kernel's rules for mounts, without the kernel.
//!
//! A plan is a list of intentions; the model says what they come to. Tests compare it with what
//! mountinfo shows inside of containers, so each checks the other.
//!
//! Left out, because a plan does not know them: symbolic links in paths, what is in the file
//! systems (so a hidden path may have been skipped), and what hooks mount. What it cannot follow
//! it refuses: a mount on one that has peers appears at theirs as well. Kernels differ in whether a
//! new mount namespace's copy of an unbindable mount is one; here it is.

mod forest;
pub mod mount;

use std::collections::HashMap;

use super::step::{Actor, Change, Op, Plan, Slot, Source};
use crate::config::mount_option::{Attributes, attribute};
use crate::config::path::RootPath;
use crate::config::propagation::Propagation;
use crate::sys::mount::Recursion;
use forest::{Forest, Place, seen_from};
use mount::{ExpectedMount, HostMount, Seen};

/// A plan that the model cannot follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The plan uses a slot for what the model did not see made.
    #[error("step {step}: slot {slot} is nothing that the model knows")]
    UnknownSlot {
        /// The step, from 1.
        step: usize,
        /// The slot.
        slot: u32,
    },
    /// The kernel would refuse this (EINVAL).
    #[error("step {step}: an unbindable mount can neither be cloned nor go below a shared one")]
    Unbindable {
        /// The step, from 1.
        step: usize,
    },
    /// What is attached here appears with the peers of the mount below, too.
    #[error("step {step}: an attach below a mount that has peers")]
    Events {
        /// The step, from 1.
        step: usize,
    },
    /// The mounts of the host are no tree.
    #[error("the mounts of the host have no root")]
    NoHostRoot,
    /// The container keeps the host's root.
    #[error("the plan enters no tree of its own")]
    NoRoot,
}

/// The mounts in the container, sorted by path, when `plan` has been carried out on a host with
/// these mounts.
pub fn outcome(plan: &Plan, host: &[HostMount]) -> Result<Vec<ExpectedMount>, ModelError> {
    let mut model = Model::of(host)?;
    for (index, step) in plan.steps.iter().enumerate() {
        model.number = index + 1;
        model.step(step.actor, &step.op)?;
    }
    let root = model.entered.ok_or(ModelError::NoRoot)?;
    Ok(model.forest.list(root))
}

/// What is in a slot.
#[derive(Debug, Clone)]
enum Held {
    /// A place in a tree.
    Place(Place),
    /// A place of the host's: what is attached there is not the container's.
    HostPlace,
    /// A tree, by its topmost mount.
    Tree(usize),
    /// A file system that is being made.
    Context(String),
}

struct Model {
    forest: Forest,
    /// The host's topmost mount.
    host: usize,
    slots: HashMap<Slot, Held>,
    /// The tree that became the root.
    entered: Option<usize>,
    /// The step, from 1.
    number: usize,
}

impl Model {
    fn of(host: &[HostMount]) -> Result<Self, ModelError> {
        let mut forest = Forest::default();
        let numbers: HashMap<u32, usize> =
            host.iter().map(|entry| (entry.id, forest.add(entry.mount.clone()))).collect();
        let mut root = None;
        for (index, entry) in host.iter().enumerate() {
            match numbers.get(&entry.parent) {
                Some(&parent) if parent != index => {
                    let inside = seen_from(&entry.point, &host[parent].point);
                    forest.hang(index, (parent, inside));
                }
                // Its own parent is outside of what we see.
                _ => root = Some(index),
            }
        }
        let host = root.ok_or(ModelError::NoHostRoot)?;
        Ok(Self { forest, host, slots: HashMap::new(), entered: None, number: 0 })
    }

    fn unknown(&self, slot: Slot) -> ModelError {
        ModelError::UnknownSlot { step: self.number, slot: slot.0 }
    }

    /// The operations that make trees and change them.
    fn step(&mut self, actor: Actor, op: &Op) -> Result<(), ModelError> {
        let (slot, held) = match op {
            Op::OpenPlace { place, .. } => (*place, Held::HostPlace),
            Op::NewFilesystem { context, kind } => (*context, Held::Context(kind.clone())),
            Op::CloneTree { tree, source, recursion } => {
                (*tree, Held::Tree(self.source(actor, source, *recursion)?))
            }
            Op::MountDetached { context, tree, attributes } => {
                (*tree, Held::Tree(self.new_filesystem(*context, *attributes)?))
            }
            Op::OpenTerminal { devpts, peer, .. } => (*peer, Held::Place(self.place(*devpts)?)),
            Op::CloneTerminal { peer, tree } => {
                let place = self.place(*peer)?;
                (*tree, Held::Tree(self.clone_at(&place, Recursion::TopOnly)?))
            }
            Op::SetAttributes { tree, change, recursion } => {
                // The way to all mounts of the child is no tree of ours: see `source`.
                if let Some(&Held::Tree(top)) = self.slots.get(tree) {
                    self.forest.change(top, change, *recursion);
                }
                return Ok(());
            }
            other => return self.put(other),
        };
        self.slots.insert(slot, held);
        Ok(())
    }

    /// The operations that put trees somewhere.
    fn put(&mut self, op: &Op) -> Result<(), ModelError> {
        match op {
            Op::Pin { place, root, path, .. } => {
                let pinned = self.forest.walk(self.place(*root)?, path);
                self.slots.insert(*place, Held::Place(pinned));
            }
            Op::MakeFile { directory, place, name } => {
                let made = self.forest.walk(self.place(*directory)?, &RootPath::clean(name));
                self.slots.insert(*place, Held::Place(made));
            }
            Op::Attach { tree, place } => {
                let Some(&Held::Tree(top)) = self.slots.get(tree) else {
                    return Err(self.unknown(*tree));
                };
                match self.slots.get(place).cloned() {
                    Some(Held::Place(onto)) => self.attach(top, onto)?,
                    Some(Held::HostPlace) => {}
                    _ => return Err(self.unknown(*place)),
                }
            }
            Op::Mask { root, path, .. } => {
                let cover = self.forest.add(Seen::default());
                self.forest.depends_on_target(cover);
                let place = self.forest.walk(self.place(*root)?, path);
                self.attach(cover, place)?;
            }
            Op::ReadOnlyPath { root, path } => self.read_only_path(*root, path)?,
            Op::EnterDirectory { place } => {
                if let Some(&Held::Tree(top)) = self.slots.get(place) {
                    self.entered = Some(top);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn read_only_path(&mut self, root: Slot, path: &RootPath) -> Result<(), ModelError> {
        let place = self.forest.walk(self.place(root)?, path);
        let tree = self.clone_at(&place, Recursion::Recursive)?;
        let attributes = Attributes { set: attribute::RDONLY, clear: 0 };
        let change = Change { attributes, ..Change::default() };
        self.forest.change(tree, &change, Recursion::Recursive);
        self.forest.depends_on_target(tree);
        self.attach(tree, place)
    }

    fn attach(&mut self, tree: usize, place: Place) -> Result<(), ModelError> {
        if self.forest.has_peers(&place) {
            return Err(ModelError::Events { step: self.number });
        }
        if !self.forest.takes(&place, tree) {
            return Err(ModelError::Unbindable { step: self.number });
        }
        self.forest.attach(tree, place);
        Ok(())
    }

    /// The place that a slot is open on.
    fn place(&self, slot: Slot) -> Result<Place, ModelError> {
        match self.slots.get(&slot) {
            Some(Held::Tree(top)) => Ok((*top, RootPath::root())),
            Some(Held::Place(place)) => Ok(place.clone()),
            _ => Err(self.unknown(slot)),
        }
    }

    fn new_filesystem(&mut self, context: Slot, attributes: u64) -> Result<usize, ModelError> {
        let Some(Held::Context(kind)) = self.slots.get(&context) else {
            return Err(self.unknown(context));
        };
        let filesystem = Some(kind.clone());
        Ok(self.forest.add(Seen { filesystem, attributes, ..Seen::default() }))
    }

    fn clone_at(&mut self, place: &Place, recursion: Recursion) -> Result<usize, ModelError> {
        let unbindable = ModelError::Unbindable { step: self.number };
        self.forest.clone_at(place, recursion).ok_or(unbindable)
    }

    fn source(
        &mut self,
        actor: Actor,
        source: &Source,
        recursion: Recursion,
    ) -> Result<usize, ModelError> {
        let path = match source {
            Source::InRoot { root, path } => {
                let place = self.forest.walk(self.place(*root)?, path);
                return self.clone_at(&place, recursion);
            }
            Source::Place(slot) => {
                let place = self.place(*slot)?;
                return self.clone_at(&place, recursion);
            }
            Source::Host(path) | Source::Seen { path, .. } => path.clone(),
            Source::Beneath { directory, path } => directory.join(path.relative()),
        };
        let path = RootPath::clean(&path.as_path().to_string_lossy());
        let place = self.forest.walk((self.host, RootPath::root()), &path);
        let clone = self.clone_at(&place, recursion)?;
        if actor == Actor::Child {
            // The child has a copy of the host's mounts, each a slave of the host's own.
            let propagation = Some(Propagation::RSlave);
            let change = Change { propagation, ..Change::default() };
            self.forest.change(clone, &change, Recursion::Recursive);
        }
        Ok(clone)
    }
}
