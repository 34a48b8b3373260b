//! A plan in words: each step with its call, what asked for it and why; nothing is run.
//!
//! The text is for people and may change; the JSON is for programs, and docs/explain-schema.md
//! says what it promises.

use std::fmt::Write;

use serde_json::{Value, json};

use super::notes::notes;
use super::paint::{Ink, Style, columns, wrapped};
use super::plain::visible;
use super::steps::{Placed, Steps, actor_word, placed};
use crate::plan::step::{Actor, Op, Plan};

/// More steps than are seen at once.
const A_PAGE: usize = 40;

/// The version of the JSON form; it is raised when a reader could break.
const VERSION: u32 = 1;

/// The plan for a terminal.
pub fn text(plan: &Plan, which: Steps, style: Style) -> String {
    let steps = placed(plan, which);
    let mut text = String::new();
    let mut before: Option<&Placed<'_>> = None;
    // The first step of those that share a reason, which is told once, after the last.
    let mut first = 0;
    for (at, step) in steps.iter().enumerate() {
        let headings = step.headings(before, style);
        if !headings.is_empty() || before.is_none_or(|b| b.step.because != step.step.because) {
            first = at;
        }
        text.push_str(&headings);
        call(&mut text, step, plan.steps.len(), style);
        let goes_on = steps.get(at + 1).is_some_and(|next| {
            next.step.because == step.step.because && next.headings(Some(step), style).is_empty()
        });
        if !goes_on {
            reason(&mut text, &steps[first..=at], plan.steps.len(), style);
        }
        before = Some(step);
    }
    summary(&mut text, plan, (steps.len(), which));
    for note in notes(plan) {
        for (at, line) in wrapped(&visible(&note), style.width.saturating_sub(6)).iter().enumerate()
        {
            let start = if at == 0 { "note:" } else { "     " };
            let _ = writeln!(text, "{} {line}", style.ink(Ink::Heading, start));
        }
    }
    text
}

fn head(step: &Placed<'_>, total: usize) -> String {
    let digits = columns(&total.to_string()).max(3);
    format!("  {:>digits$}  {:<5}  ", step.index + 1, actor_word(step.actor()))
}

/// Two blanks, the number, two blanks, the actor, two blanks.
fn call(text: &mut String, step: &Placed<'_>, total: usize, style: Style) {
    let head = head(step, total);
    let indent = columns(&head);
    let room = style.width.saturating_sub(indent + 4).max(20);
    let mut lines = step.call_lines(room + 4).into_iter();
    let first = lines.next().unwrap_or_default();
    let _ = writeln!(text, "{}{first}", style.ink(Ink::Quiet, &head));
    for line in lines {
        let _ = writeln!(text, "{:indent$}{line}", "");
    }
}

/// Why the steps are there that share this reason; `3–7:` before it if they are several.
fn reason(text: &mut String, steps: &[Placed<'_>], total: usize, style: Style) {
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return };
    let indent = columns(&head(first, total));
    let because = match steps.len() {
        1 => first.step.because.to_owned(),
        _ => format!("{}–{}: {}", first.index + 1, last.index + 1, first.step.because),
    };
    for line in wrapped(&because, style.width.saturating_sub(indent + 4).max(20)) {
        let _ = writeln!(text, "{:indent$}    {}", "", style.ink(Ink::Quiet, &line));
    }
}

fn summary(text: &mut String, plan: &Plan, (shown, which): (usize, Steps)) {
    let total = plan.steps.len();
    let host = plan.steps.iter().filter(|step| step.actor == Actor::Host).count();
    if shown == total {
        let _ =
            writeln!(text, "\n{total} steps: {host} by the host, {} by the child", total - host);
        if which == Steps::All && total > A_PAGE {
            let _ = writeln!(text, "--storage shows only those that make the mount tree");
        }
    } else {
        let _ = writeln!(text, "\n{shown} of {total} steps: those that make the mount tree");
    }
}

/// The plan for programs.
pub fn json(plan: &Plan, which: Steps) -> Value {
    let steps: Vec<Value> = placed(plan, which).iter().map(step_json).collect();
    json!({ "version": VERSION, "steps": steps, "slots": plan.slots, "notes": notes(plan) })
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
