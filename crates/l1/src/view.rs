//! A checked view of everything that the chain's contracts have recorded on L1.
//!
//! # Job
//!
//! [`L1View::advance`] reads the logs of new L1 blocks, checks them against the contracts'
//! accumulators and counters, and reports a reorg of blocks that it read before.
//!
//! # Recovery
//!
//! On a reorg the view rewinds to the newest remembered block that L1 still has, and reads on from
//! there. After an error the view is consistent, but its newest blocks may be unchecked: the next
//! call continues or rewinds. No reorg is lost: the next successful call reports it.
//!
//! # Limits
//!
//! One request for logs covers at most 1,000 blocks.

use std::sync::Arc;

use alloy::rpc::types::Log;
use alloy_primitives::B256;
use turnpike_protocol::{Entry, OutputRoot, QueuedDeposit};

use crate::{
    Disputes, EntryPayload, EntrySource, L1Block, L1Client, L1Error, L1Head, L1Source, PostedEntry,
    ProposedOutput,
    log::malformed,
    records::{ReadPoint, Records},
};

/// Maximum number of blocks in one request for logs.
const LOG_RANGE_BLOCKS: u64 = 1_000;

/// Result of reading L1's new blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    /// L1's head.
    pub head: L1Head,
    /// Set if L1 dropped blocks that the view had read. The view rewound before it read on.
    pub reorg: Option<Reorg>,
}

/// The part of a view that a reorg of L1 left in place. Everything after it was read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reorg {
    /// Last remaining L1 block.
    pub block: u64,
    /// Number of remaining entries, including entry 0. Entries from this index on may differ.
    pub entries: u64,
    /// Number of remaining deposits. They have the same source hashes as before.
    pub deposits: u64,
    /// Number of remaining outputs, including the genesis output.
    pub outputs: u64,
}

impl Reorg {
    /// The part that two consecutive reorgs left in place.
    fn merge(self, other: Self) -> Self {
        Self {
            block: self.block.min(other.block),
            entries: self.entries.min(other.entries),
            deposits: self.deposits.min(other.deposits),
            outputs: self.outputs.min(other.outputs),
        }
    }
}

/// Everything that the chain's contracts have recorded so far, read from L1 logs and checked.
///
/// If the endpoint lags, the view fails with [`L1Error::NotYet`] and does not report a reorg.
#[derive(Clone, Debug)]
pub struct L1View<S = L1Client> {
    source: S,
    /// Number of confirmations that a block needs before it is read.
    confirmations: u64,
    head: Option<L1Head>,
    /// Whether everything up to that head was read and checked, and nothing later.
    is_complete: bool,
    records: Records,
    /// Last block read when [`Self::advance`] last succeeded. Callers know the view up to this
    /// block.
    reported: Option<u64>,
    /// Reorg of reported blocks since the last success. It is not reported yet.
    reorg: Option<Reorg>,
}

impl<S: L1Source> L1View<S> {
    /// An empty view. `genesis_output` is the output that the `Rollup` contract was deployed with.
    pub fn new(source: S, confirmations: u64, genesis_output: OutputRoot) -> Self {
        let config_hash = source.config().hash(genesis_output.block_hash);
        let records = Records::new(config_hash, genesis_output);
        Self {
            source,
            confirmations,
            head: None,
            is_complete: false,
            records,
            reported: None,
            reorg: None,
        }
    }

    /// Reads L1's new blocks. If it fails, the view may have read some of them without checking
    /// them: call it again until it succeeds before using the view. An error loses no reorg.
    pub async fn advance(&mut self) -> Result<Advance, L1Error> {
        let head = self.source.head().await?;
        if self.is_complete && self.head == Some(head) {
            return Ok(Advance { head, reorg: None });
        }
        self.is_complete = false;
        let common = self.common_points(&head).await?;
        if common < self.records.points().len() {
            self.rewind(common);
        }
        let readable = head.number.saturating_sub(self.confirmations);
        self.read_to(readable).await?;
        self.reported = self.last_read();
        self.head = Some(head);
        self.is_complete = true;
        Ok(Advance { head, reorg: self.reorg.take() })
    }

    /// Number of the last L1 block that was read.
    pub fn last_read(&self) -> Option<u64> {
        self.records.points().back().map(|newest| newest.number)
    }

    /// L1's head at the last successful [`Self::advance`].
    pub const fn head(&self) -> Option<L1Head> {
        self.head
    }

    /// The source behind the view.
    pub const fn client(&self) -> &S {
        &self.source
    }

    /// Inbox entries, by index.
    pub fn entries(&self) -> &[PostedEntry] {
        &self.records.entries
    }

    /// The entries that are batches, by index among the entries. Each extends the content chain.
    pub fn batches(&self) -> &[usize] {
        &self.records.batches
    }

    /// Accumulator after entry `index`.
    pub fn acc(&self, index: u64) -> Option<B256> {
        self.entries().get(usize::try_from(index).ok()?).map(|posted| posted.acc)
    }

    /// Deposits, by index in the queue.
    pub fn deposits(&self) -> &[QueuedDeposit] {
        &self.records.deposits
    }

    /// Accumulator over the first `count` deposits.
    pub fn deposit_acc(&self, count: u64) -> Option<B256> {
        self.records.deposit_acc(count)
    }

    /// Outputs, by index.
    pub fn outputs(&self) -> &[ProposedOutput] {
        &self.records.outputs
    }

    /// Challenges of outputs, and their games.
    pub const fn disputes(&self) -> &Arc<Disputes> {
        &self.records.disputes
    }

    /// Number of remembered blocks that L1 still has. If L1 has dropped one, it has dropped all
    /// later ones.
    async fn common_points(&self, head: &L1Head) -> Result<usize, L1Error> {
        let points = self.records.points();
        // Ignore points beyond the head: the endpoint may not know them yet.
        let visible = points.partition_point(|point| point.number <= head.number);
        let Some(newest) = visible.checked_sub(1) else {
            return if points.is_empty() { Ok(0) } else { Err(missing(points[0].number)) };
        };
        if self.has(&points[newest]).await? {
            let is_behind = visible < points.len();
            return if is_behind { Err(missing(points[visible].number)) } else { Ok(visible) };
        }
        let (mut kept, mut dropped) = (0, newest);
        while kept < dropped {
            let middle = kept + (dropped - kept) / 2;
            if self.has(&points[middle]).await? {
                kept = middle + 1;
            } else {
                dropped = middle;
            }
        }
        Ok(kept)
    }

    async fn has(&self, point: &ReadPoint) -> Result<bool, L1Error> {
        let block = self.block(point.number).await?;
        Ok(block.hash == point.hash)
    }

    async fn block(&self, number: u64) -> Result<L1Block, L1Error> {
        self.source.block(number).await?.ok_or_else(|| missing(number))
    }

    /// Rewinds to the first `points` remembered blocks. Records the reorg if callers know later
    /// blocks.
    fn rewind(&mut self, points: usize) {
        let extent = self.records.rewind(points);
        let before_deployment = self.source.deployment().block_number.saturating_sub(1);
        let block = self.last_read().unwrap_or(before_deployment);
        // Callers do not know blocks that were read since the last success.
        if self.reported.is_none_or(|reported| reported <= block) {
            return;
        }
        self.reported = self.last_read();
        let left = Reorg {
            block,
            entries: extent.entries as u64,
            deposits: extent.deposits as u64,
            outputs: extent.outputs as u64,
        };
        self.reorg = Some(self.reorg.map_or(left, |earlier| earlier.merge(left)));
    }

    async fn read_to(&mut self, readable: u64) -> Result<(), L1Error> {
        let mut newest = None;
        loop {
            let deployed = self.source.deployment().block_number;
            let first = self.last_read().map_or(deployed, |last| last + 1);
            if first > readable {
                break;
            }
            let last = readable.min(first + LOG_RANGE_BLOCKS - 1);
            newest = Some(self.read_range(first, last).await?);
        }
        let Some(newest) = newest else { return Ok(()) };
        if let Err(error) = self.check(newest).await {
            self.rewind_unchecked();
            return Err(error);
        }
        Ok(())
    }

    /// Compares the records with the contracts after the block with this hash.
    async fn check(&self, newest: B256) -> Result<(), L1Error> {
        self.records.check(&self.source.counts(newest).await?)?;
        let open = self.records.disputes.open_games();
        if open.is_empty() {
            return Ok(());
        }
        self.records.check_games(&open, &self.source.games(newest, &open).await?)
    }

    /// Rewinds to the last success, because the endpoint did not serve all later logs.
    fn rewind_unchecked(&mut self) {
        let points = self.records.points();
        let checked = points.partition_point(|point| Some(point.number) <= self.reported);
        self.rewind(checked);
    }

    /// Reads the blocks from `first` to `last` and returns the hash of the last. If it fails, it
    /// keeps none of them.
    async fn read_range(&mut self, first: u64, last: u64) -> Result<B256, L1Error> {
        let end = self.block(last).await?;
        let logs = self.source.logs(first, last).await?;
        let blocks = self.blocks_of(&logs, first, &end).await?;
        self.check_unmoved(first, &end).await?;
        let kept = self.records.points().len();
        for (block, logs) in blocks {
            if let Err(error) = self.records.read_block(logs, block.time) {
                self.records.rewind(kept);
                self.rewind_unchecked();
                return Err(error);
            }
            self.records.remember(block.number, block.hash);
        }
        self.records.remember(end.number, end.hash);
        Ok(end.hash)
    }

    /// Groups logs by block and reads those blocks' headers.
    async fn blocks_of<'a>(
        &self,
        logs: &'a [Log],
        first: u64,
        end: &L1Block,
    ) -> Result<Vec<(L1Block, &'a [Log])>, L1Error> {
        let mut blocks: Vec<(L1Block, &[Log])> = Vec::new();
        for logs in logs.chunk_by(|a, b| a.block_number == b.block_number) {
            let number = logs[0].block_number.ok_or_else(|| malformed("a log without a block"))?;
            let before = blocks.last().map_or(first, |(block, _)| block.number + 1);
            if number < before || number > end.number {
                return Err(malformed("logs out of range or out of order"));
            }
            let block = if number == end.number { *end } else { self.block(number).await? };
            if logs.iter().any(|log| log.block_hash != Some(block.hash)) {
                return Err(moved(number));
            }
            blocks.push((block, logs));
        }
        Ok(blocks)
    }

    /// Checks that the blocks from `first` to `end` come from one fork and extend the previous
    /// block.
    async fn check_unmoved(&self, first: u64, end: &L1Block) -> Result<(), L1Error> {
        if self.block(end.number).await?.hash != end.hash {
            return Err(moved(end.number));
        }
        let Some(before) = self.records.points().back() else { return Ok(()) };
        let is_on_top = if first == end.number {
            end.parent_hash == before.hash
        } else {
            self.has(before).await?
        };
        if is_on_top { Ok(()) } else { Err(moved(before.number)) }
    }
}

fn missing(number: u64) -> L1Error {
    L1Error::NotYet(format!("block {number} is missing"))
}

fn moved(number: u64) -> L1Error {
    L1Error::NotYet(format!("block {number} changed while it was read"))
}

impl<S: L1Source> L1View<S> {
    /// Reads an entry with its data, deposits and origin. Returns `None` if L1 does not have the
    /// entry yet.
    pub async fn source(&self, index: u64) -> Result<Option<EntrySource>, L1Error> {
        let at = usize::try_from(index).ok();
        let Some(posted) = at.and_then(|at| self.entries().get(at)) else { return Ok(None) };
        let payload = self.client().payload(posted).await?;
        self.source_of(posted.entry, payload).map(Some)
    }

    /// Combines an entry and its payload with the L1 data that the view holds. The entry need not
    /// be posted.
    pub fn source_of(&self, entry: Entry, payload: EntryPayload) -> Result<EntrySource, L1Error> {
        let index = entry.index;
        let missing =
            |what| L1Error::Inconsistent(format!("the {what} of entry {index} are missing"));
        let entry_at = |index: u64| {
            let posted = usize::try_from(index).ok().and_then(|at| self.entries().get(at));
            posted.map(|posted| posted.entry)
        };
        let previous = index.checked_sub(1).and_then(entry_at);
        let previous = previous.ok_or_else(|| missing("attributes of the entry before"))?;
        let origin = entry_at(entry.origin).ok_or_else(|| missing("origin's attributes"))?;
        let queue = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let consumed = queue(previous.deposit_count)..queue(entry.deposit_count);
        let queued = self.deposits().get(consumed).ok_or_else(|| missing("deposits"))?;
        let deposits = queued.iter().map(|queued| queued.deposit.clone()).collect();
        let EntryPayload { data, blob_hashes } = payload;
        Ok(EntrySource { entry, previous, origin, data, blob_hashes, deposits })
    }
}
