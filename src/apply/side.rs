//! One side of a plan: what it has in its hands.

use super::cgroup::Undo;
use super::links::Links;
use super::report::Report;
use super::table::Table;
use crate::plan::step::Plan;

/// One side of a plan at work.
pub struct Apply<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The open descriptors.
    pub table: Table,
    /// Where progress and failure are written down.
    pub report: &'a Report,
    /// The ways to the other side.
    pub links: Links,
    /// What the host has to undo.
    pub undo: Undo,
}
