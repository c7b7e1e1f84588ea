//! Ethereum's trie test vectors (`TrieTests` of ethereum/tests).
//!
//! A few vectors are part of this file and always run. The published files are read from
//! `$TURNPIKE_TEST_DATA/ethereum-tests/TrieTests`. Without them their tests are reported as
//! ignored, and a notice says so. Vectors whose keys are not 32 bytes long are ignored as well,
//! because this trie has no other keys.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use alloy_primitives::{B256, Bytes, hex, keccak256};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use turnpike_state::{EMPTY_ROOT, NoNodes, Trie};

const DATA_VARIABLE: &str = "TURNPIKE_TEST_DATA";
const DIRECTORY: &str = "ethereum-tests/TrieTests";

/// File stem, whether keys are hashed, and whether every order of the entries must give the root.
const FILES: [(&str, bool, bool); 5] = [
    ("trieanyorder", false, true),
    ("trieanyorder_secureTrie", true, true),
    ("trietest", false, false),
    ("trietest_secureTrie", true, false),
    ("hex_encoded_securetrie_test", true, true),
];

/// Name, entries in order (an empty value deletes), and root. Keys are hashed. Without deletions
/// every order of the entries gives the root.
type Shipped = (&'static str, &'static [(&'static str, &'static str)], &'static str);

const SHIPPED: [Shipped; 6] = [
    ("empty", &[], "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"),
    (
        "single_item",
        &[("A", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")],
        "e9e2935138352776cad724d31c9fa5266a5c593bb97726dd2a908fe6d53284df",
    ),
    (
        "dogs",
        &[("doe", "reindeer"), ("dog", "puppy"), ("dogglesworth", "cat")],
        "d4cd937e4a4368d7931a9cf51686b7e10abb3dce38a39000fd7902a092b64585",
    ),
    (
        "puppy",
        &[("do", "verb"), ("horse", "stallion"), ("doge", "coin"), ("dog", "puppy")],
        "29b235a58c3c25ab83010c327d5932bcf05324b7d6b1185e650798034783ca9d",
    ),
    (
        "small_values",
        &[("be", "e"), ("dog", "puppy"), ("bed", "d")],
        "826a4f9f9054a3e980e54b20da992c24fa20467f1ca635115ef4917be66e746f",
    ),
    (
        "empty_values",
        &[
            ("do", "verb"),
            ("ether", "wookiedoo"),
            ("horse", "stallion"),
            ("shaman", "horse"),
            ("doge", "coin"),
            ("ether", ""),
            ("dog", "puppy"),
            ("shaman", ""),
        ],
        "29b235a58c3c25ab83010c327d5932bcf05324b7d6b1185e650798034783ca9d",
    ),
];

/// One vector: entries with hashed keys, and their root.
struct Vector {
    entries: Vec<(B256, Option<Bytes>)>,
    any_order: bool,
    root: B256,
}

fn main() {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = SHIPPED.iter().map(shipped_trial).collect();
    trials.extend(published_trials());
    libtest_mimic::run(&arguments, trials).exit();
}

fn shipped_trial((name, entries, root): &'static Shipped) -> Trial {
    Trial::test(format!("shipped::{name}"), move || {
        let entry = |(key, value): &(&str, &'static str)| {
            let value = (!value.is_empty()).then(|| Bytes::from_static(value.as_bytes()));
            (keccak256(key), value)
        };
        let entries: Vec<_> = entries.iter().map(entry).collect();
        let any_order = entries.iter().all(|(_, value)| value.is_some());
        check(&Vector { entries, any_order, root: root.parse()? })
    })
}

fn published_trials() -> Vec<Trial> {
    let directory = env::var_os(DATA_VARIABLE).map(|root| PathBuf::from(root).join(DIRECTORY));
    let Some(directory) = directory.filter(|path| path.is_dir()) else {
        eprintln!("\n*** NOT RUN: the published trie vectors. Set {DATA_VARIABLE} to a directory");
        eprintln!("*** that holds {DIRECTORY} of github.com/ethereum/tests.\n");
        return FILES.iter().map(|(stem, ..)| absent(stem)).collect();
    };
    FILES.iter().flat_map(|file| file_trials(&directory, *file)).collect()
}

fn absent(stem: &str) -> Trial {
    let run = || Err(Failed::from(format!("{DATA_VARIABLE} is not set or lacks {DIRECTORY}")));
    Trial::test(format!("published::{stem}"), run).with_ignored_flag(true)
}

fn file_trials(directory: &Path, (stem, hashed, any_order): (&str, bool, bool)) -> Vec<Trial> {
    let path = directory.join(stem).with_extension("json");
    let text = fs::read_to_string(&path).expect("vector file is readable");
    let tests: Value = serde_json::from_str(&text).expect("vector file is JSON");
    let tests = tests.as_object().expect("vector file is an object");
    let trial = |(name, test): (&String, &Value)| {
        let name = format!("published::{stem}::{name}");
        match parse(test, hashed, any_order) {
            Some(vector) => Trial::test(name, move || check(&vector)),
            None => {
                Trial::test(name, || Err("keys are not 32 bytes".into())).with_ignored_flag(true)
            }
        }
    };
    tests.iter().map(trial).collect()
}

/// Reads a vector. Returns `None` if a key is neither hashed nor 32 bytes long.
fn parse(test: &Value, hashed: bool, any_order: bool) -> Option<Vector> {
    let pairs: Vec<(Bytes, Option<Bytes>)> = match &test["in"] {
        Value::Object(map) => map.iter().map(|(key, value)| (text(key), string(value))).collect(),
        Value::Array(list) => {
            list.iter().map(|pair| (string(&pair[0]).expect("key"), string(&pair[1]))).collect()
        }
        other => panic!("unexpected entries {other}"),
    };
    let key = |key: &[u8]| if hashed { Some(keccak256(key)) } else { B256::try_from(key).ok() };
    let entries = pairs.into_iter().map(|(name, value)| Some((key(&name)?, value)));
    let root = string(&test["root"]).expect("root");
    Some(Vector {
        entries: entries.collect::<Option<_>>()?,
        any_order,
        root: B256::from_slice(&root),
    })
}

fn string(value: &Value) -> Option<Bytes> {
    value.as_str().map(text)
}

/// The files contain bytes as text, or as hex after `0x`.
fn text(text: &str) -> Bytes {
    match text.strip_prefix("0x") {
        Some(digits) => hex::decode(digits).expect("hex").into(),
        None => Bytes::copy_from_slice(text.as_bytes()),
    }
}

fn check(vector: &Vector) -> Result<(), Failed> {
    let mut order: Vec<usize> = (0..vector.entries.len()).collect();
    if !vector.any_order {
        return check_order(vector, &order);
    }
    check_permutations(vector, &mut order, 0)
}

/// Checks every permutation of `order[from..]`. There are at most five entries.
fn check_permutations(vector: &Vector, order: &mut Vec<usize>, from: usize) -> Result<(), Failed> {
    if from == order.len() {
        return check_order(vector, order);
    }
    for index in from..order.len() {
        order.swap(from, index);
        check_permutations(vector, order, from + 1)?;
        order.swap(from, index);
    }
    Ok(())
}

/// Checks the root after inserting the entries in this order, and that removing all of them gives
/// the empty trie.
fn check_order(vector: &Vector, order: &[usize]) -> Result<(), Failed> {
    let mut trie = Trie::new();
    for (key, value) in order.iter().map(|index| &vector.entries[*index]) {
        match value {
            Some(value) => trie.insert(key, value, &mut NoNodes)?,
            None => trie.remove(key, &mut NoNodes)?,
        }
    }
    expect_root(&mut trie, vector.root)?;
    for (key, _) in &vector.entries {
        trie.remove(key, &mut NoNodes)?;
        trie.root();
    }
    expect_root(&mut trie, EMPTY_ROOT)
}

fn expect_root(trie: &mut Trie, expected: B256) -> Result<(), Failed> {
    let root = trie.root();
    if root == expected { Ok(()) } else { Err(format!("expected {expected}, got {root}").into()) }
}
