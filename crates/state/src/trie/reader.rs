//! Reads tries in arenas: encodings, searches, proofs, witnesses.

use alloc::vec::Vec;
use alloy_primitives::{B256, Bytes};

use super::{
    TrieError,
    arena::{Arena, nibbles},
    encode::{encode_branch_of, encode_extension, encode_leaf},
    leaves::Leaves,
    nibbles::{common_nibbles, nibble},
    reference::NodeRef,
    word::{NodeKind, Word},
};
use crate::Witness;

/// A trie to read. The nodes below the root may lie in another arena than the root.
pub(crate) struct Reader<'a, L> {
    pub(crate) root: Word,
    /// The root's reference, which is read if the root is blinded.
    pub(crate) reference: NodeRef,
    /// The arena of the root.
    pub(crate) top: &'a Arena,
    /// The arena of all nodes below the root, by the first nibble of the key.
    pub(crate) below: &'a dyn Fn(usize) -> &'a Arena,
    pub(crate) leaves: &'a L,
}

/// A node on a path from the root.
#[derive(Clone, Copy)]
struct PathStep<'a> {
    word: Word,
    arena: &'a Arena,
    /// The depth of the node.
    start: u8,
}

impl<'a, L: Leaves> Reader<'a, L> {
    /// The leaf of `key`. Fails with [`TrieError::MissingNode`] if its path is blinded.
    pub(crate) fn find(&self, key: &B256) -> Result<Option<u32>, TrieError> {
        let mut found = Word::NIL;
        self.walk(key, |step| found = step.word)?;
        Ok(match found.node() {
            NodeKind::Leaf(leaf) if self.leaves.key(leaf) == *key => Some(leaf),
            _ => None,
        })
    }

    /// The nodes on the path of `key`, root first. They prove its value or its absence.
    pub(crate) fn proof(&self, key: &B256) -> Result<Vec<Bytes>, TrieError> {
        let mut proof = Vec::new();
        let mut list = |node: &[u8]| {
            if proof.is_empty() || node.len() >= NodeRef::HASHED_MIN {
                proof.push(Bytes::copy_from_slice(node));
            }
        };
        self.walk(key, |step| self.path_nodes(&step, key, &mut list))?;
        Ok(proof)
    }

    /// Adds the nodes on the path of `key` and every child of a branch on it.
    pub(crate) fn collect_witness(
        &self,
        key: &B256,
        witness: &mut Witness,
    ) -> Result<(), TrieError> {
        let mut buffer = Vec::new();
        self.walk(key, |step| {
            let is_root = step.start == 0;
            self.path_nodes(&step, key, &mut |node| {
                if is_root || node.len() >= NodeRef::HASHED_MIN {
                    witness.add(Bytes::copy_from_slice(node));
                }
            });
            let NodeKind::Branch(branch) = step.word.node() else { return };
            let start = step.arena.head(branch).depth + 1;
            for (value, word) in step.arena.children(branch) {
                buffer.clear();
                self.encode(
                    &PathStep { word, arena: self.arena_below(&step, value), start },
                    &mut buffer,
                );
                if buffer.len() >= NodeRef::HASHED_MIN {
                    witness.add(Bytes::copy_from_slice(&buffer));
                }
            }
        })
    }

    /// The root's reference if the root were at depth `start`. Computes the parts that are not
    /// stored.
    pub(crate) fn reference_at(&self, start: u8) -> NodeRef {
        let mut buffer = Vec::new();
        self.encode(&PathStep { start, ..self.first() }, &mut buffer);
        if buffer.is_empty() { self.reference } else { NodeRef::of(&buffer) }
    }

    /// Number of nodes in memory, including blinded nodes but not extensions.
    pub(crate) fn count(&self) -> usize {
        self.count_from(&self.first())
    }

    fn count_from(&self, step: &PathStep<'a>) -> usize {
        let NodeKind::Branch(branch) = step.word.node() else {
            return usize::from(!step.word.is_nil());
        };
        let children = step.arena.children(branch);
        let counts = children.map(|(value, word)| self.count_from(&self.child(step, value, word)));
        1 + counts.sum::<usize>()
    }

    fn first(&self) -> PathStep<'a> {
        PathStep { word: self.root, arena: self.top, start: 0 }
    }

    fn arena_below(&self, step: &PathStep<'a>, value: usize) -> &'a Arena {
        if step.start == 0 { (self.below)(value) } else { step.arena }
    }

    fn child(&self, step: &PathStep<'a>, value: usize, word: Word) -> PathStep<'a> {
        PathStep { word, arena: self.arena_below(step, value), start: step.start.max(1) }
    }

    /// Calls `visit` with each node on the path of `key`.
    fn walk(&self, key: &B256, mut visit: impl FnMut(PathStep<'a>)) -> Result<(), TrieError> {
        let mut step = self.first();
        let mut reference = self.reference;
        loop {
            if !step.word.is_nil() {
                visit(step);
            }
            match step.word.node() {
                NodeKind::Branch(branch) => {
                    let head = step.arena.head(branch);
                    let path = step.arena.path(&head);
                    if path.is_some_and(|path| common_nibbles(path, key) < head.depth) {
                        return Ok(());
                    }
                    let value = nibble(key, head.depth);
                    let word = step.arena.child(branch, value);
                    if word == Word::BLINDED {
                        reference = step.arena.reference(branch, value);
                    }
                    let arena = self.arena_below(&step, value);
                    step = PathStep { word, arena, start: head.depth + 1 };
                }
                NodeKind::Blinded => {
                    return Err(TrieError::MissingNode { hash: reference.to_hash() });
                }
                NodeKind::BlindedBranch(number) => {
                    let blinded = step.arena.blinded.get(number);
                    if common_nibbles(&blinded.key, key) >= blinded.depth {
                        return Err(TrieError::MissingNode { hash: blinded.hash });
                    }
                    return Ok(());
                }
                NodeKind::Leaf(_) | NodeKind::Nil => return Ok(()),
            }
        }
    }

    /// Passes to `list` the encoded nodes that a node in memory stands for: the extension, if there
    /// is one, and the branch, if `key` reaches it.
    fn path_nodes(&self, step: &PathStep<'a>, key: &B256, list: &mut impl FnMut(&[u8])) {
        let mut buffer = Vec::new();
        self.encode(step, &mut buffer);
        if buffer.is_empty() {
            return;
        }
        list(&buffer);
        let NodeKind::Branch(branch) = step.word.node() else { return };
        let head = step.arena.head(branch);
        if let Some(path) = step.arena.path(&head)
            && common_nibbles(path, key) >= head.depth
        {
            buffer.clear();
            self.encode_branch(step, branch, &mut buffer);
            list(&buffer);
        }
    }

    /// Encodes a node. For a branch below a gap this is the extension. Writes nothing for a blinded
    /// node.
    fn encode(&self, step: &PathStep<'a>, out: &mut Vec<u8>) {
        match step.word.node() {
            NodeKind::Leaf(leaf) => {
                let mut value = Vec::new();
                self.leaves.encode(&self.leaves.load(leaf), &mut value);
                encode_leaf(&self.leaves.key(leaf), step.start, &value, out);
            }
            NodeKind::Branch(branch) => {
                let from = out.len();
                self.encode_branch(step, branch, out);
                let head = step.arena.head(branch);
                if let Some(path) = step.arena.path(&head) {
                    let reference = NodeRef::of(&out[from..]);
                    out.truncate(from);
                    encode_extension(path, step.start, head.depth, &reference, out);
                }
            }
            NodeKind::BlindedBranch(number) => {
                let blinded = step.arena.blinded.get(number);
                let reference = NodeRef::hash(blinded.hash);
                encode_extension(&blinded.key, step.start, blinded.depth, &reference, out);
            }
            NodeKind::Nil | NodeKind::Blinded => {}
        }
    }

    /// Encodes a branch without the extension above it.
    fn encode_branch(&self, step: &PathStep<'a>, branch: u32, out: &mut Vec<u8>) {
        let head = step.arena.head(branch);
        if head.dirty == 0 {
            return step.arena.encode(branch, out);
        }
        let mut children = [None; 16];
        for value in nibbles(head.mask) {
            children[value] = Some(self.child_reference(step, branch, value));
        }
        encode_branch_of(&children, out);
    }

    fn child_reference(&self, step: &PathStep<'a>, branch: u32, value: usize) -> NodeRef {
        let head = step.arena.head(branch);
        if head.dirty >> value & 1 == 0 {
            return step.arena.reference(branch, value);
        }
        let word = step.arena.child(branch, value);
        let arena = self.arena_below(step, value);
        let mut buffer = Vec::new();
        self.encode(&PathStep { word, arena, start: head.depth + 1 }, &mut buffer);
        NodeRef::of(&buffer)
    }
}
