//! `rrun ps`.
use super::{Context, Outcome};
use crate::say::failure::Failure;

/// List containers
#[derive(Debug, clap::Args)]
pub struct Cmd {}

/// Lists.
pub fn run(_cmd: &Cmd, _cx: &Context) -> Outcome {
    Err(Failure::new("list", "not wired"))
}
