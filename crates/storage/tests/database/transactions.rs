//! The index of transactions, compared with a map over random chains.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{B256, keccak256};
use proptest::{collection::vec, prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use turnpike_storage::{
    Database, IndexBatch, IndexRewind, SealedBlock, StorageError, TransactionLocation,
};

use crate::{
    fixture::{append, block, input, open, reopen},
    place::{DatabasePart, Place},
};

/// Number of steps, enough to merge merged runs again.
const STEPS: usize = 240;

/// Steps between two checks.
const CHECK_STEPS: usize = 60;

/// A step of a chain.
#[derive(Clone, Debug)]
enum Step {
    /// Adds blocks in one batch, each with its transactions.
    Grow(Vec<Vec<B256>>),
    /// Removes this many of the newest blocks.
    TakeBack(usize),
}

/// Some transactions occur again, as after a reorg. Some hashes share a prefix.
fn hash() -> impl Strategy<Value = B256> {
    let alike = |(start, end): (u8, u8)| {
        let mut hash = B256::repeat_byte(start);
        hash[31] = end;
        hash
    };
    prop_oneof![
        8 => any::<u32>().prop_map(|seed| keccak256(seed.to_be_bytes())),
        1 => (0u16..300).prop_map(|seed| keccak256(seed.to_be_bytes())),
        1 => (0u8..3, any::<u8>()).prop_map(alike),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        40 => vec(vec(hash(), 0..40), 1..4).prop_map(Step::Grow),
        1 => (1usize..5).prop_map(Step::TakeBack),
        1 => (1usize..100).prop_map(Step::TakeBack),
    ]
}

fn sealed(number: u64, version: usize, hashes: &[B256]) -> SealedBlock {
    let mut sealed = block(&input(1, &[]), 0..1);
    sealed.block.header.number = number;
    sealed.hash = keccak256([number.to_be_bytes(), (version as u64).to_be_bytes()].concat());
    sealed.hashes = hashes.to_vec();
    sealed
}

async fn check(database: &Database, chain: &[Vec<B256>], seen: &BTreeSet<B256>) {
    let mut places = BTreeMap::new();
    for (block, hashes) in (0..).zip(chain) {
        for (position, hash) in hashes.iter().enumerate() {
            places.entry(*hash).or_insert(TransactionLocation { block, position });
        }
    }
    for hash in seen {
        let found = database.transaction(hash).await.expect("reads");
        assert_eq!(found, places.get(hash).copied(), "{hash} of {} blocks", chain.len());
    }
}

/// The index finds every transaction of the chain at its location, and no other transaction.
pub(crate) async fn transaction_index_finds_what_a_map_finds(place: Place) {
    let mut database = open(&place).await;
    let mut runner = TestRunner::deterministic();
    let steps =
        vec(step(), STEPS).new_tree(&mut runner).expect("the strategy generates a value").current();
    let (mut chain, mut seen, mut deepest) = (vec![Vec::new()], BTreeSet::new(), 0);
    for (version, step) in steps.into_iter().enumerate() {
        let (rewind, new) = match step {
            Step::Grow(new) => (None, new),
            Step::TakeBack(count) => {
                let first = chain.len().saturating_sub(count).max(1);
                let (first_block, reason) = (first as u64, String::new());
                let gone = (first_block..).zip(chain.drain(first..));
                let of_block = |(block, hashes): (u64, Vec<B256>)| {
                    hashes.into_iter().map(move |hash| (hash, block))
                };
                let reorged = gone.flat_map(of_block).collect();
                (Some(IndexRewind { first_block, reason, reorged }), vec![vec![B256::ZERO]])
            }
        };
        seen.extend(new.iter().flatten());
        let numbers = chain.len() as u64..;
        let blocks = numbers.zip(&new).map(|(number, hashes)| sealed(number, version, hashes));
        let blocks = blocks.collect();
        let batch = IndexBatch { rewind, blocks, ..IndexBatch::default() };
        database.index(&batch).await.expect("indexes");
        chain.extend(new);
        if version % CHECK_STEPS == CHECK_STEPS - 1 {
            check(&database, &chain, &seen).await;
            let levels = levels(&place).await;
            assert!(levels.iter().all(|(_, runs)| *runs < 8), "{levels:?}");
            deepest = levels.last().map_or(deepest, |(level, _)| deepest.max(*level));
            database = reopen(database, &place).await;
        }
    }
    assert_eq!(deepest, 2, "runs were merged, and the merged runs again");
}

/// The number of runs on each level.
async fn levels(place: &Place) -> Vec<(i64, i64)> {
    let mut raw = place.raw(DatabasePart::Index).await;
    let count = "SELECT level, COUNT(*) FROM transaction_runs GROUP BY level ORDER BY level";
    sqlx::query_as(count).fetch_all(&mut raw).await.expect("counts")
}

/// A damaged entry gives an error.
pub(crate) async fn truncated_entry_is_an_error(place: Place) {
    let database = open(&place).await;
    append(&database, &input(1, &[b"one"])).await;
    let mut raw = place.raw(DatabasePart::Index).await;
    let cut = "UPDATE transactions SET entries = substr(entries, 1, 39)";
    sqlx::query(cut).execute(&mut raw).await.expect("updates");
    let found = database.transaction(&keccak256(b"one")).await;
    assert!(matches!(found, Err(StorageError::Damaged { table: "transactions", .. })), "{found:?}");
}
