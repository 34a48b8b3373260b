//! A stream that is hashed and kept while it is read.
//!
//! Hashing and writing the copy happen in a thread of their own, so that an import takes as long
//! as the slower of both sides, not their sum. Image commands may have threads: they never clone
//! a container.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::image::digest::{Digest, Hasher};

const CHUNK_BYTES: usize = 256 << 10;
/// Chunks on their way to the other thread.
const QUEUE: usize = 6;

/// What happens to the bytes that pass.
#[derive(Debug)]
pub enum Keep {
    /// They are only hashed.
    Digest,
    /// They are written to this file too.
    In(File),
}

/// All that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// Its digest.
    pub digest: Digest,
    /// Its length.
    pub size_bytes: u64,
}

struct Chunk {
    bytes: Vec<u8>,
    used: usize,
}

/// Reads from a stream; see the module.
pub struct Tee<R> {
    input: R,
    /// Chunks in turn; one is free again when the other thread has dropped it.
    ring: Vec<Arc<Chunk>>,
    current: usize,
    at: usize,
    ended: bool,
    limit_bytes: u64,
    taken: Rc<Cell<u64>>,
    queue: Option<SyncSender<Arc<Chunk>>>,
    worker: Option<JoinHandle<io::Result<Digest>>>,
}

impl<R: Read> Tee<R> {
    /// Starts to pass on `input`, but no more than `limit_bytes`.
    pub fn new(input: R, keep: Keep, limit_bytes: u64) -> io::Result<Self> {
        let (queue, chunks) = sync_channel(QUEUE);
        let worker = std::thread::Builder::new().spawn(move || sink(&chunks, keep))?;
        Ok(Self {
            input,
            ring: Vec::new(),
            current: 0,
            at: 0,
            ended: false,
            limit_bytes,
            taken: Rc::default(),
            queue: Some(queue),
            worker: Some(worker),
        })
    }

    /// How much was read so far, to be looked at while the tee is lent out.
    pub fn taken(&self) -> Rc<Cell<u64>> {
        self.taken.clone()
    }

    /// Reads to the end and gives the sum of it.
    pub fn finish(self) -> io::Result<Passed> {
        self.finish_with_input().map(|(passed, _)| passed)
    }

    /// The same, and the stream below.
    pub fn finish_with_input(mut self) -> io::Result<(Passed, R)> {
        loop {
            let length = self.fill_buf()?.len();
            if length == 0 {
                break;
            }
            self.consume(length);
        }
        let digest = self.join()?;
        Ok((Passed { digest, size_bytes: self.taken.get() }, self.input))
    }

    fn join(&mut self) -> io::Result<Digest> {
        self.queue = None;
        match self.worker.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            _ => Err(io::Error::other("the thread that hashes is gone")),
        }
    }

    /// A chunk that nobody else holds.
    fn free_chunk(&mut self) -> usize {
        let next = if self.ring.is_empty() { 0 } else { (self.current + 1) % (QUEUE + 2) };
        let fresh = || Arc::new(Chunk { bytes: vec![0; CHUNK_BYTES], used: 0 });
        if next >= self.ring.len() {
            self.ring.push(fresh());
        } else if Arc::get_mut(&mut self.ring[next]).is_none() {
            self.ring[next] = fresh();
        }
        next
    }

    fn read_chunk(&mut self) -> io::Result<()> {
        self.current = self.free_chunk();
        self.at = 0;
        let Some(chunk) = Arc::get_mut(&mut self.ring[self.current]) else { return Ok(()) };
        chunk.used = 0;
        chunk.used = loop {
            match self.input.read(&mut chunk.bytes) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.ended = chunk.used == 0;
        self.taken.set(self.taken.get() + chunk.used as u64);
        if self.taken.get() > self.limit_bytes {
            let limit = self.limit_bytes;
            return Err(io::Error::other(format!("the archive is larger than {limit} bytes")));
        }
        if self.ended {
            return Ok(());
        }
        let sent = self.queue.as_ref().map(|q| q.send(self.ring[self.current].clone()));
        match sent {
            Some(Ok(())) => Ok(()),
            // The thread ended before us: it has the error.
            _ => self.join().and(Err(io::Error::other("the thread that hashes is gone"))),
        }
    }
}

impl<R: Read> BufRead for Tee<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let used = self.ring.get(self.current).map_or(0, |c| c.used);
        if self.at == used && !self.ended {
            self.read_chunk()?;
        }
        match self.ring.get(self.current) {
            Some(chunk) => Ok(&chunk.bytes[self.at..chunk.used]),
            None => Ok(&[]),
        }
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
    }
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let data = self.fill_buf()?;
        let length = data.len().min(buffer.len());
        buffer[..length].copy_from_slice(&data[..length]);
        self.consume(length);
        Ok(length)
    }
}

fn sink(chunks: &Receiver<Arc<Chunk>>, mut keep: Keep) -> io::Result<Digest> {
    let mut hasher = Hasher::default();
    for chunk in chunks {
        let data = &chunk.bytes[..chunk.used];
        hasher.update(data);
        if let Keep::In(file) = &mut keep {
            file.write_all(data).map_err(|e| {
                io::Error::new(e.kind(), format!("cannot write the copy in the store: {e}"))
            })?;
        }
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Seek;

    /// What comes out, what is kept and what is hashed are the same bytes, at any length.
    #[test]
    fn passes_everything() {
        for length in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES * 11 + 7] {
            let data: Vec<u8> = (0..=250).cycle().take(length).collect();
            let mut kept = tempfile::tempfile().unwrap();
            let keep = Keep::In(kept.try_clone().unwrap());
            let mut tee = Tee::new(&data[..], keep, u64::MAX).unwrap();
            let mut seen = vec![0; length / 2];
            tee.read_exact(&mut seen).unwrap();
            assert_eq!(seen, data[..length / 2]);
            let passed = tee.finish().unwrap();
            assert_eq!(passed, Passed { digest: Digest::of(&data), size_bytes: length as u64 });
            let mut copy = Vec::new();
            kept.rewind().unwrap();
            kept.read_to_end(&mut copy).unwrap();
            assert!(copy == data, "{length}");
        }
    }

    /// The limit and a copy that cannot be written are errors, not silence.
    #[test]
    fn stops() {
        let data = vec![1u8; CHUNK_BYTES * 3];
        let tee = Tee::new(&data[..], Keep::Digest, 5).unwrap();
        assert!(tee.finish().unwrap_err().to_string().contains("larger than 5 bytes"));
        let full = File::options().write(true).open("/dev/full").unwrap();
        let tee = Tee::new(io::repeat(0), Keep::In(full), u64::MAX).unwrap();
        assert!(tee.finish().unwrap_err().to_string().contains("cannot write the copy"));
    }
}
