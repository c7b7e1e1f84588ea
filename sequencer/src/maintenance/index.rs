//! Whether the index says what the journal says.

use std::{fmt::Display, ops::Range};

use alloy_consensus::proofs::{calculate_receipt_root, calculate_transaction_root};
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{B64, B256, Bytes, keccak256};
use turnpike_protocol::{ReceiptEnvelope, TxEnvelope};
use turnpike_storage::{
    BlockKeys, BlockRecord, BlockTimes, Database, JournalBlock, JournalTx, SealedBlock,
    SealedEntry, StorageError,
};

use super::scan::{JournalScan, damage};
use crate::{Divergence, sealed::block_keys};

/// First byte of a deposit's encoding.
const DEPOSIT_TYPE: u8 = 0x7e;

/// Whether something is right; if not, the first thing that is not.
type CheckResult = Result<Result<(), Divergence>, StorageError>;

/// The result's value; another outcome is the caller's.
macro_rules! right {
    ($found:expr) => {
        match $found {
            Ok(value) => value,
            Err(divergence) => return Ok(Err(divergence)),
        }
    };
}

/// Compares what the index has of a block that ran here.
pub(super) async fn check_block(database: &Database, expected: &SealedBlock) -> CheckResult {
    let number = expected.block.header.number;
    let found = right!(stored(database, number).await?);
    if let Some(difference) = difference(&expected.block, &found) {
        return Ok(Err(wrong("blocks", number, difference)));
    }
    let hash = expected.block.header.hash_slow();
    right!(check_names(database, number, hash, &expected.rows).await?);
    right!(check_times(database, number, &expected.times.parts).await?);
    right!(check_places(database, &expected.block).await?);
    right!(check_keys(database, number, &expected.block_keys).await?);
    for withdrawal in &expected.withdrawals {
        let found = right!(damage(database.withdrawal(&withdrawal.hash).await)?);
        if found.as_ref() != Some(&(number, withdrawal.clone())) {
            let reason = format!("it is not the one that block {number} holds");
            return Ok(Err(wrong("withdrawals", withdrawal.hash, reason)));
        }
    }
    // After what is final on L1, only those of entries' last blocks are kept.
    let proof = right!(damage(database.passer_proof(number).await)?);
    if proof.is_some_and(|proof| proof != expected.passer_proof) {
        return Ok(Err(wrong("passer_proofs", number, "another account is proven")));
    }
    Ok(Ok(()))
}

/// Compares what the index has of a block with what the journal says that it came to, without running it.
pub(super) async fn check_unrun(
    database: &Database,
    block: &JournalBlock,
    sealed: &SealedEntry,
) -> CheckResult {
    let number = block.number;
    let found = right!(stored(database, number).await?);
    let hash = found.header.hash_slow();
    let reason = if sealed.hash != hash {
        Some(format!("its hash is {hash}, block {number} was sealed as {}", sealed.hash))
    } else if found.origin != block.opening.origin {
        Some("it has another origin".into())
    } else {
        None
    };
    if let Some(reason) = reason {
        return Ok(Err(wrong("blocks", number, reason)));
    }
    let block_keys = match check_body(block, &found) {
        Ok(body) => {
            let senders = found.receipts.iter().map(|stored| stored.sender);
            block_keys(
                body.iter().zip(senders).map(|((tx, receipt), sender)| (tx, receipt, sender)),
            )
        }
        Err(reason) => return Ok(Err(wrong("blocks", number, reason))),
    };
    right!(check_names(database, number, hash, &block.rows).await?);
    right!(check_times(database, number, &block.times).await?);
    right!(check_places(database, &found).await?);
    check_keys(database, number, &block_keys).await
}

/// Compares the genesis block.
pub(super) async fn check_genesis(database: &Database, expected: &BlockRecord) -> CheckResult {
    let found = right!(stored(database, 0).await?);
    let difference = difference(expected, &found);
    Ok(difference.map_or(Ok(()), |difference| Err(wrong("blocks", 0, difference))))
}

/// Compares what the index has of transactions that are in no block, and what of those that were in one.
pub(super) async fn check_waiting(database: &Database, scan: &JournalScan) -> CheckResult {
    let (waiting, refused) = scan.unindexed.clone().into_parts();
    let mut expected = waiting.into_iter();
    for found in right!(damage(database.pending().await)?) {
        match expected.next() {
            Some(waits) if waits == found => {}
            Some(waits) => {
                let hash = keccak256(&waits.tx.raw);
                return Ok(Err(wrong("pending", hash, "it waits, and is not there in its place")));
            }
            None => {
                let hash = keccak256(&found.tx.raw);
                return Ok(Err(wrong("pending", hash, "it does not wait")));
            }
        }
    }
    if let Some(waits) = expected.next() {
        return Ok(Err(wrong("pending", keccak256(&waits.tx.raw), "it waits, and is not there")));
    }
    for (hash, reason) in refused {
        if right!(damage(database.refusal(&hash).await)?).as_ref() != Some(&reason) {
            return Ok(Err(wrong("refused", hash, format!("it was refused: {reason}"))));
        }
    }
    for (hash, block) in &scan.reverted {
        let found = right!(damage(database.reorged_from(hash).await)?);
        if found.is_none() {
            let reason = format!("block {block}, which held it, was rewound");
            return Ok(Err(wrong("reverted", hash, reason)));
        }
    }
    Ok(Ok(()))
}

/// The block as the index holds it.
async fn stored(
    database: &Database,
    number: u64,
) -> Result<Result<BlockRecord, Divergence>, StorageError> {
    let found = right!(damage(database.block(number).await)?);
    Ok(found.ok_or_else(|| wrong("blocks", number, "it is missing")))
}

/// Whether a block is found by its hash, and its rows by its number.
async fn check_names(
    database: &Database,
    number: u64,
    hash: B256,
    rows: &Range<u64>,
) -> CheckResult {
    let by_hash = right!(damage(database.block_number(&hash).await)?);
    if by_hash != Some(number) {
        return Ok(Err(wrong("blocks", number, format!("it is not found by its hash, {hash}"))));
    }
    let found = right!(damage(database.rows_of(number).await)?);
    if found.as_ref() != Some(rows) {
        let reason = format!("it is said to be in rows {found:?}, it is in {rows:?}");
        return Ok(Err(wrong("blocks", number, reason)));
    }
    Ok(Ok(()))
}

/// Whether a block has the times that its rows tell of.
async fn check_times(database: &Database, number: u64, expected: &BlockTimes) -> CheckResult {
    let found = right!(damage(database.block_times(number).await)?);
    if found.parts == *expected {
        return Ok(Ok(()));
    }
    Ok(Err(wrong("blocks", number, "its transactions have other times")))
}

/// Whether every transaction of a block is found where it is.
async fn check_places(database: &Database, block: &BlockRecord) -> CheckResult {
    let number = block.header.number;
    for (position, receipt) in block.receipts.iter().enumerate() {
        let hash = keccak256(&receipt.transaction);
        let place = right!(damage(database.transaction(&hash).await)?);
        // Batches of others' can give two deposits one name: then the first has it.
        let is_deposit = receipt.transaction.first() == Some(&DEPOSIT_TYPE);
        let is_right = place.is_some_and(|place| {
            let (found, here) = ((place.block, place.position), (number, position));
            found == here || is_deposit && found < here
        });
        if !is_right {
            let reason = format!("it is not found at {position} in block {number}");
            return Ok(Err(wrong("transactions", hash, reason)));
        }
    }
    Ok(Ok(()))
}

/// Whether a block is found by all that it can be looked for by.
async fn check_keys(database: &Database, number: u64, keys: &BlockKeys) -> CheckResult {
    let is_found = right!(damage(database.has_keys(number, keys).await)?);
    let reason = "it is not found by its logs or accounts";
    Ok(if is_found { Ok(()) } else { Err(wrong("block_keys", number, reason)) })
}

/// Whether header, transactions and receipts belong together, and are those of the journal: then each transaction with its
/// receipt.
fn check_body(
    block: &JournalBlock,
    record: &BlockRecord,
) -> Result<Vec<(TxEnvelope, ReceiptEnvelope)>, String> {
    let header = &record.header;
    if header.number != block.number || header.timestamp != block.opening.timestamp {
        return Err("it has another number or time".into());
    }
    let (mut transactions, mut receipts) = (Vec::new(), Vec::new());
    for (at, stored) in record.receipts.iter().enumerate() {
        transactions.push(whole(&stored.transaction, TxEnvelope::decode_2718, at)?);
        receipts.push(whole(&stored.receipt, ReceiptEnvelope::decode_2718, at)?);
    }
    if calculate_transaction_root(&transactions) != header.transactions_root {
        return Err("its transactions are not those of its header".into());
    }
    if calculate_receipt_root(&receipts) != header.receipts_root {
        return Err("its receipts are not those of its header".into());
    }
    let first = block.outcomes.len().saturating_sub(block.transactions.len());
    let ran = block.outcomes.iter().enumerate().filter(|(_, outcome)| !outcome.is_zero());
    let mut stored = record.receipts.iter().enumerate();
    for (index, outcome) in ran {
        let Some((at, receipt)) = stored.next() else {
            return Err(format!("transaction {index} is missing"));
        };
        if outcome.as_slice() != &keccak256(&receipt.receipt)[..B64::len_bytes()] {
            return Err(format!("the receipt of transaction {at} is another one"));
        }
        let expected = index.checked_sub(first).and_then(|at| block.transactions.get(at));
        let is_same = |tx: &JournalTx| tx.raw == receipt.transaction && tx.sender == receipt.sender;
        if expected.is_some_and(|tx| !is_same(tx)) {
            return Err(format!("transaction {at} is another one"));
        }
    }
    match stored.next() {
        Some((at, _)) => Err(format!("transaction {at} is not of this block")),
        None => Ok(transactions.into_iter().zip(receipts).collect()),
    }
}

fn whole<T, E: Display>(
    bytes: &Bytes,
    decode: impl FnOnce(&mut &[u8]) -> Result<T, E>,
    at: usize,
) -> Result<T, String> {
    let mut rest = bytes.as_ref();
    let value = decode(&mut rest).map_err(|error| format!("transaction {at}: {error}"))?;
    if rest.is_empty() { Ok(value) } else { Err(format!("transaction {at}: bytes are left")) }
}

/// The first thing in which two blocks differ.
fn difference(expected: &BlockRecord, found: &BlockRecord) -> Option<String> {
    if expected == found {
        return None;
    }
    let fields = |record: &BlockRecord| {
        serde_json::to_value(&record.header).expect("invariant: a header is JSON")
    };
    let (ours, theirs) = (fields(expected), fields(found));
    let mut names = ours.as_object().into_iter().flatten();
    if let Some((name, value)) = names.find(|(name, value)| theirs.get(name) != Some(value)) {
        let found = theirs.get(name).unwrap_or(&serde_json::Value::Null);
        return Some(format!("{name} is {found}, {value} is expected"));
    }
    let mut pairs = expected.receipts.iter().zip(&found.receipts).enumerate();
    if let Some((at, _)) = pairs.find(|(_, (ours, theirs))| ours != theirs) {
        return Some(format!("transaction {at} or its receipt is another one"));
    }
    let (ours, theirs) = (expected.receipts.len(), found.receipts.len());
    if ours != theirs {
        return Some(format!("it has {theirs} transactions, {ours} are expected"));
    }
    Some("its origin or its message passer's root is another one".into())
}

fn wrong(table: &'static str, key: impl Display, reason: impl Into<String>) -> Divergence {
    Divergence::Index { table, key: key.to_string(), reason: reason.into() }
}
