//! The heap: memory is handed out in order and never taken back. Deterministic and next to free, and a program that
//! runs one block and stops has no use for more.

use core::{
    alloc::{GlobalAlloc, Layout},
    ptr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// An allocator over one region of zeroed memory, for one thread.
#[derive(Debug)]
pub(crate) struct Bump {
    start: *const u8,
    end: *const u8,
    used_bytes: AtomicUsize,
}

// SAFETY: the machine has one hart and no interrupts.
unsafe impl Sync for Bump {}

impl Bump {
    /// An allocator over `start..end`, which must be zeroed, writable, and nobody else's.
    pub(crate) const fn new(start: *const u8, end: *const u8) -> Self {
        Self { start, end, used_bytes: AtomicUsize::new(0) }
    }
}

// SAFETY: blocks lie within the region, are aligned as asked, and never overlap, because `used_bytes` only grows.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.start.addr();
        let block = || {
            let free = start.checked_add(self.used_bytes.load(Relaxed))?;
            let block = free.checked_next_multiple_of(layout.align())?;
            let end = block.checked_add(layout.size())?;
            (end <= self.end.addr()).then_some((block, end))
        };
        let Some((block, end)) = block() else { return ptr::null_mut() };
        self.used_bytes.store(end - start, Relaxed);
        self.start.with_addr(block).cast_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout. The block is zeroed already: the region was, and no part is handed out twice.
        unsafe { self.alloc(layout) }
    }

    /// Grows the newest block in place, so that a vector filled bit by bit costs no more than its length.
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size <= layout.size() {
            return block;
        }
        let used = block.addr() + layout.size() - self.start.addr();
        let end = block.addr().checked_add(size).filter(|end| *end <= self.end.addr());
        if let Some(end) = end.filter(|_| used == self.used_bytes.load(Relaxed)) {
            self.used_bytes.store(end - self.start.addr(), Relaxed);
            return block;
        }
        // SAFETY: `size` is not zero and the caller warrants that it fits a layout; the new block is another one,
        // and longer than the old.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, layout.size());
            }
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 256;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).expect("a layout")
    }

    fn with_heap(test: impl FnOnce(&Bump)) {
        let mut region = vec![0u8; BYTES];
        let range = region.as_mut_ptr_range();
        test(&Bump::new(range.start, range.end));
    }

    #[test]
    fn blocks_are_aligned_and_apart() {
        with_heap(|heap| {
            // SAFETY: nonzero layouts, and only the blocks are written.
            unsafe {
                let a = heap.alloc(layout(3, 1));
                let b = heap.alloc(layout(16, 16));
                a.write_bytes(0xaa, 3);
                assert_eq!(b.addr() % 16, 0);
                assert!(b.addr() >= a.addr() + 3);
                assert_eq!(b.cast::<u128>().read(), 0);
            }
        });
    }

    #[test]
    fn newest_block_grows_in_place_and_others_move() {
        with_heap(|heap| {
            // SAFETY: nonzero layouts, and every block is given back as it was last sized.
            unsafe {
                let a = heap.alloc(layout(4, 4));
                a.cast::<u32>().write(7);
                assert_eq!(heap.realloc(a, layout(4, 4), 8), a);
                let b = heap.alloc(layout(1, 1));
                assert_eq!(b.addr(), a.addr() + 8);
                let moved = heap.realloc(a, layout(8, 4), 12);
                assert_ne!(moved, a);
                assert_eq!(moved.cast::<u32>().read(), 7);
                assert_eq!(heap.realloc(moved, layout(12, 4), 4), moved);
            }
        });
    }

    #[test]
    fn exhausted_heap_returns_null() {
        with_heap(|heap| {
            // SAFETY: nonzero layouts.
            unsafe {
                let all = heap.alloc(layout(BYTES, 1));
                assert!(!all.is_null());
                assert!(heap.alloc(layout(1, 1)).is_null());
                assert!(heap.realloc(all, layout(BYTES, 1), BYTES + 1).is_null());
                assert!(heap.alloc(layout(isize::MAX as usize, 1)).is_null());
            }
        });
    }
}
