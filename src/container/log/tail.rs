//! Where the last lines of a log begin.
//!
//! A plain file is walked backwards in blocks, so that the end of a log of gigabytes costs no more
//! than that of a short one. A compressed file has to be read from its beginning.

use std::io;
use std::os::unix::fs::FileExt;

use super::chain::LogFile;
use super::entry::{Entry, Piece, Stream};
use super::form::Form;
use super::wanted::Wanted;

/// As much as is read at a time.
const BLOCK_BYTES: u64 = 64 << 10;

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// Which file, the oldest is 0.
    pub(super) file: usize,
    /// Where in it.
    pub(super) place: Place,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Where it begins.
    Beginning,
    /// At a byte.
    Offset(u64),
    /// After so many entries.
    Entries(usize),
}

impl Place {
    pub(super) fn offset(self) -> u64 {
        if let Place::Offset(offset) = self { offset } else { 0 }
    }

    pub(super) fn entries_to_skip(self) -> usize {
        if let Place::Entries(entries) = self { entries } else { 0 }
    }
}

/// Where the wanted lines begin.
pub(super) fn start(files: &[LogFile], form: Form, wanted: &Wanted) -> io::Result<Start> {
    let beginning = Start { file: 0, place: Place::Beginning };
    let Some(lines) = wanted.tail else { return Ok(beginning) };
    let mut count = Count { lines_left: lines, open: [false; 2], wanted };
    for (file, log) in files.iter().enumerate().rev() {
        let place = match log.is_compressed() {
            true => count.entries(log, form)?,
            false => count.bytes(log, form)?,
        };
        if let Some(place) = place {
            return Ok(Start { file, place });
        }
    }
    Ok(beginning)
}

/// How many lines are still to be found, going backwards.
struct Count<'a> {
    lines_left: usize,
    /// Is a line of this stream begun, whose earlier parts belong to it?
    open: [bool; 2],
    wanted: &'a Wanted,
}

impl Count<'_> {
    /// Does the entry before those that were taken belong to the wanted lines, too?
    fn takes(&mut self, entry: &Meta) -> bool {
        if !entry.counts {
            return true;
        }
        let open = &mut self.open[entry.stream as usize];
        if *open && !entry.ends_line {
            return true;
        }
        // The end of a line, or of a last one that has no end yet.
        *open = true;
        let taken = self.lines_left > 0;
        self.lines_left = self.lines_left.saturating_sub(1);
        taken
    }

    fn meta(&self, entry: &Entry) -> Meta {
        Meta {
            stream: entry.stream,
            ends_line: entry.ends_line(),
            counts: self.wanted.is_early_enough(entry.time),
        }
    }

    fn entries(&mut self, log: &LogFile, form: Form) -> io::Result<Option<Place>> {
        let mut entries = log.entries(form, 0)?;
        let mut all = Vec::new();
        while let Some(entry) = entries.next()? {
            all.push(self.meta(&entry));
        }
        let before = all.iter().rposition(|entry| !self.takes(entry));
        Ok(before.map(|at| Place::Entries(at + 1)))
    }

    fn bytes(&mut self, log: &LogFile, form: Form) -> io::Result<Option<Place>> {
        let mut end = log.file().metadata()?.len();
        let mut known = Vec::new();
        let mut is_first = true;
        loop {
            let piece = match form.last(&known) {
                // With nothing before it, the first line is all that is left.
                Piece::Incomplete if end == known.len() as u64 => {
                    return Ok(self.first(&known, form));
                }
                Piece::Incomplete => {
                    let start = (end - known.len() as u64).saturating_sub(BLOCK_BYTES);
                    known = read_between(log, start, end)?;
                    // The writer may be at work on the very last entry.
                    if std::mem::take(&mut is_first) && !trim_torn(&mut known, &mut end, form) {
                        return self.entries(log, form);
                    }
                    continue;
                }
                piece => piece,
            };
            let Piece::Whole(length, entry) = piece else { continue };
            let taken = match entry {
                Some(entry) => {
                    let meta = self.meta(&entry);
                    self.takes(&meta)
                }
                None => true,
            };
            if !taken {
                return Ok(Some(Place::Offset(end)));
            }
            end -= length as u64;
            known.truncate(known.len() - length);
        }
    }

    /// The first entry of a file.
    fn first(&mut self, bytes: &[u8], form: Form) -> Option<Place> {
        let Piece::Whole(length, Some(entry)) = form.first(bytes) else { return None };
        let meta = self.meta(&entry);
        (!self.takes(&meta)).then_some(Place::Offset(length as u64))
    }
}

/// What has to be known of an entry to count it.
struct Meta {
    stream: Stream,
    ends_line: bool,
    counts: bool,
}

fn read_between(log: &LogFile, start: u64, end: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(end - start).unwrap_or_default()];
    log.file().read_exact_at(&mut bytes, start)?;
    Ok(bytes)
}

/// Takes away what follows the last entry; false if that cannot be found from the end.
fn trim_torn(bytes: &mut Vec<u8>, end: &mut u64, form: Form) -> bool {
    match form {
        Form::Json => {
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            *end -= (bytes.len() - whole) as u64;
            bytes.truncate(whole);
            true
        }
        Form::Local => matches!(form.last(bytes), Piece::Whole(_, Some(_))),
    }
}
