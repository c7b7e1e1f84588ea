//! Changes a [`Trie`] key by key: resolve the path, then change it. Hashing waits until the root is
//! read.

use alloc::vec::Vec;
use alloy_primitives::B256;

use super::{
    Editor, LeafChange, NodeKind, NodeRef, NodeSource, Pending, ReferenceTarget, Trie, TrieError,
    Word,
    arena::nibbles,
    encode::encode_extension,
    nibbles::{common_nibbles, nibble, with_nibble},
};
use crate::changes::EntryChange;

/// The location of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    Root,
    Child { branch: u32, nibble: usize },
}

/// The end of a search.
pub(super) struct ResolvedPath {
    /// The key's leaf, if the trie holds the key.
    pub(super) leaf: Option<u32>,
    spot: Spot,
}

impl Trie {
    /// Sets the value of `key`. An empty value removes the key, because Ethereum's tries hold no
    /// empty values. If it fails, nothing changes.
    pub fn insert(
        &mut self,
        key: &B256,
        value: &[u8],
        source: &mut impl NodeSource,
    ) -> Result<(), TrieError> {
        if value.is_empty() {
            return self.remove(key, source);
        }
        match self.resolve(key, source)?.leaf {
            Some(leaf) => {
                if self.leaves.set(leaf, value) {
                    self.edit(LeafChange::new(EntryChange::Touch, *key, leaf));
                }
            }
            None => {
                let leaf = self.leaves.insert(*key, value);
                self.edit(LeafChange::new(EntryChange::Insert, *key, leaf));
            }
        }
        Ok(())
    }

    /// Removes `key` if the trie holds it. If it fails, nothing changes.
    ///
    /// If a branch is left with one child, that child takes the branch's place. This changes the
    /// encoding of a leaf or an extension, so the child is resolved if it is blinded. No other
    /// operation needs a node off the key's path.
    pub fn remove(&mut self, key: &B256, source: &mut impl NodeSource) -> Result<(), TrieError> {
        let found = self.resolve(key, source)?;
        let Some(leaf) = found.leaf else { return Ok(()) };
        self.resolve_sibling(found.spot, key, source)?;
        self.edit(LeafChange::new(EntryChange::Remove, *key, leaf));
        self.leaves.remove(leaf);
        Ok(())
    }

    fn edit(&mut self, op: LeafChange) {
        let arenas = core::slice::from_mut(&mut self.arena);
        let mut editor = Editor { arenas, current: 0, leaves: &self.leaves, pending: None };
        let child = editor.edit(self.root, 0, &[op]);
        self.root = child.word;
        self.dirty = child.dirty;
    }

    /// Resolves the path of `key` as far as it exists.
    pub(super) fn resolve(
        &mut self,
        key: &B256,
        source: &mut impl NodeSource,
    ) -> Result<ResolvedPath, TrieError> {
        let (mut spot, mut start) = (Spot::Root, 0);
        loop {
            self.unblind(spot, start, key, source)?;
            match self.word(spot).node() {
                NodeKind::Leaf(leaf) => {
                    let leaf = (super::Leaves::key(&self.leaves, leaf) == *key).then_some(leaf);
                    return Ok(ResolvedPath { leaf, spot });
                }
                NodeKind::Branch(branch) => {
                    let head = self.arena.head(branch);
                    let path = self.arena.path(&head);
                    let nibble = nibble(key, head.depth);
                    let leaves = path.is_some_and(|path| common_nibbles(path, key) < head.depth);
                    if leaves || !head.has(nibble) {
                        return Ok(ResolvedPath { leaf: None, spot });
                    }
                    (spot, start) = (Spot::Child { branch, nibble }, head.depth + 1);
                }
                NodeKind::BlindedBranch(number) => {
                    let blinded = *self.arena.blinded.get(number);
                    if common_nibbles(&blinded.key, key) < blinded.depth {
                        return Ok(ResolvedPath { leaf: None, spot });
                    }
                    self.open(spot, start, number, source)?;
                }
                NodeKind::Nil => return Ok(ResolvedPath { leaf: None, spot }),
                NodeKind::Blinded => unreachable!("invariant: the node was resolved"),
            }
        }
    }

    /// If removing the leaf leaves its branch with one child, resolves that child.
    fn resolve_sibling(
        &mut self,
        spot: Spot,
        key: &B256,
        source: &mut impl NodeSource,
    ) -> Result<(), TrieError> {
        let Spot::Child { branch, nibble } = spot else { return Ok(()) };
        let head = self.arena.head(branch);
        let others = head.mask & !(1 << nibble);
        if others.count_ones() != 1 {
            return Ok(());
        }
        let Some(nibble) = nibbles(others).next() else { return Ok(()) };
        let value = u8::try_from(nibble).expect("invariant: a nibble");
        let prefix = with_nibble(key, head.depth, value);
        self.unblind(Spot::Child { branch, nibble }, head.depth + 1, &prefix, source)
    }

    pub(super) fn word(&self, spot: Spot) -> Word {
        match spot {
            Spot::Root => self.root,
            Spot::Child { branch, nibble } => self.arena.child(branch, nibble),
        }
    }

    pub(super) fn set_word(&mut self, spot: Spot, word: Word) {
        match spot {
            Spot::Root => self.root = word,
            Spot::Child { branch, nibble } => self.arena.set_child(branch, nibble, word),
        }
    }

    pub(super) fn reference(&self, spot: Spot) -> NodeRef {
        match spot {
            Spot::Root => self.reference,
            Spot::Child { branch, nibble } => self.arena.reference(branch, nibble),
        }
    }

    /// Hashes all dirty nodes.
    pub(super) fn hash(&mut self) {
        let mut pending = Pending::new(None);
        let place = pending.add_root();
        if !self.root.is_nil() {
            self.collect(self.root, 0, place, &mut pending);
            pending.flush(core::slice::from_mut(&mut self.arena), &self.leaves);
            self.reference = pending.roots[0];
        }
        self.dirty = false;
    }

    /// Adds a dirty node and all dirty nodes below it to `pending`.
    fn collect(&mut self, word: Word, start: u8, place: ReferenceTarget, pending: &mut Pending) {
        match word.node() {
            NodeKind::Leaf(leaf) => {
                let key = super::Leaves::key(&self.leaves, leaf);
                pending.add_leaf(0, key, leaf, start, place);
            }
            NodeKind::Branch(branch) => {
                let head = self.arena.head(branch);
                for nibble in (0..16).filter(|nibble| head.dirty >> nibble & 1 != 0) {
                    let word = self.arena.child(branch, usize::from(nibble));
                    self.collect(
                        word,
                        head.depth + 1,
                        ReferenceTarget::Child { branch, nibble },
                        pending,
                    );
                }
                self.arena.mark_clean(branch);
                pending.add_branch((0, &self.arena), branch, start, place);
            }
            NodeKind::BlindedBranch(number) => {
                let blinded = self.arena.blinded.get(number);
                let mut node = Vec::new();
                let child = NodeRef::hash(blinded.hash);
                encode_extension(&blinded.key, start, blinded.depth, &child, &mut node);
                let reference = NodeRef::of(&node);
                match place {
                    ReferenceTarget::Child { branch, nibble } => {
                        self.arena.set_reference(branch, nibble.into(), &reference);
                    }
                    _ => pending.roots[0] = reference,
                }
            }
            NodeKind::Nil | NodeKind::Blinded => {}
        }
    }
}
