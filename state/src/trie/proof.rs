//! Proofs of single keys, and the nodes a witness needs around them.

use alloc::vec::Vec;
use alloy_primitives::{B256, Bytes};

use super::{Step, Trie, TrieError, arena::NodeId, nibbles::common_nibbles, node::Node};
use crate::Witness;

/// Encodings this long or longer are referenced by hash and so listed in a proof.
const HASHED_RLP_MIN: usize = 32;

impl Trie {
    /// The nodes on the path of `key`, root first, whether they show its value or its absence.
    ///
    /// As `eth_getProof` lists them: a node shorter than 32 bytes is part of its parent and not
    /// listed, unless it is the root; an empty trie has no nodes. Fails with
    /// [`TrieError::MissingNode`] if the path is blinded.
    pub fn proof(&self, key: &B256) -> Result<Vec<Bytes>, TrieError> {
        let mut proof = Vec::new();
        let mut list = |node: &[u8]| {
            if proof.is_empty() || node.len() >= HASHED_RLP_MIN {
                proof.push(Bytes::copy_from_slice(node));
            }
        };
        self.walk(key, |trie, id, start| trie.path_nodes(id, start, key, &mut list))?;
        Ok(proof)
    }

    /// Adds the nodes on the path of `key` and every child of a branch on it.
    pub(crate) fn collect_witness(
        &self,
        key: &B256,
        witness: &mut Witness,
    ) -> Result<(), TrieError> {
        let mut buffer = Vec::new();
        self.walk(key, |trie, id, start| {
            let is_root = id == trie.root;
            let mut add = |node: &[u8]| {
                if is_root || node.len() >= HASHED_RLP_MIN {
                    witness.add(Bytes::copy_from_slice(node));
                }
            };
            trie.path_nodes(id, start, key, &mut add);
            if let Node::Branch(branch) = trie.arena.node(id) {
                for child in branch.children.into_iter().filter(|child| !child.is_nil()) {
                    trie.encode_node(child, branch.depth + 1, &mut buffer);
                    if buffer.len() >= HASHED_RLP_MIN {
                        add(&buffer);
                    }
                }
            }
        })
    }

    /// Calls `visit` with each node on the path of `key` and the depth at which it hangs.
    fn walk(&self, key: &B256, mut visit: impl FnMut(&Self, NodeId, u8)) -> Result<(), TrieError> {
        let (mut id, mut start) = (self.root, 0);
        while !id.is_nil() {
            visit(self, id, start);
            match self.step(id, key)? {
                Step::Down(child, depth) => (id, start) = (child, depth),
                Step::End => break,
            }
        }
        Ok(())
    }

    /// Lists the one or two encoded nodes (extension and branch) that a node in memory stands for,
    /// the second only if `key` reaches it.
    fn path_nodes(&self, id: NodeId, start: u8, key: &B256, list: &mut impl FnMut(&[u8])) {
        let mut buffer = Vec::new();
        self.encode_node(id, start, &mut buffer);
        if buffer.is_empty() {
            return;
        }
        list(&buffer);
        if let Node::Branch(branch) = self.arena.node(id)
            && start < branch.depth
            && common_nibbles(&branch.key, key) >= branch.depth
        {
            self.encode_bare_branch(branch, &mut buffer);
            list(&buffer);
        }
    }
}
