//! A journal source that reads another node's database.

use std::time::Duration;

use alloy_primitives::B256;
use turnpike_storage::{Database, DatabaseLocation, JournalRow};

use super::{
    Divergence,
    source::{JournalSource, SourceCursor, SourceError},
};

/// Rows read at a time.
const ROWS_STEP: u32 = 256;

/// Interval between polls of a journal that has not grown.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A source that reads another node's database.
#[derive(Debug)]
pub(crate) struct DatabaseSource {
    location: DatabaseLocation,
    chain: B256,
    cursor: SourceCursor,
    database: Option<Database>,
}

impl DatabaseSource {
    /// The journal in the database at `location`.
    pub(crate) const fn new(location: DatabaseLocation, chain: B256, cursor: SourceCursor) -> Self {
        Self { location, chain, cursor, database: None }
    }
}

impl JournalSource for DatabaseSource {
    async fn connect(&mut self, cursor: SourceCursor) -> Result<(), SourceError> {
        self.cursor = cursor;
        if let Some(database) = self.database.take() {
            database.close().await;
        }
        let database = Database::open_read_only(&self.location, self.chain).await?;
        let end = database.journal_end().await?;
        if end < cursor.next {
            database.close().await;
            let reason =
                format!("the source's journal ends before row {end}, expected row {}", cursor.next);
            return Err(SourceError::Lost(reason));
        }
        if let Some(sequence) = cursor.next.checked_sub(1)
            && database.encoded_rows(sequence, 1).await?.first().map(|row| row.checksum)
                != Some(cursor.checksum)
        {
            return Err(Divergence::Rewritten { sequence }.into());
        }
        self.database = Some(database);
        Ok(())
    }

    async fn next(&mut self) -> Result<Vec<JournalRow>, SourceError> {
        let SourceCursor { next, checksum } = self.cursor;
        let lost = || SourceError::Lost("the source's database is not open".into());
        let database = self.database.as_ref().ok_or_else(lost)?;
        loop {
            let encoded = database.encoded_rows(next, ROWS_STEP).await?;
            let Some(last) = encoded.last() else {
                tokio::time::sleep(POLL_INTERVAL).await;
                continue;
            };
            let (first, end) =
                (&encoded[0], SourceCursor { next: last.sequence + 1, checksum: last.checksum });
            let expected = first.checksum_after(checksum);
            if first.checksum != expected {
                let found = first.checksum;
                return Err(Divergence::Checksum { sequence: next, expected, found }.into());
            }
            let decode = |row: &turnpike_storage::EncodedRow| {
                let sequence = row.sequence;
                row.decode().map_err(|reason| Divergence::Row { sequence, reason })
            };
            let rows: Result<_, Divergence> = encoded.iter().map(decode).collect();
            self.cursor = end;
            return Ok(rows?);
        }
    }

    fn cursor(&self) -> SourceCursor {
        self.cursor
    }
}
