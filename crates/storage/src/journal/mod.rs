mod assembler;
mod codec;
mod encoded;
mod entry;

use std::ops::Range;

use alloy_primitives::{B64, B256, keccak256};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _, any::AnyRow};
use turnpike_keccak::keccak256_many;

use assembler::check_part;
pub use {
    assembler::{Assembled, BlockAssembler},
    encoded::EncodedRow,
    entry::{
        AcceptedTx, BlockOpening, BlockPart, JournalBlock, JournalEntry, JournalRow, JournalTx,
        ReorgEntry, SealedEntry, SliceEntry,
    },
};

use crate::{
    Database, DatabaseLocation, StorageError,
    sql::{ROWS_PER_STATEMENT, placeholders, signed, unsigned},
    unix_milliseconds,
};

/// Parameters of a row.
const COLUMNS: usize = 4;

/// Rows whose checksums are looked at together.
const CHECKED_AT_ONCE: usize = 64;

/// First eight bytes of the hash of the checksum before, sequence, epoch and payload. The first row's comes after the chain's id.
type Checksum = [u8; 8];

/// Whoever appends to the journal.
#[derive(Debug)]
pub(crate) struct Writer {
    connection: AnyConnection,
    chain: B256,
    row_lock: &'static str,
    epoch: u64,
    /// Epoch of the row before; 0 if there is none.
    last_epoch: u64,
    /// Sequence of the next row.
    end: u64,
    /// Checksum of the row before.
    checksum: Checksum,
    /// Whether a write has begun whose outcome was not learnt.
    is_unsure: bool,
}

/// A row on its way into the table.
struct Encoded {
    sequence: u64,
    epoch: u64,
    payload: Vec<u8>,
    checksum: Checksum,
}

impl Database {
    /// Appends entries, all or none, and returns their sequences. They are durable on return. After an error the journal is as before;
    /// if [`StorageError::is_unsure`], only opening the database again tells.
    pub async fn append(&self, entries: &[JournalEntry]) -> Result<Range<u64>, StorageError> {
        self.append_at(entries, unix_milliseconds()).await
    }

    /// [`append`](Self::append), with the time of it, in Unix milliseconds.
    pub async fn append_at(
        &self,
        entries: &[JournalEntry],
        at_ms: u64,
    ) -> Result<Range<u64>, StorageError> {
        let mut writer = self.writer().await?;
        let (start, epoch) = (writer.end, writer.epoch);
        let rows: Vec<_> = entries.iter().map(|entry| (epoch, at_ms, entry)).collect();
        writer.append(&rows).await?;
        Ok(start..writer.end)
    }

    /// Appends rows of another's journal, all or none: sequences, epochs and times stay. Durable on return.
    pub async fn append_rows(&self, rows: &[JournalRow]) -> Result<(), StorageError> {
        let mut writer = self.writer().await?;
        let mut latest = writer.last_epoch;
        for (row, expected) in rows.iter().zip(writer.end..) {
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

    /// Rows from `from` on, `limit` at most, in order. None is missing, and each is as it was written.
    pub async fn rows(&self, from: u64, limit: u32) -> Result<Vec<JournalRow>, StorageError> {
        let rows = self.rows_before_and_from(from, limit).await?;
        read_rows(&rows, from, self.chain)
    }

    /// The same rows as they are written.
    pub async fn encoded_rows(
        &self,
        from: u64,
        limit: u32,
    ) -> Result<Vec<EncodedRow>, StorageError> {
        let rows = self.rows_before_and_from(from, limit).await?;
        read_encoded(&rows, from, self.chain)
    }

    /// Entries from row `from` on that take blocks back, with their rows. The rows between are not looked into.
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
                if let JournalEntry::Reorg(taken) = row.entry {
                    found.push((sequence, taken));
                }
            }
        }
        Ok(found)
    }

    /// What the checksum of row `from` continues: the checksum of the row before, or what the chain's first row begins with. `None`
    /// if there is no row before yet.
    pub async fn checksum_before(&self, from: u64) -> Result<Option<B64>, StorageError> {
        let Some(before) = from.checked_sub(1) else { return Ok(Some(origin(self.chain).into())) };
        Ok(self.encoded_rows(before, 1).await?.pop().map(|row| row.checksum))
    }

    /// Id of the chain whose journal this is.
    pub const fn chain(&self) -> B256 {
        self.chain
    }

    /// Rows from `from` on, and before them the one that holds what the first one's checksum continues.
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

impl Writer {
    /// Begins a new epoch at the journal's end.
    pub(crate) async fn begin(
        mut connection: AnyConnection,
        location: &DatabaseLocation,
        chain: B256,
    ) -> Result<Self, StorageError> {
        // First of all: from then on nobody else appends, so that the end stays where it is found.
        let row = sqlx::query("UPDATE writer_epoch SET epoch = epoch + 1 RETURNING epoch")
            .fetch_one(&mut connection)
            .await?;
        let mut epoch = unsigned(row.try_get(0)?);
        let last = last_row(&mut connection, chain).await?;
        // Rows of another's journal may be of later epochs.
        if let Some((row, _)) = &last
            && row.epoch >= epoch
        {
            epoch = row.epoch + 1;
            sqlx::query("UPDATE writer_epoch SET epoch = $1")
                .bind(signed(epoch))
                .execute(&mut connection)
                .await?;
        }
        let (end, last_epoch, checksum) = last.map_or_else(
            || (0, 0, origin(chain)),
            |(row, checksum)| (row.sequence + 1, row.epoch, checksum),
        );
        let row_lock = location.row_lock();
        Ok(Self { connection, chain, row_lock, epoch, last_epoch, end, checksum, is_unsure: false })
    }

    pub(crate) const fn connection(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }

    pub(crate) fn into_connection(self) -> AnyConnection {
        self.connection
    }

    pub(crate) const fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) const fn end(&self) -> u64 {
        self.end
    }

    async fn append(&mut self, entries: &[(u64, u64, &JournalEntry)]) -> Result<(), StorageError> {
        if self.is_unsure {
            self.check_end().await?;
        }
        let rows = self.encode(entries)?;
        let Some(last) = rows.last() else { return Ok(()) };
        let (end, last_epoch, checksum) = (last.sequence + 1, last.epoch, last.checksum);
        // Until the outcome is known, whatever becomes of this future.
        self.is_unsure = true;
        let written = self.write(&rows).await;
        self.is_unsure =
            written.as_ref().is_err_and(|error| !matches!(error, StorageError::Full(_)));
        written?;
        (self.end, self.last_epoch, self.checksum) = (end, last_epoch, checksum);
        Ok(())
    }

    /// Epoch, time and entry of each row, encoded.
    fn encode(&self, entries: &[(u64, u64, &JournalEntry)]) -> Result<Vec<Encoded>, StorageError> {
        let mut previous = self.checksum;
        let encoded = entries.iter().zip(self.end..).map(|(&(epoch, at_ms, entry), sequence)| {
            if let JournalEntry::Slice(slice) = entry
                && let Some(part) = &slice.part
            {
                check_part(part, &slice.received_ms).map_err(|reason| damaged(sequence, reason))?;
            }
            let payload = codec::encode(at_ms, entry);
            previous = checksum(&previous, sequence, epoch, &payload);
            Ok(Encoded { sequence, epoch, payload, checksum: previous })
        });
        encoded.collect()
    }

    async fn write(&mut self, rows: &[Encoded]) -> Result<(), StorageError> {
        if rows.len() <= ROWS_PER_STATEMENT {
            // A statement is a transaction.
            return insert(&mut self.connection, rows, self.epoch, self.row_lock).await;
        }
        let mut transaction = self.connection.begin().await?;
        for chunk in rows.chunks(ROWS_PER_STATEMENT) {
            insert(&mut transaction, chunk, self.epoch, self.row_lock).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Whether what failed, or was given up, has left the journal as it was.
    async fn check_end(&mut self) -> Result<(), StorageError> {
        let last = last_row(&mut self.connection, self.chain).await?;
        let found = last.map_or(0, |(row, _)| row.sequence + 1);
        if found != self.end {
            return Err(StorageError::Interrupted { expected: self.end, found });
        }
        self.is_unsure = false;
        Ok(())
    }
}

/// Inserts rows, unless the epoch is over: that is seen and held off by the same statement.
async fn insert(
    connection: &mut AnyConnection,
    rows: &[Encoded],
    epoch: u64,
    row_lock: &str,
) -> Result<(), StorageError> {
    let values = placeholders(rows.len(), COLUMNS);
    let fence = rows.len() * COLUMNS + 1;
    let sql = format!(
        "WITH fence AS (SELECT epoch FROM writer_epoch WHERE epoch = ${fence} {row_lock})
         INSERT INTO journal (sequence, epoch, payload, checksum)
         SELECT added.column1, added.column2, added.column3, added.column4
         FROM (VALUES {values}) AS added, fence"
    );
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(rows.len() == 1);
    for row in rows {
        query = query
            .bind(signed(row.sequence))
            .bind(signed(row.epoch))
            .bind(row.payload.as_slice())
            .bind(row.checksum.as_slice());
    }
    let inserted = query.bind(signed(epoch)).execute(connection).await?.rows_affected();
    if inserted == rows.len() as u64 { Ok(()) } else { Err(StorageError::Fenced(epoch)) }
}

/// The newest row with its checksum.
async fn last_row(
    connection: &mut AnyConnection,
    chain: B256,
) -> Result<Option<(JournalRow, Checksum)>, StorageError> {
    let mut rows = sqlx::query(
        "SELECT sequence, epoch, payload, checksum FROM journal ORDER BY sequence DESC LIMIT 2",
    )
    .fetch_all(connection)
    .await?;
    rows.reverse();
    let Some(last) = rows.last() else { return Ok(None) };
    let (sequence, checksum) = (number(last, 0)?, stored_checksum(last)?);
    let row = read_rows(&rows, sequence, chain)?.pop();
    Ok(row.map(|row| (row, checksum)))
}

/// Reads rows from `from` on. The one before comes first, if there is one.
fn read_rows(rows: &[AnyRow], from: u64, chain: B256) -> Result<Vec<JournalRow>, StorageError> {
    let decode = |row: EncodedRow| row.decode().map_err(|reason| damaged(row.sequence, reason));
    read_encoded(rows, from, chain)?.into_iter().map(decode).collect()
}

/// The same, as they are written. Each is whole, in its place and chained to the one before.
fn read_encoded(rows: &[AnyRow], from: u64, chain: B256) -> Result<Vec<EncodedRow>, StorageError> {
    let mut read = Vec::with_capacity(rows.len());
    let mut before = origin(chain);
    // The row before the first gives nothing but its checksum.
    for (row, sequence) in rows.iter().zip(from.saturating_sub(1)..) {
        match encoded_row(row, sequence) {
            Ok(row) if sequence < from => before = row.checksum.0,
            Ok(row) => read.push(row),
            Err(error) => {
                // Of two the first is told.
                check_chain(before, &read)?;
                return Err(error);
            }
        }
    }
    check_chain(before, &read)?;
    Ok(read)
}

fn encoded_row(row: &AnyRow, sequence: u64) -> Result<EncodedRow, StorageError> {
    if number(row, 0)? != sequence {
        return Err(damaged(sequence, "it is missing".into()));
    }
    let checksum = stored_checksum(row)?.into();
    let (epoch, payload) = (number(row, 1)?, blob(row, 2, sequence)?.to_vec().into());
    Ok(EncodedRow { sequence, epoch, checksum, payload })
}

/// Whether each of these rows continues the one before it, the first one `before`.
fn check_chain(mut before: Checksum, rows: &[EncodedRow]) -> Result<(), StorageError> {
    for rows in rows.chunks(CHECKED_AT_ONCE) {
        let chained = rows.iter().map(|row| {
            let before = std::mem::replace(&mut before, row.checksum.0);
            chained(&before, row.sequence, row.epoch, &row.payload)
        });
        let chained: Vec<_> = chained.collect();
        let messages: Vec<_> = chained.iter().map(Vec::as_slice).collect();
        let mut hashes = vec![[0; 32]; rows.len()];
        keccak256_many(&messages, &mut hashes);
        let is_wrong = |(row, hash): &(&EncodedRow, &[u8; 32])| hash[..8] != row.checksum[..];
        if let Some((row, _)) = rows.iter().zip(&hashes).find(is_wrong) {
            return Err(damaged(row.sequence, "checksum mismatch".into()));
        }
    }
    Ok(())
}

/// What the first row's checksum continues: a row of another chain's journal does not fit.
fn origin(chain: B256) -> Checksum {
    chain[..8].try_into().expect("invariant: a hash has eight bytes")
}

pub(crate) fn checksum(previous: &Checksum, sequence: u64, epoch: u64, payload: &[u8]) -> Checksum {
    let hash = keccak256(chained(previous, sequence, epoch, payload));
    hash[..8].try_into().expect("invariant: a hash has eight bytes")
}

/// What a row's checksum is of.
fn chained(previous: &Checksum, sequence: u64, epoch: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(24 + payload.len());
    bytes.extend_from_slice(previous);
    bytes.extend_from_slice(&sequence.to_be_bytes());
    bytes.extend_from_slice(&epoch.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn number(row: &AnyRow, column: usize) -> Result<u64, StorageError> {
    let value: i64 = row.try_get(column)?;
    let sequence = || row.try_get::<i64, _>(0).ok().and_then(|sequence| sequence.try_into().ok());
    value.try_into().map_err(|_| {
        let reason = format!("{value} is no sequence and no epoch");
        damaged(sequence().unwrap_or_default(), reason)
    })
}

fn blob(row: &AnyRow, column: usize, sequence: u64) -> Result<&[u8], StorageError> {
    row.try_get(column).map_err(|error| damaged(sequence, error.to_string()))
}

fn stored_checksum(row: &AnyRow) -> Result<Checksum, StorageError> {
    let sequence = number(row, 0)?;
    let stored = blob(row, 3, sequence)?;
    stored.try_into().map_err(|_| damaged(sequence, "its checksum has another length".into()))
}

fn damaged(key: u64, reason: String) -> StorageError {
    StorageError::Damaged { table: "journal", key, reason }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use alloy_primitives::{Address, Bytes};
    use sqlx::Executor as _;
    use tempfile::TempDir;

    use super::*;
    use crate::{AcceptedTx, JournalTx, SliceEntry};

    const CHAIN: B256 = B256::repeat_byte(1);

    async fn database() -> (TempDir, Database) {
        let folder = tempfile::tempdir().expect("a folder");
        let location = folder.path().join("role.db").into();
        (folder, Database::open(&location, CHAIN).await.expect("opens"))
    }

    fn large() -> JournalEntry {
        let tx = JournalTx { raw: Bytes::from(vec![7; 100_000]), sender: Address::ZERO };
        let accepted = vec![AcceptedTx { arrival: 1, received_ms: 1, tx }];
        JournalEntry::Slice(SliceEntry { accepted, ..SliceEntry::default() })
    }

    async fn tell(database: &Database, pragma: &'static str) {
        let mut writer = database.writer().await.expect("writes");
        writer.connection().execute(pragma).await.expect("is heard");
    }

    #[tokio::test]
    async fn a_full_disk_leaves_the_journal_as_it_was() {
        let (_folder, database) = database().await;
        assert_eq!(database.append(&[large()]).await.expect("appends"), 0..1);
        tell(&database, "PRAGMA max_page_count = 60").await;
        for entries in [vec![large(), large(), large()], vec![large(); ROWS_PER_STATEMENT + 1]] {
            let error = database.append(&entries).await.expect_err("is full");
            assert!(error.is_full() && !error.is_unsure(), "{error}");
            assert!(error.to_string().contains("no room left"), "{error}");
            assert_eq!(database.journal_end().await.expect("reads"), 1);
        }
        // What is smaller still fits; and once there is room, everything does.
        let small = JournalEntry::Slice(SliceEntry::default());
        assert_eq!(database.append(&[small]).await.expect("appends"), 1..2);
        tell(&database, "PRAGMA max_page_count = 1000000").await;
        assert_eq!(database.append(&[large(), large()]).await.expect("appends"), 2..4);
        assert_eq!(database.rows(0, 10).await.expect("reads").len(), 4);
    }

    #[tokio::test]
    async fn what_can_only_be_read_says_so() {
        let (_folder, database) = database().await;
        tell(&database, "PRAGMA query_only = ON").await;
        let error = database.append(&[large()]).await.expect_err("is read-only");
        assert!(matches!(error, StorageError::ReadOnly(_)), "{error:?}");
        assert_eq!(database.journal_end().await.expect("reads"), 0);
        tell(&database, "PRAGMA query_only = OFF").await;
        assert_eq!(database.append(&[large()]).await.expect("appends"), 0..1);
    }

    #[tokio::test]
    async fn a_write_that_was_given_up_is_looked_for() {
        let (_folder, database) = database().await;
        database.append(&[large()]).await.expect("appends");
        // The write begins, its outcome is not waited for.
        let entries = [large()];
        let mut append = Box::pin(database.append(&entries));
        let mut context = Context::from_waker(Waker::noop());
        assert!(append.as_mut().poll(&mut context).is_pending());
        drop(append);
        match database.append(&[large()]).await {
            Ok(rows) => assert_eq!(rows, 1..2, "it did not take place"),
            Err(error) => {
                assert!(matches!(error, StorageError::Interrupted { expected: 1, found: 2 }));
                assert!(
                    error.is_unsure(),
                    "it took place, and whoever gave it up must start again"
                );
            }
        }
    }
}
