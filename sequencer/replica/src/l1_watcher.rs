//! Compares L1 with the blocks that came from the source.
//!
//! # Job
//!
//! An entry's blocks are safe once the index holds the same blocks. The source may lag behind L1,
//! or not have followed a reorg yet. A difference therefore counts only after `patience`. The same
//! holds if the source rewinds safe blocks: L1 may have dropped them and will report a reorg.
//!
//! # State
//!
//! The entries that wait for their blocks, in memory. The tracker reports them again after a
//! restart.
//!
//! # Limits
//!
//! With `ENTRIES_WAITING_MAX` waiting entries the tracker stops reading L1.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_primitives::B256;
use tokio::sync::{oneshot, watch};
use tracing::warn;

use super::{Divergence, writer::ReplicaError};
use turnpike_sequencer::{
    NodeHandles,
    safe_head::{PasserProofRetention, advance_safe_head},
    tracker::{DerivedEntry, L1Event, PendingL1Event, known_blocks},
};

/// Entries that wait for the source, at most. With more, L1 is not read on.
const ENTRIES_WAITING_MAX: usize = 16;

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct L1Watcher {
    handles: Arc<NodeHandles>,
    changed: watch::Sender<u64>,
    /// How long the source may hold other blocks than L1.
    patience: Duration,
    /// Entries whose blocks the index does not hold yet, in order.
    waiting: VecDeque<DerivedEntry>,
    /// Acknowledges the last event once there is room for entries again.
    held: Option<oneshot::Sender<()>>,
    /// Since when the index differs from the first waiting entry, or from the last safe block.
    differs_since: Option<Instant>,
    proofs: PasserProofRetention,
}

/// A difference between the index and L1.
#[derive(Clone, Copy, Debug)]
struct L1Difference {
    block: u64,
    /// The entry that holds the block.
    entry: u64,
    /// The index's hash of the block.
    hash: Option<B256>,
}

impl L1Watcher {
    pub(crate) fn new(
        handles: Arc<NodeHandles>,
        changed: watch::Sender<u64>,
        patience: Duration,
    ) -> Self {
        Self {
            handles,
            changed,
            patience,
            waiting: VecDeque::new(),
            held: None,
            differs_since: None,
            proofs: PasserProofRetention::default(),
        }
    }

    /// Handles an event from L1.
    pub(crate) async fn apply(
        &mut self,
        (event, done): PendingL1Event,
    ) -> Result<(), ReplicaError> {
        match event {
            L1Event::Unavailable(error) => {
                self.handles.settlement.write().await.l1_error = Some(error);
            }
            L1Event::Reorg(reorg) => {
                warn!(l1_block = reorg.block, entries = reorg.entries, "L1 reorg dropped blocks");
                self.waiting.retain(|entry| entry.posted.entry.index < reorg.entries);
                self.differs_since = None;
                self.handles.settlement.write().await.rewind(reorg.entries, reorg.deposits);
            }
            L1Event::Entry(entry) => self.waiting.push_back(*entry),
            L1Event::Progress(progress) => {
                self.proofs.apply_l1_progress(&self.handles, *progress, 0).await?;
            }
        }
        self.held = Some(done);
        self.compare(Instant::now()).await
    }

    /// Compares the index with the waiting entries and the safe blocks. Called when the index
    /// changed, and at intervals.
    pub(crate) async fn compare(&mut self, now: Instant) -> Result<(), ReplicaError> {
        let difference = match self.lost_safe_block().await? {
            Some(lost) => Some(lost),
            None => self.accept_entries().await?,
        };
        match difference {
            None => self.differs_since = None,
            Some(L1Difference { block, entry, hash }) => {
                let since = *self.differs_since.get_or_insert_with(|| {
                    warn!(entry, block, "L1 holds another block than the source");
                    now
                });
                if now.duration_since(since) >= self.patience {
                    return Err(Divergence::L1 { block, entry, hash }.into());
                }
            }
        }
        if self.waiting.len() < ENTRIES_WAITING_MAX
            && let Some(held) = self.held.take()
        {
            // The tracker may have stopped.
            let _ = held.send(());
        }
        self.changed.send_modify(|changes| *changes += 1);
        Ok(())
    }

    /// Finds a safe block that the index lost. While L1 does not answer, L1 itself may have
    /// changed.
    async fn lost_safe_block(&self) -> Result<Option<L1Difference>, ReplicaError> {
        let (block, entry, safe) = {
            let settlement = self.handles.settlement.read().await;
            let Some(range) = settlement.posted.last() else { return Ok(None) };
            if settlement.l1_error.is_some() {
                return Ok(None);
            }
            (range.last_block, range.entry.index, range.output.block_hash)
        };
        let hash = self.handles.chain.database.block_hash(block).await?;
        Ok((hash != Some(safe)).then_some(L1Difference { block, entry, hash }))
    }

    /// Makes the entries safe whose blocks the index holds. Returns the first difference of the
    /// others.
    async fn accept_entries(&mut self) -> Result<Option<L1Difference>, ReplicaError> {
        let database = Arc::clone(&self.handles.chain.database);
        while let Some(entry) = self.waiting.front() {
            let known = known_blocks(&database, &entry.unknown).await?;
            if let Some(missing) = entry.unknown.get(known) {
                let (block, entry) = (missing.input.number, entry.posted.entry.index);
                let hash = database.block_hash(block).await?;
                return Ok(hash.map(|hash| L1Difference { block, entry, hash: Some(hash) }));
            }
            // The source may have rewound the block since L1 was read.
            if database.block_hash(entry.last_block).await?.is_none() {
                return Ok(None);
            }
            let entry = self.waiting.pop_front().expect("invariant: the front exists");
            advance_safe_head(&self.handles, entry).await?;
            self.differs_since = None;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::U256;
    use turnpike_executor::Chain;
    use turnpike_l1::Reorg;
    use turnpike_protocol::{
        BlockInput, DataKind, Entry, Genesis, Origin, predeploys::MESSAGE_PASSER,
    };
    use turnpike_sequencer::{
        PostedRange, SubmissionRoute,
        sealed::{genesis_record, sealed_block},
    };
    use turnpike_storage::{
        Database, IndexBatch, IndexRewind, JournalEntry, SliceEntry, StoredTimes, genesis_id,
    };

    use super::*;

    /// A node whose index holds block 1, which is in entry 1.
    async fn node_with_safe_block(folder: &std::path::Path) -> Arc<NodeHandles> {
        let genesis = Genesis::dev();
        let mut chain = Chain::from_genesis(&genesis);
        let location = folder.join("replica.db").into();
        let database = Database::open(&location, genesis_id(&genesis)).await.expect("opens");
        let record = genesis_record(&chain);
        database.record_genesis(&chain.head().hash(), &record).await.expect("writes");

        let origin = Origin { entry: 1, l1_time: genesis.timestamp, ..Origin::default() };
        let (number, time_ms) = (1, genesis.timestamp_ms() + 1_000);
        let (deposits, transactions) = (Vec::new(), Vec::new());
        let input = BlockInput { number, time_ms, origin, deposits, transactions };
        let outcome = chain.execute(&input).expect("an empty block is valid");
        let proof = chain.state().proof(&MESSAGE_PASSER, &[]);
        let block = sealed_block(&outcome, origin, 0..1, proof, StoredTimes::default());
        database.append(&[JournalEntry::Slice(SliceEntry::default())]).await.expect("appends");
        let batch = IndexBatch { to: 1, blocks: vec![block], ..IndexBatch::default() };
        database.index(&batch).await.expect("indexes");

        let entry = Entry {
            index: 1,
            data_kind: DataKind::None,
            data_hash: B256::ZERO,
            deposit_acc: B256::ZERO,
            deposit_count: 0,
            l1_block_number: 1,
            l1_time: 1,
            l1_base_fee: U256::ZERO,
            l1_blob_base_fee: U256::ZERO,
            l1_parent_hash: B256::ZERO,
            origin: 0,
            origin_acc: B256::ZERO,
            offchain_time: 0,
        };
        let posted = PostedRange {
            entry,
            first_block: 1,
            last_block: 1,
            output: chain.head().output,
            l1_transaction: B256::ZERO,
            bytes: 0,
            transactions: 0,
            fault: None,
        };
        let (route, database) = (SubmissionRoute::Rejected, Arc::new(database));
        let made = NodeHandles::without_producer(chain, database, route).await;
        let (handles, _) = made.expect("is ready");
        handles.settlement.write().await.posted.push(posted);
        Arc::new(handles)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn source_that_rewinds_a_safe_block_diverges() {
        let folder = tempfile::tempdir().expect("a folder");
        let handles = node_with_safe_block(folder.path()).await;
        assert_eq!(handles.settlement.read().await.safe(), 1);

        let (patience, start) = (Duration::from_secs(60), Instant::now());
        let (changed, _) = watch::channel(0);
        let mut watch = L1Watcher::new(Arc::clone(&handles), changed, patience);
        watch.compare(start).await.expect("the index holds block 1");
        let reason = "the source rewound block 1".to_owned();
        let rewind = Some(IndexRewind { first_block: 1, reason, reorged: Vec::new() });
        let to = handles.chain.database.indexed_to().await.expect("reads");
        let batch = IndexBatch { to, rewind, ..IndexBatch::default() };
        handles.chain.database.index(&batch).await.expect("rewinds");
        watch.compare(start).await.expect("patience is not over");
        let late = start + patience;
        let ended = watch.compare(late).await.expect_err("L1 still holds block 1");
        let ReplicaError::Diverged(found) = ended else { panic!("{ended}") };
        assert_eq!(found, Divergence::L1 { block: 1, entry: 1, hash: None });

        handles.settlement.write().await.l1_error = Some("silent".into());
        watch.compare(late).await.expect("L1 does not answer");
        handles.settlement.write().await.l1_error = None;
        watch.compare(late).await.expect("patience starts anew");
        let (done, _) = oneshot::channel();
        let reorg = Reorg { block: 0, entries: 1, deposits: 0, outputs: 1 };
        watch.apply((L1Event::Reorg(reorg), done)).await.expect("L1 dropped block 1");
        watch.compare(late + patience).await.expect("no block is safe");
    }
}
