//! The vector that nodes live in. Freed slots are used again before the vector grows.

use alloc::vec::Vec;
use alloy_primitives::B256;
use core::mem;

use super::node::{Node, NodeRef};

/// The index of a node in its arena, or nil.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(u32);

impl NodeId {
    /// No node.
    pub(super) const NIL: Self = Self(u32::MAX);

    pub(super) fn is_nil(self) -> bool {
        self == Self::NIL
    }

    fn index(self) -> usize {
        usize::try_from(self.0).expect("invariant: usize has at least 32 bits")
    }
}

impl Default for NodeId {
    fn default() -> Self {
        Self::NIL
    }
}

#[derive(Clone, Debug)]
struct Slot {
    node: Node,
    /// Cached reference of the node at the place where it hangs.
    reference: NodeRef,
}

/// Nodes by index. At most 2^32 - 1 of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Arena {
    slots: Vec<Slot>,
    free: Vec<NodeId>,
}

impl Arena {
    /// Slots in use.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Slots allocated, in use or free.
    #[cfg(test)]
    pub(super) fn slot_count(&self) -> usize {
        self.slots.len()
    }

    /// Adds a node with a known reference.
    pub(super) fn insert(&mut self, node: Node, reference: NodeRef) -> NodeId {
        let slot = Slot { node, reference };
        if let Some(id) = self.free.pop() {
            self.slots[id.index()] = slot;
            return id;
        }
        let id = u32::try_from(self.slots.len()).map_or(NodeId::NIL, NodeId);
        assert!(!id.is_nil(), "invariant: a trie has fewer than 2^32 - 1 nodes");
        self.slots.push(slot);
        id
    }

    /// Adds a node whose reference is still to be computed.
    pub(super) fn insert_dirty(&mut self, node: Node) -> NodeId {
        self.insert(node, NodeRef::DIRTY)
    }

    /// Frees one slot (not those of its children).
    pub(super) fn remove(&mut self, id: NodeId) -> Node {
        self.free.push(id);
        mem::replace(&mut self.slots[id.index()].node, Node::Blinded)
    }

    /// The node, `None` for nil.
    pub(super) fn get(&self, id: NodeId) -> Option<&Node> {
        if id.is_nil() { None } else { Some(self.node(id)) }
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.slots[id.index()].node
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.slots[id.index()].node
    }

    pub(super) fn reference(&self, id: NodeId) -> &NodeRef {
        &self.slots[id.index()].reference
    }

    pub(super) fn set_reference(&mut self, id: NodeId, reference: NodeRef) {
        self.slots[id.index()].reference = reference;
    }

    pub(super) fn mark_dirty(&mut self, id: NodeId) {
        self.set_reference(id, NodeRef::DIRTY);
    }

    /// The hash of a blinded node.
    pub(super) fn blinded_hash(&self, id: NodeId) -> B256 {
        self.reference(id).to_hash()
    }
}
