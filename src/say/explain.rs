//! A plan in words: each step with its call, what asked for it and why; nothing is run.
//!
//! The text is for people and may change; the JSON is for programs, and docs/explain-schema.md
//! says what it promises.

use std::fmt::Write;

use serde_json::{Value, json};

use super::paint::{Ink, Style, columns, wrapped};
use super::steps::{Placed, Steps, actor_word, placed};
use crate::plan::step::{Actor, Op, Plan};

/// The version of the JSON form; it is raised when a reader could break.
const VERSION: u32 = 1;

/// The plan for a terminal.
pub fn text(plan: &Plan, which: Steps, style: Style) -> String {
    let steps = placed(plan, which);
    let mut text = String::new();
    let mut before = None;
    for step in &steps {
        text.push_str(&step.headings(before, style));
        one_step(&mut text, step, plan.steps.len(), style);
        before = Some(step);
    }
    summary(&mut text, plan, steps.len());
    text
}

/// Two blanks, the number, two blanks, the actor, two blanks.
fn one_step(text: &mut String, step: &Placed<'_>, total: usize, style: Style) {
    let digits = columns(&total.to_string()).max(3);
    let head = format!("  {:>digits$}  {:<5}  ", step.index + 1, actor_word(step.actor()));
    let indent = columns(&head);
    let room = style.width.saturating_sub(indent + 4).max(20);
    let mut lines = step.call_lines(room + 4).into_iter();
    let first = lines.next().unwrap_or_default();
    let _ = writeln!(text, "{}{first}", style.ink(Ink::Quiet, &head));
    for line in lines {
        let _ = writeln!(text, "{:indent$}{line}", "");
    }
    for line in wrapped(step.step.because, room) {
        let _ = writeln!(text, "{:indent$}    {}", "", style.ink(Ink::Quiet, &line));
    }
}

fn summary(text: &mut String, plan: &Plan, shown: usize) {
    let total = plan.steps.len();
    let host = plan.steps.iter().filter(|step| step.actor == Actor::Host).count();
    if shown == total {
        let _ =
            writeln!(text, "\n{total} steps: {host} by the host, {} by the child", total - host);
    } else {
        let _ = writeln!(text, "\n{shown} of {total} steps: those that make the mount tree");
    }
}

/// The plan for programs.
pub fn json(plan: &Plan, which: Steps) -> Value {
    let steps: Vec<Value> = placed(plan, which).iter().map(step_json).collect();
    json!({ "version": VERSION, "steps": steps, "slots": plan.slots })
}

fn step_json(placed: &Placed<'_>) -> Value {
    let step = placed.step;
    json!({
        "number": placed.index + 1,
        "actor": placed.actor(),
        "call": super::call::call(&step.op),
        "op": op_json(&step.op),
        "origin": step.origin,
        "because": step.because,
    })
}

fn op_json(op: &Op) -> Value {
    // Only a path that is no text cannot be written; the call shows it as well as it can be shown.
    serde_json::to_value(op).unwrap_or(Value::Null)
}
