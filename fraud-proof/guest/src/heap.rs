//! The guest's heap: size classes, each with a list of freed blocks, and fresh memory behind the
//! last block.
//!
//! It is deterministic and takes a handful of instructions per call. Blocks are not split or
//! joined: a freed block is reused for its size class only, so the heap grows to at most the sum of
//! each class's peak.

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::UnsafeCell,
    ptr,
};

/// Alignment of every block.
const ALIGN: usize = 16;

/// Largest small block. Small blocks have a class per multiple of [`ALIGN`], larger ones a class
/// per power of two.
const SMALL_BYTES_MAX: usize = 1024;

/// Classes of small blocks.
const SMALL_CLASSES: usize = SMALL_BYTES_MAX / ALIGN;

/// Classes of large blocks: up to the machine's whole memory.
const LARGE_CLASSES: usize = 32 - SMALL_BYTES_MAX.ilog2() as usize;

/// An allocator over one region of zeroed memory, for one thread.
#[derive(Debug)]
pub(crate) struct Heap(UnsafeCell<Blocks>);

#[derive(Debug)]
struct Blocks {
    /// Start of the memory that was never allocated: zeroed.
    fresh: *const u8,
    end: *const u8,
    /// The block freed last, by class. Each holds the address of the next.
    free: [*mut u8; SMALL_CLASSES + LARGE_CLASSES],
}

// SAFETY: the machine has one hart and no interrupts.
unsafe impl Sync for Heap {}

/// The size class and its block size in bytes. `None` for more bytes than the machine has.
const fn class_of(size: usize) -> Option<(usize, usize)> {
    if size <= SMALL_BYTES_MAX {
        let class = size.saturating_sub(1) / ALIGN;
        return Some((class, (class + 1) * ALIGN));
    }
    if size > 1 << 32 {
        return None;
    }
    let power = size.next_power_of_two().ilog2() as usize;
    Some((SMALL_CLASSES + power - SMALL_BYTES_MAX.ilog2() as usize - 1, 1 << power))
}

impl Heap {
    /// An allocator over `start..end`, which must be zeroed, writable and used by nothing else.
    pub(crate) const fn new(start: *const u8, end: *const u8) -> Self {
        let free = [ptr::null_mut(); SMALL_CLASSES + LARGE_CLASSES];
        Self(UnsafeCell::new(Blocks { fresh: start, end, free }))
    }

    /// # Safety
    ///
    /// No other reference may be in use.
    #[expect(clippy::mut_from_ref, reason = "the cell is not shared between threads")]
    unsafe fn blocks(&self) -> &mut Blocks {
        // SAFETY: the caller holds no other reference.
        unsafe { &mut *self.0.get() }
    }
}

impl Blocks {
    /// Takes a block from fresh memory.
    fn take_fresh(&mut self, size: usize, align: usize) -> *mut u8 {
        let block = || {
            let block = self.fresh.addr().checked_next_multiple_of(align)?;
            let end = block.checked_add(size)?;
            (end <= self.end.addr()).then_some((block, end))
        };
        let Some((block, end)) = block() else { return ptr::null_mut() };
        let block = self.fresh.with_addr(block).cast_mut();
        self.fresh = self.fresh.with_addr(end);
        block
    }

    /// Takes a freed block.
    fn take_free(&mut self, class: usize) -> Option<*mut u8> {
        let block = self.free[class];
        if block.is_null() {
            return None;
        }
        // SAFETY: blocks in the list are the heap's, aligned, large enough, and hold the next
        // block's address.
        self.free[class] = unsafe { block.cast::<*mut u8>().read() };
        Some(block)
    }
}

// SAFETY: blocks lie within the region, have the requested alignment and do not overlap: they come
// from fresh memory, which is used once, or were freed.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((class, size)) = class_of(layout.size()) else { return ptr::null_mut() };
        // SAFETY: one thread, and the reference ends here.
        let blocks = unsafe { self.blocks() };
        if layout.align() > ALIGN {
            return blocks.take_fresh(size, layout.align());
        }
        blocks.take_free(class).unwrap_or_else(|| blocks.take_fresh(size, ALIGN))
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some((class, _)) = class_of(layout.size()) else { return };
        // SAFETY: one thread, and the reference ends here.
        let blocks = unsafe { self.blocks() };
        // SAFETY: the caller frees the block, which is aligned and has at least 16 bytes.
        unsafe { block.cast::<*mut u8>().write(blocks.free[class]) };
        blocks.free[class] = block;
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and the reference ends here.
        let fresh = unsafe { self.blocks() }.fresh.addr();
        // SAFETY: the caller's layout.
        let block = unsafe { self.alloc(layout) };
        if !block.is_null() && block.addr() < fresh {
            // SAFETY: the block has that size. Fresh memory is zeroed already.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let (Some((old, old_bytes)), Some((new, new_bytes))) =
            (class_of(layout.size()), class_of(size))
        else {
            return ptr::null_mut();
        };
        if old == new {
            return block;
        }
        // SAFETY: one thread, and the reference ends here.
        let blocks = unsafe { self.blocks() };
        // The last block before fresh memory grows in place, so a vector that grows step by step
        // leaves no freed blocks.
        let end = block.addr() + new_bytes;
        if block.addr() + old_bytes == blocks.fresh.addr() && old < new && end <= blocks.end.addr() {
            blocks.fresh = blocks.fresh.with_addr(end);
            return block;
        }
        // SAFETY: the caller guarantees that the size fits a layout. The blocks differ, and the
        // shorter length is within both.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 1 << 17;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).expect("a layout")
    }

    fn with_heap(test: impl FnOnce(&Heap)) {
        let mut region = vec![0u128; BYTES / 16];
        let range = region.as_mut_ptr_range();
        test(&Heap::new(range.start.cast(), range.end.cast()));
    }

    #[test]
    fn size_classes_waste_half_at_most() {
        let mut last = (0, 16);
        for size in (1..5_000).chain((5_000..=1 << 32).step_by(99_991)).chain([1 << 31, 1 << 32]) {
            let (class, bytes) = class_of(size).expect("a class");
            assert!(bytes >= size && bytes % ALIGN == 0, "{size}");
            assert!(bytes - size < ALIGN.max(size), "{size} in {bytes}");
            assert!(class < SMALL_CLASSES + LARGE_CLASSES);
            assert_eq!(class_of(bytes), Some((class, bytes)), "a class holds its own size");
            if size < 5_000 {
                assert!((class, bytes) == last || (class == last.0 + 1 && bytes > last.1));
                last = (class, bytes);
            }
        }
        assert_eq!(class_of((1 << 32) + 1), None);
        assert_eq!(class_of(usize::MAX), None);
    }

    #[test]
    fn blocks_are_aligned_and_never_overlap() {
        with_heap(|heap| {
            // SAFETY: nonzero layouts, and only the blocks are written.
            unsafe {
                let a = heap.alloc(layout(3, 1));
                let b = heap.alloc(layout(17, 16));
                let c = heap.alloc(layout(32, 256));
                a.write_bytes(0xaa, 3);
                assert_eq!((b.addr() % 16, c.addr() % 256), (0, 0));
                assert!(b.addr() >= a.addr() + 3 && c.addr() >= b.addr() + 17);
                assert_eq!(b.cast::<u128>().read(), 0);
            }
        });
    }

    #[test]
    fn freed_block_is_reused() {
        with_heap(|heap| {
            // SAFETY: nonzero layouts, and every block is freed with the layout of its allocation.
            unsafe {
                for round in 0..4_000 {
                    let size = 1 + round % 3_000;
                    let block = heap.alloc(layout(size, 8));
                    assert!(!block.is_null(), "round {round}");
                    block.write_bytes(0xff, size);
                    heap.dealloc(block, layout(size, 8));
                    let zeroed = heap.alloc_zeroed(layout(size, 1));
                    assert_eq!(zeroed, block, "the newest block of the class");
                    assert!((0..size).all(|i| zeroed.add(i).read() == 0));
                    heap.dealloc(zeroed, layout(size, 1));
                }
            }
        });
    }

    #[test]
    fn newest_block_grows_in_place_and_others_move() {
        with_heap(|heap| {
            // SAFETY: nonzero layouts, and every block is freed with its last layout.
            unsafe {
                let a = heap.alloc(layout(16, 4));
                a.cast::<u32>().write(7);
                assert_eq!(heap.realloc(a, layout(16, 4), 10), a, "same class");
                assert_eq!(heap.realloc(a, layout(10, 4), 100), a);
                let b = heap.alloc(layout(1, 1));
                assert_eq!(b.addr(), a.addr() + 112);
                let moved = heap.realloc(a, layout(100, 4), 200);
                assert!(moved != a && moved != b);
                assert_eq!(moved.cast::<u32>().read(), 7);
                let shrunk = heap.realloc(moved, layout(200, 4), 110);
                assert_eq!((shrunk, shrunk.cast::<u32>().read()), (a, 7), "the block given back");
            }
        });
    }

    /// Allocates blocks of random sizes and checks that each keeps what was written to it.
    #[test]
    fn blocks_keep_their_contents() {
        with_heap(|heap| {
            let mut seed = 1u64;
            let mut random = |below: usize| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 33) as usize % below
            };
            let mut held: Vec<(*mut u8, usize, u8)> = Vec::new();
            // SAFETY: nonzero layouts, and every block is freed with its last layout.
            unsafe {
                for round in 0..20_000 {
                    let (size, fill) = (1 + random(700), round as u8);
                    if held.len() < 12 {
                        let block = heap.alloc(layout(size, 16));
                        assert!(!block.is_null());
                        block.write_bytes(fill, size);
                        held.push((block, size, fill));
                        continue;
                    }
                    let (block, old, old_fill) = held.swap_remove(random(12));
                    assert!((0..old).all(|i| block.add(i).read() == old_fill));
                    if random(2) == 0 {
                        heap.dealloc(block, layout(old, 16));
                        continue;
                    }
                    let moved = heap.realloc(block, layout(old, 16), size);
                    assert!(!moved.is_null());
                    assert!((0..old.min(size)).all(|i| moved.add(i).read() == old_fill));
                    moved.write_bytes(fill, size);
                    held.push((moved, size, fill));
                }
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
                heap.dealloc(all, layout(BYTES, 1));
                assert_eq!(heap.alloc(layout(BYTES, 1)), all);
            }
        });
    }
}
