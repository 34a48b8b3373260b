//! Words for people: failures, plans, tables. Nothing here acts.

#[cfg(feature = "containers")]
pub mod age;
pub mod call;
pub mod failure;
#[cfg(feature = "containers")]
pub mod output;
#[cfg(feature = "containers")]
pub mod progress;
pub mod setup;
#[cfg(feature = "containers")]
pub mod size;
