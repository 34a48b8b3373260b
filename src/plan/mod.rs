//! Deciding: an OCI config and the facts of this machine become a list of steps with reasons.
//!
//! A plan is plain data. It says what will be asked of the kernel, in order, who asks, what wanted
//! it and why. Nothing in this room does I/O; of ours it knows only values of `config` and
//! `facts`.
//!
//! - [`step`]: the data;
//! - [`compile`](compile::compile): config + facts → plan;
//! - [`check`](check::check): every slot is made before it is used, made once, attached once, and
//!   is what its user takes it for.

pub mod builder;
pub mod cgroup;
pub mod check;
pub mod compile;
mod compiler;
pub mod dataflow;
pub mod devices;
pub mod error;
pub mod exec;
pub mod files;
mod filesystem;
pub mod hooks;
pub mod input;
mod isolation;
pub mod model;
pub mod mounts;
pub mod namespaces;
mod operand;
mod overlay;
pub mod process;
pub mod root;
pub mod settings;
mod slot;
pub mod source;
pub mod step;
pub mod terminal;
mod values;

#[cfg(test)]
mod tests;

pub use step::{Actor, Op, Origin, Plan, Slot, SlotKind, Step};
