//! A container's output as it is kept: written by its supervisor, read by `logs`.
//!
//! ```text
//! containers/ID/  log.json  log.json.1  log.json.2.gz …     json-file, Docker's lines (V12.21)
//!                 log.local log.local.1.gz …                local, see `frame`
//!                 log.lost                                  what a full disk swallowed
//! ```
//!
//! Writer and readers share files and nothing else, so that no reader can hold a container up.
//! What keeps them together: only the newest file is written to; a file that is put aside is
//! renamed or unlinked, never cut, so a reader that has it open sees its last line; entries are
//! whole or at the very end of the newest file.

pub mod attributes;
mod chain;
mod compress;
mod entries;
mod entry;
mod follow;
mod form;
mod frame;
mod json_line;
pub mod reader;
mod reading;
mod rotate;
mod tail;
#[cfg(test)]
mod tests;
mod wanted;
pub mod writer;

pub use entry::{Entry, Stream};
pub use form::Form;
