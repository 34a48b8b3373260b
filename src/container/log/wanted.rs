//! Which entries of a log are wanted.

use jiff::Timestamp;

use super::entry::Entry;

/// Which entries are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// None before this time.
    pub since: Option<Timestamp>,
    /// None after this time.
    pub until: Option<Timestamp>,
    /// Only so many lines at the end (of those up to `until`); none for all.
    pub tail: Option<usize>,
}

impl Wanted {
    pub(super) fn has(&self, entry: &Entry) -> bool {
        self.since.is_none_or(|since| entry.time >= since) && self.is_early_enough(entry.time)
    }

    pub(super) fn is_early_enough(&self, time: Timestamp) -> bool {
        self.until.is_none_or(|until| time <= until)
    }
}
