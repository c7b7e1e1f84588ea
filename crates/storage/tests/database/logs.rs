//! The index of logs, compared with scans of random chains.

use alloy_primitives::{Address, B256, Log, LogData, keccak256};
use proptest::{collection::vec, prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use turnpike_storage::{
    BlockKey, BlockKeys, BlockQuery, Database, IndexBatch, IndexRewind, SealedBlock,
};

use crate::{
    fixture::{append, block, input, open, record},
    place::{DatabasePart, Place},
};

/// Number of random chains.
const CHAINS: usize = 4;

/// Blocks in one batch of the index.
const BATCH_BLOCKS: usize = 64;

/// A step of a chain.
#[derive(Clone, Debug)]
enum Step {
    /// Adds blocks, each with its logs.
    Grow(Vec<Vec<Log>>),
    /// Removes this many of the newest blocks.
    TakeBack(usize),
    /// Closes and reopens the database.
    Reopen,
}

fn word(n: u8) -> B256 {
    keccak256([n])
}

fn log() -> impl Strategy<Value = Log> {
    (0u8..5, vec(0u8..6, 0..=4)).prop_map(|(address, topics)| {
        let topics = topics.into_iter().map(word).collect();
        let data = LogData::new_unchecked(topics, Default::default());
        Log { address: Address::from_word(word(address)), data }
    })
}

/// Most blocks have few logs; some have so many that a section takes several rows.
fn logs() -> impl Strategy<Value = Vec<Log>> {
    let busy = any::<u16>().prop_map(|seed| {
        let topic = |n: u16| keccak256([seed.to_be_bytes(), n.to_be_bytes()].concat());
        let data = |n| LogData::new_unchecked(vec![topic(n)], Default::default());
        (0..900).map(|n| Log { address: Address::ZERO, data: data(n) }).collect()
    });
    prop_oneof![
        30 => Just(Vec::new()),
        10 => vec(log(), 1..4),
        1 => busy,
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => vec(logs(), 1..300).prop_map(Step::Grow),
        2 => (1usize..40).prop_map(Step::TakeBack),
        2 => (1usize..600).prop_map(Step::TakeBack),
        1 => Just(Step::Reopen),
    ]
}

fn key() -> impl Strategy<Value = BlockKey> {
    prop_oneof![
        (0u8..6).prop_map(|n| BlockKey::address(&Address::from_word(word(n)))),
        Just(BlockKey::address(&Address::ZERO)),
        (0u8..4, 0u8..7).prop_map(|(position, n)| BlockKey::topic(position, &word(n))),
        (0u8..6).prop_map(|n| BlockKey::sender(&Address::from_word(word(n)))),
        (0u8..6).prop_map(|n| BlockKey::recipient(&Address::from_word(word(n)))),
    ]
}

fn sealed(number: u64, version: usize, logs: &[Log]) -> SealedBlock {
    let mut sealed = block(&input(1, &[]), 0..1);
    sealed.block.header.number = number;
    sealed.hash = keccak256([number.to_be_bytes(), (version as u64).to_be_bytes()].concat());
    sealed.block_keys = BlockKeys::of(logs);
    sealed
}

/// A chain and the logs of its blocks.
struct Model {
    place: Place,
    database: Database,
    blocks: Vec<Vec<Log>>,
    version: usize,
}

impl Model {
    async fn new(place: Place) -> Self {
        let database = open(&place).await;
        let genesis = input(0, &[]);
        database.record_genesis(&genesis.hash, &record(&genesis)).await.expect("records");
        Self { place, database, blocks: vec![Vec::new()], version: 0 }
    }

    async fn take(self, step: Step) -> Self {
        let Self { place, mut database, mut blocks, mut version } = self;
        version += 1;
        match step {
            Step::Grow(new) => {
                for some in new.chunks(BATCH_BLOCKS) {
                    let numbers = blocks.len() as u64..;
                    let all = numbers.zip(some).map(|(number, logs)| sealed(number, version, logs));
                    let batch = IndexBatch { blocks: all.collect(), ..IndexBatch::default() };
                    database.index(&batch).await.expect("indexes");
                    blocks.extend_from_slice(some);
                }
            }
            Step::TakeBack(count) => {
                blocks.truncate(blocks.len().saturating_sub(count).max(1));
                let first_block = blocks.len() as u64;
                let rewind =
                    IndexRewind { first_block, reason: String::new(), reorged: Vec::new() };
                // The rewind adds the first block of the other chain.
                let other = vec![sealed(first_block, version, &[])];
                let rewind = Some(rewind);
                let batch = IndexBatch { rewind, blocks: other, ..IndexBatch::default() };
                database.index(&batch).await.expect("indexes");
                blocks.push(Vec::new());
            }
            Step::Reopen => {
                database = crate::fixture::reopen(database, &place).await;
                let genesis = input(0, &[]);
                database.record_genesis(&genesis.hash, &record(&genesis)).await.expect("is there");
            }
        }
        Self { place, database, blocks, version }
    }

    /// The result of scanning all blocks.
    fn scan(&self, from: u64, to: u64, sets: &[Vec<BlockKey>]) -> Vec<u64> {
        let matches = |logs: &[Log]| {
            let mut keys = Vec::new();
            for log in logs {
                keys.push(BlockKey::address(&log.address));
                keys.extend((0..).zip(log.topics()).map(|(at, topic)| BlockKey::topic(at, topic)));
            }
            !logs.is_empty() && sets.iter().all(|set| set.iter().any(|key| keys.contains(key)))
        };
        let all = (0..).zip(&self.blocks).filter(|(number, _)| (from..=to).contains(number));
        all.filter(|(_, logs)| matches(logs)).map(|(number, _)| number).collect()
    }

    async fn check(&self, from: u64, to: u64, sets: Vec<Vec<BlockKey>>) {
        let expected = self.scan(from, to, &sets);
        let query = BlockQuery::new(sets);
        let found = self.database.blocks_with(from, to, &query).await.expect("reads");
        assert_eq!(found, expected, "{query:?} in {from}..={to} of {}", self.blocks.len());
    }
}

/// For random chains and queries, the index returns what a scan returns.
pub(crate) async fn block_keys_find_what_a_scan_finds(place: Place) {
    let mut runner = TestRunner::deterministic();
    let mut given = || {
        let steps = vec(step(), 4..12)
            .new_tree(&mut runner)
            .expect("the strategy generates a value")
            .current();
        let queries = vec((any::<(u16, u16)>(), vec(vec(key(), 1..6), 0..4)), 8);
        (steps, queries.new_tree(&mut runner).expect("the strategy generates a value").current())
    };
    let mut rows_seen = 0;
    for _ in 0..CHAINS {
        let (steps, queries) = given();
        let mut model = Model::new(place.other()).await;
        for step in steps {
            model = model.take(step).await;
            let newest = model.blocks.len() as u64 - 1;
            for ((a, b), sets) in &queries {
                let [a, b] = [a, b].map(|n| u64::from(*n) % (newest + 1));
                model.check(a.min(b), a.max(b), sets.clone()).await;
                model.check(0, newest, sets.clone()).await;
            }
            for number in [0, 255, 256, newest / 2, newest] {
                let Some(logs) = model.blocks.get(usize::try_from(number).expect("fits usize"))
                else {
                    continue;
                };
                let keys = BlockKeys::of(logs);
                assert!(model.database.has_keys(number, &keys).await.expect("reads"));
            }
        }
        rows_seen += rows(&model.place, "block_postings").await;
        let unfinished = rows(&model.place, "block_keys").await;
        assert_eq!(
            unfinished,
            model.blocks.len() as u64 % 256,
            "only blocks of the last section are not complete"
        );
    }
    assert!(rows_seen > 0, "some sections were complete");
}

async fn rows(place: &Place, table: &str) -> u64 {
    let mut raw = place.raw(DatabasePart::Index).await;
    let count = match table {
        "block_keys" => sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM block_keys"),
        _ => sqlx::query_scalar("SELECT COUNT(*) FROM block_postings"),
    };
    u64::try_from(count.fetch_one(&mut raw).await.expect("counts"))
        .expect("counts are not negative")
}

/// Blocks without keys in the index always match.
pub(crate) async fn blocks_without_keys_always_match(place: Place) {
    let database = open(&place).await;
    for number in 1..=4 {
        append(&database, &input(number, &[])).await;
    }
    let mut raw = place.raw(DatabasePart::Index).await;
    sqlx::query("DELETE FROM block_keys WHERE block <= 2")
        .execute(&mut raw)
        .await
        .expect("deletes");
    let query = BlockQuery::new([]);
    assert_eq!(database.blocks_with(1, 4, &query).await.expect("reads"), [1, 2]);
    assert_eq!(database.blocks_with(2, 9, &query).await.expect("reads"), [2, 5, 6, 7, 8, 9]);
    let key = BlockKeys::of(&[Log::empty()]);
    for number in [1, 4] {
        assert!(!database.has_keys(number, &key).await.expect("reads"));
    }
}
