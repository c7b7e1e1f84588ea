//! Setting the value of a key.

use alloy_primitives::B256;

use super::{
    NodeSource, Trie, TrieError,
    arena::NodeId,
    nibbles::{common_nibbles, nibble},
    node::{BlindedBranch, Branch, Leaf, Node, Value},
};

impl Trie {
    /// Sets the value of `key`. An empty value removes the key: Ethereum's tries hold no empty
    /// values. On an error nothing is changed.
    pub fn insert(
        &mut self,
        key: &B256,
        value: &[u8],
        source: &mut impl NodeSource,
    ) -> Result<(), TrieError> {
        if value.is_empty() {
            return self.remove(key, source);
        }
        self.root = self.insert_at(self.root, 0, key, value, source)?;
        Ok(())
    }

    /// Inserts below the node that hangs at `start`; returns what hangs there afterwards.
    fn insert_at(
        &mut self,
        id: NodeId,
        start: u8,
        key: &B256,
        value: &[u8],
        source: &mut impl NodeSource,
    ) -> Result<NodeId, TrieError> {
        if id.is_nil() {
            return Ok(self.arena.insert_dirty(Node::leaf(*key, value)));
        }
        self.open(id, start, key, source)?;
        let (path, end) = match self.arena.node_mut(id) {
            Node::Leaf(leaf) if leaf.key == *key => {
                if leaf.value.as_slice() != value {
                    leaf.value = Value::new(value);
                    self.arena.mark_dirty(id);
                }
                return Ok(id);
            }
            Node::Leaf(Leaf { key: path, .. }) => (*path, common_nibbles(path, key)),
            Node::Branch(Branch { key: path, depth, .. })
            | Node::BlindedBranch(BlindedBranch { key: path, depth, .. }) => {
                (*path, common_nibbles(path, key).min(*depth))
            }
            Node::Blinded => unreachable!("invariant: an opened node is not blinded"),
        };
        if let Node::Branch(branch) = self.arena.node(id)
            && branch.depth == end
        {
            let child = branch.children[nibble(key, end)];
            return self.insert_below(id, child, end, key, value, source);
        }
        Ok(self.split(id, &path, end, key, value))
    }

    /// Inserts into the child of a branch that `key` selects.
    fn insert_below(
        &mut self,
        id: NodeId,
        child: NodeId,
        depth: u8,
        key: &B256,
        value: &[u8],
        source: &mut impl NodeSource,
    ) -> Result<NodeId, TrieError> {
        let new_child = self.insert_at(child, depth + 1, key, value, source)?;
        if new_child != child {
            let Node::Branch(branch) = self.arena.node_mut(id) else {
                unreachable!("invariant: inserting below a branch leaves it a branch");
            };
            branch.children[nibble(key, depth)] = new_child;
        }
        if self.arena.reference(new_child).is_dirty() {
            self.arena.mark_dirty(id);
        }
        Ok(id)
    }

    /// Puts a branch at `depth`, where `key` leaves `path`, above the node that hangs there now
    /// and a new leaf.
    fn split(&mut self, id: NodeId, path: &B256, depth: u8, key: &B256, value: &[u8]) -> NodeId {
        let mut children = [NodeId::NIL; 16];
        children[nibble(path, depth)] = id;
        children[nibble(key, depth)] = self.arena.insert_dirty(Node::leaf(*key, value));
        self.rehang(id, depth + 1);
        self.arena.insert_dirty(Node::Branch(Branch { key: *key, depth, children }))
    }
}
