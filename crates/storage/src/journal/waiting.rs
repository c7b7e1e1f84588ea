//! The log of waiting transactions: those that were accepted and that no block holds yet.
//!
//! # Job
//!
//! A row of the journal names a waiting transaction by its hash. The table `waiting` holds its
//! bytes until a later row includes or refuses it. So bytes of transactions that were replaced,
//! evicted or expired do not stay in the journal, which is never pruned.
//!
//! # Format
//!
//! | column        | content                                                             |
//! |---------------|---------------------------------------------------------------------|
//! | `hash`        | hash of the transaction                                             |
//! | `sequence`    | row of the journal that accepted it                                 |
//! | `arrival`     | position in the order of arrival                                    |
//! | `sender`      | recovered signer                                                    |
//! | `received_ms` | time of reception, Unix milliseconds                                |
//! | `raw`         | EIP-2718 encoding; empty if a replica's source no longer had it     |
//!
//! # Durability
//!
//! An append writes rows and log in one transaction. A transaction that is accepted and included,
//! or refused, within one append is never written to the log.
//!
//! # Recovery
//!
//! The log is the result of all rows. Journals of earlier builds have the bytes in their rows; from
//! those the log is filled once, when the database is opened to write.

use std::collections::BTreeMap;

use alloy_primitives::{
    Address, B256, keccak256,
    map::{AddressMap, AddressSet, B256Map, B256Set},
};
use sqlx::{AnyConnection, Connection as _, Row as _};

use super::{AcceptedTx, BlockPart, JournalEntry, row_reader::read_rows};
use crate::{
    StorageError,
    sql::{for_rows, signed},
};

/// Name in `meta` that says that the log was filled.
const FILLED: &str = "waiting";

/// Rows read at a time to fill the log.
const ROWS_STEP: i64 = 256;

/// Transactions that wait after some rows of the journal.
/// [`Database::waiting`](crate::Database::waiting) reads the log.
#[derive(Debug, Default)]
pub struct WaitingTxs {
    logged: LoggedTxs,
    changes: LogChanges,
}

/// Hashes and senders of the transactions in the log.
#[derive(Debug, Default)]
pub(super) struct LoggedTxs {
    senders: B256Map<Address>,
    /// Transactions of each sender. Other senders' included transactions need not be hashed.
    counts: AddressMap<usize>,
}

/// What rows change in the log.
#[derive(Debug, Default)]
pub(super) struct LogChanges {
    /// Transactions to add, each with its row.
    added: B256Map<(u64, AcceptedTx)>,
    /// Their senders.
    senders: AddressSet,
    /// Transactions to remove first.
    removed: B256Set,
}

impl WaitingTxs {
    /// Takes the next row of a journal.
    pub fn take(&mut self, sequence: u64, entry: &JournalEntry) {
        self.changes.take(&self.logged, sequence, entry);
    }

    /// The transactions that wait, by hash.
    pub fn txs(&self) -> BTreeMap<B256, &AcceptedTx> {
        self.changes.added.iter().map(|(hash, (_, tx))| (*hash, tx)).collect()
    }
}

impl LogChanges {
    pub(super) fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    /// Takes the next row, which is written at `sequence`.
    pub(super) fn take(&mut self, logged: &LoggedTxs, sequence: u64, entry: &JournalEntry) {
        let (accepted, refused, part) = match entry {
            JournalEntry::Slice(slice) => (&slice.accepted, &slice.refused, slice.part.as_ref()),
            JournalEntry::Reorg(reorg) => (&reorg.waiting, &reorg.refused, None),
            JournalEntry::Sealed(_) => return,
        };
        for tx in accepted {
            self.remove(logged, tx.hash);
            self.senders.insert(tx.sender);
            self.added.insert(tx.hash, (sequence, tx.clone()));
        }
        for (hash, _) in refused {
            self.remove(logged, *hash);
        }
        if logged.counts.is_empty() && self.senders.is_empty() {
            return;
        }
        for tx in part.into_iter().flat_map(BlockPart::included) {
            if logged.counts.contains_key(&tx.sender) || self.senders.contains(&tx.sender) {
                self.remove(logged, keccak256(&tx.raw));
            }
        }
    }

    fn remove(&mut self, logged: &LoggedTxs, hash: B256) {
        self.added.remove(&hash);
        if logged.senders.contains_key(&hash) {
            self.removed.insert(hash);
        }
    }

    /// Writes the changes to the log.
    pub(super) async fn write(&self, connection: &mut AnyConnection) -> Result<(), StorageError> {
        let removed: Vec<_> = self.removed.iter().copied().collect();
        for_rows::<1, _>(
            connection,
            "DELETE FROM waiting WHERE hash IN (VALUES ?)",
            &removed,
            |query, hash| query.bind(hash.to_vec()),
        )
        .await?;
        let added: Vec<_> = self.added.iter().collect();
        for_rows::<6, _>(
            connection,
            "INSERT INTO waiting (hash, sequence, arrival, sender, received_ms, raw) VALUES ?",
            &added,
            |query, (hash, (sequence, tx))| {
                let raw = tx.bytes().map(|raw| raw.to_vec()).unwrap_or_default();
                let query = query.bind(hash.to_vec()).bind(signed(*sequence));
                let query = query.bind(signed(tx.arrival)).bind(tx.sender.to_vec());
                query.bind(signed(tx.received_ms)).bind(raw)
            },
        )
        .await
    }
}

impl LoggedTxs {
    /// Reads what the log holds, and fills it first from a journal of an earlier build.
    pub(super) async fn open(
        connection: &mut AnyConnection,
        chain: B256,
    ) -> Result<Self, StorageError> {
        fill(connection, chain).await?;
        let mut logged = Self::default();
        let rows = sqlx::query("SELECT hash, sender FROM waiting").fetch_all(connection).await?;
        for row in rows {
            let hash = B256::right_padding_from(row.try_get(0)?);
            logged.insert(hash, Address::right_padding_from(row.try_get(1)?));
        }
        Ok(logged)
    }

    /// Applies changes that were written.
    pub(super) fn apply(&mut self, changes: LogChanges) {
        for hash in changes.removed {
            let Some(sender) = self.senders.remove(&hash) else { continue };
            let count = self.counts.get_mut(&sender).expect("invariant: it is counted");
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&sender);
            }
        }
        for (hash, (_, tx)) in changes.added {
            self.insert(hash, tx.sender);
        }
    }

    fn insert(&mut self, hash: B256, sender: Address) {
        self.senders.insert(hash, sender);
        *self.counts.entry(sender).or_default() += 1;
    }
}

/// Fills the log from rows that hold the bytes themselves, unless that was done.
async fn fill(connection: &mut AnyConnection, chain: B256) -> Result<(), StorageError> {
    let filled = sqlx::query("SELECT name FROM meta WHERE name = $1").bind(FILLED);
    if filled.fetch_optional(&mut *connection).await?.is_some() {
        return Ok(());
    }
    let mut waiting = WaitingTxs::default();
    let mut next = 0;
    loop {
        // With the row before, for its checksum.
        let rows = sqlx::query(
            "SELECT sequence, epoch, payload, checksum FROM journal WHERE sequence >= $1 ORDER BY sequence LIMIT $2",
        )
        .bind(signed(next) - i64::from(next > 0))
        .bind(ROWS_STEP)
        .fetch_all(&mut *connection)
        .await?;
        let rows = read_rows(&rows, next, chain)?;
        let Some(last) = rows.last() else { break };
        next = last.sequence + 1;
        rows.iter().for_each(|row| waiting.take(row.sequence, &row.entry));
    }
    let mut tx = connection.begin().await?;
    waiting.changes.write(&mut tx).await?;
    sqlx::query("INSERT INTO meta (name, value) VALUES ($1, $2)")
        .bind(FILLED)
        .bind(Vec::new())
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}
