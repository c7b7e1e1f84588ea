//! Applies many sorted changes to the shape of a trie in one descent.
//!
//! Each call receives the node at some depth and the changes below it, and returns the node that
//! takes its place. A branch is complete when all of its children are: then its record stays in
//! place, and its changed children are either added to [`Pending`] or marked dirty.

use alloc::vec::Vec;
use alloy_primitives::B256;

use super::{
    arena::{Arena, BranchHeader, nibbles},
    leaf_change::LeafChange,
    leaves::Leaves,
    nibbles::{common_nibbles, nibble, with_nibble},
    pending::{Pending, ReferenceTarget},
    reference::NodeRef,
    word::{NodeKind, Word},
};
use crate::changes::EntryChange;

/// Number of pending nodes that triggers hashing during the descent, while they are in the cache.
const PENDING_MAX: usize = 2048;
/// The leaf's key is not among the changes.
const NO_OP: u32 = u32::MAX;

/// The node at some place after a change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Child {
    pub(crate) word: Word,
    /// Whether the node's reference is not computed yet.
    pub(crate) dirty: bool,
    /// For a leaf: the index of its key in the changes, or [`NO_OP`].
    op: u32,
}

impl Child {
    const NIL: Self = Self { word: Word::NIL, dirty: false, op: NO_OP };

    fn dirty(word: Word) -> Self {
        Self { word, dirty: true, op: NO_OP }
    }
}

/// Tries in some arenas, with the state of an edit.
pub(crate) struct Editor<'a, L> {
    pub(crate) arenas: &'a mut [Arena],
    /// Index of the arena that is changed.
    pub(crate) current: u8,
    pub(crate) leaves: &'a L,
    /// Collects changed nodes for hashing. If `None`, changed nodes are marked dirty.
    pub(crate) pending: Option<&'a mut Pending>,
}

impl<L: Leaves> Editor<'_, L> {
    /// Applies changes below the node at depth `start`. The changes are sorted by key, and each key
    /// occurs once.
    ///
    /// The caller ensures that the trie holds the keys that are touched or removed and does not
    /// hold those that are inserted. No path to any of them is blinded, and neither is the last
    /// sibling of a removed leaf.
    pub(crate) fn edit(&mut self, word: Word, start: u8, ops: &[LeafChange]) -> Child {
        match word.node() {
            NodeKind::Nil => self.build(ops, start),
            NodeKind::Leaf(leaf) => self.edit_leaf(leaf, start, ops),
            NodeKind::Branch(branch) => {
                let head = self.arena().head(branch);
                self.edit_branch(branch, head, start, ops)
            }
            NodeKind::BlindedBranch(number) => {
                let path = self.arena().blinded.get(number).key;
                self.split(word, &path, common_with(&path, ops), start, ops)
            }
            NodeKind::Blinded => unreachable!("invariant: the path of a change is not blinded"),
        }
    }

    /// Records the changed root of a trie.
    pub(crate) fn note_root(
        &mut self,
        child: Child,
        start: u8,
        ops: &[LeafChange],
        place: ReferenceTarget,
    ) {
        self.note(child, start, ops, place);
    }

    /// Builds a subtree from new keys only.
    fn build(&mut self, ops: &[LeafChange], start: u8) -> Child {
        debug_assert!(ops.iter().all(|op| op.kind() == EntryChange::Insert), "only new keys");
        let [first, .., last] = ops else {
            return ops.first().map_or(Child::NIL, |op| Child {
                word: Word::leaf(op.leaf()),
                dirty: true,
                op: 0,
            });
        };
        let depth = common_nibbles(&first.key, &last.key);
        let mut children = [Child::NIL; 16];
        each_group(ops, depth, |value, from, group| {
            children[value] = at(self.build(group, depth + 1), from);
        });
        self.assemble(&mut children, depth, start, ops)
    }

    fn edit_leaf(&mut self, leaf: u32, start: u8, ops: &[LeafChange]) -> Child {
        if let [op] = ops
            && op.leaf() == leaf
            && op.kind() != EntryChange::Insert
        {
            let word = if op.kind() == EntryChange::Remove { Word::NIL } else { Word::leaf(leaf) };
            return Child { word, dirty: !word.is_nil(), op: 0 };
        }
        let named = |op: &LeafChange| op.leaf() == leaf && op.kind() != EntryChange::Insert;
        let live = ops.iter().filter(|op| op.kind() != EntryChange::Remove);
        let mut all: Vec<LeafChange> =
            live.map(|op| LeafChange::new(EntryChange::Insert, op.key, op.leaf())).collect();
        if !ops.iter().any(named) {
            let key = self.leaves.key(leaf);
            let place = all.partition_point(|op| op.key < key);
            all.insert(place, LeafChange::new(EntryChange::Insert, key, leaf));
        }
        let mut child = self.build(&all, start);
        // The caller knows a single leaf by its index in the changes.
        let place = all.first().and_then(|one| ops.iter().position(|op| op.key == one.key));
        child.op = place.and_then(|place| u32::try_from(place).ok()).unwrap_or(NO_OP);
        child
    }

    /// Splits a branch or an extension where new keys leave its path, at depth `end`, and applies
    /// the changes.
    fn split(&mut self, word: Word, path: &B256, end: u8, start: u8, ops: &[LeafChange]) -> Child {
        let mut children = [Child::NIL; 16];
        let rest = nibble(path, end);
        children[rest] = Child::dirty(word);
        each_group(ops, end, |value, from, group| {
            children[value] = at(self.edit(children[value].word, end + 1, group), from);
        });
        children[rest].dirty = self.hang(children[rest].word, end + 1, path);
        self.assemble(&mut children, end, start, ops)
    }

    fn edit_branch(
        &mut self,
        branch: u32,
        head: BranchHeader,
        start: u8,
        ops: &[LeafChange],
    ) -> Child {
        if let Some(path) = self.arena().path(&head) {
            let (path, common) = (*path, common_with(path, ops));
            if common < head.depth {
                return self.split(Word::branch(branch), &path, common, start, ops);
            }
        }
        let depth = head.depth;
        let (mut branch, mut head) = (branch, head);
        let touched = ops.iter().fold(0_u16, |mask, op| mask | 1 << nibble(&op.key, depth));
        if touched & !head.mask != 0 {
            branch = self.arena_mut().reshape(branch, head.mask | touched);
            head = self.arena().head(branch);
        }
        // The headers are read before the descent, so that the cache misses overlap.
        let mut words = [(Word::NIL, head); 16];
        for value in nibbles(touched) {
            let word = self.arena().child_at(branch, head.slot(value));
            let child = match word.node() {
                NodeKind::Branch(child) => self.arena().head(child),
                _ => head,
            };
            words[value] = (word, child);
        }
        let mut children = [Child::NIL; 16];
        let (mut left, mut dirty) = (head.mask, 0);
        each_group(ops, depth, |value, from, group| {
            let (word, head) = words[value];
            let child = match word.node() {
                NodeKind::Branch(child) => self.edit_branch(child, head, depth + 1, group),
                _ => self.edit(word, depth + 1, group),
            };
            let child = at(child, from);
            if child.word.is_nil() {
                left &= !(1 << value);
            } else if child.word != word {
                self.arena_mut().set_child(branch, value, child.word);
            }
            dirty |= u16::from(child.dirty) << value;
            children[value] = child;
        });
        match left.count_ones() {
            0 => {
                self.arena_mut().free(branch);
                return Child::NIL;
            }
            1 => {
                let value = left.trailing_zeros() as usize;
                let mut child = children[value];
                if touched >> value & 1 == 0 {
                    child.word = self.arena().child(branch, value);
                }
                self.arena_mut().free(branch);
                return self.lift(child, value, depth, start, &ops[0].key);
            }
            _ => branch = self.arena_mut().reshape(branch, left),
        }
        self.note_children(branch, dirty, &children, ops);
        Child { word: Word::branch(branch), dirty: dirty != 0 || left != head.mask, op: NO_OP }
    }

    /// Makes a branch of these children. With one child, the child takes the branch's place; with
    /// none, the result is [`Child::NIL`].
    fn assemble(
        &mut self,
        children: &mut [Child; 16],
        depth: u8,
        start: u8,
        ops: &[LeafChange],
    ) -> Child {
        let present =
            |(mask, value): (u16, usize)| mask | u16::from(!children[value].word.is_nil()) << value;
        let mask = (0..16).fold(0, |mask, value| present((mask, value)));
        match mask.count_ones() {
            0 => return Child::NIL,
            1 => {
                let value = mask.trailing_zeros() as usize;
                return self.lift(children[value], value, depth, start, &ops[0].key);
            }
            _ => {}
        }
        let branch = self.arena_mut().alloc(mask, depth);
        let mut dirty = 0;
        for value in nibbles(mask) {
            let child = children[value];
            self.arena_mut().set_child(branch, value, child.word);
            if child.dirty {
                dirty |= 1 << value;
            } else if let Some(reference) = self.known_reference(&mut children[value]) {
                self.arena_mut().set_child(branch, value, Word::BLINDED);
                self.arena_mut().set_reference(branch, value, &reference);
            }
        }
        self.arena_mut().hang(branch, start, &ops[0].key);
        self.note_children(branch, dirty, children, ops);
        Child::dirty(Word::branch(branch))
    }

    /// The reference of a child that is a blinded extension without nibbles: the hash of its
    /// branch.
    fn known_reference(&mut self, child: &mut Child) -> Option<NodeRef> {
        let NodeKind::BlindedBranch(number) = child.word.node() else { return None };
        let hash = self.arena().blinded.get(number).hash;
        self.arena_mut().blinded.remove(number);
        child.word = Word::BLINDED;
        Some(NodeRef::hash(hash))
    }

    /// Moves the only child of a branch at `depth` into the branch's place, at depth `start`.
    fn lift(&mut self, child: Child, value: usize, depth: u8, start: u8, key: &B256) -> Child {
        let value = u8::try_from(value).expect("invariant: a nibble");
        self.hang(child.word, start, &with_nibble(key, depth, value));
        Child { dirty: true, ..child }
    }

    /// Records that a node now starts at depth `start`, on the path of `key`. Returns whether its
    /// reference must be computed again.
    fn hang(&mut self, word: Word, start: u8, key: &B256) -> bool {
        match word.node() {
            NodeKind::Branch(branch) => self.arena_mut().hang(branch, start, key),
            NodeKind::BlindedBranch(number) => {
                return self.arena().blinded.get(number).depth != start;
            }
            NodeKind::Blinded => unreachable!("invariant: a node that moves is not blinded"),
            NodeKind::Leaf(_) | NodeKind::Nil => {}
        }
        true
    }

    fn note_children(
        &mut self,
        branch: u32,
        dirty: u16,
        children: &[Child; 16],
        ops: &[LeafChange],
    ) {
        if self.pending.is_none() {
            return self.arena_mut().mark_dirty(branch, dirty);
        }
        let start = self.arena().head(branch).depth + 1;
        for (value, nibble) in (0..16).zip(0_u8..).filter(|(value, _)| dirty >> value & 1 != 0) {
            let place = ReferenceTarget::Child { branch, nibble };
            self.note(children[value], start, ops, place);
        }
        let arenas = &mut *self.arenas;
        if let Some(pending) = self.pending.as_deref_mut()
            && pending.len() >= PENDING_MAX
        {
            pending.flush(arenas, self.leaves);
        }
    }

    fn note(&mut self, child: Child, start: u8, ops: &[LeafChange], place: ReferenceTarget) {
        let current = self.current;
        let Some(pending) = self.pending.as_deref_mut() else { return };
        match child.word.node() {
            NodeKind::Leaf(leaf) => {
                let op = ops.get(child.op as usize);
                let key = op.map_or_else(|| self.leaves.key(leaf), |op| op.key);
                pending.add_leaf(current, key, leaf, start, place);
            }
            NodeKind::Branch(branch) => {
                let arena = &self.arenas[usize::from(current)];
                pending.add_branch((current, arena), branch, start, place);
            }
            NodeKind::Nil | NodeKind::Blinded | NodeKind::BlindedBranch(_) => {
                unreachable!("invariant: what is hashed at once is not blinded")
            }
        }
    }

    #[inline]
    fn arena(&self) -> &Arena {
        &self.arenas[usize::from(self.current)]
    }

    #[inline]
    fn arena_mut(&mut self) -> &mut Arena {
        &mut self.arenas[usize::from(self.current)]
    }
}

/// Shifts the index of a child's key by `from`.
fn at(child: Child, from: usize) -> Child {
    let from = u32::try_from(from).expect("invariant: fewer than 2^32 changes");
    Child { op: child.op.saturating_add(from), ..child }
}

/// Number of nibbles that all new keys share with a path. All other keys share the whole path, and
/// keys are sorted, so the first and the last key decide.
fn common_with(path: &B256, ops: &[LeafChange]) -> u8 {
    let common = |op: Option<&LeafChange>| op.map_or(u8::MAX, |op| common_nibbles(path, &op.key));
    common(ops.first()).min(common(ops.last()))
}

/// Calls `visit` for each run of changes with the same nibble at `depth`. Passes the nibble, the
/// index where the run begins, and the run.
#[inline]
fn each_group(ops: &[LeafChange], depth: u8, mut visit: impl FnMut(usize, usize, &[LeafChange])) {
    let mut from = 0;
    while let Some(first) = ops.get(from) {
        let value = nibble(&first.key, depth);
        let more = ops[from + 1..].iter().take_while(|op| nibble(&op.key, depth) == value);
        let to = from + 1 + more.count();
        visit(value, from, &ops[from..to]);
        from = to;
    }
}
