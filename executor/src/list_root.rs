//! The root of a list, as a header holds it: a Merkle-Patricia trie of encoded items by the RLP of their places (Yellow Paper,
//! 4.4). Its nodes are hashed many at a time, the lowest first.

use core::ops::Range;

use alloy_primitives::{B256, keccak256};
use alloy_rlp::Encodable as _;
use alloy_trie::{
    EMPTY_ROOT_HASH, Nibbles, TrieMask,
    nodes::{BranchNodeRef, ExtensionNodeRef, LeafNodeRef, RlpNode},
};
use turnpike_keccak::keccak256_many;

/// Nodes that are encoded before they are hashed together: a multiple of the lanes, and no more than the caches hold.
const NODES_AT_ONCE: usize = 64;

/// A shorter node stands in its parent itself, not its hash.
const HASHED_BYTES_MIN: usize = 32;

/// A node; its children are the next nodes of the level below that have no parent yet.
enum ListTrieNode {
    Leaf { path: Nibbles, place: usize },
    Extension(Nibbles),
    Branch(TrieMask),
}

/// The root of the trie of this many items; `encode` appends the one at a place.
pub(crate) fn list_root(count: usize, encode: impl Fn(usize, &mut Vec<u8>)) -> B256 {
    if count == 0 {
        return EMPTY_ROOT_HASH;
    }
    let levels = levels(&keys(count));
    let root = levels.iter().rev().fold(Vec::new(), |below, nodes| refer(nodes, &below, &encode));
    let root = &root[0];
    root.as_hash().unwrap_or_else(|| keccak256(root))
}

/// The keys of this many places, in their order, with their places.
fn keys(count: usize) -> Vec<(Nibbles, usize)> {
    // 0 is encoded as 0x80, and so lies behind 0x7f.
    let places = (1..count.min(0x80)).chain([0]).chain(0x80..count);
    places.map(|place| (Nibbles::unpack(alloy_rlp::encode_fixed_size(&place)), place)).collect()
}

/// The nodes of a trie with these keys, of which none begins another, level by level from the root on.
fn levels(keys: &[(Nibbles, usize)]) -> Vec<Vec<ListTrieNode>> {
    let mut levels = Vec::new();
    // The keys below each node of a level, and how many of their nibbles lie above it.
    let mut spans: Vec<(Range<usize>, usize)> = vec![(0..keys.len(), 0)];
    while !spans.is_empty() {
        let mut below = Vec::new();
        let node = |(span, depth): (Range<usize>, usize)| {
            let (first, place) = &keys[span.start];
            let (last, _) = &keys[span.end - 1];
            if span.len() == 1 {
                return ListTrieNode::Leaf { path: first.slice(depth..), place: *place };
            }
            let fork = first.common_prefix_length(last);
            if fork > depth {
                below.push((span, fork));
                return ListTrieNode::Extension(first.slice(depth..fork));
            }
            let (mut mask, mut start) = (TrieMask::default(), span.start);
            let nibble = |(key, _): &(Nibbles, usize)| key.get(depth);
            for child in keys[span].chunk_by(|a, b| nibble(a) == nibble(b)) {
                mask.set_bit(nibble(&child[0]).expect("invariant: no key begins another"));
                below.push((start..start + child.len(), depth + 1));
                start += child.len();
            }
            ListTrieNode::Branch(mask)
        };
        levels.push(spans.into_iter().map(node).collect());
        spans = below;
    }
    levels
}

/// What stands for each node of a level in the level above. `below` is the same for the level below.
fn refer(
    nodes: &[ListTrieNode],
    mut below: &[RlpNode],
    encode: impl Fn(usize, &mut Vec<u8>),
) -> Vec<RlpNode> {
    let mut children = |count: usize| {
        let (of_this, rest) = below.split_at(count);
        below = rest;
        of_this
    };
    let mut references = Vec::with_capacity(nodes.len());
    let (mut bytes, mut item) = (Vec::new(), Vec::new());
    for nodes in nodes.chunks(NODES_AT_ONCE) {
        bytes.clear();
        let ends: Vec<usize> = nodes
            .iter()
            .map(|node| {
                match node {
                    ListTrieNode::Leaf { path, place } => {
                        item.clear();
                        encode(*place, &mut item);
                        LeafNodeRef::new(path, &item).encode(&mut bytes);
                    }
                    ListTrieNode::Extension(path) => {
                        ExtensionNodeRef::new(path, &children(1)[0]).encode(&mut bytes);
                    }
                    ListTrieNode::Branch(mask) => {
                        let of_this = children(usize::from(mask.count_bits()));
                        BranchNodeRef::new(of_this, *mask).encode(&mut bytes);
                    }
                }
                bytes.len()
            })
            .collect();
        let starts = [0].into_iter().chain(ends.iter().copied());
        let encoded = starts.zip(&ends).map(|(start, end)| &bytes[start..*end]);
        let is_hashed = |node: &[u8]| node.len() >= HASHED_BYTES_MIN;
        let hashed: Vec<_> = encoded.clone().filter(|node| is_hashed(node)).collect();
        let mut hashes = vec![[0; 32]; hashed.len()];
        keccak256_many(&hashed, &mut hashes);
        let mut hashes = hashes.into_iter();
        references.extend(encoded.map(|node| match is_hashed(node).then(|| hashes.next()) {
            Some(hash) => RlpNode::word_rlp(&hash.expect("invariant: one for each").into()),
            None => RlpNode::from_raw(node).expect("invariant: it is short"),
        }));
    }
    references
}

#[cfg(test)]
mod tests {
    use alloy_consensus::proofs::ordered_trie_root_with_encoder;

    use super::*;

    /// Items of so many bytes.
    fn check(lengths: impl Iterator<Item = usize>) {
        let byte = |at: usize| u8::try_from(at % 251).expect("small");
        let item = |(place, length)| (place..place + length).map(|at| byte(at * 7)).collect();
        let items: Vec<Vec<u8>> = lengths.enumerate().map(item).collect();
        let expected =
            ordered_trie_root_with_encoder(&items, |item, out| out.extend_from_slice(item));
        let found = list_root(items.len(), |place, out| out.extend_from_slice(&items[place]));
        assert_eq!(found, expected, "{} items", items.len());
    }

    #[test]
    fn roots_are_those_of_another_implementation() {
        for count in (0..300).chain([511, 512, 513, 4_096, 5_000, 65_535, 65_536, 65_537, 70_000]) {
            check((0..count).map(|place| 100 + place % 300));
        }
    }

    #[test]
    fn short_items_stand_in_their_parents() {
        for length in 1..40 {
            for count in [1, 2, 3, 16, 17, 127, 128, 129, 130, 255, 256, 257, 300] {
                check((0..count).map(|place| length + place % 3));
            }
        }
    }
}
