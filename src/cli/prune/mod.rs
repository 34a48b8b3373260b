//! Removing what is not used: containers, images, and with volumes all of it at once.

pub mod containers;
pub mod filter;
pub mod images;
pub mod system;

use super::{Context, Outcome};
use crate::say::failure::Failure;
use crate::say::size::decimal;

/// What was removed of one kind.
#[derive(Debug, Default)]
pub struct Removed {
    /// What stands above the lines: `Deleted Containers:`.
    pub title: &'static str,
    /// Ids and names.
    pub lines: Vec<String>,
    /// How much space is free again.
    pub bytes: u64,
    /// What could not be removed.
    pub failures: Vec<Failure>,
}

/// Tells what was removed, in Docker's form (V4.25).
pub fn tell(kinds: &[Removed], cx: &Context) -> Outcome {
    let mut text = String::new();
    for kind in kinds.iter().filter(|kind| !kind.lines.is_empty()) {
        text += &format!("{}\n{}\n\n", kind.title, kind.lines.join("\n"));
    }
    let bytes = kinds.iter().map(|kind| kind.bytes).sum();
    text += &format!("Total reclaimed space: {}\n", decimal(bytes));
    cx.out.text(&text).map_err(|e| Failure::new("write the result", e))?;
    let mut failures = kinds.iter().flat_map(|kind| &kind.failures).peekable();
    let status = u8::from(failures.peek().is_some());
    failures.for_each(|failure| cx.out.failure(failure));
    Ok(status)
}
