//! Removing a key, and closing the gap it leaves.

use alloy_primitives::B256;

use super::{
    NodeSource, Trie, TrieError,
    arena::NodeId,
    nibbles::{common_nibbles, nibble, with_nibble},
    node::{BlindedBranch, Branch, Node, NodeRef},
};

impl Trie {
    /// Removes `key` if it is there. On an error nothing is changed.
    ///
    /// Where a branch is left with one child, that child takes the branch's place. A leaf or an
    /// extension changes its encoding by that, so the child is resolved if it is blinded, which
    /// is the one case where a node off the key's path is needed.
    pub fn remove(&mut self, key: &B256, source: &mut impl NodeSource) -> Result<(), TrieError> {
        if let Some(root) = self.remove_at(self.root, 0, key, source)? {
            self.root = root;
        }
        Ok(())
    }

    /// Removes below the node that hangs at `start`; returns what hangs there afterwards, `None`
    /// if the key was not there.
    fn remove_at(
        &mut self,
        id: NodeId,
        start: u8,
        key: &B256,
        source: &mut impl NodeSource,
    ) -> Result<Option<NodeId>, TrieError> {
        if id.is_nil() {
            return Ok(None);
        }
        self.open(id, start, key, source)?;
        match self.arena.node(id) {
            Node::Leaf(leaf) if leaf.key == *key => {
                self.arena.remove(id);
                Ok(Some(NodeId::NIL))
            }
            Node::Branch(branch) if common_nibbles(&branch.key, key) >= branch.depth => {
                let branch = branch.clone();
                self.remove_below(id, start, &branch, key, source)
            }
            _ => Ok(None),
        }
    }

    /// Removes below the child of a branch that `key` selects.
    fn remove_below(
        &mut self,
        id: NodeId,
        start: u8,
        branch: &Branch,
        key: &B256,
        source: &mut impl NodeSource,
    ) -> Result<Option<NodeId>, TrieError> {
        let child = branch.children[nibble(key, branch.depth)];
        let child_start = branch.depth + 1;
        if child.is_nil() {
            return Ok(None);
        }
        self.open(child, child_start, key, source)?;
        let is_leaf = matches!(self.arena.node(child), Node::Leaf(leaf) if leaf.key == *key);
        if is_leaf && let Some((value, sibling)) = only_sibling(branch, child) {
            let prefix = with_nibble(&branch.key, branch.depth, value);
            self.unblind(sibling, child_start, &prefix, source)?;
            self.arena.remove(child);
            self.arena.remove(id);
            self.rehang(sibling, start);
            return Ok(Some(sibling));
        }
        let Some(new_child) = self.remove_at(child, child_start, key, source)? else {
            return Ok(None);
        };
        if let Node::Branch(branch) = self.arena.node_mut(id) {
            branch.children[nibble(key, branch.depth)] = new_child;
        }
        self.arena.mark_dirty(id);
        Ok(Some(id))
    }

    /// Notes that a resolved node now hangs at `start` instead of where it did.
    ///
    /// If that leaves an extension without nibbles, the node is its blinded branch itself.
    pub(super) fn rehang(&mut self, id: NodeId, start: u8) {
        match self.arena.node(id) {
            Node::BlindedBranch(BlindedBranch { depth, hash, .. }) if *depth == start => {
                let reference = NodeRef::hash(*hash);
                *self.arena.node_mut(id) = Node::Blinded;
                self.arena.set_reference(id, reference);
            }
            _ => self.arena.mark_dirty(id),
        }
    }
}

/// The one other child of a branch with two, and its nibble.
fn only_sibling(branch: &Branch, child: NodeId) -> Option<(u8, NodeId)> {
    let is_other = |(_, id): &(u8, NodeId)| !id.is_nil() && *id != child;
    let mut others = (0..16).zip(branch.children).filter(is_other);
    let sibling = others.next()?;
    others.next().is_none().then_some(sibling)
}
