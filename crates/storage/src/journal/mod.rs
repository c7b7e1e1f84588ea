//! The write-ahead log: every transaction that was accepted, every slice of a block and every
//! reorg, in the order in which the sequencer decided them. It is the ground truth; the index,
//! checkpoints and replicas follow from it.
//!
//! # Job
//!
//! [`Database::append`] makes entries durable, [`Database::rows`] reads and checks them, and
//! [`BlockAssembler`] puts them together to blocks. The journal does not know whether a block is
//! valid: the executor decides that.
//!
//! # Format
//!
//! A row of the table `journal` has four columns:
//!
//! | column     | content                                                                       |
//! |------------|-------------------------------------------------------------------------------|
//! | `sequence` | position, counted from 0 without gaps                                         |
//! | `epoch`    | epoch of the process that wrote it; never lower than in the row before        |
//! | `payload`  | the entry, encoded as below                                                   |
//! | `checksum` | first 8 bytes of `keccak256(previous ‖ sequence ‖ epoch ‖ payload)`           |
//!
//! `previous` is the checksum of the row before, and for row 0 the first 8 bytes of the chain's id.
//! Sequence and epoch are hashed as 8 big-endian bytes. So a row that is changed, moved, missing or
//! copied from another journal breaks the chain of checksums. [`EncodedRow`] is the same row as one
//! piece, as the feed sends it.
//!
//! A payload is:
//!
//! | bytes | content                                                    |
//! |-------|------------------------------------------------------------|
//! | 1     | version of the format: 2                                   |
//! | 1     | kind: 1 slice, 2 sealed block, 3 reorg                     |
//! | 8     | time of writing, Unix milliseconds, big-endian             |
//! | rest  | the entry in RLP; trailing bytes are an error              |
//!
//! Rows are never changed or deleted. A [`JournalEntry::Reorg`] voids blocks of earlier rows; their
//! rows stay. A row names a transaction that waits by its hash; its bytes are in the
//! [log of waiting transactions](waiting) until a later row includes or refuses it.
//!
//! # Recovery
//!
//! Opening the database to write begins a new epoch, reads the last row and checks it against the
//! row before. The next append continues its sequence and checksum. Every later read checks all the
//! rows that it returns: the first row that is damaged or missing is an error
//! ([`StorageError::Damaged`]), and no row after it is returned.
//!
//! An append is one transaction of the database, so a crash leaves all its rows or none: there is
//! no torn tail to cut off. A journal that lost its end altogether (a file restored from an old
//! copy) is found by the index: its cursor is past the end, and opening fails with
//! [`StorageError::EndMissing`]. With the index deleted, such a journal opens without an error.
//!
//! # Durability
//!
//! The rows are durable when [`Database::append`] returns: SQLite runs with `synchronous = FULL`,
//! PostgreSQL with `synchronous_commit = on`. The caller acknowledges nothing before.
//!
//! The insert itself checks the epoch in `writer_epoch` and inserts nothing if another process has
//! begun a newer one ([`StorageError::Fenced`]). On PostgreSQL it also locks that row, so that no
//! epoch begins between check and commit. A fenced process must stop.
//!
//! If an append fails because the disk is full, nothing was written and a later append may succeed.
//! After any other failure, or if the caller drops the future, the outcome is unknown: the next
//! append first reads the end of the journal. If the rows are there after all, it fails with
//! [`StorageError::Interrupted`], and the process must start again.

mod assembler;
mod checksum;
mod codec;
mod encoded;
mod entry;
mod log_reader;
mod row_reader;
mod waiting;
mod writer;

use std::ops::Range;

use alloy_primitives::{B64, B256};
use sqlx::{Row as _, any::AnyRow};

use assembler::check_part;
use row_reader::{number, read_encoded, read_rows};
pub(crate) use writer::JournalWriter;
pub use {
    assembler::{Assembled, BlockAssembler},
    encoded::EncodedRow,
    entry::{
        AcceptedBytes, AcceptedTx, BlockOpening, BlockPart, JournalBlock, JournalEntry, JournalRow,
        JournalTx, ReorgEntry, SealedEntry, SliceEntry,
    },
    waiting::WaitingTxs,
};

use crate::{
    Database, StorageError,
    sql::{signed, unsigned},
    unix_milliseconds,
};

impl Database {
    /// Appends entries, all or none, and returns their sequences. They are durable on return.
    ///
    /// An error leaves the journal as it was, unless [`StorageError::is_outcome_unknown`]: then
    /// only opening the database again tells whether the rows are there.
    pub async fn append(&self, entries: &[JournalEntry]) -> Result<Range<u64>, StorageError> {
        self.append_at(entries, unix_milliseconds()).await
    }

    /// [`append`](Self::append) with the time of writing, in Unix milliseconds, as an input.
    pub async fn append_at(
        &self,
        entries: &[JournalEntry],
        at_ms: u64,
    ) -> Result<Range<u64>, StorageError> {
        let mut writer = self.writer().await?;
        let (start, epoch) = (writer.end(), writer.epoch());
        let rows: Vec<_> = entries.iter().map(|entry| (epoch, at_ms, entry)).collect();
        writer.append(&rows).await?;
        Ok(start..writer.end())
    }

    /// Copies rows of another journal, all or none: they keep their sequences, epochs and times.
    /// They are durable on return. Fails if the first row does not continue this journal.
    pub async fn append_rows(&self, rows: &[JournalRow]) -> Result<(), StorageError> {
        let mut writer = self.writer().await?;
        let mut latest = writer.last_epoch();
        for (row, expected) in rows.iter().zip(writer.end()..) {
            if row.sequence != expected {
                return Err(damaged(row.sequence, format!("row {expected} comes next")));
            }
            if row.epoch < latest {
                return Err(damaged(row.sequence, format!("epoch {latest} has begun")));
            }
            latest = row.epoch;
        }
        let rows: Vec<_> =
            rows.iter().map(|row| (row.epoch, row.written_at_ms, &row.entry)).collect();
        writer.append(&rows).await
    }

    /// Returns at most `limit` rows from `from` on, in order. Fails if one of them is missing or
    /// damaged.
    pub async fn rows(&self, from: u64, limit: u32) -> Result<Vec<JournalRow>, StorageError> {
        let rows = self.rows_before_and_from(from, limit).await?;
        read_rows(&rows, from, self.chain)
    }

    /// [`rows`](Self::rows) without decoding their payloads, and with the bytes of transactions
    /// that they accepted and that still wait.
    pub async fn encoded_rows(
        &self,
        from: u64,
        limit: u32,
    ) -> Result<Vec<EncodedRow>, StorageError> {
        let rows = self.rows_before_and_from(from, limit).await?;
        let mut rows = read_encoded(&rows, from, self.chain)?;
        self.attach_waiting(&mut rows).await?;
        Ok(rows)
    }

    /// Returns the reorgs from row `from` on, each with its sequence. Rows of other kinds are
    /// neither decoded nor checked.
    pub async fn reorg_entries_from(
        &self,
        from: u64,
    ) -> Result<Vec<(u64, ReorgEntry)>, StorageError> {
        let rows = sqlx::query(
            "SELECT sequence FROM journal WHERE sequence >= $1 AND substr(payload, 1, 2) = $2 ORDER BY sequence",
        )
        .bind(signed(from))
        .bind(codec::REORG_HEADER.as_slice())
        .fetch_all(&self.readers)
        .await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let sequence = number(&row, 0)?;
            for row in self.rows(sequence, 1).await? {
                if let JournalEntry::Reorg(reorg) = row.entry {
                    found.push((sequence, reorg));
                }
            }
        }
        Ok(found)
    }

    /// Returns the checksum that row `from` continues: that of the row before, and for row 0 the
    /// beginning of the chain's id. `None` if the row before does not exist yet.
    pub async fn checksum_before(&self, from: u64) -> Result<Option<B64>, StorageError> {
        let Some(before) = from.checked_sub(1) else {
            return Ok(Some(checksum::first_checksum(self.chain).into()));
        };
        let rows = self.rows_before_and_from(before, 1).await?;
        Ok(read_encoded(&rows, before, self.chain)?.pop().map(|row| row.checksum))
    }

    /// Id of the chain that the journal belongs to.
    pub const fn chain(&self) -> B256 {
        self.chain
    }

    /// Reads rows from `from` on, and the row before them for its checksum.
    async fn rows_before_and_from(
        &self,
        from: u64,
        limit: u32,
    ) -> Result<Vec<AnyRow>, StorageError> {
        let rows = sqlx::query(
            "SELECT sequence, epoch, payload, checksum FROM journal WHERE sequence >= $1 ORDER BY sequence LIMIT $2",
        )
        .bind(signed(from.saturating_sub(1)))
        .bind(i64::from(limit) + i64::from(from > 0))
        .fetch_all(&self.readers)
        .await?;
        Ok(rows)
    }

    /// Sequence of the next row.
    pub async fn journal_end(&self) -> Result<u64, StorageError> {
        let row = sqlx::query("SELECT MAX(sequence) FROM journal").fetch_one(&self.readers).await?;
        let last: Option<i64> = row.try_get(0)?;
        Ok(last.map_or(0, |last| unsigned(last) + 1))
    }
}

fn damaged(key: u64, reason: String) -> StorageError {
    StorageError::Damaged { table: "journal", key, reason }
}
