//! Journal sources: where a replica's rows come from, and how it reconnects.

use std::time::Duration;

use alloy_primitives::{B64, B256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use turnpike_storage::{JournalRow, StorageError};

use super::Divergence;

/// Pause after the first failure. Each further failure doubles it.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Longest pause.
const BACK_OFF_MAX: Duration = Duration::from_secs(5);

/// The next row to read, and the checksum that it must follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SourceCursor {
    /// The next row's sequence number.
    pub(crate) next: u64,
    /// Checksum of the row before it.
    pub(crate) checksum: B64,
}

/// Where a journal's rows come from.
pub(crate) trait JournalSource: Send + 'static {
    /// Prepares to return the rows from the cursor on.
    fn connect(
        &mut self,
        cursor: SourceCursor,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Returns the next rows, at least one, and waits for it if needed. Each row follows from the
    /// one before.
    fn next(&mut self) -> impl Future<Output = Result<Vec<JournalRow>, SourceError>> + Send;

    /// The position after the returned rows.
    fn cursor(&self) -> SourceCursor;
}

/// Why a source returns no rows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// The source may return rows later.
    #[error("{0}")]
    Lost(String),
    /// The source's journal diverges.
    #[error(transparent)]
    Diverged(#[from] Divergence),
    /// The source belongs to another chain.
    #[error("the source belongs to another chain: expected genesis {expected}, found {found}")]
    OtherChain {
        /// Id of this chain's genesis.
        expected: B256,
        /// Id of the source's genesis.
        found: B256,
    },
}

impl From<StorageError> for SourceError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Damaged { key: sequence, reason, .. } => {
                Self::Diverged(Divergence::Row { sequence, reason })
            }
            StorageError::OtherGenesis { expected, found, .. } => {
                Self::OtherChain { expected, found }
            }
            other => Self::Lost(other.to_string()),
        }
    }
}

/// Sends the source's rows from the cursor on to `rows` until `stop`, and reconnects after
/// failures. Ends with an error that a retry cannot fix.
pub(crate) async fn pump<S: JournalSource>(
    mut source: S,
    mut cursor: SourceCursor,
    rows: mpsc::Sender<Vec<JournalRow>>,
    stop: CancellationToken,
) -> Result<(), SourceError> {
    let mut pause = BACK_OFF;
    loop {
        let from = cursor;
        let ended = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            ended = follow(&mut source, &mut cursor, &rows) => ended,
        };
        let Err(error) = ended else { return Ok(()) };
        let SourceError::Lost(reason) = error else { return Err(error) };
        if cursor != from {
            pause = BACK_OFF;
        }
        warn!(row = cursor.next, reason, "source lost, reconnecting");
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(BACK_OFF_MAX);
    }
}

/// Follows the source until it fails. Returns `Ok` once the receiver of `rows` is gone.
async fn follow<S: JournalSource>(
    source: &mut S,
    cursor: &mut SourceCursor,
    rows: &mpsc::Sender<Vec<JournalRow>>,
) -> Result<(), SourceError> {
    source.connect(*cursor).await?;
    info!(row = cursor.next, "following the source");
    loop {
        let found = source.next().await?;
        let end = source.cursor();
        if rows.send(found).await.is_err() {
            return Ok(());
        }
        // Move the cursor after the rows were sent, so that a cancellation before this line loses
        // no row.
        *cursor = end;
    }
}

#[cfg(test)]
mod tests {
    use turnpike_storage::{JournalEntry, SliceEntry};

    use super::*;

    /// Returns one row at a time and fails after every second.
    struct Flaky {
        at: u64,
        given: u64,
        end: u64,
    }

    impl JournalSource for Flaky {
        async fn connect(&mut self, cursor: SourceCursor) -> Result<(), SourceError> {
            (self.at, self.given) = (cursor.next, 0);
            Ok(())
        }

        async fn next(&mut self) -> Result<Vec<JournalRow>, SourceError> {
            if self.at == self.end {
                let (expected, found) = (self.end, 0);
                return Err(Divergence::Sequence { expected, found }.into());
            }
            if self.given == 2 {
                return Err(SourceError::Lost("cut".into()));
            }
            let entry = JournalEntry::Slice(SliceEntry::default());
            let row = JournalRow { sequence: self.at, epoch: 1, written_at_ms: 1, entry };
            (self.at, self.given) = (self.at + 1, self.given + 1);
            Ok(vec![row])
        }

        fn cursor(&self) -> SourceCursor {
            SourceCursor { next: self.at, checksum: B64::ZERO }
        }
    }

    #[tokio::test]
    async fn flaky_source_yields_every_row_once() {
        let (send, mut receive) = mpsc::channel(1);
        let source = Flaky { at: 0, given: 0, end: 12 };
        let cursor = SourceCursor { next: 3, checksum: B64::ZERO };
        let pumping = tokio::spawn(pump(source, cursor, send, CancellationToken::new()));
        let mut given = Vec::new();
        while let Some(rows) = receive.recv().await {
            given.extend(rows.iter().map(|row| row.sequence));
        }
        assert_eq!(given, (3..12).collect::<Vec<_>>());
        let ended = pumping.await.expect("does not panic");
        assert!(matches!(ended, Err(SourceError::Diverged(_))), "{ended:?}");
    }
}
