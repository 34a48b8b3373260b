//! The life of containers by the command line: in the background, ended, started again, killed.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod attach;
mod background;
mod bench;
mod ending;
mod killed;
mod network;
mod restart;
#[path = "../support/mod.rs"]
mod support;
