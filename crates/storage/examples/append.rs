//! Measures the cost of durable appends on this machine:
//!
//! `cargo run --release -p turnpike-storage --example append [FILE|URL]`
//!
//! Without an argument it uses a file in the working directory and a PostgreSQL server that it
//! starts. A database given as the argument is not deleted.

use std::time::{Duration, Instant};

use alloy_primitives::{Address, B64, B256, Bytes, U256, keccak256};
use turnpike_protocol::{Header, Origin};
use turnpike_storage::{
    BlockKeys, BlockOpening, BlockPart, BlockRecord, Database, DatabaseLocation, IndexBatch,
    JournalEntry, JournalTx, PasserProof, ReceiptRecord, SealedBlock, SliceEntry, StorageError,
    StoredTimes,
};

/// Transactions in a slice, and bytes of each transaction.
const SLICE_TRANSACTIONS: usize = 50;
const TRANSACTION_BYTES: usize = 240;

/// Number of slices that are appended one after the other.
const SLICES: usize = 2_000;

/// Number of indexed blocks, and transactions of each block.
const BLOCKS: u64 = 100;
const BLOCK_TRANSACTIONS: usize = 2_000;

#[tokio::main]
async fn main() -> Result<(), StorageError> {
    if let Some(location) = std::env::args().nth(1) {
        let Ok(location) = location.parse();
        return measure(&location).await;
    }
    let folder = tempfile::tempdir_in(".").expect("temporary directory");
    measure(&folder.path().join("append.db").into()).await?;
    if turnpike_test_postgres::is_installed() {
        let Ok(location) = turnpike_test_postgres::database().parse();
        measure(&location).await?;
    }
    Ok(())
}

async fn measure(location: &DatabaseLocation) -> Result<(), StorageError> {
    println!("{location}");
    let database = Database::open(location, B256::ZERO).await?;
    let alone = append(&database).await?;
    println!("  append, {SLICE_TRANSACTIONS} transactions of {TRANSACTION_BYTES} bytes: {alone}");
    let start = Instant::now();
    let busy = async {
        let times = append(&database).await?;
        Ok::<_, StorageError>((times, start.elapsed()))
    };
    let indexing = async {
        index(&database).await?;
        Ok::<_, StorageError>(start.elapsed())
    };
    let ((busy, _), indexed) = tokio::try_join!(busy, indexing)?;
    println!("  append, while blocks are indexed: {busy}");
    let transactions = BLOCKS * BLOCK_TRANSACTIONS as u64;
    println!(
        "  index, blocks of {BLOCK_TRANSACTIONS}: {:.0} transactions/s",
        transactions as f64 / indexed.as_secs_f64()
    );
    database.close().await;
    Ok(())
}

/// The durations of the appends.
async fn append(database: &Database) -> Result<String, StorageError> {
    let mut times = Vec::with_capacity(SLICES);
    for slice in 0..SLICES {
        let entry = slice_of(slice);
        let start = Instant::now();
        database.append(&[entry]).await?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let at = |percent: usize| milliseconds(times[(times.len() - 1) * percent / 100]);
    Ok(format!("p50 {}, p99 {}, max {}", at(50), at(99), at(100)))
}

async fn index(database: &Database) -> Result<(), StorageError> {
    for number in 1..=BLOCKS {
        let block = block(number);
        database.index(&IndexBatch { to: 0, blocks: vec![block], ..IndexBatch::default() }).await?;
    }
    Ok(())
}

fn slice_of(slice: usize) -> JournalEntry {
    let transactions = (0..SLICE_TRANSACTIONS).map(|n| JournalTx {
        raw: raw((slice * SLICE_TRANSACTIONS + n) as u64),
        sender: Address::repeat_byte(1),
    });
    let opening = BlockOpening { time_ms: 1, origin: Origin::default(), deposits: Vec::new() };
    let part = BlockPart {
        block: slice as u64,
        opening: Some(opening),
        transactions: transactions.collect(),
        outcomes: vec![B64::ZERO; SLICE_TRANSACTIONS],
        is_last: true,
    };
    JournalEntry::Slice(SliceEntry { part: Some(part), ..SliceEntry::default() })
}

fn block(number: u64) -> SealedBlock {
    let raws: Vec<_> = (0..BLOCK_TRANSACTIONS as u64).map(|n| raw((number << 32) + n)).collect();
    let receipt = |raw: &Bytes| ReceiptRecord {
        transaction: raw.clone(),
        sender: Address::repeat_byte(1),
        receipt: Bytes::from(vec![3; 300]),
        gas_used: 50_000,
        effective_gas_price: 1_000_000_000,
        l1_fee: U256::from(1_000_000),
    };
    SealedBlock {
        rows: 0..1,
        hash: keccak256(number.to_be_bytes()),
        block: BlockRecord {
            header: Header { number, ..Header::default() },
            message_passer_storage_root: B256::ZERO,
            origin: Origin::default(),
            receipts: raws.iter().map(receipt).collect(),
        },
        hashes: raws.iter().map(keccak256).collect(),
        times: StoredTimes::default(),
        block_keys: BlockKeys::default(),
        passer_proof: PasserProof::default(),
        withdrawals: Vec::new(),
    }
}

/// Unique bytes that do not compress.
fn raw(n: u64) -> Bytes {
    let mut raw = Vec::with_capacity(TRANSACTION_BYTES + 32);
    let mut hash = keccak256(n.to_be_bytes());
    while raw.len() < TRANSACTION_BYTES {
        raw.extend_from_slice(hash.as_slice());
        hash = keccak256(hash);
    }
    raw.truncate(TRANSACTION_BYTES);
    raw.into()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1_000.0)
}
