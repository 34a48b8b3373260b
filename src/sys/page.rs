//! Memory that parent and child share: anonymous, made before the clone, gone with the last.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::mm::{MapFlags, ProtFlags};

use super::Result;

/// A shared anonymous mapping seen as a row of 64-bit words, zero at first.
#[derive(Debug)]
pub struct SharedPage {
    words: NonNull<AtomicU64>,
    count: usize,
}

impl SharedPage {
    /// Maps `count` words.
    pub fn new(count: usize) -> Result<Self> {
        let length = count * size_of::<AtomicU64>();
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new anonymous mapping at a place that the kernel chooses aliases nothing.
        let start = unsafe {
            rustix::mm::mmap_anonymous(std::ptr::null_mut(), length, protection, MapFlags::SHARED)
        }?;
        let words = NonNull::new(start.cast()).ok_or(super::Errno::NOMEM)?;
        Ok(Self { words, count })
    }

    fn all(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is `count` words long, aligned to a page, zeroed by the kernel, lives
        // as long as `self`, and both processes reach it by atomic operations only.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr(), self.count) }
    }

    /// Reads a word.
    pub fn get(&self, index: usize) -> u64 {
        self.all()[index].load(Ordering::Acquire)
    }

    /// Writes a word.
    pub fn set(&self, index: usize, value: u64) {
        self.all()[index].store(value, Ordering::Release);
    }

    /// A word itself, for the kernel to write to.
    pub fn word(&self, index: usize) -> &AtomicU64 {
        &self.all()[index]
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Is there no word at all?
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl Drop for SharedPage {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` with this length and nobody borrows it any more.
        let _ = unsafe {
            rustix::mm::munmap(self.words.as_ptr().cast(), self.count * size_of::<AtomicU64>())
        };
    }
}
