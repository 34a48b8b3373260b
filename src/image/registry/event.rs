//! What happens to the layers of an image on its way, for those who watch.

use crate::image::digest::Digest;

/// What happens to a layer, for those who watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It is going to be fetched.
    Pulling,
    /// It waits for its turn, or for another command that fetches it.
    Waiting,
    /// It is in the store.
    AlreadyExists,
    /// So much of so much has come, or gone.
    Moved {
        /// Bytes so far.
        at: u64,
        /// Bytes in all.
        of: u64,
    },
    /// The connection broke; it goes on after some seconds.
    Retrying {
        /// How many.
        seconds: u64,
    },
    /// All of it has come and is what its digest says.
    Downloaded,
    /// It is being unpacked.
    Extracting,
    /// It is unpacked.
    PullComplete,
    /// It is going to be sent.
    Preparing,
    /// It has arrived.
    Pushed,
    /// The registry has it.
    Known,
}

/// Who watches: gets a layer's blob and what happens to it, from any thread.
pub type Watch<'a> = &'a (dyn Fn(&Digest, Event) + Sync);
