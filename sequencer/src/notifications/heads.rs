use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
};

use tokio::{sync::watch, task::block_in_place};
use tracing::warn;
use turnpike_storage::{Database, IndexedReorg, StorageError};

use super::{BlockNotification, EventCursor, EventLog, EventLogLimits, Lagged, LogNotification};
use crate::Shared;

/// Changes of the head that are kept.
const LIMITS: EventLogLimits = EventLogLimits { events_max: 4_096, bytes_max: 128 * 1024 * 1024 };

/// Blocks that can be taken back with their logs, and bytes of them.
const REWINDABLE_BLOCKS_MAX: usize = 1_024;
const REWINDABLE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Blocks read at a time.
const BLOCKS_STEP: u64 = 16;

/// What became of the chain.
#[derive(Debug)]
pub(crate) enum HeadEvent {
    /// It has grown by this block.
    Added(Arc<BlockNotification>),
    /// This block, its newest, was taken back.
    Removed(Arc<BlockNotification>),
    /// Blocks were taken back that are not known any more.
    Lost,
}

/// Why a listener has to begin again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MissedEvents {
    #[error(transparent)]
    Lagged(#[from] Lagged),
    #[error("blocks were taken back whose logs are not known any more")]
    Lost,
}

/// Follows the index, for as long as anybody listens.
#[derive(Debug, Default)]
pub(super) struct HeadTracker {
    log: Weak<EventLog<HeadEvent>>,
    /// Whether there is a task that follows the head.
    is_followed: bool,
    /// Number of the block that is told of next.
    next: u64,
    /// Reorganisations that were seen.
    reorganisations: u64,
    /// The newest blocks that were told of.
    told: VecDeque<Arc<BlockNotification>>,
    told_bytes: usize,
}

impl HeadTracker {
    /// A reader of what comes after the head as it is now, and whether a task is to be started that follows it.
    pub(super) async fn listen(
        &mut self,
        shared: &Shared,
    ) -> Result<(EventCursor<HeadEvent>, bool), StorageError> {
        if let Some(log) = self.log.upgrade() {
            self.catch_up(&shared.database, &shared.head).await?;
            return Ok((EventCursor::at_end(log), false));
        }
        let (reorganisations, head) = position(&shared.database, &shared.head).await?;
        let log = EventLog::new(LIMITS);
        let has_to_start = !self.is_followed;
        *self = Self {
            log: Arc::downgrade(&log),
            is_followed: true,
            next: head + 1,
            reorganisations,
            ..Self::default()
        };
        Ok((EventCursor::at_end(log), has_to_start))
    }

    /// Tells what has happened since the last time. False if nobody listens: then nothing follows the head any more.
    pub(super) async fn follow(&mut self, shared: &Shared) -> bool {
        if self.log.strong_count() == 0 {
            *self = Self::default();
            return false;
        }
        if let Err(error) = self.catch_up(&shared.database, &shared.head).await {
            warn!(%error, "listeners cannot be told of new blocks");
        }
        true
    }

    /// Tells of all blocks up to the head.
    pub(super) async fn catch_up(
        &mut self,
        database: &Database,
        head: &watch::Receiver<u64>,
    ) -> Result<(), StorageError> {
        let Some(log) = self.log.upgrade() else { return Ok(()) };
        loop {
            for taken in database.reorgs_after(self.reorganisations).await? {
                self.rewind(&log, taken);
            }
            let head = *head.borrow();
            if self.next > head {
                return Ok(());
            }
            let last = head.min(self.next + BLOCKS_STEP - 1);
            let records = database.blocks(self.next, last).await?;
            if database.reorgs().await? != self.reorganisations {
                // They may be void already.
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

    /// Gets to know the blocks from `first` on while they can be looked up: as many as are kept.
    pub(super) async fn know_from(
        &mut self,
        first: u64,
        database: &Database,
        head: &watch::Receiver<u64>,
    ) -> Result<(), StorageError> {
        if self.log.strong_count() == 0 {
            return Ok(());
        }
        self.catch_up(database, head).await?;
        let mut unknown = self.next - self.told.len() as u64;
        while first < unknown && self.has_room() {
            let Some(record) = database.block(unknown - 1).await? else { return Ok(()) };
            let block = block_in_place(|| BlockNotification::new(&record))?;
            self.told_bytes += block.bytes;
            self.told.push_front(Arc::new(block));
            unknown -= 1;
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.told.len() < REWINDABLE_BLOCKS_MAX && self.told_bytes < REWINDABLE_BYTES_MAX
    }

    fn add(&mut self, log: &EventLog<HeadEvent>, block: Arc<BlockNotification>) {
        self.next = block.number + 1;
        self.told_bytes += block.bytes;
        self.told.push_back(Arc::clone(&block));
        while self.told.len() > REWINDABLE_BLOCKS_MAX || self.told_bytes > REWINDABLE_BYTES_MAX {
            let Some(oldest) = self.told.pop_front() else { break };
            self.told_bytes -= oldest.bytes;
        }
        let bytes = block.bytes;
        log.push(HeadEvent::Added(block), bytes);
    }

    /// Tells of what was taken back, the newest block first.
    fn rewind(&mut self, log: &EventLog<HeadEvent>, taken: IndexedReorg) {
        let IndexedReorg { id, first_block } = taken;
        self.reorganisations = id;
        while self.next > first_block {
            self.next -= 1;
            let Some(block) = self.told.pop_back() else {
                self.next = first_block;
                log.push(HeadEvent::Lost, 0);
                break;
            };
            self.told_bytes -= block.bytes;
            let bytes = block.bytes;
            log.push(HeadEvent::Removed(block), bytes);
        }
    }
}

/// How many reorganisations there were, and the number of the newest block that everybody can see.
async fn position(
    database: &Database,
    head: &watch::Receiver<u64>,
) -> Result<(u64, u64), StorageError> {
    loop {
        let before = database.reorgs().await?;
        let newest = database.head_block().await?.unwrap_or(0);
        let head = newest.min(*head.borrow());
        if database.reorgs().await? == before {
            return Ok((before, head));
        }
    }
}

impl EventCursor<HeadEvent> {
    /// The blocks that came, in order, `count_max` at most.
    pub(crate) fn blocks(
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

    /// Shows the logs of blocks that came, and those of blocks that were taken back, `count_max` at most of those that are asked for:
    /// the rest comes next time. The second argument says whether a log was taken back.
    pub(crate) fn logs(
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
