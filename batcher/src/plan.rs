//! The batches on their way to L1, and what the next one builds on: pure.

use alloy_primitives::B256;
use tokio::task::JoinHandle;
use turnpike_l1::{AppendItem, L1Error};
use turnpike_protocol::{BatchContent, Entry, Parent};
use turnpike_storage::OutboxBatch;

/// Most batches in one transaction.
pub(crate) const BATCHES_OF_CALL_MAX: usize = 8;

/// What a batch builds on.
#[derive(Clone, Debug)]
pub(crate) struct ChainEnd {
    /// Batches up to here.
    pub(crate) number: u64,
    /// The content chain after them.
    pub(crate) content: B256,
    /// The newest entry, or the one that the newest batch is expected to become.
    pub(crate) entry: Entry,
    /// The newest block.
    pub(crate) parent: Parent,
    /// Its L2 hash in the journal; `None` for the genesis block.
    pub(crate) hash: Option<B256>,
}

/// The batches that L1 does not hold yet, in order.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The recorded ones that can follow the inbox. Their data are not loaded.
    pub(crate) batches: Vec<OutboxBatch>,
    /// What L1 and they end with.
    pub(crate) end: ChainEnd,
    /// Whether the journal holds the blocks of the inbox and of the batches.
    pub(crate) is_journal_in_sync: bool,
}

impl ChainEnd {
    /// The entry that a batch with this content is expected to become, in an L1 block of this time.
    pub(crate) fn next_entry(&self, batch: &BatchContent, l1_time: u64) -> Entry {
        let newest = &self.entry;
        let moves_origin = batch.origin > newest.origin;
        Entry {
            index: newest.index + 1,
            data_kind: batch.data_kind,
            data_hash: batch.data_hash,
            deposit_count: batch.deposit_count.max(newest.deposit_count),
            deposit_acc: batch.deposit_acc,
            l1_time: l1_time.max(newest.l1_time),
            origin: if moves_origin { batch.origin } else { newest.origin },
            origin_acc: if moves_origin { batch.origin_acc } else { newest.origin_acc },
            ..*newest
        }
    }

    /// The end after a batch whose last block is `parent`, with this hash in the journal.
    pub(crate) fn after(&self, content: B256, entry: Entry, parent: Parent, hash: B256) -> Self {
        Self { number: self.number + 1, content, entry, parent, hash: Some(hash) }
    }
}

/// What the content chain commits to.
pub(crate) const fn content_of(batch: &OutboxBatch) -> BatchContent {
    BatchContent {
        data_kind: batch.kind,
        data_hash: batch.data_hash,
        deposit_count: batch.deposit_count,
        deposit_acc: batch.deposit_acc,
        origin: batch.origin,
        origin_acc: batch.origin_acc,
    }
}

/// A batch that was checked and whose commitments are being computed.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The batch without what its commitments determine.
    pub(crate) batch: OutboxBatch,
    /// What the next batch builds on. Its content is not known yet.
    pub(crate) end: ChainEnd,
    pub(crate) item: DraftItem,
}

/// An item whose commitments are computed in the background.
#[derive(Debug)]
pub(crate) struct DraftItem {
    task: JoinHandle<Result<AppendItem, L1Error>>,
    /// What the task returned, once it was waited for.
    computed: Option<anyhow::Result<AppendItem>>,
}

impl DraftItem {
    pub(crate) fn compute(
        item: impl Future<Output = Result<AppendItem, L1Error>> + Send + 'static,
    ) -> Self {
        Self { task: tokio::spawn(item), computed: None }
    }

    pub(crate) fn is_computed(&self) -> bool {
        self.computed.is_some() || self.task.is_finished()
    }

    /// Waits until the item is computed. A wait that was given up may be repeated.
    pub(crate) async fn wait(&mut self) {
        if self.computed.is_none() {
            let ended = (&mut self.task).await;
            self.computed = Some(ended.map_err(Into::into).and_then(|item| Ok(item?)));
        }
    }

    /// The item.
    pub(crate) async fn finish(mut self) -> anyhow::Result<AppendItem> {
        self.wait().await;
        self.computed.take().expect("invariant: waited for")
    }
}
