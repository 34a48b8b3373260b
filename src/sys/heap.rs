//! Memory for a program that sets one container up and ends.
//!
//! A run asks some 1,300 times for memory, mostly for short texts. The C library's malloc keeps
//! notes before each block, and its frees write to them: after the clone every such write copies a
//! page. Here a block has a size class and nothing around it; one that is given back waits in its
//! class for the next of that size.
//!
//! Only the thread that called [`Heap::begin`] is served from here. What other threads want, and
//! what is large or oddly aligned, is the C library's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::{NonNull, copy_nonoverlapping, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::mm::{MapFlags, ProtFlags};

/// Blocks are multiples of this, and aligned to it.
const UNIT: usize = 16;
/// Up to here each multiple has a class, above each power of two.
const SMALL: usize = 1024;
/// Larger blocks are the C library's: there are few, and it moves them by their pages.
const LARGEST: usize = 64 << 10;
const CLASSES: usize = SMALL / UNIT + 1 + (LARGEST / SMALL).ilog2() as usize;
/// Where blocks lie: address space, which is no memory until it is written to.
const SPACE: usize = 64 << 20;

thread_local! {
    /// Is this the thread that the heap serves?
    static SERVED: Cell<bool> = const { Cell::new(false) };
}

/// A block that was given back.
#[derive(Clone, Copy)]
struct Free {
    next: Option<NonNull<Free>>,
}

/// The heap. There is one in a program, as its global allocator.
#[derive(Debug)]
pub struct Heap {
    /// Where the space begins; 0 before `begin`.
    start: AtomicUsize,
    /// What of the space is taken.
    taken: Cell<usize>,
    /// For each class the block that was given back last.
    free: [Cell<Option<NonNull<Free>>>; CLASSES],
}

// SAFETY: `start` is atomic; the cells are touched only by the one thread whose SERVED is true.
unsafe impl Sync for Heap {}

impl Default for Heap {
    fn default() -> Self {
        Self::new()
    }
}

impl Heap {
    /// A heap without memory.
    pub const fn new() -> Self {
        let free = [const { Cell::new(None) }; CLASSES];
        Self { start: AtomicUsize::new(0), taken: Cell::new(0), free }
    }

    /// From here on the calling thread is served, and it alone. To be called once.
    pub fn begin(&self) {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new anonymous mapping at a place that the kernel chooses aliases nothing.
        let space = unsafe { rustix::mm::mmap_anonymous(null_mut(), SPACE, protection, flags) };
        // Without it all is the C library's.
        if let Ok(space) = space
            && self.start.compare_exchange(0, space as usize, Ordering::Relaxed, Ordering::Relaxed)
                == Ok(0)
        {
            SERVED.set(true);
        }
    }

    /// The class of a block that this thread gets from here.
    fn class(layout: Layout) -> Option<usize> {
        let ours = (1..=LARGEST).contains(&layout.size()) && layout.align() <= UNIT;
        let ours = ours && SERVED.get();
        ours.then(|| class_of(layout.size()))
    }

    /// Does the block lie in the space?
    fn has(&self, block: *mut u8) -> bool {
        let start = self.start.load(Ordering::Relaxed);
        start != 0 && (block as usize).wrapping_sub(start) < SPACE
    }

    /// A block that was given back.
    fn again(&self, class: usize) -> Option<*mut u8> {
        let block = self.free[class].get()?;
        // SAFETY: whoever gave it back left in it which one comes next, and nobody has had it
        // since.
        self.free[class].set(unsafe { block.read() }.next);
        Some(block.as_ptr().cast())
    }

    /// A block of the space that nobody has had: all of it is zero.
    fn untouched(&self, class: usize) -> Option<*mut u8> {
        let taken = self.taken.get();
        let after = taken + size_of_class(class);
        if after > SPACE {
            return None;
        }
        self.taken.set(after);
        Some((self.start.load(Ordering::Relaxed) + taken) as *mut u8)
    }
}

fn class_of(size: usize) -> usize {
    match size.div_ceil(SMALL) {
        0 | 1 => size.div_ceil(UNIT),
        more => SMALL / UNIT + more.next_power_of_two().ilog2() as usize,
    }
}

fn size_of_class(class: usize) -> usize {
    match class.checked_sub(SMALL / UNIT) {
        None | Some(0) => class * UNIT,
        Some(power) => SMALL << power,
    }
}

// SAFETY: a block is handed out once until it is given back: from the untouched part of the space,
// or from the list of its class, whose blocks are at least as large as any layout of that class.
// All start at multiples of UNIT. What is not ours goes to the C library and back to it: `has`
// tells by the address whose a block is.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let ours = Self::class(layout).and_then(|c| self.again(c).or_else(|| self.untouched(c)));
        // SAFETY: the caller's promises are passed on.
        ours.unwrap_or_else(|| unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let class = Self::class(layout);
        if let Some(block) = class.and_then(|class| self.again(class)) {
            // SAFETY: the block is as long as the layout, and nobody else's.
            unsafe { block.write_bytes(0, layout.size()) };
            return block;
        }
        // SAFETY: the caller's promises are passed on.
        let other = || unsafe { System.alloc_zeroed(layout) };
        class.and_then(|class| self.untouched(class)).unwrap_or_else(other)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if !self.has(block) {
            // SAFETY: it is not of the space, so it is the C library's.
            return unsafe { System.dealloc(block, layout) };
        }
        // A block that another thread lets go of stays taken.
        if let (Some(class), Some(free)) = (Self::class(layout), NonNull::new(block.cast())) {
            // SAFETY: the block is ours, of this class, nobody's any more, aligned to UNIT and at
            // least that long, so a pointer has room in it.
            unsafe { free.write(Free { next: self.free[class].get() }) };
            self.free[class].set(Some(free));
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !self.has(block) {
            // SAFETY: it is not of the space, so it is the C library's.
            return unsafe { System.realloc(block, layout, size) };
        }
        // SAFETY: the caller promises that the size is not too large for the alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        let (class, new) = (Self::class(layout), Self::class(wanted));
        if class.is_some() && class == new {
            return block;
        }
        // SAFETY: both blocks are valid for the shorter of the two sizes, and they are two.
        unsafe {
            let moved = self.alloc(wanted);
            if !moved.is_null() {
                copy_nonoverlapping(block, moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap_or_else(|_| Layout::new::<u64>())
    }

    /// A class has room for every size in it, and the classes grow.
    #[test]
    fn classes() {
        let mut before = 0;
        for size in 1..=LARGEST {
            let class = class_of(size);
            assert!(size <= size_of_class(class) && class < CLASSES, "{size}");
            assert!(class == before || class == before + 1, "{size}");
            before = class;
        }
        assert_eq!((class_of(1024), class_of(1025), class_of(LARGEST)), (64, 65, CLASSES - 1));
    }

    /// Blocks of all sizes keep what is written to them, also while they grow and shrink, and
    /// what is given back is used again.
    #[test]
    fn blocks_keep_their_content() {
        let heap = Heap::new();
        heap.begin();
        let mut blocks = Vec::new();
        for round in 0..4000_usize {
            let (size, mark) = (1 + round * 37 % 90_000, u8::try_from(round % 251).unwrap_or(0));
            // SAFETY: no size is 0; every block is written to within its size.
            let block = unsafe { heap.alloc(layout(size)) };
            assert!(!block.is_null() && (block as usize).is_multiple_of(UNIT));
            // SAFETY: as above.
            unsafe { block.write_bytes(mark, size) };
            if round % 5 == 0 {
                // SAFETY: as above; it is given back at once, with a mark in it.
                unsafe {
                    let zeroed = heap.alloc_zeroed(layout(size));
                    let seen = std::slice::from_raw_parts(zeroed, size);
                    assert!(seen.iter().all(|byte| *byte == 0), "{size}");
                    zeroed.write_bytes(0xff, size);
                    heap.dealloc(zeroed, layout(size));
                }
            }
            blocks.push((block, size, mark));
            if round % 3 == 0 {
                let (block, size, mark) = blocks.swap_remove(round * 7 % blocks.len());
                let new = 1 + size * 3 % 80_000;
                // SAFETY: the block and its layout belong together; its first bytes are kept.
                unsafe {
                    let moved = heap.realloc(block, layout(size), new);
                    let kept = std::slice::from_raw_parts(moved, size.min(new));
                    assert!(kept.iter().all(|byte| *byte == mark));
                    heap.dealloc(moved, layout(new));
                }
            }
        }
        for (block, size, mark) in blocks {
            // SAFETY: the block is as long as it was asked for; it is given back once.
            unsafe {
                assert!(std::slice::from_raw_parts(block, size).iter().all(|byte| *byte == mark));
                heap.dealloc(block, layout(size));
            }
        }
        let taken = heap.taken.get();
        for _ in 0..1000 {
            // SAFETY: taken and given back.
            unsafe { heap.dealloc(heap.alloc(layout(48)), layout(48)) };
        }
        assert_eq!(heap.taken.get(), taken);
    }

    /// Another thread is the C library's guest, and may let go of what it was handed.
    #[test]
    fn other_threads_are_not_served() {
        let heap = Heap::new();
        heap.begin();
        // SAFETY: the blocks are given back once, with the layouts that they were asked for with.
        let here = unsafe { heap.alloc(layout(40)) } as usize;
        let taken = heap.taken.get();
        assert!(heap.has(here as *mut u8));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // SAFETY: as above.
                unsafe {
                    let there = heap.alloc(layout(40));
                    assert!(!heap.has(there));
                    heap.dealloc(there, layout(40));
                    heap.dealloc(here as *mut u8, layout(40));
                }
            });
        });
        // SAFETY: as above.
        let again = unsafe { heap.alloc(layout(40)) } as usize;
        assert_ne!(again, here);
        assert!(heap.taken.get() > taken);
    }
}
