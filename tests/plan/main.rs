//! Plans of whole configs: what is asked of the kernel, in which order, on which kernel.
//!
//! Pure: no test here needs root or a kernel of a certain version.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod binds;
mod config;
mod exec;
mod file_systems;
mod golden;
mod model;
mod plan_of;
mod reasons;
mod schema;
mod sequence;
mod trace;
