//! The entries of one log file, in order.

use std::io::{self, ErrorKind, Read};

use super::entry::{Entry, Piece};
use super::form::Form;

/// As much as is read at a time.
const BLOCK_BYTES: usize = 64 << 10;

/// The entries of one file, in order.
pub(super) struct Entries {
    from: Box<dyn Read>,
    form: Form,
    buffer: Vec<u8>,
    at: usize,
    passed_bytes: u64,
    /// How many lines were none of ours and were passed over.
    pub(super) unreadable: usize,
}

impl Entries {
    pub(super) fn new(from: Box<dyn Read>, form: Form) -> Self {
        Self { from, form, buffer: Vec::new(), at: 0, passed_bytes: 0, unreadable: 0 }
    }

    /// The next entry; none where the file ends now. It may grow, and there may be one later.
    pub(super) fn next(&mut self) -> io::Result<Option<Entry>> {
        loop {
            match self.form.first(&self.buffer[self.at..]) {
                Piece::Whole(length, entry) => {
                    self.at += length;
                    self.passed_bytes += length as u64;
                    match entry {
                        Some(entry) => return Ok(Some(entry)),
                        None => self.unreadable += 1,
                    }
                }
                Piece::Incomplete if self.read_more()? == 0 => return Ok(None),
                Piece::Incomplete => {}
            }
        }
    }

    /// How many bytes the entries were that have been passed.
    pub(super) fn whole_bytes(&self) -> u64 {
        self.passed_bytes
    }

    fn read_more(&mut self) -> io::Result<usize> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let known = self.buffer.len();
        self.buffer.resize(known + BLOCK_BYTES, 0);
        let result = loop {
            match self.from.read(&mut self.buffer[known..]) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        self.buffer.truncate(known + result.as_ref().copied().unwrap_or(0));
        result
    }
}
