//! The end of a round of changes: links the changed subtrees to their roots, and hashes the roots.

use alloc::{vec, vec::Vec};
use alloy_primitives::B256;

use super::{
    Engine, Grove,
    commit::{ChangedSubtree, HASHED_MAX, Tries},
    root::Root,
};
use crate::trie::{Arena, Leaves, NodeKind, NodeRef, Reader, Word, hash_all, with_nibble};

/// Root branches that one task hashes.
const ROOTS_TASK: usize = 512;

impl Grove {
    /// Links changed subtrees to the roots, and hashes the root branches.
    pub(super) fn finish<L: Leaves>(
        &mut self,
        tries: &mut Tries<'_>,
        starts: &[u8],
        sides: &[ChangedSubtree],
        leaves: &L,
        engine: Engine<'_>,
    ) {
        // For each touched trie and nibble: the index of the changed subtree plus 1, or 0.
        let mut places = vec![[0_u32; 16]; tries.touched.len()];
        for (number, side) in (1_u32..).zip(sides) {
            places[side.trie as usize][usize::from(side.nibble)] = number;
        }
        let mut hashed = Vec::new();
        for ((trie, start), places) in tries.touched.iter().zip(starts).zip(&places) {
            let changed = core::array::from_fn(|nibble| {
                let number = (places[nibble] as usize).checked_sub(1)?;
                Some((sides[number].word, sides[number].reference))
            });
            let root = &mut tries.roots[*trie as usize];
            *root = self.new_root(root, *start, &changed, leaves);
            if let Some(branch) = root.crown() {
                hashed.push((*trie, branch, root.reference));
            }
        }
        let mut tasks: Vec<_> = hashed.chunks_mut(ROOTS_TASK).collect();
        engine.workers.run(&mut tasks, |roots| hash_roots(&self.crown, roots, engine));
        for (trie, _, reference) in hashed {
            tries.roots[trie as usize].reference = reference;
        }
    }

    /// The new root of a trie with changed subtrees. If the root is a branch, its reference is not
    /// computed yet.
    fn new_root<L: Leaves>(
        &mut self,
        root: &Root,
        start: u8,
        changed: &[Option<(Word, NodeRef)>; 16],
        leaves: &L,
    ) -> Root {
        let side = |nibble: u8| match changed[usize::from(nibble)] {
            Some((word, _)) => word,
            None => root.side(&self.crown, nibble),
        };
        let present = (0..16).filter(|nibble| !side(*nibble).is_nil());
        let mask = present.fold(0_u16, |mask, nibble| mask | 1 << nibble);
        if mask.count_ones() <= 1 {
            let nibble = mask.trailing_zeros() % 16;
            let nibble = u8::try_from(nibble).expect("invariant: a nibble");
            let word = side(nibble);
            if let Some(branch) = root.crown() {
                self.crown.free(branch);
            }
            let known = changed[usize::from(nibble)].filter(|_| start == 0);
            let reference = known.map(|(_, reference)| reference);
            let reference = reference.unwrap_or_else(|| self.hang(word, 0, nibble, leaves));
            return Root { word, nibble, reference };
        }
        let branch = match root.crown() {
            Some(branch) => self.crown.reshape(branch, mask),
            None => self.crown.alloc(mask, 0),
        };
        for (nibble, value) in (0..16).zip(0_u8..).filter(|(nibble, _)| mask >> nibble & 1 != 0) {
            let (word, reference) = match changed[nibble] {
                Some(changed) => changed,
                None if root.crown().is_some() => continue,
                // The trie had one subtree, which was the root itself.
                None => (root.word, self.hang(root.word, 1, value, leaves)),
            };
            self.crown.set_child(branch, nibble, word);
            self.crown.set_reference(branch, nibble, &reference);
        }
        Root::in_crown(branch, NodeRef::hash(B256::ZERO))
    }

    /// Moves the only subtree of a trie to depth `start` and returns its reference there.
    fn hang<L: Leaves>(&mut self, word: Word, start: u8, nibble: u8, leaves: &L) -> NodeRef {
        let arena = &mut self.arenas[usize::from(nibble)];
        if let NodeKind::Branch(branch) = word.node() {
            arena.hang(branch, start, &with_nibble(&B256::ZERO, 0, nibble));
        }
        let reference = NodeRef::hash(crate::EMPTY_ROOT);
        let arena = &*arena;
        Reader { root: word, reference, top: arena, below: &|_| arena, leaves }.reference_at(start)
    }

    /// Frees all branches of a trie.
    pub(super) fn free(&mut self, root: &Root) {
        match root.crown() {
            Some(branch) => {
                for (nibble, word) in self.crown.children(branch) {
                    self.arenas[nibble].free_all(word, &mut |_| {});
                }
                self.crown.free(branch);
            }
            None => {
                if let Some(arena) = self.arenas.get_mut(usize::from(root.nibble)) {
                    arena.free_all(root.word, &mut |_| {});
                }
            }
        }
    }

    /// Rewrites one arena without its freed records. The last number is the crown.
    pub(super) fn rewrite<'a>(&mut self, number: usize, roots: impl Iterator<Item = &'a mut Root>) {
        let mut new = Arena::default();
        let is_crown = number == self.arenas.len();
        for root in roots.filter(|root| !root.is_nil()) {
            match root.crown() {
                Some(branch) if is_crown => {
                    let copy = self.crown.copy_shallow(&mut new, branch);
                    *root = Root::in_crown(copy, root.reference);
                }
                Some(branch) => {
                    let word = self.crown.child(branch, number);
                    if !word.is_nil() {
                        let copy = self.arenas[number].copy_to(&mut new, word);
                        self.crown.set_child(branch, number, copy);
                    }
                }
                None if usize::from(root.nibble) == number => {
                    root.word = self.arenas[number].copy_to(&mut new, root.word);
                }
                None => {}
            }
        }
        match self.arenas.get_mut(number) {
            Some(arena) => *arena = new,
            None => self.crown = new,
        }
    }
}

/// Hashes root branches.
fn hash_roots(crown: &Arena, roots: &mut [(u32, u32, NodeRef)], engine: Engine<'_>) {
    for some in roots.chunks_mut(HASHED_MAX) {
        let (mut encoded, mut ends) = (Vec::new(), Vec::new());
        for (_, branch, _) in some.iter() {
            crown.encode(*branch, &mut encoded);
            ends.push(encoded.len());
        }
        let starts = core::iter::once(&0).chain(&ends);
        let messages: Vec<&[u8]> =
            starts.zip(&ends).map(|(start, end)| &encoded[*start..*end]).collect();
        let mut hashes = vec![[0; 32]; messages.len()];
        hash_all(Some(engine.backend), &messages, &mut hashes);
        for ((root, message), hash) in some.iter_mut().zip(messages).zip(hashes) {
            root.2 = NodeRef::inline(message).unwrap_or_else(|| NodeRef::hash(hash.into()));
        }
    }
}
