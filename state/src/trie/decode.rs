//! Blinded nodes to real ones: fetch, check the hash, parse, graft.
//!
//! Everything here handles bytes from an untrusted source. Parsing is one pass over the bytes, and
//! recursion into inlined children is bounded by their size (under 32 bytes each) and by the
//! length of a key.

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::Header;

use super::{
    NodeSource, Trie, TrieError,
    arena::NodeId,
    nibbles::{KEY_NIBBLES, common_nibbles, decode_path, with_nibble},
    node::{BlindedBranch, Branch, Node, NodeRef},
};

/// Items of a branch node: the children and the value.
const BRANCH_ITEMS: usize = 17;
/// An inlined node is shorter than its hash would be.
const INLINE_RLP_MAX: usize = 31;

impl Trie {
    /// Resolves the node that hangs at `start` as far as `key` needs it: afterwards it is a leaf,
    /// a branch, or an extension that `key` leaves before its blinded branch.
    pub(super) fn open(
        &mut self,
        id: NodeId,
        start: u8,
        key: &B256,
        source: &mut impl NodeSource,
    ) -> Result<(), TrieError> {
        self.unblind(id, start, key, source)?;
        let Node::BlindedBranch(BlindedBranch { key: path, depth, hash }) = self.arena.node(id)
        else {
            return Ok(());
        };
        let (path, depth, hash) = (*path, *depth, *hash);
        if common_nibbles(&path, key) < depth {
            return Ok(());
        }
        let bytes = fetch(&hash, source)?;
        let node = self.parse(&bytes, &path, depth).filter(|node| is_bare_branch(node, depth));
        *self.arena.node_mut(id) = node.ok_or(TrieError::InvalidNode { hash })?;
        Ok(())
    }

    /// Resolves the node that hangs at `start`, below the first nibbles of `prefix`, if it is
    /// blinded. The branch of an extension stays blinded.
    pub(super) fn unblind(
        &mut self,
        id: NodeId,
        start: u8,
        prefix: &B256,
        source: &mut impl NodeSource,
    ) -> Result<(), TrieError> {
        if !matches!(self.arena.node(id), Node::Blinded) {
            return Ok(());
        }
        let hash = self.arena.blinded_hash(id);
        let bytes = fetch(&hash, source)?;
        let node = self.parse(&bytes, prefix, start).ok_or(TrieError::InvalidNode { hash })?;
        *self.arena.node_mut(id) = node;
        Ok(())
    }

    /// Parses the encoding of a node that hangs at `start`, below the first nibbles of `prefix`.
    fn parse(&mut self, bytes: &[u8], prefix: &B256, start: u8) -> Option<Node> {
        let (items, count) = split_list(bytes)?;
        match count {
            2 => self.parse_short(&items[0], &items[1], prefix, start),
            BRANCH_ITEMS => self.parse_branch(&items, prefix, start).map(Node::Branch),
            _ => None,
        }
    }

    fn parse_short(
        &mut self,
        path: &Item<'_>,
        rest: &Item<'_>,
        prefix: &B256,
        start: u8,
    ) -> Option<Node> {
        let path = decode_path(path.string()?, prefix, start)?;
        if path.is_leaf {
            let value = rest.string()?;
            let complete = path.end == KEY_NIBBLES && !value.is_empty();
            return complete.then(|| Node::leaf(path.key, value));
        }
        if path.end == start || path.end == KEY_NIBBLES {
            return None;
        }
        let (key, depth) = (path.key, path.end);
        if let Some(bytes) = rest.inline_node()? {
            return self.parse(bytes, &key, depth).filter(|node| is_bare_branch(node, depth));
        }
        let hash = rest.hash()?;
        Some(Node::BlindedBranch(BlindedBranch { key, depth, hash }))
    }

    fn parse_branch(
        &mut self,
        items: &[Item<'_>; BRANCH_ITEMS],
        prefix: &B256,
        depth: u8,
    ) -> Option<Branch> {
        let (value, encoded) = items.split_last()?;
        let child_count = encoded.iter().filter(|item| !item.is_empty_string()).count();
        if depth >= KEY_NIBBLES || !value.is_empty_string() || child_count < 2 {
            return None;
        }
        let mut children = [NodeId::NIL; 16];
        for ((value, item), child) in (0..16).zip(encoded).zip(&mut children) {
            if !item.is_empty_string() {
                let prefix = with_nibble(prefix, depth, value);
                *child = self.parse_child(item, &prefix, depth + 1)?;
            }
        }
        Some(Branch { key: *prefix, depth, children })
    }

    fn parse_child(&mut self, item: &Item<'_>, prefix: &B256, start: u8) -> Option<NodeId> {
        if let Some(bytes) = item.inline_node()? {
            let node = self.parse(bytes, prefix, start)?;
            return Some(self.arena.insert(node, NodeRef::of(bytes)));
        }
        let hash = item.hash()?;
        Some(self.arena.insert(Node::Blinded, NodeRef::hash(hash)))
    }
}

fn fetch(hash: &B256, source: &mut impl NodeSource) -> Result<Bytes, TrieError> {
    let bytes = source.node(hash).ok_or(TrieError::MissingNode { hash: *hash })?;
    if keccak256(&bytes) != *hash {
        return Err(TrieError::HashMismatch { hash: *hash });
    }
    Ok(bytes)
}

/// Whether a node can be what an extension that ends at `depth` points to.
fn is_bare_branch(node: &Node, depth: u8) -> bool {
    matches!(node, Node::Branch(branch) if branch.depth == depth)
}

/// One item of an RLP list.
#[derive(Clone, Copy, Default)]
struct Item<'a> {
    is_list: bool,
    payload: &'a [u8],
    /// The item with its header.
    raw: &'a [u8],
}

impl<'a> Item<'a> {
    fn string(&self) -> Option<&'a [u8]> {
        (!self.is_list).then_some(self.payload)
    }

    fn is_empty_string(&self) -> bool {
        !self.is_list && self.payload.is_empty()
    }

    fn hash(&self) -> Option<B256> {
        B256::try_from(self.string()?).ok()
    }

    /// The encoding of an inlined node, or `None` within if the item is a string.
    fn inline_node(&self) -> Option<Option<&'a [u8]>> {
        if !self.is_list {
            return Some(None);
        }
        (self.raw.len() <= INLINE_RLP_MAX).then_some(Some(self.raw))
    }
}

/// Splits an RLP list, which must be all of `bytes`, into at most [`BRANCH_ITEMS`] items.
fn split_list(bytes: &[u8]) -> Option<([Item<'_>; BRANCH_ITEMS], usize)> {
    let mut outer = bytes;
    let list = split_item(&mut outer)?;
    if !list.is_list || !outer.is_empty() {
        return None;
    }
    let mut items = [Item::default(); BRANCH_ITEMS];
    let mut count = 0;
    let mut rest = list.payload;
    while !rest.is_empty() {
        *items.get_mut(count)? = split_item(&mut rest)?;
        count += 1;
    }
    Some((items, count))
}

fn split_item<'a>(bytes: &mut &'a [u8]) -> Option<Item<'a>> {
    let start = *bytes;
    let header = Header::decode(bytes).ok()?;
    let payload = bytes.get(..header.payload_length)?;
    *bytes = bytes.get(header.payload_length..)?;
    let raw = &start[..start.len() - bytes.len()];
    Some(Item { is_list: header.list, payload, raw })
}
