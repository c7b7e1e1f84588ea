//! What listeners are told: blocks that come and go, transactions that are accepted, and what became of them in each slice.
//!
//! ```text
//! look-ups, head ─► tracker: converted once ─► tape of heads ─┬─► subscriptions, filters: each with its own place
//! committer ─┬─► tape of pending transactions ────────────────┘
//!            └─► tape of slices ─► event streams
//! ```
//!
//! Invariant: a listener hears of everything that happens after it began to listen, once and in order, or it is told that it missed
//! something. What is told of can be looked up. Without listeners nothing is read or kept.

mod block;
mod heads;
mod pending;
mod slices;
mod tape;

use std::sync::{Arc, PoisonError, Weak};

use alloy_primitives::{Address, B256, Bytes};
use tokio::sync::{Mutex, watch};
use tracing::warn;
use turnpike_storage::StorageError;

pub(crate) use self::{
    block::{AnnouncedBlock, AnnouncedLog, logs_in},
    heads::{HeadEvent, Missed},
    pending::PendingTx,
    slices::SliceNews,
    tape::{Behind, Reader},
};
use self::{
    heads::HeadTracker,
    tape::{Tape, TapeLimits},
};
use crate::{Accepted, Refusal, Shared};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Announcements {
    heads: Mutex<HeadTracker>,
    pending: Listened<Vec<PendingTx>>,
    slices: Listened<SliceNews>,
}

/// A tape that is there while somebody reads it.
#[derive(Debug)]
struct Listened<T>(std::sync::Mutex<Weak<Tape<T>>>);

impl<T> Default for Listened<T> {
    fn default() -> Self {
        Self(std::sync::Mutex::new(Weak::new()))
    }
}

impl<T> Listened<T> {
    fn tape(&self) -> Option<Arc<Tape<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    /// Reads what is told from now on.
    fn read(&self, limits: TapeLimits) -> Reader<T> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tape = slot.upgrade().unwrap_or_else(|| {
            let tape = Tape::new(limits);
            *slot = Arc::downgrade(&tape);
            tape
        });
        Reader::at_end(tape)
    }
}

impl Announcements {
    /// Reads what becomes of the chain from now on: of blocks after the newest that is visible.
    pub(crate) async fn heads(shared: &Arc<Shared>) -> Result<Reader<HeadEvent>, StorageError> {
        let mut tracker = shared.announcements.heads.lock().await;
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
    pub(crate) async fn before_take_back(&self, shared: &Shared, first: u64) {
        let mut tracker = self.heads.lock().await;
        if let Err(error) = tracker.know_from(first, &shared.database, &shared.head).await {
            warn!(%error, "listeners cannot be told what is taken back");
        }
    }

    /// Reads what is accepted from now on.
    pub(crate) fn pending(&self) -> Reader<Vec<PendingTx>> {
        self.pending.read(pending::LIMITS)
    }

    /// Reads what slices tell from now on.
    pub(crate) fn slices(&self) -> Reader<SliceNews> {
        self.slices.read(slices::LIMITS)
    }

    /// Tells what a slice does. It is durable, and can be looked up.
    pub(crate) fn slice(&self, news: SliceNews) {
        if !news.is_empty()
            && let Some(tape) = self.slices.tape()
        {
            let bytes = news.bytes();
            tape.push(news, bytes);
        }
    }

    /// Tells of those of these transactions that are accepted and new, durably. Only if somebody listens, `signed` is asked for the bytes
    /// and the sender of each.
    pub(crate) fn accepted<'a>(
        &self,
        results: impl Iterator<Item = &'a Result<Accepted, Refusal>>,
        signed: impl Fn(&B256) -> Option<(Bytes, Address)>,
    ) {
        let Some(tape) = self.pending.tape() else { return };
        let new = results.flatten().filter(|accepted| accepted.is_new);
        let txs: Vec<_> = new
            .map(|Accepted { hash, .. }| PendingTx { hash: *hash, signed: signed(hash) })
            .collect();
        if !txs.is_empty() {
            let bytes = txs.iter().map(PendingTx::bytes).sum();
            tape.push(txs, bytes);
        }
    }
}

/// Follows the head for as long as anybody listens.
async fn follow(shared: Weak<Shared>, mut head: watch::Receiver<u64>) {
    while head.changed().await.is_ok() {
        let Some(shared) = shared.upgrade() else { return };
        let mut tracker = shared.announcements.heads.lock().await;
        if !tracker.follow(&shared).await {
            return;
        }
    }
}
