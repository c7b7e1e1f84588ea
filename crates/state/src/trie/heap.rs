//! Memory for records, in chunks that never move. A new record reuses a freed record of the same
//! size.

use alloc::vec::Vec;

use super::arena::record_bytes;

/// Bytes in a chunk.
const CHUNK_BYTES: usize = 1 << 20;
/// A record's number is its distance from the start in these units.
const UNIT_BYTES: usize = 4;
const CHUNK_UNITS: u32 = 1 << 18;
/// The end of a free list.
const NONE: u32 = u32::MAX;

/// Records of branches, by number of children.
#[derive(Clone, Debug)]
pub(super) struct Heap {
    chunks: Vec<Vec<u8>>,
    /// The first free record for each number of children. A free record holds the number of the
    /// next.
    free: [u32; 17],
    free_bytes: usize,
}

impl Default for Heap {
    fn default() -> Self {
        Self { chunks: Vec::new(), free: [NONE; 17], free_bytes: 0 }
    }
}

impl Heap {
    /// The bytes from a record on to the end of its chunk.
    #[inline]
    pub(super) fn record(&self, record: u32) -> &[u8] {
        &self.chunks[(record / CHUNK_UNITS) as usize]
            [(record % CHUNK_UNITS) as usize * UNIT_BYTES..]
    }

    /// The bytes from a record on to the end of its chunk.
    #[inline]
    pub(super) fn record_mut(&mut self, record: u32) -> &mut [u8] {
        let chunk = &mut self.chunks[(record / CHUNK_UNITS) as usize];
        &mut chunk[(record % CHUNK_UNITS) as usize * UNIT_BYTES..]
    }

    /// Allocates a record for this many children. Its content is arbitrary.
    pub(super) fn take(&mut self, children: usize) -> u32 {
        let bytes = record_bytes(children);
        let head = self.free[children];
        if head != NONE {
            let next = self.record(head).first_chunk().expect("invariant: a record has a head");
            self.free[children] = u32::from_le_bytes(*next);
            self.free_bytes -= bytes;
            return head;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() + bytes > CHUNK_BYTES) {
            // Only the first chunk grows gradually, so that a small trie stays small.
            let capacity = if self.chunks.is_empty() { 0 } else { CHUNK_BYTES };
            self.chunks.push(Vec::with_capacity(capacity));
        }
        let number = self.chunks.len() - 1;
        let chunk = &mut self.chunks[number];
        let at = number * (CHUNK_BYTES / UNIT_BYTES) + chunk.len() / UNIT_BYTES;
        chunk.resize(chunk.len() + bytes, 0);
        u32::try_from(at).expect("invariant: an arena has less than 4 GiB")
    }

    /// Frees a record for this many children.
    pub(super) fn give(&mut self, record: u32, children: usize) {
        let next = core::mem::replace(&mut self.free[children], record);
        self.record_mut(record)[..4].copy_from_slice(&next.to_le_bytes());
        self.free_bytes += record_bytes(children);
    }

    /// Bytes of all records, and how many of them are free.
    pub(super) fn usage(&self) -> (usize, usize) {
        (self.chunks.iter().map(Vec::len).sum(), self.free_bytes)
    }

    /// Bytes that the heap takes.
    pub(super) fn memory(&self) -> usize {
        self.chunks.iter().map(Vec::capacity).sum()
    }
}
