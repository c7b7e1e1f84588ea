//! The one writer of the journal. See the [module above](super) for Recovery and Durability.

use alloy_primitives::B256;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};

use super::{
    JournalEntry, JournalRow, check_part,
    checksum::{Checksum, checksum, first_checksum},
    codec, damaged, number,
    row_reader::{read_rows, stored_checksum},
    waiting::{LogChanges, LoggedTxs},
};
use crate::{
    DatabaseLocation, StorageError,
    sql::{ROWS_PER_STATEMENT, placeholders, signed, unsigned},
};

/// Parameters of a row.
const COLUMNS: usize = 4;

/// Appends to the journal, in one epoch.
#[derive(Debug)]
pub(crate) struct JournalWriter {
    connection: AnyConnection,
    chain: B256,
    /// Locking clause for the fence; empty where the database has only one writer at a time.
    row_lock: &'static str,
    epoch: u64,
    /// Epoch of the last row; 0 if there is none.
    last_epoch: u64,
    /// Sequence of the next row.
    end: u64,
    /// Checksum of the last row.
    checksum: Checksum,
    /// The log of waiting transactions.
    logged: LoggedTxs,
    /// Whether the outcome of a write that has begun is unknown.
    outcome_unknown: bool,
}

/// A row that is ready to be inserted.
struct UnwrittenRow {
    sequence: u64,
    epoch: u64,
    payload: Vec<u8>,
    checksum: Checksum,
}

impl JournalWriter {
    /// Begins a new epoch at the journal's end.
    pub(crate) async fn begin(
        mut connection: AnyConnection,
        location: &DatabaseLocation,
        chain: B256,
    ) -> Result<Self, StorageError> {
        // Begin the epoch first: it fences every other writer, so the end cannot move afterwards.
        let row = sqlx::query("UPDATE writer_epoch SET epoch = epoch + 1 RETURNING epoch")
            .fetch_one(&mut connection)
            .await?;
        let mut epoch = unsigned(row.try_get(0)?);
        let last = last_row(&mut connection, chain).await?;
        // A copied journal may hold rows of later epochs than this database has had.
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
            || (0, 0, first_checksum(chain)),
            |(row, checksum)| (row.sequence + 1, row.epoch, checksum),
        );
        let logged = LoggedTxs::open(&mut connection, chain).await?;
        let row_lock = location.row_lock();
        Ok(Self {
            connection,
            chain,
            row_lock,
            epoch,
            last_epoch,
            end,
            checksum,
            logged,
            outcome_unknown: false,
        })
    }

    pub(crate) const fn connection(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }

    pub(crate) fn into_connection(self) -> AnyConnection {
        self.connection
    }

    /// Epoch that this writer began.
    pub(crate) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Epoch of the last row; 0 if there is none.
    pub(crate) const fn last_epoch(&self) -> u64 {
        self.last_epoch
    }

    /// Sequence of the next row.
    pub(crate) const fn end(&self) -> u64 {
        self.end
    }

    pub(super) async fn append(
        &mut self,
        entries: &[(u64, u64, &JournalEntry)],
    ) -> Result<(), StorageError> {
        if self.outcome_unknown {
            self.check_end().await?;
        }
        let rows = self.encode(entries)?;
        let Some(last) = rows.last() else { return Ok(()) };
        let (end, last_epoch, checksum) = (last.sequence + 1, last.epoch, last.checksum);
        let mut changes = LogChanges::default();
        for (row, (.., entry)) in rows.iter().zip(entries) {
            changes.take(&self.logged, row.sequence, entry);
        }
        // Set the flag before the write, because the caller may drop this future.
        self.outcome_unknown = true;
        let written = self.write(&rows, &changes).await;
        self.outcome_unknown =
            written.as_ref().is_err_and(|error| !matches!(error, StorageError::Full(_)));
        written?;
        (self.end, self.last_epoch, self.checksum) = (end, last_epoch, checksum);
        self.logged.apply(changes);
        Ok(())
    }

    /// Encodes entries, each given with its epoch and time.
    fn encode(
        &self,
        entries: &[(u64, u64, &JournalEntry)],
    ) -> Result<Vec<UnwrittenRow>, StorageError> {
        let mut previous = self.checksum;
        let encoded = entries.iter().zip(self.end..).map(|(&(epoch, at_ms, entry), sequence)| {
            if let JournalEntry::Slice(slice) = entry
                && let Some(part) = &slice.part
            {
                check_part(part, &slice.received_ms).map_err(|reason| damaged(sequence, reason))?;
            }
            let payload = codec::encode(at_ms, entry);
            previous = checksum(&previous, sequence, epoch, &payload);
            Ok(UnwrittenRow { sequence, epoch, payload, checksum: previous })
        });
        encoded.collect()
    }

    async fn write(
        &mut self,
        rows: &[UnwrittenRow],
        changes: &LogChanges,
    ) -> Result<(), StorageError> {
        if rows.len() <= ROWS_PER_STATEMENT && changes.is_empty() {
            // One statement is its own transaction.
            return insert(&mut self.connection, rows, self.epoch, self.row_lock).await;
        }
        let mut transaction = self.connection.begin().await?;
        for chunk in rows.chunks(ROWS_PER_STATEMENT) {
            insert(&mut transaction, chunk, self.epoch, self.row_lock).await?;
        }
        changes.write(&mut transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Checks that a write of unknown outcome has not taken place.
    async fn check_end(&mut self) -> Result<(), StorageError> {
        let last = last_row(&mut self.connection, self.chain).await?;
        let found = last.map_or(0, |(row, _)| row.sequence + 1);
        if found != self.end {
            return Err(StorageError::Interrupted { expected: self.end, found });
        }
        self.outcome_unknown = false;
        Ok(())
    }
}

/// Inserts rows unless a newer epoch has begun. The same statement checks the epoch and, on
/// PostgreSQL, locks it.
async fn insert(
    connection: &mut AnyConnection,
    rows: &[UnwrittenRow],
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

/// Reads the last row and its checksum, and checks it against the row before.
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

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use sqlx::Executor as _;
    use tempfile::TempDir;

    use super::*;
    use crate::{Database, SliceEntry};

    const CHAIN: B256 = B256::repeat_byte(1);

    async fn database() -> (TempDir, Database) {
        let folder = tempfile::tempdir().expect("temporary directory");
        let location = folder.path().join("role.db").into();
        (folder, Database::open(&location, CHAIN).await.expect("opens"))
    }

    fn large() -> JournalEntry {
        let refused = vec![(B256::ZERO, "7".repeat(100_000))];
        JournalEntry::Slice(SliceEntry { refused, ..SliceEntry::default() })
    }

    async fn set_pragma(database: &Database, pragma: &'static str) {
        let mut writer = database.writer().await.expect("writes");
        writer.connection().execute(pragma).await.expect("applies the setting");
    }

    #[tokio::test]
    async fn append_on_a_full_disk_leaves_the_journal_unchanged() {
        let (_folder, database) = database().await;
        assert_eq!(database.append(&[large()]).await.expect("appends"), 0..1);
        set_pragma(&database, "PRAGMA max_page_count = 60").await;
        for entries in [vec![large(), large(), large()], vec![large(); ROWS_PER_STATEMENT + 1]] {
            let error = database.append(&entries).await.expect_err("is full");
            assert!(error.is_full() && !error.is_outcome_unknown(), "{error}");
            assert!(error.to_string().contains("no room left"), "{error}");
            assert_eq!(database.journal_end().await.expect("reads"), 1);
        }
        // A smaller row still fits. With more room, all rows fit.
        let small = JournalEntry::Slice(SliceEntry::default());
        assert_eq!(database.append(&[small]).await.expect("appends"), 1..2);
        set_pragma(&database, "PRAGMA max_page_count = 1000000").await;
        assert_eq!(database.append(&[large(), large()]).await.expect("appends"), 2..4);
        assert_eq!(database.rows(0, 10).await.expect("reads").len(), 4);
    }

    #[tokio::test]
    async fn append_to_a_read_only_database_fails() {
        let (_folder, database) = database().await;
        set_pragma(&database, "PRAGMA query_only = ON").await;
        let error = database.append(&[large()]).await.expect_err("is read-only");
        assert!(matches!(error, StorageError::ReadOnly(_)), "{error:?}");
        assert_eq!(database.journal_end().await.expect("reads"), 0);
        set_pragma(&database, "PRAGMA query_only = OFF").await;
        assert_eq!(database.append(&[large()]).await.expect("appends"), 0..1);
    }

    #[tokio::test]
    async fn append_after_a_dropped_append_checks_the_end() {
        let (_folder, database) = database().await;
        database.append(&[large()]).await.expect("appends");
        // The write begins, and the caller drops it.
        let entries = [large()];
        let mut append = Box::pin(database.append(&entries));
        let mut context = Context::from_waker(Waker::noop());
        assert!(append.as_mut().poll(&mut context).is_pending());
        drop(append);
        match database.append(&[large()]).await {
            Ok(rows) => assert_eq!(rows, 1..2, "the dropped append did not take place"),
            Err(error) => {
                assert!(matches!(error, StorageError::Interrupted { expected: 1, found: 2 }));
                assert!(error.is_outcome_unknown(), "the dropped append took place");
            }
        }
    }
}
