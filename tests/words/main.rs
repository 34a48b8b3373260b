//! Bad input: a command ends, changes nothing, and says what is wrong in words that help.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

#[path = "../support/mod.rs"]
mod support;

mod messages;
mod places;
mod records;
mod store;
