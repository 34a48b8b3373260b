//! Words for people: failures, plans, tables. Nothing here acts.

#[cfg(feature = "containers")]
pub mod age;
pub mod call;
pub mod explain;
pub mod failure;
#[cfg(feature = "containers")]
pub mod list;
pub mod nearest;
pub mod notes;
#[cfg(feature = "containers")]
pub mod objects;
#[cfg(feature = "containers")]
pub mod output;
pub mod paint;
pub mod plain;
#[cfg(feature = "containers")]
pub mod progress;
pub mod setup;
#[cfg(feature = "containers")]
pub mod size;
pub mod steps;
#[cfg(feature = "containers")]
pub mod table;
#[cfg(feature = "containers")]
pub mod template;
pub mod trace;
