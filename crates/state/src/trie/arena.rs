//! Storage of branches: each branch has a record of exactly the size that it needs.
//!
//! ```text
//! 0   mask      u16   which nibbles have a child
//! 2   inline    u16   which children's references are encodings, not hashes
//! 4   dirty     u16   which children's references are to be computed
//! 6   depth     u8    position of the nibble that selects the child
//! 7   unused    u8
//! 8   path      u32   a key that passes through the branch, if it is below a gap
//! 12  children  u32   for each child, in the order of nibbles
//! ..  references      32 bytes for each child: hash or inlined encoding
//! ```
//!
//! So the record alone suffices to encode a branch, and a full trie stores nothing for a leaf
//! except its word and reference in the parent's record. A branch that gains or loses a child moves
//! to a record of another size.

use alloc::vec::Vec;
use alloy_primitives::B256;

use super::{encode::encode_branch, heap::Heap, reference::NodeRef, slab::Slab, word::Word};

const HEAD_BYTES: usize = 12;
const REFERENCE_BYTES: usize = 32;
const RECORD_BYTES_MAX: usize = record_bytes(16);
/// The branch has no path.
const NONE: u32 = u32::MAX;

/// The header of a branch's record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BranchHeader {
    pub(crate) mask: u16,
    pub(crate) inline: u16,
    pub(crate) dirty: u16,
    pub(crate) depth: u8,
    path: u32,
}

impl BranchHeader {
    /// The index of a nibble's child among the children.
    #[inline]
    pub(crate) fn slot(&self, nibble: usize) -> usize {
        (self.mask & ((1 << nibble) - 1)).count_ones() as usize
    }

    #[inline]
    pub(crate) fn has(&self, nibble: usize) -> bool {
        self.mask >> nibble & 1 != 0
    }

    fn children(&self) -> usize {
        self.mask.count_ones() as usize
    }
}

/// An extension whose branch is blinded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlindedBranch {
    /// Any key that shares the nibbles before `depth` with all keys below.
    pub(crate) key: B256,
    /// Position of the nibble that selects the blinded branch's child.
    pub(crate) depth: u8,
    /// Hash of the branch without the extension.
    pub(crate) hash: B256,
}

/// The branches of one or more tries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arena {
    heap: Heap,
    paths: Slab<B256>,
    pub(super) blinded: Slab<BlindedBranch>,
}

impl Arena {
    #[inline]
    pub(crate) fn head(&self, branch: u32) -> BranchHeader {
        let head: &[u8; HEAD_BYTES] =
            self.record(branch).first_chunk().expect("invariant: a record has a head");
        let half = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        BranchHeader {
            mask: half(0),
            inline: half(2),
            dirty: half(4),
            depth: head[6],
            path: u32::from_le_bytes([head[8], head[9], head[10], head[11]]),
        }
    }

    /// A key that passes through a branch. `None` if no extension is above the branch.
    #[inline]
    pub(crate) fn path(&self, head: &BranchHeader) -> Option<&B256> {
        (head.path != NONE).then(|| self.paths.get(head.path))
    }

    /// The child at a nibble, or `Word::NIL`.
    #[inline]
    pub(crate) fn child(&self, branch: u32, nibble: usize) -> Word {
        let head = self.head(branch);
        if head.has(nibble) { self.child_at(branch, head.slot(nibble)) } else { Word::NIL }
    }

    #[inline]
    pub(crate) fn child_at(&self, branch: u32, slot: usize) -> Word {
        let at = HEAD_BYTES + slot * 4;
        let bytes = &self.record(branch)[at..at + 4];
        Word::from_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    pub(crate) fn set_child(&mut self, branch: u32, nibble: usize, child: Word) {
        let at = HEAD_BYTES + self.head(branch).slot(nibble) * 4;
        self.record_mut(branch)[at..at + 4].copy_from_slice(&child.to_bytes());
    }

    /// The nibbles and children of a branch.
    pub(crate) fn children(&self, branch: u32) -> impl Iterator<Item = (usize, Word)> + use<> {
        let head = self.head(branch);
        let words = self.words(branch, &head);
        nibbles(head.mask).zip(words)
    }

    fn words(&self, branch: u32, head: &BranchHeader) -> [Word; 16] {
        let bytes = &self.record(branch)[HEAD_BYTES..][..head.children() * 4];
        let mut words = [Word::NIL; 16];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = Word::from_bytes(*bytes);
        }
        words
    }

    /// The reference by which the branch's encoding names an existing child.
    pub(crate) fn reference(&self, branch: u32, nibble: usize) -> NodeRef {
        let head = self.head(branch);
        let at = reference_at(&head, head.slot(nibble));
        let bytes = self.record(branch)[at..].first_chunk().expect("invariant: within a record");
        NodeRef::from_record(bytes, head.inline >> nibble & 1 != 0)
    }

    #[inline]
    pub(crate) fn set_reference(&mut self, branch: u32, nibble: usize, reference: &NodeRef) {
        let head = self.head(branch);
        let at = reference_at(&head, head.slot(nibble));
        let bit = 1 << nibble;
        let inline = if reference.is_inline() { head.inline | bit } else { head.inline & !bit };
        let record = self.record_mut(branch);
        record[at..at + REFERENCE_BYTES].copy_from_slice(reference.bytes());
        if inline != head.inline {
            record[2..4].copy_from_slice(&inline.to_le_bytes());
        }
    }

    pub(crate) fn mark_dirty(&mut self, branch: u32, children: u16) {
        let dirty = self.head(branch).dirty | children;
        self.record_mut(branch)[4..6].copy_from_slice(&dirty.to_le_bytes());
    }

    pub(crate) fn mark_clean(&mut self, branch: u32) {
        self.record_mut(branch)[4..6].fill(0);
    }

    /// Allocates a record for a branch with these children. All of them are [`Word::NIL`] at first.
    pub(crate) fn alloc(&mut self, mask: u16, depth: u8) -> u32 {
        let children = mask.count_ones() as usize;
        let branch = self.heap.take(children);
        let record = self.record_mut(branch);
        record[0..2].copy_from_slice(&mask.to_le_bytes());
        record[2..6].fill(0);
        record[6..8].copy_from_slice(&[depth, 0]);
        record[8..HEAD_BYTES].copy_from_slice(&NONE.to_le_bytes());
        record[HEAD_BYTES..HEAD_BYTES + children * 4].fill(u8::MAX);
        branch
    }

    /// Frees a branch's record and its path, but not its children.
    pub(crate) fn free(&mut self, branch: u32) {
        let head = self.head(branch);
        if head.path != NONE {
            self.paths.remove(head.path);
        }
        self.heap.give(branch, head.children());
    }

    /// Moves a branch to a record for another set of children. Children in both sets keep word and
    /// reference.
    pub(crate) fn reshape(&mut self, branch: u32, mask: u16) -> u32 {
        let old = self.head(branch);
        if old.mask == mask {
            return branch;
        }
        let mut copy = [0; RECORD_BYTES_MAX];
        let copy = &mut copy[..record_bytes(old.children())];
        copy.copy_from_slice(&self.record(branch)[..copy.len()]);
        let new = self.alloc(mask, old.depth);
        let head = self.head(new);
        let record = self.record_mut(new);
        record[2..4].copy_from_slice(&(old.inline & mask).to_le_bytes());
        record[4..6].copy_from_slice(&(old.dirty & mask).to_le_bytes());
        record[8..HEAD_BYTES].copy_from_slice(&old.path.to_le_bytes());
        for nibble in nibbles(old.mask & mask) {
            let (from, to) = (old.slot(nibble), head.slot(nibble));
            let (from_word, to_word) = (HEAD_BYTES + from * 4, HEAD_BYTES + to * 4);
            record[to_word..to_word + 4].copy_from_slice(&copy[from_word..from_word + 4]);
            let (from, to) = (reference_at(&old, from), reference_at(&head, to));
            record[to..to + REFERENCE_BYTES].copy_from_slice(&copy[from..from + REFERENCE_BYTES]);
        }
        self.heap.give(branch, old.children());
        new
    }

    /// Records that the branch now starts at depth `start`, on the path of `key`.
    pub(crate) fn hang(&mut self, branch: u32, start: u8, key: &B256) {
        let head = self.head(branch);
        let path = match (head.depth == start, head.path) {
            (true, NONE) => return,
            (true, path) => {
                self.paths.remove(path);
                NONE
            }
            (false, NONE) => self.paths.insert(*key),
            // The stored key still passes through the branch.
            (false, _) => return,
        };
        self.record_mut(branch)[8..HEAD_BYTES].copy_from_slice(&path.to_le_bytes());
    }

    /// Frees all branches from `word` down, and calls `leaf` for each leaf.
    pub(crate) fn free_all(&mut self, word: Word, leaf: &mut impl FnMut(u32)) {
        match word.node() {
            super::NodeKind::Leaf(number) => leaf(number),
            super::NodeKind::Branch(branch) => {
                for (_, child) in self.children(branch) {
                    self.free_all(child, leaf);
                }
                self.free(branch);
            }
            super::NodeKind::BlindedBranch(number) => self.blinded.remove(number),
            super::NodeKind::Nil | super::NodeKind::Blinded => {}
        }
    }

    /// Encodes a branch, without the extension above it, from its children's references.
    #[inline]
    pub(crate) fn encode(&self, branch: u32, out: &mut Vec<u8>) {
        let head = self.head(branch);
        let at = reference_at(&head, 0);
        let references = &self.record(branch)[at..at + head.children() * REFERENCE_BYTES];
        encode_branch(head.mask, head.inline, references.as_chunks().0, out);
    }

    /// Copies a branch, not its children, into another arena.
    pub(crate) fn copy_shallow(&self, other: &mut Self, branch: u32) -> u32 {
        let head = self.head(branch);
        let copy = other.alloc(head.mask, head.depth);
        let bytes = record_bytes(head.children());
        other.record_mut(copy)[..bytes].copy_from_slice(&self.record(branch)[..bytes]);
        let path = self.path(&head).map_or(NONE, |path| other.paths.insert(*path));
        other.record_mut(copy)[8..HEAD_BYTES].copy_from_slice(&path.to_le_bytes());
        copy
    }

    /// Copies the branches from `word` down into another arena, depth first.
    pub(crate) fn copy_to(&self, other: &mut Self, word: Word) -> Word {
        let super::NodeKind::Branch(branch) = word.node() else { return word };
        let copy = self.copy_shallow(other, branch);
        for (nibble, child) in self.children(branch) {
            let child = self.copy_to(other, child);
            other.set_child(copy, nibble, child);
        }
        Word::branch(copy)
    }

    /// Bytes that the arena takes.
    pub(crate) fn memory(&self) -> usize {
        self.heap.memory() + self.paths.memory() + self.blinded.memory()
    }

    /// Bytes of all records, and how many of them are free.
    pub(crate) fn usage(&self) -> (usize, usize) {
        self.heap.usage()
    }

    #[inline]
    fn record(&self, branch: u32) -> &[u8] {
        self.heap.record(branch)
    }

    #[inline]
    fn record_mut(&mut self, branch: u32) -> &mut [u8] {
        self.heap.record_mut(branch)
    }
}

/// The nibbles in a mask.
#[inline]
pub(crate) fn nibbles(mut mask: u16) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let nibble = (mask != 0).then(|| mask.trailing_zeros() as usize);
        mask &= mask.wrapping_sub(1);
        nibble
    })
}

pub(super) const fn record_bytes(children: usize) -> usize {
    HEAD_BYTES + children * (4 + REFERENCE_BYTES)
}

fn reference_at(head: &BranchHeader, slot: usize) -> usize {
    HEAD_BYTES + head.children() * 4 + slot * REFERENCE_BYTES
}
