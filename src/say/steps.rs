//! The steps of a plan as a reader meets them: which part of the start they belong to, what asked
//! for them, and which of them are about storage.

use std::collections::HashSet;
use std::fmt::Write;

use super::call::call;
use super::paint::{Ink, Style, columns, wrapped};
use super::plain::visible;
use crate::plan::dataflow::{makes, uses};
use crate::plan::step::{Actor, Op, Plan, Slot, Step};

/// Which steps are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// All.
    All,
    /// Those that make the mount tree.
    Storage,
}

/// A part of a container's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Before there is a child.
    Before,
    /// The clone, and what the host does for the child at once.
    Clone,
    /// In the new namespaces, until the new root is entered.
    Tree,
    /// In the new root, up to the execution.
    Process,
    /// When the process runs.
    After,
}

impl Part {
    /// Its heading.
    pub fn heading(self) -> &'static str {
        match self {
            Part::Before => "On the host, before there is a process",
            Part::Clone => "The process and its namespaces",
            Part::Tree => "In the new namespaces: the mount tree",
            Part::Process => "In the new root: the process",
            Part::After => "On the host, when the process runs",
        }
    }
}

/// A step with its place in the plan.
#[derive(Debug, Clone, Copy)]
pub struct Placed<'a> {
    /// Counted from 0.
    pub index: usize,
    /// The step.
    pub step: &'a Step,
    /// The part it belongs to.
    pub part: Part,
}

impl Placed<'_> {
    /// The call in lines of `width`, and before it the descriptors that it makes:
    /// `#3 = open("/", O_PATH)`.
    pub fn call_lines(&self, width: usize) -> Vec<String> {
        let made: Vec<String> =
            makes(&self.step.op).iter().map(|slot| format!("#{}", slot.0)).collect();
        let made = if made.is_empty() { String::new() } else { made.join(", ") + " = " };
        let call = short_ids(&visible(&call(&self.step.op)));
        let mut lines = wrapped(&call, width.saturating_sub(columns(&made)));
        if let Some(first) = lines.first_mut() {
            first.insert_str(0, &made);
        }
        lines
    }

    /// The headings above this step, where a part or an origin begins after `before`.
    pub fn headings(&self, before: Option<&Placed<'_>>, style: Style) -> String {
        let mut text = String::new();
        let begins_part = before.is_none_or(|before| before.part != self.part);
        if begins_part {
            let space = if before.is_some() { "\n" } else { "" };
            let _ = writeln!(text, "{space}{}", style.ink(Ink::Heading, self.part.heading()));
        }
        if begins_part || before.is_none_or(|before| before.step.origin != self.step.origin) {
            let origin = match self.step.origin.to_string().as_str() {
                "default" => "what every container gets".to_owned(),
                origin => visible(origin),
            };
            for line in wrapped(&origin, style.width - 2) {
                let _ = writeln!(text, "  {}", style.ink(Ink::Origin, &line));
            }
        }
        text
    }

    /// Who acts. A Sync is both sides' affair; whoever waits is named.
    pub fn actor(&self) -> Actor {
        match self.step.op {
            Op::Sync { waits, .. } => waits,
            _ => self.step.actor,
        }
    }
}

/// Ids and digests of 64 digits are cut to 12: nobody reads the others, and lines break for them.
fn short_ids(text: &str) -> String {
    const DIGITS: usize = 64;
    const SHOWN: usize = 12;
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits == DIGITS {
            short.push_str(&rest[..SHOWN]);
            short.push('…');
        } else {
            short.push_str(&rest[..digits]);
        }
        rest = &rest[digits..];
        let others = rest.find(|c: char| c.is_ascii_hexdigit()).unwrap_or(rest.len());
        short.push_str(&rest[..others]);
        rest = &rest[others..];
    }
    short
}

/// The word for an actor.
pub fn actor_word(actor: Actor) -> &'static str {
    match actor {
        Actor::Host => "host",
        Actor::Child => "child",
    }
}

/// The steps that `which` names, in order.
pub fn placed(plan: &Plan, which: Steps) -> Vec<Placed<'_>> {
    let parts = parts(plan);
    let storage = (which == Steps::Storage).then(|| storage_slots(plan));
    let mut all = Vec::with_capacity(plan.steps.len());
    for (index, (step, part)) in plan.steps.iter().zip(parts).enumerate() {
        if storage.as_ref().is_none_or(|slots| is_storage(&step.op, slots)) {
            all.push(Placed { index, step, part });
        }
    }
    all
}

fn parts(plan: &Plan) -> Vec<Part> {
    let mut part = Part::Before;
    let mut parts = Vec::with_capacity(plan.steps.len());
    for (index, step) in plan.steps.iter().enumerate() {
        let child_acts = step.actor == Actor::Child;
        part = match part {
            Part::Before if matches!(step.op, Op::Clone(_)) => Part::Clone,
            Part::Clone if child_acts && is_joining(&step.op) => Part::Clone,
            Part::Clone if index > 0 && is_joining(&plan.steps[index - 1].op) => Part::Process,
            Part::Clone if child_acts => Part::Tree,
            Part::Tree if index > 0 && enters_root(&plan.steps[index - 1].op) => Part::Process,
            Part::Process if !child_acts && is_exec(&plan.steps[index - 1].op) => Part::After,
            same => same,
        };
        parts.push(part);
    }
    parts
}

fn enters_root(op: &Op) -> bool {
    matches!(op, Op::DetachOldRoot | Op::ChangeRoot)
}

/// Who joins all of another's namespaces is in its root with that.
fn is_joining(op: &Op) -> bool {
    matches!(op, Op::JoinProcess { .. })
}

fn is_exec(op: &Op) -> bool {
    matches!(op, Op::Exec(_))
}

/// Operations that are about mount trees whatever asked for them.
fn is_tree_operation(op: &Op) -> bool {
    use Op as O;
    matches!(
        op,
        O::CloneTree { .. }
            | O::OpenMounts { .. }
            | O::NewFilesystem { .. }
            | O::Configure { .. }
            | O::CreateFilesystem { .. }
            | O::MountDetached { .. }
            | O::SetAttributes { .. }
            | O::CopyUp { .. }
            | O::Attach { .. }
            | O::CloneTerminal { .. }
            | O::Mask { .. }
            | O::ReadOnlyPath { .. }
            | O::EnterDirectory { .. }
            | O::PivotRoot
            | O::DetachCover
            | O::DetachOldRoot
            | O::ChangeRoot
    )
}

/// The slots that operations on mount trees use.
fn storage_slots(plan: &Plan) -> HashSet<Slot> {
    let steps = plan.steps.iter().filter(|step| is_tree_operation(&step.op));
    steps.flat_map(|step| uses(&step.op).into_iter().map(|(slot, _)| slot)).collect()
}

/// A place is storage if a mount tree is made from it or put there: /proc opened for a sysctl is
/// not, nor is the working directory.
fn is_storage(op: &Op, slots: &HashSet<Slot>) -> bool {
    let made_for_one = makes(op).iter().any(|slot| slots.contains(slot));
    let checks_one = match op {
        Op::ExpectDevice { place, .. } | Op::ExpectFilesystem { place, .. } => {
            slots.contains(place)
        }
        _ => false,
    };
    is_tree_operation(op) || made_for_one || checks_one
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only whole ids are cut, wherever they stand.
    #[test]
    fn ids_are_short() {
        let id = "3b39087c3e66".to_owned() + &"0".repeat(52);
        let cases = [
            (format!("open(\"/s/{id}/upper\")"), "open(\"/s/3b39087c3e66…/upper\")".to_owned()),
            (format!("{id}{id}"), format!("{id}{id}")),
            (format!("é{id}é{id}"), "é3b39087c3e66…é3b39087c3e66…".to_owned()),
            ("/abc/def".to_owned(), "/abc/def".to_owned()),
            (String::new(), String::new()),
        ];
        for (text, short) in cases {
            assert_eq!(short_ids(&text), short, "{text}");
        }
    }
}
