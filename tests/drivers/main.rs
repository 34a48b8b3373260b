//! Volume drivers as users meet them: the command line, real containers, real mounts.
//!
//! Every test has a store, an image and a mount namespace of its own ([`bench`]), so that nothing
//! that it mounts is seen by the machine. A kind of driver has a module.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bench;
#[path = "../support/mod.rs"]
mod support;

mod encrypted;
mod local;
mod plugin;
mod rclone;
