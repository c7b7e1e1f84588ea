//! Notifications to subscribers, filters and event streams.
//!
//! ```text
//! index, head ─► head tracker: converts a block once ─► head events ─┬─► subscriptions, filters
//! committer ─┬─► pending transactions ───────────────────────────────┘   with a cursor each
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
//! says it missed some. The index or the preconfirmation cache holds what an event names.
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

pub use self::{
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
use crate::{Accepted, ChainHandle, Refusal};

/// See the module documentation.
#[derive(Debug, Default)]
pub struct Notifications {
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
    pub async fn heads(
        self: &Arc<Self>,
        chain: &Arc<ChainHandle>,
    ) -> Result<EventCursor<HeadEvent>, StorageError> {
        let mut tracker = self.heads.lock().await;
        let (reader, has_to_start) = tracker.listen(chain).await?;
        if has_to_start {
            let head = chain.head.clone();
            tokio::spawn(follow(Arc::downgrade(self), Arc::downgrade(chain), head));
        }
        Ok(reader)
    }

    /// Reports all blocks that are visible by now.
    pub async fn catch_up(&self, chain: &ChainHandle) -> Result<(), StorageError> {
        self.heads.lock().await.catch_up(&chain.database, &chain.head).await
    }

    /// Reads the blocks from `first` on before a rewind removes them from the index, so that their
    /// removal can be reported.
    pub async fn before_rewind(&self, chain: &ChainHandle, first: u64) {
        let mut tracker = self.heads.lock().await;
        if let Err(error) = tracker.remember_from(first, &chain.database, &chain.head).await {
            warn!(%error, "cannot report rewound blocks to subscribers");
        }
    }

    /// Returns a cursor over transactions that are accepted from now on.
    pub fn pending(&self) -> EventCursor<Vec<PendingTx>> {
        self.pending.read(pending::LIMITS)
    }

    /// Returns a cursor over slices from now on.
    pub fn slices(&self) -> EventCursor<SliceNotification> {
        self.slices.read(slices::LIMITS)
    }

    /// Reports the outcomes of a durable slice.
    pub fn slice(&self, notification: SliceNotification) {
        if !notification.is_empty()
            && let Some(log) = self.slices.log()
        {
            let bytes = notification.bytes();
            log.push(notification, bytes);
        }
    }

    /// Reports the newly accepted transactions of durable results. With a subscriber only, `signed`
    /// is called for the bytes and sender of each.
    pub fn accepted<'a>(
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
async fn follow(
    notifications: Weak<Notifications>,
    chain: Weak<ChainHandle>,
    mut head: watch::Receiver<u64>,
) {
    while head.changed().await.is_ok() {
        let (Some(notifications), Some(chain)) = (notifications.upgrade(), chain.upgrade()) else {
            return;
        };
        let mut tracker = notifications.heads.lock().await;
        if !tracker.follow(&chain).await {
            return;
        }
    }
}
