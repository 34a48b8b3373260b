//! The bytes of one file: a reflink, else a copy in the kernel, else read and write.
//!
//! Which of these the two file systems can do is found out once and then kept: a refused
//! FICLONE for each of 20,000 files would be a tenth of the whole copy.

use std::os::fd::BorrowedFd;

use rustix::fs::{SeekFrom, Stat};
use rustix::io::Errno;

use super::attributes::Step;

/// What has worked so far, and room for bytes.
pub(super) struct Ways {
    reflink: bool,
    in_kernel: bool,
    buffer: Vec<u8>,
}

/// Up to this size one read and one write are quicker than the splice of `copy_file_range`.
const SMALL: usize = 16 * 1024;
/// Large enough that the calls do not count, small enough to stay in the cache.
const BUFFER: usize = 128 * 1024;

impl Ways {
    pub(super) fn new() -> Self {
        Self { reflink: true, in_kernel: true, buffer: vec![0; BUFFER] }
    }

    /// Copies all bytes and keeps the holes. Both files are at their start, `to` is empty.
    pub(super) fn copy(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        stat: &Stat,
    ) -> Step<()> {
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        if size == 0 || self.cloned(from, to) {
            return Ok(());
        }
        let on_disk = u64::try_from(stat.st_blocks).unwrap_or_default() * 512;
        if on_disk < size {
            return self.copy_with_holes(from, to, size);
        }
        self.copy_range(from, to, 0..size)
    }

    fn cloned(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> bool {
        if !self.reflink {
            return false;
        }
        match rustix::fs::ioctl_ficlone(to, from) {
            Ok(()) => true,
            // These are about the file systems; others (a swap file, a file without checksums)
            // are about this file alone.
            Err(Errno::OPNOTSUPP | Errno::XDEV | Errno::NOTTY | Errno::NOSYS) => {
                self.reflink = false;
                false
            }
            Err(_) => false,
        }
    }

    fn copy_with_holes(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, size: u64) -> Step<()> {
        let mut at = 0;
        while at < size {
            let data = match rustix::fs::seek(from, SeekFrom::Data(at)) {
                Ok(data) => data,
                // No data from here to the end.
                Err(Errno::NXIO) => break,
                // The file system knows no holes.
                Err(Errno::INVAL) => return self.copy_range(from, to, at..size),
                Err(e) => return Err(("lseek", e)),
            };
            let hole = rustix::fs::seek(from, SeekFrom::Hole(data)).map_err(|e| ("lseek", e))?;
            self.copy_range(from, to, data..hole.min(size))?;
            at = hole;
        }
        rustix::fs::ftruncate(to, size).map_err(|e| ("ftruncate", e))
    }

    /// Copies a range of bytes; less where the source has become shorter meanwhile.
    fn copy_range(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        range: std::ops::Range<u64>,
    ) -> Step<()> {
        let (mut read_at, mut write_at) = (range.start, range.start);
        while self.in_kernel && read_at < range.end && range.end - range.start > SMALL as u64 {
            let len = usize::try_from(range.end - read_at).unwrap_or(usize::MAX);
            let copied =
                rustix::fs::copy_file_range(from, Some(&mut read_at), to, Some(&mut write_at), len);
            match copied {
                // The end, or a file system that says so (procfs): reading shows which.
                Ok(0) => break,
                Ok(_) => {}
                Err(Errno::INTR) => {}
                Err(Errno::XDEV | Errno::OPNOTSUPP | Errno::NOSYS) => self.in_kernel = false,
                Err(Errno::INVAL) => break,
                Err(e) => return Err(("copy_file_range", e)),
            }
        }
        self.copy_by_hand(from, to, read_at..range.end)
    }

    /// Copies what can be read, whatever the size says; returns how much that was.
    pub(super) fn copy_to_end(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Step<u64> {
        let mut at = 0;
        loop {
            match rustix::io::read(from, &mut self.buffer[..]) {
                Ok(0) | Err(Errno::AGAIN) => return Ok(at),
                Ok(read) => {
                    self.write_all(to, read, at)?;
                    at += read as u64;
                }
                Err(Errno::INTR) => {}
                Err(e) => return Err(("read", e)),
            }
        }
    }

    /// Writes the first `length` bytes of the buffer.
    fn write_all(&self, to: BorrowedFd<'_>, length: usize, at: u64) -> Step<()> {
        let mut written = 0;
        while written < length {
            let place = at + written as u64;
            match rustix::io::pwrite(to, &self.buffer[written..length], place) {
                Ok(0) => return Err(("write", Errno::NOSPC)),
                Ok(more) => written += more,
                Err(Errno::INTR) => {}
                Err(e) => return Err(("write", e)),
            }
        }
        Ok(())
    }

    fn copy_by_hand(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        range: std::ops::Range<u64>,
    ) -> Step<()> {
        let mut at = range.start;
        while at < range.end {
            let room = usize::try_from(range.end - at).unwrap_or(BUFFER).min(BUFFER);
            let read = match rustix::io::pread(from, &mut self.buffer[..room], at) {
                Ok(0) => break,
                Ok(read) => read,
                Err(Errno::INTR) => continue,
                Err(e) => return Err(("read", e)),
            };
            self.write_all(to, read, at)?;
            at += read as u64;
        }
        Ok(())
    }
}
