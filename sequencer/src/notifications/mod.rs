//! Notifications: what subscribers, filters and event streams are reported.
//!
//! ```text
//! index, head ─► head tracker: converts a block once ─► head events ─┬─► subscriptions, filters: a cursor each
//! committer ─┬─► pending transactions ───────────────────────────────┘
//!            └─► slices ─► event streams
//! ```
//!
//! # Job
//!
//! Three event logs: new and removed blocks, accepted transactions, outcomes of slices.
//!
//! # State
//!
//! In memory, and only while a cursor exists. Without subscribers nothing is read or kept.
//! Invariant: a cursor sees every event after its creation once and in order, or gets an error that
//! says it missed some. What an event names can be queried.
//!
//! # Limits
//!
//! Each log has a maximum of events and bytes. A cursor that falls behind them gets [`Lagged`].

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

/// See the module documentation.
#[derive(Debug, Default)]
pub(crate) struct Notifications {
    heads: Mutex<HeadTracker>,
    pending: OnDemandLog<Vec<PendingTx>>,
    slices: OnDemandLog<SliceNotification>,
}

/// An event log that exists while a cursor reads it.
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

    /// Returns a cursor at the end of the log, which is created if needed.
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
    /// Returns a cursor over changes of the head, from the newest visible block on.
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

    /// Reports all blocks that are visible by now.
    pub(crate) async fn catch_up(&self, shared: &Shared) -> Result<(), StorageError> {
        self.heads.lock().await.catch_up(&shared.database, &shared.head).await
    }

    /// Reads the blocks from `first` on before a rewind removes them from the index, so that their
    /// removal can be reported.
    pub(crate) async fn before_rewind(&self, shared: &Shared, first: u64) {
        let mut tracker = self.heads.lock().await;
        if let Err(error) = tracker.remember_from(first, &shared.database, &shared.head).await {
            warn!(%error, "cannot report rewound blocks to subscribers");
        }
    }

    /// Returns a cursor over transactions that are accepted from now on.
    pub(crate) fn pending(&self) -> EventCursor<Vec<PendingTx>> {
        self.pending.read(pending::LIMITS)
    }

    /// Returns a cursor over slices from now on.
    pub(crate) fn slices(&self) -> EventCursor<SliceNotification> {
        self.slices.read(slices::LIMITS)
    }

    /// Reports the outcomes of a durable slice.
    pub(crate) fn slice(&self, news: SliceNotification) {
        if !news.is_empty()
            && let Some(log) = self.slices.log()
        {
            let bytes = news.bytes();
            log.push(news, bytes);
        }
    }

    /// Reports the newly accepted transactions of durable results. With a subscriber only, `signed`
    /// is called for the bytes and sender of each.
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

/// Follows the head until no cursor is left.
async fn follow(shared: Weak<Shared>, mut head: watch::Receiver<u64>) {
    while head.changed().await.is_ok() {
        let Some(shared) = shared.upgrade() else { return };
        let mut tracker = shared.notifications.heads.lock().await;
        if !tracker.follow(&shared).await {
            return;
        }
    }
}
