//! The command line of `rrun`: one file a command, nothing else here than the way to it.

pub mod images;
pub mod import;
pub mod load;
pub mod rmi;
pub mod save;
pub mod tag;
pub mod volume;

use crate::say::{failure::Failure, output::Output};
use crate::store::Store;

/// What every command gets: the store and where to write.
#[derive(Debug)]
pub struct Context {
    /// The store, opened.
    pub store: Store,
    /// Standard output and error.
    pub out: Output,
}

/// How a command ends: an exit status, or a failure to be told.
pub type Outcome = Result<u8, Failure>;
