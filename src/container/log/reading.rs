//! Where a reader is in a log, while its writer goes on.

use std::io;

use super::chain::{Chain, LogFile};
use super::entries::Entries;
use super::entry::Entry;
use super::tail::{self, Place};
use super::wanted::Wanted;

/// Where entries go. An error of kind `BrokenPipe` ends the reading without being one.
pub trait Sink {
    /// Takes the next entry.
    fn entry(&mut self, entry: &Entry) -> io::Result<()>;

    /// There is nothing more for now: what was taken should be seen.
    fn pause(&mut self) -> io::Result<()>;
}

/// What was seen beside the entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many lines are none of ours and were passed over.
    pub unreadable: usize,
}

/// Where a reader is.
pub(super) struct Reading<'a> {
    pub(super) wanted: Wanted,
    chain: Chain,
    sink: &'a mut dyn Sink,
    /// The newest file that was seen, and how far it is read.
    newest: Option<(LogFile, Entries)>,
    unreadable: usize,
}

impl<'a> Reading<'a> {
    pub(super) fn new(chain: Chain, wanted: Wanted, sink: &'a mut dyn Sink) -> Self {
        Self { wanted, chain, sink, newest: None, unreadable: 0 }
    }

    pub(super) fn seen(&self) -> Seen {
        let current = self.newest.as_ref().map_or(0, |(_, entries)| entries.unreadable);
        Seen { unreadable: self.unreadable + current }
    }

    /// Reads all that is there now.
    pub(super) fn read_all(&mut self) -> io::Result<()> {
        self.all_files()?;
        self.sink.pause()
    }

    fn all_files(&mut self) -> io::Result<()> {
        if self.newest.is_none() {
            let files = self.chain.files()?;
            let start = tail::start(&files, self.chain.form, &self.wanted)?;
            // What comes later is wanted in any number.
            self.wanted.tail = None;
            for (at, file) in files.into_iter().enumerate().skip(start.file) {
                let first = at == start.file;
                self.begin(file, if first { start.place } else { Place::Beginning })?;
            }
        }
        self.read_newest()?;
        let Some((file, _)) = &self.newest else { return Ok(()) };
        if self.chain.is_newest(file)? {
            return Ok(());
        }
        let newer = self.chain.files_after(file)?;
        // It was put aside, after which nobody wrote to it: what is there now is all of it.
        self.read_newest()?;
        for file in newer {
            self.begin(file, Place::Beginning)?;
        }
        Ok(())
    }

    fn begin(&mut self, file: LogFile, place: Place) -> io::Result<()> {
        self.unreadable = self.seen().unreadable;
        let mut entries = file.entries(self.chain.form, place.offset())?;
        for _ in 0..place.entries_to_skip() {
            entries.next()?;
        }
        self.newest = Some((file, entries));
        self.read_newest()
    }

    fn read_newest(&mut self) -> io::Result<()> {
        let Some((_, entries)) = &mut self.newest else { return Ok(()) };
        while let Some(entry) = entries.next()? {
            if self.wanted.has(&entry) {
                self.sink.entry(&entry)?;
            }
        }
        Ok(())
    }
}
