//! Roots of lists as block headers hold them: the Merkle-Patricia trie of encoded items, keyed by
//! the RLP of their positions (Yellow Paper, 4.4). Nodes are hashed in SIMD lanes, many at a time
//! and from the bottom level up.

use core::ops::Range;

use alloy_primitives::{B256, keccak256};
use alloy_rlp::Encodable as _;
use alloy_trie::{
    EMPTY_ROOT_HASH, Nibbles, TrieMask,
    nodes::{BranchNodeRef, ExtensionNodeRef, LeafNodeRef, RlpNode},
};
use turnpike_keccak::keccak256_many;

/// Nodes encoded before they are hashed together: a multiple of the SIMD lanes, and small enough
/// for the caches.
const NODES_AT_ONCE: usize = 64;

/// Minimum length of a node that its parent references by hash. The parent embeds a shorter node.
const HASHED_BYTES_MIN: usize = 32;

/// A node. Its children are the next nodes of the level below that have no parent yet.
enum ListTrieNode {
    Leaf { path: Nibbles, place: usize },
    Extension(Nibbles),
    Branch(TrieMask),
}

/// The root of the trie of `count` items. `encode` appends the item at a position.
pub(crate) fn list_root(count: usize, encode: impl Fn(usize, &mut Vec<u8>)) -> B256 {
    if count == 0 {
        return EMPTY_ROOT_HASH;
    }
    let levels = levels(&keys(count));
    let root = levels.iter().rev().fold(Vec::new(), |below, nodes| refer(nodes, &below, &encode));
    let root = &root[0];
    root.as_hash().unwrap_or_else(|| keccak256(root))
}

/// The keys of `count` positions in ascending order, with their positions.
fn keys(count: usize) -> Vec<(Nibbles, usize)> {
    // 0 is encoded as 0x80, so it follows 0x7f.
    let places = (1..count.min(0x80)).chain([0]).chain(0x80..count);
    places.map(|place| (Nibbles::unpack(alloy_rlp::encode_fixed_size(&place)), place)).collect()
}

/// The nodes of a trie, level by level from the root. No key is a prefix of another.
fn levels(keys: &[(Nibbles, usize)]) -> Vec<Vec<ListTrieNode>> {
    let mut levels = Vec::new();
    // The keys below each node of a level, and how many of their nibbles are above it.
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
                mask.set_bit(nibble(&child[0]).expect("invariant: no key is a prefix of another"));
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

/// The references to the nodes of a level in their parents. `below` holds those of the next lower
/// level.
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
            Some(hash) => {
                RlpNode::word_rlp(&hash.expect("invariant: every long node has a hash").into())
            }
            None => RlpNode::from_raw(node).expect("invariant: an embedded node is short"),
        }));
    }
    references
}

#[cfg(test)]
mod tests {
    use alloy_consensus::proofs::ordered_trie_root_with_encoder;

    use super::*;

    /// Checks lists of items with these lengths.
    fn check(lengths: impl Iterator<Item = usize>) {
        let byte = |at: usize| u8::try_from(at % 251).expect("fits 8 bits");
        let item = |(place, length)| (place..place + length).map(|at| byte(at * 7)).collect();
        let items: Vec<Vec<u8>> = lengths.enumerate().map(item).collect();
        let expected =
            ordered_trie_root_with_encoder(&items, |item, out| out.extend_from_slice(item));
        let found = list_root(items.len(), |place, out| out.extend_from_slice(&items[place]));
        assert_eq!(found, expected, "{} items", items.len());
    }

    #[test]
    fn roots_equal_those_of_alloy() {
        for count in (0..300).chain([511, 512, 513, 4_096, 5_000, 65_535, 65_536, 65_537, 70_000]) {
            check((0..count).map(|place| 100 + place % 300));
        }
    }

    #[test]
    fn short_items_are_embedded_in_their_parents() {
        for length in 1..40 {
            for count in [1, 2, 3, 16, 17, 127, 128, 129, 130, 255, 256, 257, 300] {
                check((0..count).map(|place| length + place % 3));
            }
        }
    }
}
