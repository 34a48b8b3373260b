//! `rrun inspect`.
use super::{Context, Outcome};
use crate::say::failure::Failure;

/// Inspect
#[derive(Debug, clap::Args)]
pub struct Cmd {}

/// One kind
#[derive(Debug, clap::Args)]
pub struct OneKind {}

/// Lists.
pub fn run(_cmd: &Cmd, _cx: &Context) -> Outcome {
    Err(Failure::new("list", "not wired"))
}
/// Lists.
pub fn run_containers(_cmd: &OneKind, _cx: &Context) -> Outcome {
    Err(Failure::new("list", "not wired"))
}
/// Lists.
pub fn run_images(_cmd: &OneKind, _cx: &Context) -> Outcome {
    Err(Failure::new("list", "not wired"))
}
