//! What listeners are told: blocks that come and go, transactions that are accepted, and what became of them in each slice.
//!
//! ```text
//! index, head ─► tracker: converted once ─► log of heads ─┬─► subscriptions, filters: each with its own place
//! committer ─┬─► log of pending transactions ────────────────┘
//!            └─► log of slices ─► event streams
//! ```
//!
//! Invariant: a listener hears of everything that happens after it began to listen, once and in order, or it is told that it missed
//! something. What is told of can be looked up. Without listeners nothing is read or kept.

mod block;
mod event_log;
mod heads;
mod pending;
mod slices;

use std::sync::{Arc, PoisonError, Weak};

use alloy_primitives::{Address, B256, Bytes};
use tokio::sync::{Mutex, watch};
use tracing::warn;
use turnpike_storage::StorageError;

pub(crate) use self::{
    block::{BlockNotification, LogNotification, logs_in},
    event_log::{EventCursor, Lagged},
    heads::{HeadEvent, MissedEvents},
    pending::PendingTx,
    slices::SliceNotification,
};
use self::{
    event_log::{EventLog, EventLogLimits},
    heads::HeadTracker,
};
use crate::{Accepted, Refusal, Shared};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Notifications {
    heads: Mutex<HeadTracker>,
    pending: OnDemandLog<Vec<PendingTx>>,
    slices: OnDemandLog<SliceNotification>,
}

/// A log that is there while somebody reads it.
#[derive(Debug)]
struct OnDemandLog<T>(std::sync::Mutex<Weak<EventLog<T>>>);

impl<T> Default for OnDemandLog<T> {
    fn default() -> Self {
        Self(std::sync::Mutex::new(Weak::new()))
    }
}

impl<T> OnDemandLog<T> {
    fn log(&self) -> Option<Arc<EventLog<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    /// Reads what is told from now on.
    fn read(&self, limits: EventLogLimits) -> EventCursor<T> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let log = slot.upgrade().unwrap_or_else(|| {
            let log = EventLog::new(limits);
            *slot = Arc::downgrade(&log);
            log
        });
        EventCursor::at_end(log)
    }
}

impl Notifications {
    /// Reads what becomes of the chain from now on: of blocks after the newest that is visible.
    pub(crate) async fn heads(
        shared: &Arc<Shared>,
    ) -> Result<EventCursor<HeadEvent>, StorageError> {
        let mut tracker = shared.notifications.heads.lock().await;
        let (reader, has_to_start) = tracker.listen(shared).await?;
        if has_to_start {
            tokio::spawn(follow(Arc::downgrade(shared), shared.head.clone()));
        }
        Ok(reader)
    }

    /// Tells of all that is visible by now.
    pub(crate) async fn catch_up(&self, shared: &Shared) -> Result<(), StorageError> {
        self.heads.lock().await.catch_up(&shared.database, &shared.head).await
    }

    /// The blocks from `first` on are about to be taken back: from then on they cannot be looked up.
    pub(crate) async fn before_rewind(&self, shared: &Shared, first: u64) {
        let mut tracker = self.heads.lock().await;
        if let Err(error) = tracker.know_from(first, &shared.database, &shared.head).await {
            warn!(%error, "listeners cannot be told what is taken back");
        }
    }

    /// Reads what is accepted from now on.
    pub(crate) fn pending(&self) -> EventCursor<Vec<PendingTx>> {
        self.pending.read(pending::LIMITS)
    }

    /// Reads what slices tell from now on.
    pub(crate) fn slices(&self) -> EventCursor<SliceNotification> {
        self.slices.read(slices::LIMITS)
    }

    /// Tells what a slice does. It is durable, and can be looked up.
    pub(crate) fn slice(&self, news: SliceNotification) {
        if !news.is_empty()
            && let Some(log) = self.slices.log()
        {
            let bytes = news.bytes();
            log.push(news, bytes);
        }
    }

    /// Tells of those of these transactions that are accepted and new, durably. Only if somebody listens, `signed` is asked for the bytes
    /// and the sender of each.
    pub(crate) fn accepted<'a>(
        &self,
        results: impl Iterator<Item = &'a Result<Accepted, Refusal>>,
        signed: impl Fn(&B256) -> Option<(Bytes, Address)>,
    ) {
        let Some(log) = self.pending.log() else { return };
        let new = results.flatten().filter(|accepted| accepted.is_new);
        let txs: Vec<_> = new
            .map(|Accepted { hash, .. }| PendingTx { hash: *hash, signed: signed(hash) })
            .collect();
        if !txs.is_empty() {
            let bytes = txs.iter().map(PendingTx::bytes).sum();
            log.push(txs, bytes);
        }
    }
}

/// Follows the head for as long as anybody listens.
async fn follow(shared: Weak<Shared>, mut head: watch::Receiver<u64>) {
    while head.changed().await.is_ok() {
        let Some(shared) = shared.upgrade() else { return };
        let mut tracker = shared.notifications.heads.lock().await;
        if !tracker.follow(&shared).await {
            return;
        }
    }
}
