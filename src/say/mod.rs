//! Words for people: failures, plans, tables. Nothing here acts.

pub mod call;
pub mod failure;
pub mod nearest;
#[cfg(feature = "containers")]
pub mod output;
pub mod setup;
#[cfg(feature = "containers")]
pub mod size;
