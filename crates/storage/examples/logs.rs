//! Measures the cost of searching logs on this machine:
//!
//! `cargo run --release -p turnpike-storage --example logs [BLOCKS]`
//!
//! Compares the index with a scan of all blocks, on a file in the working directory that is deleted
//! afterwards.

use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, Bloom, BloomInput, Bytes, Log, LogData, U256, keccak256};
use turnpike_protocol::{Header, Origin};
use turnpike_storage::{
    BlockKey, BlockKeys, BlockQuery, BlockRecord, Database, IndexBatch, PasserProof, ReceiptRecord,
    SealedBlock, StorageError, StoredTimes,
};

/// Number of blocks without an argument, and logs per block: transfers of a few tokens.
const BLOCKS: u64 = 10_000;
const BLOCK_LOGS: u64 = 20;
const TOKENS: u64 = 50;

/// Interval of blocks between the transfers of a rare token.
const RARE: u64 = 1_000;

/// Blocks that a scan reads at a time.
const SCAN_STEP: u64 = 100;

#[tokio::main]
async fn main() -> Result<(), StorageError> {
    let blocks = std::env::args().nth(1).map_or(BLOCKS, |count| count.parse().expect("a number"));
    let folder = tempfile::tempdir_in(".").expect("temporary directory");
    let location = folder.path().join("logs.db").into();
    let database = Database::open(&location, B256::ZERO).await?;
    let start = Instant::now();
    for number in 0..blocks {
        let batch = IndexBatch { blocks: vec![block(number)], ..IndexBatch::default() };
        database.index(&batch).await?;
    }
    println!("{blocks} blocks of {BLOCK_LOGS} logs: written in {}", milliseconds(start.elapsed()));
    for (what, address) in [("a rare token", token(TOKENS)), ("no token", token(TOKENS + 1))] {
        let start = Instant::now();
        let query = BlockQuery::new([
            vec![BlockKey::address(&address)],
            vec![BlockKey::topic(0, &event())],
        ]);
        let found = database.blocks_with(0, blocks - 1, &query).await?;
        for number in &found {
            database.block(*number).await?;
        }
        let by_index = start.elapsed();
        let start = Instant::now();
        let scanned = scan(&database, blocks, &address).await?;
        let by_scan = start.elapsed();
        assert_eq!(found, scanned);
        println!(
            "  {what}, in {} blocks: by the index {}, by the blooms of all blocks {}",
            found.len(),
            milliseconds(by_index),
            milliseconds(by_scan)
        );
    }
    database.close().await;
    Ok(())
}

/// Returns the blocks whose bloom filters may contain a log of a contract.
async fn scan(
    database: &Database,
    blocks: u64,
    address: &Address,
) -> Result<Vec<u64>, StorageError> {
    let mut found = Vec::new();
    for first in (0..blocks).step_by(usize::try_from(SCAN_STEP).expect("fits usize")) {
        for record in database.blocks(first, first + SCAN_STEP - 1).await? {
            if record.header.logs_bloom.contains_input(BloomInput::Raw(address.as_slice())) {
                found.push(record.header.number);
            }
        }
    }
    Ok(found)
}

fn token(n: u64) -> Address {
    Address::from_word(keccak256(n.to_be_bytes()))
}

fn event() -> B256 {
    keccak256("Transfer(address,address,uint256)")
}

fn log(number: u64, n: u64) -> Log {
    let is_rare = n == 0 && number.is_multiple_of(RARE);
    let address = token(if is_rare { TOKENS } else { (number * 7 + n) % TOKENS });
    let account = |kind: u64| keccak256([number, n, kind].map(u64::to_be_bytes).concat());
    let topics = vec![event(), account(0), account(1)];
    Log { address, data: LogData::new_unchecked(topics, Bytes::from(vec![1; 32])) }
}

fn block(number: u64) -> SealedBlock {
    let logs: Vec<_> = (0..BLOCK_LOGS).map(|n| log(number, n)).collect();
    let mut logs_bloom = Bloom::ZERO;
    logs.iter().for_each(|log| logs_bloom.accrue_log(log));
    // Receipt and transaction have realistic sizes.
    let receipt = ReceiptRecord {
        transaction: Bytes::from(vec![2; 180]),
        sender: Address::repeat_byte(1),
        receipt: Bytes::from(vec![3; 440]),
        gas_used: 50_000,
        effective_gas_price: 1_000_000_000,
        l1_fee: U256::from(1_000_000),
    };
    SealedBlock {
        rows: 0..1,
        hash: keccak256(number.to_be_bytes()),
        block: BlockRecord {
            header: Header { number, logs_bloom, ..Header::default() },
            message_passer_storage_root: B256::ZERO,
            origin: Origin::default(),
            receipts: vec![receipt; logs.len()],
        },
        hashes: Vec::new(),
        block_keys: BlockKeys::of(&logs),
        passer_proof: PasserProof::default(),
        withdrawals: Vec::new(),
        times: StoredTimes::default(),
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}
