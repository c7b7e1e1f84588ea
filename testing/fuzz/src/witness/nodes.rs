//! A trie whose nodes are whatever the input says, each under its true hash.

use std::collections::BTreeMap;

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::Header;
use turnpike_state::{NodeSource, Trie, TrieError};

use crate::{Outcome, input::Input};

/// Nodes of a trie, at most.
const NODES_MAX: usize = 24;

/// Operations on a trie, at most.
const OPERATIONS_MAX: usize = 16;

/// Nibbles of a key.
const KEY_NIBBLES: usize = 64;

/// A node whose encoding is at least as long is named by its hash.
const HASHED_MIN: usize = 32;

/// The nodes by hash.
#[derive(Clone, Debug, Default)]
struct Nodes(BTreeMap<B256, Bytes>);

impl NodeSource for Nodes {
    fn node(&mut self, hash: &B256) -> Option<Bytes> {
        self.0.get(hash).cloned()
    }
}

/// A value by key: what reads have returned so far.
type Known = BTreeMap<B256, Option<Vec<u8>>>;

/// Builds the nodes and reads, changes and proves keys.
pub(super) fn check(input: &mut Input<'_>) -> Outcome {
    let (root, mut nodes) = build(input);
    let mut trie = Trie::blinded(root);
    let mut known = Known::new();
    let mut changed = false;
    for _ in 0..OPERATIONS_MAX {
        if input.is_empty() {
            break;
        }
        let (operation, key) = (input.byte() % 4, key(input));
        let before = trie.current_root();
        let result = match operation {
            0 => read(&mut trie, &mut nodes, &key, &mut known),
            1 => {
                let value = value(input);
                let inserted = trie.insert(&key, &value, &mut nodes);
                inserted.map(|()| known.insert(key, Some(value))).map(drop)
            }
            2 => trie.remove(&key, &mut nodes).map(|()| known.insert(key, None)).map(drop),
            _ => prove(&mut trie, &nodes, &key, (!changed).then_some(root)),
        };
        match result {
            Ok(()) => changed |= matches!(operation, 1 | 2),
            Err(error) => {
                check_error(&error);
                assert_eq!(trie.current_root(), before, "a failed change changes the trie");
            }
        }
    }
    // Changes to other keys have not changed what was read.
    for (key, value) in &known {
        assert_eq!(trie.peek(key).map(|found| found.map(<[u8]>::to_vec)), Ok(value.clone()));
    }
    let root = trie.current_root();
    assert_eq!(trie.root(), root);
    if known.values().any(Option::is_some) { Outcome::Checked } else { Outcome::Refused }
}

fn read(
    trie: &mut Trie,
    nodes: &mut Nodes,
    key: &B256,
    known: &mut Known,
) -> Result<(), TrieError> {
    let value = trie.get(key, nodes)?.map(<[u8]>::to_vec);
    let before = known.insert(*key, value.clone());
    assert!(before.is_none_or(|before| before == value), "{key} has two values");
    assert_eq!(trie.peek(key).map(|found| found.map(<[u8]>::to_vec)), Ok(value));
    Ok(())
}

/// The proof of a key that was resolved starts with the root, and gives the same value or none.
fn prove(
    trie: &mut Trie,
    nodes: &Nodes,
    key: &B256,
    unchanged: Option<B256>,
) -> Result<(), TrieError> {
    let value = trie.get(key, &mut nodes.clone())?.map(<[u8]>::to_vec);
    let proof = trie.proof(key).expect("the path is resolved");
    let root = trie.current_root();
    let mut proven = Nodes(proof.iter().map(|node| (keccak256(node), node.clone())).collect());
    assert_eq!(proof.is_empty(), trie.is_empty());
    if let Some(expected) = unchanged {
        assert_eq!(root, expected, "reads change the root");
    }
    if let Some(first) = proof.first() {
        assert_eq!(keccak256(first), root, "the proof of {key} does not start at the root");
    }
    match Trie::blinded(root).get(key, &mut proven) {
        Ok(found) => assert_eq!(found, value.as_deref(), "the proof of {key} proves another value"),
        // A short node under its hash, which no trie has, is not in the proof.
        Err(TrieError::MissingNode { hash }) => {
            let short = nodes.0.get(&hash).is_some_and(|node| node.len() < HASHED_MIN);
            assert!(short, "the proof of {key} lacks {hash}");
        }
        Err(error) => panic!("the proof of {key}: {error}"),
    }
    Ok(())
}

fn check_error(error: &TrieError) {
    let documented = matches!(error, TrieError::MissingNode { .. } | TrieError::InvalidNode { .. });
    assert!(documented, "every hash is true: {error}");
}

/// Nodes from the leaves up: each may name those before it. Returns the hash of the last one.
fn build(input: &mut Input<'_>) -> (B256, Nodes) {
    let mut nodes = Nodes::default();
    let mut encodings: Vec<Vec<u8>> = Vec::new();
    for _ in 0..1 + input.below(NODES_MAX) {
        let encoding = node(input, &encodings);
        nodes.0.insert(keccak256(&encoding), encoding.clone().into());
        encodings.push(encoding);
    }
    (encodings.last().map_or(B256::ZERO, keccak256), nodes)
}

fn node(input: &mut Input<'_>, before: &[Vec<u8>]) -> Vec<u8> {
    match input.byte() % 4 {
        0 => {
            let count = input.byte();
            input.bytes(count.into()).to_vec()
        }
        1 => {
            let path = path(input, 0x20);
            list(&[string(&path), string(&value(input))])
        }
        2 => {
            let path = path(input, 0);
            list(&[string(&path), reference(input, before)])
        }
        _ => {
            let mask = input.u16();
            let children = (0..16).map(|child| match mask >> child & 1 {
                0 => string(&[]),
                _ => reference(input, before),
            });
            let mut items: Vec<_> = children.collect();
            let count = input.below(4).saturating_sub(2);
            items.push(string(input.bytes(count)));
            list(&items)
        }
    }
}

/// A path of a node in hex-prefix encoding. The flags may be wrong.
fn path(input: &mut Input<'_>, flag: u8) -> Vec<u8> {
    let nibbles = usize::from(input.byte()) % (KEY_NIBBLES + 4);
    let odd = nibbles % 2;
    let first = input.byte();
    let first = match (first >> 4, odd) {
        (0x0f, _) => first,
        (_, 1) => flag | 0x10 | first & 0x0f,
        _ => flag,
    };
    let mut path = vec![first];
    // Short paths are written out, long ones repeat a byte.
    let bytes = nibbles / 2;
    let own = input.bytes(bytes.min(2));
    path.extend_from_slice(own);
    path.resize(1 + bytes, own.last().copied().unwrap_or(0));
    path
}

/// A node as its parent names it; now and then a hash or an inlined node that is wrong.
fn reference(input: &mut Input<'_>, before: &[Vec<u8>]) -> Vec<u8> {
    let Some(last) = before.len().checked_sub(1) else { return string(input.word().as_slice()) };
    let byte = input.byte();
    let encoding = &before[last - usize::from(byte & 0x3f) % (last + 1)];
    match byte >> 6 {
        0 | 1 if encoding.len() < HASHED_MIN => encoding.clone(),
        3 => string(&encoding[..encoding.len().min(40)]),
        _ => string(keccak256(encoding).as_slice()),
    }
}

/// A key: nibbles of the input, then one nibble over and over.
fn key(input: &mut Input<'_>) -> B256 {
    let count = input.below(5);
    let own = input.bytes(count);
    let mut key = B256::repeat_byte(own.last().copied().unwrap_or(0));
    key[..own.len()].copy_from_slice(own);
    let last = input.byte();
    if last & 0x80 != 0 {
        key[31] = last;
    }
    key
}

/// A value of a leaf, which is not empty.
fn value(input: &mut Input<'_>) -> Vec<u8> {
    let length = input.byte();
    let own = input.bytes(2);
    let fill = own.last().copied().unwrap_or(0);
    let mut value = own.to_vec();
    value.resize(1 + usize::from(length % 48), fill);
    value
}

fn string(bytes: &[u8]) -> Vec<u8> {
    alloy_rlp::encode(bytes)
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let payload = items.concat();
    let mut list = Vec::new();
    Header { list: true, payload_length: payload.len() }.encode(&mut list);
    list.extend(payload);
    list
}
