//! Plans of whole configs: what is asked of the kernel, in which order, on which kernel.
//!
//! Pure: no test here needs root or a kernel of a certain version.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod golden;
mod plan_of;
