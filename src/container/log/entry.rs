//! One entry of a log, and finding it among the bytes of a file.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// Which stream an entry came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, or the terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }

    /// The stream with this word.
    pub(super) fn called(word: &str) -> Option<Self> {
        [Stream::Stdout, Stream::Stderr].into_iter().find(|stream| stream.word() == word)
    }
}

/// A line with its end, or a part of one: of a long line, or of a last one without an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it came from.
    pub stream: Stream,
    /// When its line began to arrive.
    pub time: Timestamp,
    /// The line.
    pub bytes: Vec<u8>,
    /// What `--log-opt` labels, env and tag add.
    pub attributes: BTreeMap<String, String>,
}

impl Entry {
    /// Is the line over with it?
    pub fn ends_line(&self) -> bool {
        self.bytes.ends_with(b"\n")
    }
}

/// What stands at the beginning, or the end, of some bytes of a log file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// So many bytes are an entry; none if they are not what we write.
    Whole(usize, Option<Entry>),
    /// More bytes are needed to tell.
    Incomplete,
}
