//! `rrun-oci run` as root: what the kernel says about containers, and what peers make of the same
//! bundle.
//!
//! Every test makes a bundle in a temporary directory and runs it in a mount namespace of its own
//! ([`harness`]). A subject has a module.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod harness;
#[path = "../support/mod.rs"]
mod support;

mod bind;
mod capabilities;
#[cfg(feature = "containers")]
mod changes;
#[cfg(feature = "containers")]
mod container;
#[cfg(feature = "containers")]
mod cp;
mod devices;
#[cfg(feature = "containers")]
mod exec;
mod execution;
mod hooks;
mod idmap;
mod keys;
mod many;
mod model;
mod namespaces;
mod no_mounts;
mod peers;
mod process;
mod propagation;
mod signals;
mod sysctl;
mod targets;
mod terminal;
mod tmpfs;
#[cfg(feature = "containers")]
mod trace;
mod user_namespace;
