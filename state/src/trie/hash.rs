//! The root: encodes and hashes what is dirty, bottom up.

use alloc::vec::Vec;
use alloy_primitives::B256;

use super::{
    Trie,
    arena::NodeId,
    encode::{encode_branch, encode_extension, encode_leaf},
    node::{Branch, Node, NodeRef},
};
use crate::EMPTY_ROOT;

/// Longest encoding of a branch: 16 hashes, an empty value and the header.
pub(super) const BRANCH_RLP_MAX: usize = 16 * 33 + 1 + 3;

impl Trie {
    /// The root hash. Afterwards nothing is dirty.
    pub fn root(&mut self) -> B256 {
        if !self.root.is_nil() {
            let mut buffer = Vec::with_capacity(BRANCH_RLP_MAX);
            self.refresh(self.root, 0, &mut buffer);
        }
        self.current_root()
    }

    /// The root hash, computed without keeping what had to be hashed for it.
    #[must_use]
    pub fn current_root(&self) -> B256 {
        if self.root.is_nil() {
            return EMPTY_ROOT;
        }
        self.reference(self.root, 0, &mut Vec::new()).to_hash()
    }

    /// Makes a node and all below it clean. `start` is the depth at which the node hangs.
    fn refresh(&mut self, id: NodeId, start: u8, buffer: &mut Vec<u8>) {
        if !self.arena.reference(id).is_dirty() {
            return;
        }
        if let Node::Branch(Branch { depth, children, .. }) = self.arena.node(id) {
            let (depth, children) = (*depth, *children);
            for child in children.into_iter().filter(|child| !child.is_nil()) {
                self.refresh(child, depth + 1, buffer);
            }
        }
        let reference = self.reference(id, start, buffer);
        self.arena.set_reference(id, reference);
    }

    /// The reference of the node that hangs at `start`, from the cache if it is clean.
    pub(super) fn reference(&self, id: NodeId, start: u8, buffer: &mut Vec<u8>) -> NodeRef {
        let cached = *self.arena.reference(id);
        if !cached.is_dirty() {
            return cached;
        }
        self.encode_node(id, start, buffer);
        NodeRef::of(buffer)
    }

    /// Encodes the node that hangs at `start`: for a branch below a gap, the extension.
    /// Leaves `out` empty for a blinded node.
    pub(super) fn encode_node(&self, id: NodeId, start: u8, out: &mut Vec<u8>) {
        match self.arena.node(id) {
            Node::Leaf(leaf) => {
                out.clear();
                encode_leaf(&leaf.key, start, leaf.value.as_slice(), out);
            }
            Node::Branch(branch) => {
                self.encode_bare_branch(branch, out);
                if start < branch.depth {
                    let reference = NodeRef::of(out);
                    out.clear();
                    encode_extension(&branch.key, start, branch.depth, &reference, out);
                }
            }
            Node::Blinded => out.clear(),
            Node::BlindedBranch(blinded) => {
                out.clear();
                if start < blinded.depth {
                    let reference = NodeRef::hash(blinded.hash);
                    encode_extension(&blinded.key, start, blinded.depth, &reference, out);
                }
            }
        }
    }

    /// Encodes a branch without the extension above it.
    pub(super) fn encode_bare_branch(&self, branch: &Branch, out: &mut Vec<u8>) {
        let children = branch
            .children
            .map(|child| (!child.is_nil()).then(|| self.reference(child, branch.depth + 1, out)));
        out.clear();
        encode_branch(&children, out);
    }
}
