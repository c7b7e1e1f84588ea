//! Compares the trie with `alloy-trie`, the reference: roots with its hash builder, proofs with its
//! verifier.

mod common;

use std::collections::BTreeMap;

use alloy_primitives::B256;
use alloy_trie::{Nibbles, proof::verify_proof};
use common::{Nodes, key, reference_root, value};
use proptest::{collection, prelude::*};
use turnpike_state::{NoNodes, NodeSource, Trie, TrieError};

type Map = BTreeMap<B256, Vec<u8>>;

/// A set of keys, and changes to them in random order. `None` removes the key.
fn changes() -> impl Strategy<Value = Vec<(B256, Option<Vec<u8>>)>> {
    collection::vec(key(), 1..40).prop_flat_map(|keys| {
        let change = prop_oneof![3 => value().prop_map(Some), 2 => Just(None)];
        collection::vec((prop::sample::select(keys), change), 1..90)
    })
}

fn change(
    trie: &mut Trie,
    key: &B256,
    value: Option<&Vec<u8>>,
    source: &mut impl NodeSource,
) -> Result<(), TrieError> {
    match value {
        Some(value) => trie.insert(key, value, source),
        None => trie.remove(key, source),
    }
}

fn change_map(map: &mut Map, key: B256, value: Option<Vec<u8>>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

fn verify(trie: &Trie, root: B256, key: &B256, expected: Option<&Vec<u8>>) {
    let proof = trie.proof(key).expect("full trie");
    verify_proof(root, Nibbles::unpack(key), expected.cloned(), &proof)
        .unwrap_or_else(|error| panic!("proof of {key}: {error}"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn roots_equal_those_of_the_hash_builder(changes in changes(), every in 1_usize..12) {
        let (mut trie, mut map) = (Trie::new(), Map::new());
        for (index, (key, value)) in changes.into_iter().enumerate() {
            change(&mut trie, &key, value.as_ref(), &mut NoNodes)?;
            change_map(&mut map, key, value);
            if index % every == 0 {
                prop_assert_eq!(trie.current_root(), reference_root(&map));
                prop_assert_eq!(trie.root(), reference_root(&map));
            }
        }
        prop_assert_eq!(trie.root(), reference_root(&map));
        prop_assert_eq!(trie.is_empty(), map.is_empty());
    }

    #[test]
    fn values_equal_those_of_the_map(changes in changes(), absent in collection::vec(key(), 8)) {
        let (mut trie, mut map) = (Trie::new(), Map::new());
        for (key, value) in changes.clone() {
            change(&mut trie, &key, value.as_ref(), &mut NoNodes)?;
            change_map(&mut map, key, value);
        }
        for key in changes.iter().map(|(key, _)| key).chain(&absent) {
            let expected = map.get(key).map(Vec::as_slice);
            prop_assert_eq!(trie.peek(key)?, expected);
            prop_assert_eq!(trie.get(key, &mut NoNodes)?, expected);
        }
    }

    #[test]
    fn proofs_verify(changes in changes(), absent in collection::vec(key(), 8)) {
        let (mut trie, mut map) = (Trie::new(), Map::new());
        for (key, value) in changes.clone() {
            change(&mut trie, &key, value.as_ref(), &mut NoNodes)?;
            change_map(&mut map, key, value);
        }
        let root = reference_root(&map);
        for key in changes.iter().map(|(key, _)| key).chain(&absent) {
            verify(&trie, root, key, map.get(key));
        }
        prop_assert_eq!(trie.root(), root);
        for key in map.keys() {
            verify(&trie, root, key, map.get(key));
        }
    }

    /// A trie that starts blinded, with a source that has every node, equals one that starts full.
    #[test]
    fn resolved_blinded_trie_equals_full_trie(before in changes(), after in changes(), every in 1_usize..12) {
        let mut full = Trie::new();
        for (key, value) in &before {
            change(&mut full, key, value.as_ref(), &mut NoNodes)?;
        }
        let mut source = Nodes::of(&full, before.iter().map(|(key, _)| key));
        let mut blinded = Trie::blinded(full.root());
        for (index, (key, value)) in before.iter().zip(&after).flat_map(<[_; 2]>::from).enumerate() {
            let value = value.as_ref().filter(|_| index % 3 != 0);
            change(&mut full, key, value, &mut NoNodes)?;
            change(&mut blinded, key, value, &mut source)?;
            prop_assert_eq!(blinded.get(key, &mut source)?, full.peek(key)?);
            if index % every == 0 {
                prop_assert_eq!(blinded.root(), full.root());
            }
        }
        prop_assert_eq!(blinded.root(), full.root());
        for (key, _) in before.iter().chain(&after) {
            prop_assert_eq!(blinded.get(key, &mut source)?, full.peek(key)?);
        }
    }

    /// If nodes are missing, each change either has the same result as on the full trie, or fails
    /// and changes nothing.
    #[test]
    fn failed_changes_change_nothing(
        before in changes(),
        after in changes(),
        kept in collection::vec(prop::bool::weighted(0.8), 256),
    ) {
        let mut full = Trie::new();
        for (key, value) in &before {
            change(&mut full, key, value.as_ref(), &mut NoNodes)?;
        }
        let complete = Nodes::of(&full, before.iter().map(|(key, _)| key));
        let nodes = complete.0.into_iter().zip(kept.into_iter().cycle());
        let mut source = Nodes(nodes.filter_map(|(node, kept)| kept.then_some(node)).collect());
        let mut blinded = Trie::blinded(full.root());
        for (key, value) in before.iter().zip(&after).flat_map(<[_; 2]>::from) {
            let root = full.root();
            match change(&mut blinded, key, value.as_ref(), &mut source) {
                Ok(()) => change(&mut full, key, value.as_ref(), &mut NoNodes)?,
                Err(TrieError::MissingNode { hash }) => {
                    prop_assert!(!source.0.contains_key(&hash));
                    prop_assert_eq!(blinded.current_root(), root);
                }
                Err(error) => return Err(error.into()),
            }
            prop_assert_eq!(blinded.root(), full.root());
        }
    }
}
