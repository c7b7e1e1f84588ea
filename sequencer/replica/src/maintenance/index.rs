//! Compares the index and the log of waiting transactions with the journal.

use std::{collections::BTreeSet, fmt::Display, ops::Range};

use alloy_consensus::proofs::{calculate_receipt_root, calculate_transaction_root};
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{B64, B256, Bytes, keccak256};
use turnpike_protocol::{ReceiptEnvelope, TxEnvelope, time_ms};
use turnpike_storage::{
    AcceptedTx, BlockKeys, BlockRecord, BlockTimes, Database, JournalBlock, JournalTx, SealedBlock,
    SealedEntry, StorageError,
};

use super::scan::{JournalScan, damage_as_divergence};
use turnpike_sequencer::{Divergence, sealed::block_keys};

/// First byte of an encoded deposit.
const DEPOSIT_TYPE: u8 = 0x7e;

/// The first divergence that a check finds, if any.
type CheckResult = Result<Result<(), Divergence>, StorageError>;

/// Unwraps a value, or returns the divergence to the caller.
macro_rules! unwrap_or_diverge {
    ($found:expr) => {
        match $found {
            Ok(value) => value,
            Err(divergence) => return Ok(Err(divergence)),
        }
    };
}

/// Compares the index of an executed block.
pub(super) async fn check_block(database: &Database, expected: &SealedBlock) -> CheckResult {
    let number = expected.block.header.number;
    let found = unwrap_or_diverge!(indexed_block(database, number).await?);
    if let Some(difference) = difference(&expected.block, &found) {
        return Ok(Err(divergence("blocks", number, difference)));
    }
    let hash = expected.block.header.hash_slow();
    unwrap_or_diverge!(check_location(database, number, hash, &expected.rows).await?);
    unwrap_or_diverge!(check_times(database, number, &expected.times.parts).await?);
    unwrap_or_diverge!(check_positions(database, &expected.block).await?);
    unwrap_or_diverge!(check_keys(database, number, &expected.block_keys).await?);
    for withdrawal in &expected.withdrawals {
        let found =
            unwrap_or_diverge!(damage_as_divergence(database.withdrawal(&withdrawal.hash).await)?);
        if found.as_ref() != Some(&(number, withdrawal.clone())) {
            let reason = format!("the withdrawal differs from that in block {number}");
            return Ok(Err(divergence("withdrawals", withdrawal.hash, reason)));
        }
    }
    // Beyond the finalized head, only entries' last blocks keep their proof.
    let proof = unwrap_or_diverge!(damage_as_divergence(database.passer_proof(number).await)?);
    if proof.is_some_and(|proof| proof != expected.passer_proof) {
        return Ok(Err(divergence("passer_proofs", number, "the proof is of another account")));
    }
    Ok(Ok(()))
}

/// Compares the index of a block with its `Sealed` row, without executing it.
pub(super) async fn check_unexecuted(
    database: &Database,
    block: &JournalBlock,
    sealed: &SealedEntry,
) -> CheckResult {
    let number = block.number;
    let found = unwrap_or_diverge!(indexed_block(database, number).await?);
    let hash = found.header.hash_slow();
    let reason = if sealed.hash != hash {
        Some(format!("expected hash {} of block {number}, found {hash}", sealed.hash))
    } else if found.origin != block.opening.origin {
        Some("the origin differs".into())
    } else {
        None
    };
    if let Some(reason) = reason {
        return Ok(Err(divergence("blocks", number, reason)));
    }
    let block_keys = match check_body(block, &found) {
        Ok(body) => {
            let senders = found.receipts.iter().map(|stored| stored.sender);
            block_keys(
                body.iter().zip(senders).map(|((tx, receipt), sender)| (tx, receipt, sender)),
            )
        }
        Err(reason) => return Ok(Err(divergence("blocks", number, reason))),
    };
    unwrap_or_diverge!(check_location(database, number, hash, &block.rows).await?);
    unwrap_or_diverge!(check_times(database, number, &block.times).await?);
    unwrap_or_diverge!(check_positions(database, &found).await?);
    check_keys(database, number, &block_keys).await
}

/// Compares the genesis block.
pub(super) async fn check_genesis(database: &Database, expected: &BlockRecord) -> CheckResult {
    let found = unwrap_or_diverge!(indexed_block(database, 0).await?);
    let difference = difference(expected, &found);
    Ok(difference.map_or(Ok(()), |difference| Err(divergence("blocks", 0, difference))))
}

/// Compares the log of waiting transactions, and the bytes that it holds.
pub(super) async fn check_waiting(database: &Database, scan: &JournalScan) -> CheckResult {
    let expected = scan.waiting.txs();
    let mut missing: BTreeSet<_> = expected.keys().copied().collect();
    for found in unwrap_or_diverge!(damage_as_divergence(database.waiting().await)?) {
        let reason = match expected.get(&found.hash) {
            None => "not a waiting transaction",
            Some(waits) if !is_same(waits, &found) => "arrival, sender or reception differ",
            Some(_) => {
                missing.remove(&found.hash);
                continue;
            }
        };
        return Ok(Err(divergence("waiting", found.hash, reason)));
    }
    Ok(match missing.first() {
        Some(hash) => Err(divergence("waiting", hash, "a waiting transaction is missing")),
        None => Ok(()),
    })
}

/// Whether two records are of the same acceptance.
fn is_same(expected: &AcceptedTx, found: &AcceptedTx) -> bool {
    let fields = |tx: &AcceptedTx| (tx.arrival, tx.received_ms, tx.sender);
    fields(expected) == fields(found)
}

/// Compares the index of refused transactions, and of those that a reorg removed.
pub(super) async fn check_outcomes(database: &Database, scan: &JournalScan) -> CheckResult {
    let (_, refused) = scan.unindexed.clone().into_parts();
    for (hash, reason) in refused {
        if unwrap_or_diverge!(damage_as_divergence(database.refusal(&hash).await)?).as_ref()
            != Some(&reason)
        {
            return Ok(Err(divergence(
                "refused",
                hash,
                format!("the refusal is missing: {reason}"),
            )));
        }
    }
    for (hash, block) in &scan.reorged {
        let found = unwrap_or_diverge!(damage_as_divergence(database.reorged_from(hash).await)?);
        if found.is_none() {
            let reason = format!("not recorded as removed from block {block}");
            return Ok(Err(divergence("reorged_transactions", hash, reason)));
        }
    }
    Ok(Ok(()))
}

/// Reads the indexed block.
async fn indexed_block(
    database: &Database,
    number: u64,
) -> Result<Result<BlockRecord, Divergence>, StorageError> {
    let found = unwrap_or_diverge!(damage_as_divergence(database.block(number).await)?);
    Ok(found.ok_or_else(|| divergence("blocks", number, "the block is missing")))
}

/// Checks that the index finds a block by hash, and its rows by number.
async fn check_location(
    database: &Database,
    number: u64,
    hash: B256,
    rows: &Range<u64>,
) -> CheckResult {
    let by_hash = unwrap_or_diverge!(damage_as_divergence(database.block_number(&hash).await)?);
    if by_hash != Some(number) {
        return Ok(Err(divergence("blocks", number, format!("not found by its hash {hash}"))));
    }
    let found = unwrap_or_diverge!(damage_as_divergence(database.rows_of(number).await)?);
    if found.as_ref() != Some(rows) {
        let reason = format!("expected rows {rows:?}, found {found:?}");
        return Ok(Err(divergence("blocks", number, reason)));
    }
    Ok(Ok(()))
}

/// Checks a block's times against its rows.
async fn check_times(database: &Database, number: u64, expected: &BlockTimes) -> CheckResult {
    let found = unwrap_or_diverge!(damage_as_divergence(database.block_times(number).await)?);
    if found.parts == *expected {
        return Ok(Ok(()));
    }
    Ok(Err(divergence("blocks", number, "the times of its transactions differ")))
}

/// Checks that the index finds every transaction at its position.
async fn check_positions(database: &Database, block: &BlockRecord) -> CheckResult {
    let number = block.header.number;
    for (position, receipt) in block.receipts.iter().enumerate() {
        let hash = keccak256(&receipt.transaction);
        let place = unwrap_or_diverge!(damage_as_divergence(database.transaction(&hash).await)?);
        // A batch of another batcher can give two deposits the same hash. The first one is indexed.
        let is_deposit = receipt.transaction.first() == Some(&DEPOSIT_TYPE);
        let is_right = place.is_some_and(|place| {
            let (found, here) = ((place.block, place.position), (number, position));
            found == here || is_deposit && found < here
        });
        if !is_right {
            let reason = format!("not found at position {position} of block {number}");
            return Ok(Err(divergence("transactions", hash, reason)));
        }
    }
    Ok(Ok(()))
}

/// Checks that the index finds a block by all its keys.
async fn check_keys(database: &Database, number: u64, keys: &BlockKeys) -> CheckResult {
    let is_found = unwrap_or_diverge!(damage_as_divergence(database.has_keys(number, keys).await)?);
    let reason = "not found by its logs or accounts";
    Ok(if is_found { Ok(()) } else { Err(divergence("block_keys", number, reason)) })
}

/// Checks that header, transactions and receipts belong together and equal the journal's. Returns
/// each transaction with its receipt.
fn check_body(
    block: &JournalBlock,
    record: &BlockRecord,
) -> Result<Vec<(TxEnvelope, ReceiptEnvelope)>, String> {
    let header = &record.header;
    if header.number != block.number || time_ms(header) != block.opening.time_ms {
        return Err("number or timestamp differs".into());
    }
    let (mut transactions, mut receipts) = (Vec::new(), Vec::new());
    for (at, stored) in record.receipts.iter().enumerate() {
        transactions.push(decode_exact(&stored.transaction, TxEnvelope::decode_2718, at)?);
        receipts.push(decode_exact(&stored.receipt, ReceiptEnvelope::decode_2718, at)?);
    }
    if calculate_transaction_root(&transactions) != header.transactions_root {
        return Err("the transactions do not match the header".into());
    }
    if calculate_receipt_root(&receipts) != header.receipts_root {
        return Err("the receipts do not match the header".into());
    }
    let first = block.outcomes.len().saturating_sub(block.transactions.len());
    let ran = block.outcomes.iter().enumerate().filter(|(_, outcome)| !outcome.is_zero());
    let mut stored = record.receipts.iter().enumerate();
    for (index, outcome) in ran {
        let Some((at, receipt)) = stored.next() else {
            return Err(format!("transaction {index} is missing"));
        };
        if outcome.as_slice() != &keccak256(&receipt.receipt)[..B64::len_bytes()] {
            return Err(format!("the receipt of transaction {at} differs"));
        }
        let expected = index.checked_sub(first).and_then(|at| block.transactions.get(at));
        let is_same = |tx: &JournalTx| tx.raw == receipt.transaction && tx.sender == receipt.sender;
        if expected.is_some_and(|tx| !is_same(tx)) {
            return Err(format!("transaction {at} differs"));
        }
    }
    match stored.next() {
        Some((at, _)) => Err(format!("transaction {at} does not belong to this block")),
        None => Ok(transactions.into_iter().zip(receipts).collect()),
    }
}

fn decode_exact<T, E: Display>(
    bytes: &Bytes,
    decode: impl FnOnce(&mut &[u8]) -> Result<T, E>,
    at: usize,
) -> Result<T, String> {
    let mut rest = bytes.as_ref();
    let value = decode(&mut rest).map_err(|error| format!("transaction {at}: {error}"))?;
    if rest.is_empty() { Ok(value) } else { Err(format!("transaction {at}: trailing bytes")) }
}

/// The first difference between two blocks.
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
        return Some(format!("expected {name} {value}, found {found}"));
    }
    let mut pairs = expected.receipts.iter().zip(&found.receipts).enumerate();
    if let Some((at, _)) = pairs.find(|(_, (ours, theirs))| ours != theirs) {
        return Some(format!("transaction {at} or its receipt differs"));
    }
    let (ours, theirs) = (expected.receipts.len(), found.receipts.len());
    if ours != theirs {
        return Some(format!("expected {ours} transactions, found {theirs}"));
    }
    Some("origin or message passer root differs".into())
}

fn divergence(table: &'static str, key: impl Display, reason: impl Into<String>) -> Divergence {
    Divergence::Index { table, key: key.to_string(), reason: reason.into() }
}
