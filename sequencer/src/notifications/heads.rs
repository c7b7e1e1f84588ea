//! Follows the head and turns new and removed blocks into events.
//!
//! # Job
//!
//! The tracker reads each visible block once and appends it to the event log. After a rewind it
//! appends the removed blocks, newest first.
//!
//! # State
//!
//! In memory, and only while a cursor exists: the event log and the newest blocks, from which
//! removals are reported.
//!
//! # Limits
//!
//! Blocks beyond `REWINDABLE_BLOCKS_MAX` or `REWINDABLE_BYTES_MAX` are forgotten. A rewind below
//! them reports [`HeadEvent::Lost`].

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
};

use tokio::{sync::watch, task::block_in_place};
use tracing::warn;
use turnpike_storage::{Database, IndexedReorg, StorageError};

use super::{BlockNotification, EventCursor, EventLog, EventLogLimits, Lagged, LogNotification};
use crate::ChainHandle;

/// Limits of the event log.
const LIMITS: EventLogLimits = EventLogLimits { events_max: 4_096, bytes_max: 128 * 1024 * 1024 };

/// Blocks whose removal can be reported with their logs, at most.
const REWINDABLE_BLOCKS_MAX: usize = 1_024;
const REWINDABLE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Blocks read at a time.
const BLOCKS_STEP: u64 = 16;

/// A change of the chain's head.
#[derive(Debug)]
pub enum HeadEvent {
    /// The chain grew by this block.
    Added(Arc<BlockNotification>),
    /// A rewind removed this block, which was the newest.
    Removed(Arc<BlockNotification>),
    /// A rewind removed blocks that are no longer known here.
    Lost,
}

/// Why a subscriber must start again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MissedEvents {
    /// The subscriber reads too slowly.
    #[error(transparent)]
    Lagged(#[from] Lagged),
    /// A reorg removed blocks whose logs are no longer known.
    #[error("a reorg removed blocks whose logs are no longer known")]
    Lost,
}

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct HeadTracker {
    log: Weak<EventLog<HeadEvent>>,
    /// Whether a task follows the head.
    is_followed: bool,
    /// Number of the next block to report.
    next: u64,
    /// Id of the last rewind that was reported.
    last_reorg: u64,
    /// The newest reported blocks.
    reported: VecDeque<Arc<BlockNotification>>,
    reported_bytes: usize,
}

impl HeadTracker {
    /// Returns a cursor at the current head, and whether the caller must spawn the task that
    /// follows the head.
    pub(super) async fn listen(
        &mut self,
        chain: &ChainHandle,
    ) -> Result<(EventCursor<HeadEvent>, bool), StorageError> {
        if let Some(log) = self.log.upgrade() {
            self.catch_up(&chain.database, &chain.head).await?;
            return Ok((EventCursor::at_end(log), false));
        }
        let (last_reorg, head) = position(&chain.database, &chain.head).await?;
        let log = EventLog::new(LIMITS);
        let has_to_start = !self.is_followed;
        *self = Self {
            log: Arc::downgrade(&log),
            is_followed: true,
            next: head + 1,
            last_reorg,
            ..Self::default()
        };
        Ok((EventCursor::at_end(log), has_to_start))
    }

    /// Reports what happened since the last call. Returns false, and stops following, once no
    /// cursor is left.
    pub(super) async fn follow(&mut self, chain: &ChainHandle) -> bool {
        if self.log.strong_count() == 0 {
            *self = Self::default();
            return false;
        }
        if let Err(error) = self.catch_up(&chain.database, &chain.head).await {
            warn!(%error, "cannot report new blocks to subscribers");
        }
        true
    }

    /// Reports all blocks up to the head.
    pub(super) async fn catch_up(
        &mut self,
        database: &Database,
        head: &watch::Receiver<u64>,
    ) -> Result<(), StorageError> {
        let Some(log) = self.log.upgrade() else { return Ok(()) };
        loop {
            for reorg in database.reorgs_after(self.last_reorg).await? {
                self.rewind(&log, reorg);
            }
            let head = *head.borrow();
            if self.next > head {
                return Ok(());
            }
            let last = head.min(self.next + BLOCKS_STEP - 1);
            let records = database.blocks(self.next, last).await?;
            if database.reorg_count().await? != self.last_reorg {
                // A rewind may have removed them already.
                continue;
            }
            if records.is_empty() {
                return Ok(());
            }
            for record in records {
                let block = block_in_place(|| BlockNotification::new(&record))?;
                self.add(&log, Arc::new(block));
            }
        }
    }

    /// Reads blocks from `first` on while the index still holds them, up to the limits.
    pub(super) async fn remember_from(
        &mut self,
        first: u64,
        database: &Database,
        head: &watch::Receiver<u64>,
    ) -> Result<(), StorageError> {
        if self.log.strong_count() == 0 {
            return Ok(());
        }
        self.catch_up(database, head).await?;
        let mut unknown = self.next - self.reported.len() as u64;
        while first < unknown && self.has_room() {
            let Some(record) = database.block(unknown - 1).await? else { return Ok(()) };
            let block = block_in_place(|| BlockNotification::new(&record))?;
            self.reported_bytes += block.bytes;
            self.reported.push_front(Arc::new(block));
            unknown -= 1;
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.reported.len() < REWINDABLE_BLOCKS_MAX && self.reported_bytes < REWINDABLE_BYTES_MAX
    }

    fn add(&mut self, log: &EventLog<HeadEvent>, block: Arc<BlockNotification>) {
        self.next = block.number + 1;
        self.reported_bytes += block.bytes;
        self.reported.push_back(Arc::clone(&block));
        while self.reported.len() > REWINDABLE_BLOCKS_MAX
            || self.reported_bytes > REWINDABLE_BYTES_MAX
        {
            let Some(oldest) = self.reported.pop_front() else { break };
            self.reported_bytes -= oldest.bytes;
        }
        let bytes = block.bytes;
        log.push(HeadEvent::Added(block), bytes);
    }

    /// Reports removed blocks, the newest first.
    fn rewind(&mut self, log: &EventLog<HeadEvent>, reorg: IndexedReorg) {
        let IndexedReorg { id, first_block } = reorg;
        self.last_reorg = id;
        while self.next > first_block {
            self.next -= 1;
            let Some(block) = self.reported.pop_back() else {
                self.next = first_block;
                log.push(HeadEvent::Lost, 0);
                break;
            };
            self.reported_bytes -= block.bytes;
            let bytes = block.bytes;
            log.push(HeadEvent::Removed(block), bytes);
        }
    }
}

/// The id of the last rewind, and the number of the newest visible block.
async fn position(
    database: &Database,
    head: &watch::Receiver<u64>,
) -> Result<(u64, u64), StorageError> {
    loop {
        let before = database.reorg_count().await?;
        let newest = database.head_block().await?.unwrap_or(0);
        let head = newest.min(*head.borrow());
        if database.reorg_count().await? == before {
            return Ok((before, head));
        }
    }
}

impl EventCursor<HeadEvent> {
    /// The added blocks, in order, `count_max` at most.
    pub fn blocks(
        &mut self,
        count_max: usize,
    ) -> Result<Vec<Arc<BlockNotification>>, MissedEvents> {
        let mut found = Vec::new();
        while found.len() < count_max
            && let Some(event) = self.event()?
        {
            if let HeadEvent::Added(block) = &*event {
                found.push(Arc::clone(block));
            }
            self.advance();
        }
        Ok(found)
    }

    /// Passes the logs of added and removed blocks that `is_asked_for` selects to `show`,
    /// `count_max` at most. The next call continues. The second argument of `show` says whether the
    /// log was removed.
    pub fn logs(
        &mut self,
        count_max: usize,
        is_asked_for: impl Fn(&LogNotification) -> bool,
        mut show: impl FnMut(&LogNotification, bool),
    ) -> Result<(), MissedEvents> {
        let mut count = 0;
        while let Some(event) = self.event()? {
            let (block, is_removed) = match &*event {
                HeadEvent::Added(block) => (block, false),
                HeadEvent::Removed(block) => (block, true),
                HeadEvent::Lost => return Err(MissedEvents::Lost),
            };
            while self.within < block.logs.len() {
                let at = if is_removed { block.logs.len() - 1 - self.within } else { self.within };
                if is_asked_for(&block.logs[at]) {
                    if count == count_max {
                        return Ok(());
                    }
                    show(&block.logs[at], is_removed);
                    count += 1;
                }
                self.within += 1;
            }
            self.advance();
        }
        Ok(())
    }
}
