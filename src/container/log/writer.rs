//! Writing a container's log. A supervisor does it between two reads of the container's output.
//!
//! Nothing here fails or waits for a reader: the container goes on whatever becomes of its log.
//! What a full disk does not take is dropped, counted and told ([`Loss`]).

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::compress::{self, Compression, Progress};
use super::entries::Entries;
use super::entry::{Entry, Piece, Stream};
use super::form::Form;
use super::rotate::{Rotation, append_to, put_aside};
use crate::container::options::Log;
use crate::store::{Durability, read_record, write_record};

/// A longer line is written in parts, as Docker does it.
const PART_BYTES: usize = 16 << 10;
/// No more is gathered before it is written: a line of one byte makes 70 of JSON.
const WRITE_BYTES: usize = 64 << 10;
/// How many bytes are compressed for each that is written: done by a quarter of the next file.
const COMPRESSION_PACE: u64 = 4;
/// What is compressed at the end, so that a small log is done.
const LAST_COMPRESSION_BYTES: u64 = 4 << 20;
/// An entry that a supervisor's death cut short is looked for in so many bytes at the end.
const TORN_BYTES: u64 = 1 << 20;

/// What could not be written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// How many bytes of the container's output.
    pub bytes: u64,
    /// The first error.
    pub error: String,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of the output are not in the log: {}", self.bytes, self.error)
    }
}

impl Loss {
    /// What was lost of the log in `directory` so far.
    pub fn of(directory: &Path) -> Option<Self> {
        read_record(&directory.join("log.lost")).ok().flatten()
    }
}

/// The log of a container that runs.
#[derive(Debug)]
pub struct LogWriter {
    directory: PathBuf,
    path: PathBuf,
    form: Form,
    rotation: Rotation,
    attributes: BTreeMap<String, String>,
    file: Option<File>,
    written_bytes: u64,
    lines: [Unfinished; 2],
    text: Vec<u8>,
    /// Where each entry ends in `text`, and how many of the container's bytes are in those so far.
    ends: Vec<(usize, u64)>,
    compression: Option<Compression>,
    loss: Loss,
    is_loss_kept: bool,
}

/// The part of a line that has come so far.
#[derive(Debug, Default)]
struct Unfinished {
    bytes: Vec<u8>,
    began: Option<Timestamp>,
}

impl LogWriter {
    /// The log of the container with this directory; what earlier runs wrote stays. None if none
    /// is kept.
    ///
    /// The file is made with the first byte: of many containers nobody ever asks for a log.
    pub fn new(
        directory: &Path,
        options: &Log,
        attributes: BTreeMap<String, String>,
    ) -> Option<Self> {
        let form = Form::of(options.driver)?;
        let loss = Loss::of(directory).unwrap_or_default();
        Some(Self {
            directory: directory.into(),
            path: directory.join(form.file_name()),
            form,
            rotation: options.into(),
            // The frames of `local` have no place for them, as Docker's have none.
            attributes: if form == Form::Json { attributes } else { BTreeMap::new() },
            file: None,
            written_bytes: 0,
            lines: Default::default(),
            text: Vec::new(),
            ends: Vec::new(),
            compression: None,
            loss,
            is_loss_kept: true,
        })
    }

    /// Takes bytes of a stream; whole lines are written.
    pub fn take(&mut self, stream: Stream, bytes: &[u8]) {
        let now = Timestamp::now();
        for mut piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            loop {
                let line = &mut self.lines[stream as usize];
                line.began.get_or_insert(now);
                let room = PART_BYTES - line.bytes.len();
                let (part, rest) = piece.split_at(room.min(piece.len()));
                line.bytes.extend_from_slice(part);
                piece = rest;
                if line.bytes.ends_with(b"\n") {
                    self.push(stream, usize::MAX);
                } else if line.bytes.len() == PART_BYTES {
                    let length = whole_characters(&line.bytes);
                    self.push(stream, length);
                }
                if piece.is_empty() {
                    break;
                }
            }
        }
        self.flush();
    }

    /// Writes what waits for the end of its line; returns what of this log was ever lost.
    pub fn finish(&mut self) -> Option<Loss> {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if !self.lines[stream as usize].bytes.is_empty() {
                self.push(stream, usize::MAX);
            }
        }
        self.flush();
        self.compress(LAST_COMPRESSION_BYTES);
        if let Some(compression) = self.compression.take() {
            compression.give_up();
        }
        self.keep_loss();
        (self.loss.bytes > 0).then(|| self.loss.clone())
    }

    #[cfg(test)]
    pub(super) fn use_file(&mut self, file: File) {
        self.file = Some(file);
    }

    /// Makes an entry of at most `length` bytes of a line.
    fn push(&mut self, stream: Stream, length: usize) {
        let line = &mut self.lines[stream as usize];
        let rest = line.bytes.split_off(length.min(line.bytes.len()));
        let bytes = std::mem::replace(&mut line.bytes, rest);
        // All parts of a line have the time of its first one.
        let time = line.began.unwrap_or_else(Timestamp::now);
        if bytes.ends_with(b"\n") {
            line.began = None;
        }
        let bytes_before = self.ends.last().map_or(0, |(_, bytes)| *bytes);
        let bytes_up_to = bytes_before + bytes.len() as u64;
        let attributes = std::mem::take(&mut self.attributes);
        let entry = Entry { stream, time, bytes, attributes };
        self.form.encode(&entry, &mut self.text);
        self.attributes = entry.attributes;
        self.ends.push((self.text.len(), bytes_up_to));
        if self.text.len() >= WRITE_BYTES || self.is_full(self.text.len() as u64) {
            self.flush();
        }
    }

    fn is_full(&self, more_bytes: u64) -> bool {
        let limit = self.rotation.max_size_bytes;
        limit.is_some_and(|limit| self.written_bytes + more_bytes >= limit)
    }

    fn flush(&mut self) {
        if self.text.is_empty() {
            return;
        }
        match self.write() {
            Ok(()) => {
                let length = self.text.len() as u64;
                self.written_bytes += length;
                self.compress(length * COMPRESSION_PACE);
                self.keep_loss();
            }
            Err(error) => self.lose(&error),
        }
        self.text.clear();
        self.ends.clear();
    }

    /// Keeps the entries that are whole, and counts the others.
    fn lose(&mut self, error: &io::Error) {
        let length = self.file.as_ref().and_then(|file| file.metadata().ok());
        let length = length.map_or(self.written_bytes, |seen| seen.len());
        let landed = length.saturating_sub(self.written_bytes);
        let whole = self.ends.iter().rev().find(|(end, _)| *end as u64 <= landed);
        let (end, kept_bytes) = whole.copied().unwrap_or_default();
        self.written_bytes += end as u64;
        if let Some(file) = &self.file {
            // Shorter is possible on a full disk, too.
            let _ = file.set_len(self.written_bytes);
        }
        if self.loss.bytes == 0 {
            self.loss.error = format!("write({:?}): {error}", self.path);
        }
        self.loss.bytes += self.ends.last().map_or(0, |(_, bytes)| *bytes) - kept_bytes;
        self.is_loss_kept = false;
    }

    fn write(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.open()?;
        }
        if self.is_full(0) {
            self.rotate();
        }
        match &mut self.file {
            Some(file) => file.write_all(&self.text),
            None => Ok(()),
        }
    }

    /// Opens the file that an earlier run may have left, and mends its end.
    fn open(&mut self) -> io::Result<()> {
        compress::clear(&self.path);
        let file = append_to(&self.path)?;
        let whole = whole_bytes(&self.path, self.form)?;
        if whole < file.metadata()?.len() {
            file.set_len(whole)?;
        }
        self.written_bytes = whole;
        self.file = Some(file);
        if self.rotation.compress {
            self.compression = Compression::begin(&self.path).ok().flatten();
        }
        Ok(())
    }

    /// A file that cannot be put aside grows on: that costs space and no line.
    fn rotate(&mut self) {
        self.compress(u64::MAX);
        let Ok(file) = put_aside(&self.path, self.rotation.max_files) else { return };
        self.file = Some(file);
        self.written_bytes = 0;
        if self.rotation.compress {
            self.compression = Compression::begin(&self.path).ok().flatten();
        }
    }

    fn compress(&mut self, budget_bytes: u64) {
        let Some(mut compression) = self.compression.take() else { return };
        match compression.advance(budget_bytes) {
            Ok(Progress::Going) => self.compression = Some(compression),
            Ok(Progress::Done) => {}
            // No space, perhaps: the file stays as it is.
            Err(_) => compression.give_up(),
        }
    }

    /// Writes down what was lost, as soon as that is possible.
    fn keep_loss(&mut self) {
        if self.is_loss_kept {
            return;
        }
        let path = self.directory.join("log.lost");
        self.is_loss_kept = write_record(&path, &self.loss, Durability::Passing).is_ok();
    }
}

/// How much of a part is whole characters: none is cut in two, as JSON could not keep its halves.
fn whole_characters(bytes: &[u8]) -> usize {
    let text = match std::str::from_utf8(bytes) {
        Ok(_) => return bytes.len(),
        Err(error) => error,
    };
    match text.error_len() {
        // The end is missing, and all before it is text.
        None => text.valid_up_to(),
        Some(_) => {
            let last = bytes.iter().rev().take(4).position(|byte| byte & 0xc0 == 0xc0);
            match last.map(|back| bytes.len() - 1 - back) {
                Some(start) if std::str::from_utf8(&bytes[start..]).is_err() => start,
                _ => bytes.len(),
            }
        }
    }
}

/// How long a log file is up to the end of its last whole entry.
fn whole_bytes(path: &Path, form: Form) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    let start = length.saturating_sub(TORN_BYTES);
    let mut end = vec![0; usize::try_from(length - start).unwrap_or_default()];
    file.read_exact_at(&mut end, start)?;
    match form {
        Form::Json => {
            let whole = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            Ok(start + whole as u64)
        }
        Form::Local => match form.last(&end) {
            Piece::Whole(_, Some(_)) => Ok(length),
            // From the beginning to the first frame that is torn.
            _ => {
                file.rewind()?;
                let mut entries = Entries::new(Box::new(file), form);
                while entries.next()?.is_some() {}
                Ok(entries.whole_bytes())
            }
        },
    }
}
