//! `rrun rm`.
use super::{Context, Outcome};
use crate::say::failure::Failure;

/// Remove containers
#[derive(Debug, clap::Args)]
pub struct Cmd {}

/// Lists.
pub fn run(_cmd: &Cmd, _cx: &Context) -> Outcome {
    Err(Failure::new("list", "not wired"))
}
