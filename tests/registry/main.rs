//! Images from and to registries: Debian's registry with skopeo as the second opinion, and
//! registries of our own that break off, lie and redirect.
//!
//! Each test has a network and an /etc of its own, with nothing but the loopback interface.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod access;
mod containers;
mod content;
mod debian;
mod fake;
mod interrupted;
mod offline;
mod sandbox;
#[path = "../support/mod.rs"]
mod support;
mod terminal;
