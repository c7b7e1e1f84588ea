//! Trie tests: the root after entries are inserted and deleted, in every order that the test
//! allows.

use std::{collections::BTreeMap, time::Instant};

use alloy_primitives::{B256, Bytes, hex, keccak256};
use serde::Deserialize;
use serde_json::value::RawValue;
use turnpike_state::{EMPTY_ROOT, NoNodes, Trie};

use crate::{case::Case, error::FormatError, tally::Tally};

/// Up to this many entries, every order is tried; beyond, only forwards and backwards.
const PERMUTED_MAX: usize = 6;

/// A test of the `TrieTests` of ethereum/tests.
#[derive(Debug, Deserialize)]
struct TrieTest {
    #[serde(rename = "in")]
    entries: Entries,
    /// Absent in tests about neighbouring keys.
    root: Option<B256>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Entries {
    /// In this order; an absent value deletes the key.
    Ordered(Vec<(String, Option<String>)>),
    /// In any order.
    Unordered(BTreeMap<String, Option<String>>),
    /// Keys without values, which have no root.
    Keys(serde::de::IgnoredAny),
}

/// Runs the test `name`. Keys are hashed if the file's name contains `secure`.
pub(crate) fn run(
    name: &str,
    file: &str,
    json: &RawValue,
    tally: &mut Tally<'_>,
) -> Result<(), FormatError> {
    let test: TrieTest = serde_json::from_str(json.get())?;
    let start = Instant::now();
    let hashed = file.to_ascii_lowercase().contains("secure");
    let verdict = check(&test, hashed)?;
    tally.case(Case { test: name, fork: "", indexes: "" }, verdict, start.elapsed());
    Ok(())
}

type Entry = (B256, Option<Bytes>);

/// Checks one test. The outer error means that the file is malformed.
fn check(test: &TrieTest, hashed: bool) -> Result<Result<(), String>, FormatError> {
    let (pairs, any_order) = match &test.entries {
        Entries::Ordered(list) => (list.iter().map(|(k, v)| (k, v.as_ref())).collect(), false),
        Entries::Unordered(map) => (map.iter().map(|(k, v)| (k, v.as_ref())).collect(), true),
        Entries::Keys(_) => (Vec::new(), false),
    };
    let Some(root) = test.root else {
        return Ok(Err("asks for the neighbours of a key".to_owned()));
    };
    let mut entries = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        let (key, value) = (bytes(key)?, value.map(|value| bytes(value)).transpose()?);
        let key = if hashed { Ok(keccak256(&key)) } else { B256::try_from(key.as_ref()) };
        let Ok(key) = key else {
            return Ok(Err("a key is not 32 bytes long".to_owned()));
        };
        entries.push((key, value.filter(|value| !value.is_empty())));
    }
    let mut order: Vec<&Entry> = entries.iter().collect();
    Ok(if !any_order {
        check_order(&order, root)
    } else if order.len() <= PERMUTED_MAX {
        check_permutations(&mut order, 0, root)
    } else {
        check_order(&order, root).and_then(|()| {
            order.reverse();
            check_order(&order, root)
        })
    })
}

/// Checks every order that permutes `order[from..]`.
fn check_permutations(order: &mut [&Entry], from: usize, root: B256) -> Result<(), String> {
    if from == order.len() {
        return check_order(order, root);
    }
    for index in from..order.len() {
        order.swap(from, index);
        check_permutations(order, from + 1, root)?;
        order.swap(from, index);
    }
    Ok(())
}

/// Checks the root after the entries in this order, then removes all of them and expects an empty
/// trie.
fn check_order(entries: &[&Entry], root: B256) -> Result<(), String> {
    let mut trie = Trie::new();
    let source = &mut NoNodes;
    for (key, value) in entries {
        match value {
            Some(value) => trie.insert(key, value, source),
            None => trie.remove(key, source),
        }
        .map_err(|error| error.to_string())?;
    }
    expect_root(&mut trie, root)?;
    for (key, _) in entries {
        trie.remove(key, source).map_err(|error| error.to_string())?;
        trie.root();
    }
    expect_root(&mut trie, EMPTY_ROOT)
}

fn expect_root(trie: &mut Trie, expected: B256) -> Result<(), String> {
    let root = trie.root();
    if root == expected { Ok(()) } else { Err(format!("root: expected {expected}, got {root}")) }
}

/// Reads bytes that the files write as text, or as hexadecimal after `0x`.
fn bytes(text: &str) -> Result<Bytes, FormatError> {
    match text.strip_prefix("0x") {
        Some(digits) => hex::decode(digits)
            .map(Bytes::from)
            .map_err(|error| FormatError::Content(format!("{text}: {error}"))),
        None => Ok(Bytes::copy_from_slice(text.as_bytes())),
    }
}
