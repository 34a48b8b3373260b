//! Words for people: failures, plans, tables. Nothing here acts.

pub mod age;
pub mod failure;
#[cfg(feature = "containers")]
pub mod output;
#[cfg(feature = "containers")]
pub mod progress;
