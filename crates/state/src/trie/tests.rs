//! Tests of the trie's internals: slot reuse, inlined nodes, malformed nodes, witness coverage.

use alloc::{vec, vec::Vec};
use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::Header;
use std::collections::BTreeMap;

use super::{
    NoNodes, NodeSource, Trie, TrieError,
    nibbles::{HexPrefix, common_nibbles, decode_path, nibble, with_nibble},
};
use crate::{PreimageSource, Witness};

#[derive(Default)]
struct Nodes(BTreeMap<B256, Bytes>);

impl Nodes {
    fn add(&mut self, node: Vec<u8>) -> B256 {
        let hash = keccak256(&node);
        self.0.insert(hash, node.into());
        hash
    }
}

impl NodeSource for Nodes {
    fn node(&mut self, hash: &B256) -> Option<Bytes> {
        self.0.get(hash).cloned()
    }
}

impl NodeSource for Witness {
    fn node(&mut self, hash: &B256) -> Option<Bytes> {
        self.preimage(hash)
    }
}

/// A key of these nibbles, followed by zeros.
fn key(nibbles: &[u8]) -> B256 {
    (0..).zip(nibbles).fold(B256::ZERO, |key, (at, nibble)| with_nibble(&key, at, *nibble))
}

fn trie(entries: &[(B256, Vec<u8>)]) -> Trie {
    let mut trie = Trie::new();
    for (key, value) in entries {
        trie.insert(key, value, &mut NoNodes).expect("full trie");
    }
    trie.root();
    trie
}

fn long(seed: u8) -> Vec<u8> {
    vec![seed; 40]
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let payload = items.concat();
    let mut out = Vec::new();
    Header { list: true, payload_length: payload.len() }.encode(&mut out);
    out.extend(payload);
    out
}

fn string(bytes: &[u8]) -> Vec<u8> {
    alloy_rlp::encode(bytes)
}

#[test]
fn insertions_reuse_freed_slots() {
    let keys: Vec<B256> = (0..200_u32).map(|seed| keccak256(seed.to_be_bytes())).collect();
    let fill = |trie: &mut Trie| {
        keys.iter().for_each(|key| trie.insert(key, &[1], &mut NoNodes).expect("full trie"));
    };
    let mut trie = Trie::new();
    fill(&mut trie);
    keys.iter().for_each(|key| trie.remove(key, &mut NoNodes).expect("full trie"));
    fill(&mut trie);
    let held = |trie: &Trie| (trie.arena.usage().0, trie.leaves.capacity_used(), trie.node_count());
    let (root, before) = (trie.root(), held(&trie));
    for _ in 0..5 {
        keys.iter().for_each(|key| trie.remove(key, &mut NoNodes).expect("full trie"));
        assert_eq!((trie.node_count(), trie.is_empty()), (0, true));
        let (used, free) = trie.arena.usage();
        assert_eq!(used, free);
        fill(&mut trie);
        assert_eq!((trie.root(), held(&trie)), (root, before));
    }
}

#[test]
fn setting_the_same_value_leaves_the_trie_clean() {
    let mut trie = trie(&[(key(&[1]), long(1)), (key(&[2]), long(2))]);
    trie.insert(&key(&[1]), &long(1), &mut NoNodes).expect("full trie");
    trie.remove(&key(&[3]), &mut NoNodes).expect("full trie");
    assert!(!trie.dirty);
    trie.insert(&key(&[1]), &long(2), &mut NoNodes).expect("full trie");
    assert!(trie.dirty);
}

#[test]
fn inserting_an_empty_value_removes_the_key() {
    let mut trie = trie(&[(key(&[1]), long(1))]);
    trie.insert(&key(&[1]), &[], &mut NoNodes).expect("full trie");
    assert!(trie.is_empty());
}

#[test]
fn proof_omits_inlined_nodes() {
    let (a, b) = (with_nibble(&key(&[7]), 63, 1), with_nibble(&key(&[7]), 63, 2));
    let trie = trie(&[(a, vec![1]), (b, vec![2]), (key(&[8]), long(3))]);
    // The root is a branch with an extension below it. The extension's branch and its leaves are
    // inlined.
    assert_eq!(trie.proof(&a).expect("full trie").len(), 2);

    let mut nodes = Nodes::default();
    for node in trie.proof(&a).expect("full trie") {
        nodes.add(node.to_vec());
    }
    let mut blinded = Trie::blinded(trie.current_root());
    assert_eq!(blinded.get(&a, &mut nodes), Ok(Some(&[1][..])));
    assert_eq!(blinded.get(&b, &mut NoNodes), Ok(Some(&[2][..])));
}

/// Removes `gone` from a trie of `gone` and `rest` in which only the path of `gone` is resolved.
fn collapse(gone: B256, rest: &[(B256, Vec<u8>)]) {
    let full = trie(&[&[(gone, long(9))], rest].concat());
    let expected = trie(rest).current_root();
    let mut path = Nodes::default();
    for node in full.proof(&gone).expect("full trie") {
        path.add(node.to_vec());
    }
    let mut partial = Trie::blinded(full.current_root());
    let Err(TrieError::MissingNode { hash }) = partial.remove(&gone, &mut path) else {
        panic!("expected the sibling to be missing");
    };
    assert_eq!(partial.root(), full.current_root());
    assert_eq!(partial.get(&gone, &mut path), Ok(Some(&long(9)[..])));

    for (key, _) in rest {
        let proof = full.proof(key).expect("full trie");
        if let Some(node) = proof.into_iter().find(|node| keccak256(node) == hash) {
            path.add(node.to_vec());
        }
    }
    partial.remove(&gone, &mut path).expect("sibling is known");
    assert_eq!(partial.root(), expected);
}

#[test]
fn collapse_resolves_a_blinded_leaf() {
    collapse(key(&[1]), &[(key(&[2]), long(1))]);
    collapse(key(&[5, 1]), &[(key(&[5, 2]), long(1))]);
}

#[test]
fn collapse_resolves_a_blinded_branch() {
    collapse(key(&[1]), &[(key(&[2, 1]), long(1)), (key(&[2, 2]), long(2))]);
}

#[test]
fn collapse_resolves_a_blinded_extension_but_not_its_branch() {
    collapse(key(&[1]), &[(key(&[2, 3, 4, 1]), long(1)), (key(&[2, 3, 4, 2]), long(2))]);
    collapse(key(&[5, 1]), &[(key(&[5, 2, 4, 1]), long(1)), (key(&[5, 2, 4, 2]), long(2))]);
}

#[test]
fn insertion_splits_an_extension_above_its_blinded_branch() {
    let base = [(key(&[3, 3, 3, 3, 1]), long(1)), (key(&[3, 3, 3, 3, 2]), long(2))];
    let full = trie(&base);
    for at in 0..4 {
        let new = with_nibble(&base[0].0, at, 9);
        let mut source = Nodes::default();
        for node in full.proof(&new).expect("full trie") {
            source.add(node.to_vec());
        }
        let mut partial = Trie::blinded(full.current_root());
        partial.insert(&new, &long(3), &mut source).expect("extension is known");
        let expected = trie(&[&base[..], &[(new, long(3))]].concat());
        assert_eq!(partial.root(), expected.current_root());
        // The branch is still blinded. A read finds it once the source has it.
        assert!(matches!(partial.peek(&base[0].0), Err(TrieError::MissingNode { .. })));
        source.add(full.proof(&base[0].0).expect("full trie")[1].to_vec());
        assert_eq!(partial.get(&base[0].0, &mut NoNodes).map(drop), missing_branch(&full, &base));
        partial.remove(&new, &mut source).expect("the path is resolved");
        assert_eq!(partial.root(), full.current_root());
    }
}

fn missing_branch(full: &Trie, base: &[(B256, Vec<u8>)]) -> Result<(), TrieError> {
    let hash = keccak256(&full.proof(&base[0].0).expect("full trie")[1]);
    Err(TrieError::MissingNode { hash })
}

#[test]
fn proof_through_a_blinded_node_fails() {
    let full = trie(&[(key(&[1]), long(1)), (key(&[2]), long(2))]);
    let root = full.current_root();
    assert_eq!(Trie::blinded(root).proof(&key(&[1])), Err(TrieError::MissingNode { hash: root }));
}

#[test]
fn collected_witness_covers_any_change_to_its_keys() {
    let keys: Vec<B256> =
        (0..60_u8).map(|seed| key(&[seed % 2, 0, seed % 3, 5, 5, seed % 5, seed % 7])).collect();
    let full = trie(&keys.iter().map(|key| (*key, long(1))).collect::<Vec<_>>());
    let touched: Vec<&B256> = keys.iter().skip(3).step_by(2).collect();
    let mut witness = Witness::default();
    for key in &touched {
        full.collect_witness(key, &mut witness).expect("full trie");
    }
    let (mut expected, mut partial) = (full.clone(), Trie::blinded(full.current_root()));
    for key in touched {
        expected.remove(key, &mut NoNodes).expect("full trie");
        partial.remove(key, &mut witness).expect("witness is complete");
        assert_eq!(partial.root(), expected.root());
    }
}

#[test]
fn witness_for_another_hash_is_rejected() {
    struct Liar;
    impl NodeSource for Liar {
        fn node(&mut self, _hash: &B256) -> Option<Bytes> {
            Some(Bytes::from_static(&[0xc2, 0x20, 0x01]))
        }
    }
    let hash = B256::repeat_byte(1);
    let error = Trie::blinded(hash).get(&B256::ZERO, &mut Liar).map(drop);
    assert_eq!(error, Err(TrieError::HashMismatch { hash }));
}

/// Encodings that are not valid nodes, each with the reason.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let hash = string(&[7; 32]);
    let leaf_path = string(HexPrefix::leaf(&B256::ZERO, 0).as_slice());
    let extension_path = string(HexPrefix::extension(&B256::ZERO, 0, 3).as_slice());
    let empty = || string(&[]);
    let branch = |children: &[Vec<u8>], value: Vec<u8>| {
        let mut items = children.to_vec();
        items.resize(16, empty());
        items.push(value);
        list(&items)
    };
    let long_inline = list(&[string(&[0x20; 30]), string(&[1; 30])]);
    vec![
        ("nothing", vec![]),
        ("a string", string(&[1; 40])),
        ("an empty list", list(&[])),
        ("three items", list(&[leaf_path.clone(), empty(), empty()])),
        ("eighteen items", list(&vec![empty(); 18])),
        ("bytes after the list", [list(&[leaf_path.clone(), string(&[1])]), vec![0]].concat()),
        ("a list cut short", list(&[leaf_path.clone(), string(&[1])])[..20].to_vec()),
        ("a length beyond memory", vec![0xff; 9]),
        ("a leaf without value", list(&[leaf_path.clone(), empty()])),
        ("a leaf whose value is a list", list(&[leaf_path, list(&[])])),
        ("a leaf path too short", list(&[string(&[0x20, 0x12]), string(&[1])])),
        ("a leaf path too long", list(&[string(&[0x20; 34]), string(&[1])])),
        ("an empty path", list(&[empty(), hash.clone()])),
        ("a path that is a list", list(&[list(&[]), hash.clone()])),
        ("an unknown path flag", list(&[string(&[0x40, 0x12]), hash.clone()])),
        ("an even path with an odd nibble", list(&[string(&[0x01, 0x12]), hash.clone()])),
        ("an extension without nibbles", list(&[string(&[0x00]), hash.clone()])),
        ("an extension over a whole key", list(&[string(&[0x00; 33]), hash.clone()])),
        ("an extension to nothing", list(&[extension_path.clone(), empty()])),
        ("an extension to a short hash", list(&[extension_path.clone(), string(&[7; 31])])),
        ("an extension to a leaf", list(&[extension_path, list(&[string(&[0x31]), vec![1]])])),
        ("a branch with a value", branch(&[hash.clone(), hash.clone()], string(&[1]))),
        ("a branch with one child", branch(std::slice::from_ref(&hash), empty())),
        ("a branch with a short hash", branch(&[hash.clone(), string(&[7; 20])], empty())),
        ("a branch with a long inline child", branch(&[hash.clone(), long_inline], empty())),
        ("a branch with a bad inline child", branch(&[hash, list(&[vec![1]])], empty())),
    ]
}

#[test]
fn malformed_nodes_are_errors() {
    for (reason, node) in malformed() {
        let mut source = Nodes::default();
        let hash = source.add(node);
        let expected = Err(TrieError::InvalidNode { hash });
        let mut trie = Trie::blinded(hash);
        assert_eq!(trie.get(&B256::ZERO, &mut source).map(drop), expected, "{reason}");
        assert_eq!(trie.insert(&B256::ZERO, &[1], &mut source), expected, "{reason}");
        assert_eq!(trie.remove(&B256::ZERO, &mut source), expected, "{reason}");
        assert_eq!(trie.root(), hash, "{reason}");
    }
}

#[test]
fn extension_without_a_branch_is_rejected() {
    let mut source = Nodes::default();
    let inner = source.add(list(&[string(&[0x00, 0x11]), string(&[7; 32])]));
    let outer = source.add(list(&[string(&[0x00, 0x00]), string(inner.as_slice())]));
    let error = Trie::blinded(outer).get(&B256::ZERO, &mut source).map(drop);
    assert_eq!(error, Err(TrieError::InvalidNode { hash: inner }));
}

#[test]
fn branch_below_a_complete_key_is_rejected() {
    // A chain of branches: the 65th has no nibble left.
    let mut source = Nodes::default();
    let mut below = source.add(vec![0xc0]);
    for _ in 0..65 {
        let child = string(below.as_slice());
        let mut items = vec![child.clone(), child];
        items.resize(17, string(&[]));
        below = source.add(list(&items));
    }
    let error = Trie::blinded(below).get(&B256::ZERO, &mut source).map(drop);
    assert!(matches!(error, Err(TrieError::InvalidNode { .. })));
}

#[test]
fn random_bytes_never_panic() {
    use proptest::{collection, prelude::*};
    let seeds: Vec<Vec<u8>> = malformed().into_iter().map(|(_, node)| node).collect();
    let mutated = (prop::sample::select(seeds), any::<prop::sample::Index>(), any::<u8>());
    let mutated = mutated.prop_map(|(mut node, at, byte)| {
        if !node.is_empty() {
            let at = at.index(node.len());
            node[at] = byte;
        }
        node
    });
    let bytes = prop_oneof![mutated, collection::vec(any::<u8>(), 0..80)];
    proptest!(|(bytes in bytes, key in any::<[u8; 32]>())| {
        let mut source = Nodes::default();
        let hash = source.add(bytes);
        let mut trie = Trie::blinded(hash);
        let _ = trie.get(&B256::ZERO, &mut source);
        let _ = trie.remove(&B256::ZERO, &mut source);
        let _ = trie.insert(&key.into(), &[1], &mut source);
        trie.root();
    });
}

#[test]
fn hex_prefix_paths_round_trip() {
    let full = keccak256([1]);
    for from in 0..=64 {
        for to in from..=64 {
            let encoded = HexPrefix::extension(&full, from, to);
            let path = decode_path(encoded.as_slice(), &full, from).expect("canonical");
            assert_eq!((path.end, path.is_leaf), (to, false));
            assert!(common_nibbles(&path.key, &full) >= to);
        }
        let encoded = HexPrefix::leaf(&full, from);
        let path = decode_path(encoded.as_slice(), &full, from).expect("canonical");
        assert_eq!((path.key, path.end, path.is_leaf), (full, 64, true));
    }
    // The examples in appendix C of the Yellow Paper.
    let bytes = key(&[1, 2, 3, 4, 5]);
    assert_eq!(HexPrefix::extension(&bytes, 0, 5).as_slice(), [0x11, 0x23, 0x45]);
    assert_eq!(HexPrefix::extension(&bytes, 1, 5).as_slice(), [0x00, 0x23, 0x45]);
}

#[test]
fn common_nibbles_ends_at_the_first_difference() {
    let base = keccak256([2]);
    for position in 0..64 {
        let value = u8::try_from(nibble(&base, position)).expect("a nibble") ^ 1;
        let other = with_nibble(&base, position, value);
        assert_eq!(nibble(&other, position), usize::from(value));
        assert_eq!(common_nibbles(&base, &other), position);
    }
    assert_eq!(common_nibbles(&base, &base), 64);
}
