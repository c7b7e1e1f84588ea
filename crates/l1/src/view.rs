use std::sync::Arc;

use alloy::rpc::types::Log;
use alloy_primitives::B256;
use turnpike_protocol::{OutputRoot, QueuedDeposit};

use crate::{
    Disputes, L1Block, L1Client, L1Error, L1Head, L1Source, PostedEntry, ProposedOutput,
    records::{Point, Records, malformed},
};

/// Blocks asked for in one request for logs.
const LOG_RANGE_BLOCKS: u64 = 1_000;

/// What a look at L1 brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    /// Where L1 is.
    pub head: L1Head,
    /// L1 has dropped blocks that were read, and the view has gone back before it went on.
    pub reorg: Option<Reorg>,
}

/// How much of a view was left when L1 had dropped blocks that were read; all after it was read anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reorg {
    /// The last L1 block that is still there.
    pub block: u64,
    /// Entries that are still there, entry 0 included: the first of those that may be others has this index.
    pub entries: u64,
    /// Deposits that are still there, and have the same names.
    pub deposits: u64,
    /// Outputs that are still there, the genesis output included.
    pub outputs: u64,
}

impl Reorg {
    /// What both have left.
    fn merge(self, other: Self) -> Self {
        Self {
            block: self.block.min(other.block),
            entries: self.entries.min(other.entries),
            deposits: self.deposits.min(other.deposits),
            outputs: self.outputs.min(other.outputs),
        }
    }
}

/// Everything the chain's contracts have recorded so far, read from L1 logs and checked.
///
/// Blocks that were read are remembered: when L1 has dropped some, the view goes back to the newest that is still there
/// and reads on. An endpoint that lags is told from a reorganised L1 and gives [`L1Error::NotYet`].
#[derive(Debug)]
pub struct L1View<S = L1Client> {
    source: S,
    /// Blocks that L1 must have on top of one before it is read.
    confirmations: u64,
    head: Option<L1Head>,
    records: Records,
    /// The last block at the last [`Self::advance`] that went well: what its callers know.
    told: Option<u64>,
    /// What has been dropped of that since.
    reorg: Option<Reorg>,
}

impl<S: L1Source> L1View<S> {
    /// A view of nothing yet; `genesis_output` is the output that the `Rollup` contract was deployed with.
    pub fn new(source: S, confirmations: u64, genesis_output: OutputRoot) -> Self {
        let config_hash = source.config().hash(genesis_output.block_hash);
        let records = Records::new(config_hash, genesis_output);
        Self { source, confirmations, head: None, records, told: None, reorg: None }
    }

    /// Reads what L1 has added since the last call. After an error the view may be anywhere between what it was and what
    /// L1 is, unchecked: call again, until it goes well, before anything is made of it. No reorg goes untold.
    pub async fn advance(&mut self) -> Result<Advance, L1Error> {
        let head = self.source.head().await?;
        let common = self.common_points(&head).await?;
        if common < self.records.points().len() {
            self.go_back(common);
        }
        let readable = head.number.saturating_sub(self.confirmations);
        self.read_to(readable).await?;
        self.told = self.last_read();
        self.head = Some(head);
        Ok(Advance { head, reorg: self.reorg.take() })
    }

    /// Number of the last L1 block that was read.
    pub fn last_read(&self) -> Option<u64> {
        self.records.points().back().map(|newest| newest.number)
    }

    /// Where L1 was at the last [`Self::advance`].
    pub const fn head(&self) -> Option<L1Head> {
        self.head
    }

    /// The connection behind the view.
    pub const fn client(&self) -> &S {
        &self.source
    }

    /// Inbox entries, by index.
    pub fn entries(&self) -> &[PostedEntry] {
        &self.records.entries
    }

    /// Deposits, by their place in the queue.
    pub fn deposits(&self) -> &[QueuedDeposit] {
        &self.records.deposits
    }

    /// The queue's accumulator after `count` deposits.
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

    /// How many of the remembered blocks L1 still has. Past one that it has dropped, it has dropped all.
    async fn common_points(&self, head: &L1Head) -> Result<usize, L1Error> {
        let points = self.records.points();
        // What lies beyond the head cannot be told from what the endpoint does not know yet.
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

    async fn has(&self, point: &Point) -> Result<bool, L1Error> {
        let block = self.block(point.number).await?;
        Ok(block.hash == point.hash)
    }

    async fn block(&self, number: u64) -> Result<L1Block, L1Error> {
        self.source.block(number).await?.ok_or_else(|| missing(number))
    }

    /// Goes back to the first so many of the remembered blocks.
    fn go_back(&mut self, points: usize) {
        let extent = self.records.go_back(points);
        let before_deployment = self.source.deployment().block_number.saturating_sub(1);
        let block = self.last_read().unwrap_or(before_deployment);
        // What was read since the last success nobody knows of.
        if self.told.is_none_or(|told| told <= block) {
            return;
        }
        self.told = self.last_read();
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
        let counts = self.source.counts(newest).await?;
        if let Err(error) = self.records.check(&counts) {
            self.forget_unchecked();
            return Err(error);
        }
        Ok(())
    }

    /// Forgets all that was read since the last success: a part of it was never served.
    fn forget_unchecked(&mut self) {
        let points = self.records.points();
        let checked = points.partition_point(|point| Some(point.number) <= self.told);
        self.go_back(checked);
    }

    /// Reads the blocks from `first` to `last` and returns the hash of the last; or takes over nothing of them.
    async fn read_range(&mut self, first: u64, last: u64) -> Result<B256, L1Error> {
        let end = self.block(last).await?;
        let logs = self.source.logs(first, last).await?;
        let blocks = self.blocks_of(&logs, first, &end).await?;
        self.check_unmoved(first, &end).await?;
        let kept = self.records.points().len();
        for (block, logs) in blocks {
            if let Err(error) = self.records.read_block(logs, block.time) {
                self.records.go_back(kept);
                self.forget_unchecked();
                return Err(error);
            }
            self.records.remember(block.number, block.hash);
        }
        self.records.remember(end.number, end.hash);
        Ok(end.hash)
    }

    /// The blocks that hold these logs, each with its own.
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
                return Err(malformed("logs that were not asked for, or in no order"));
            }
            let block = if number == end.number { *end } else { self.block(number).await? };
            if logs.iter().any(|log| log.block_hash != Some(block.hash)) {
                return Err(moved(number));
            }
            blocks.push((block, logs));
        }
        Ok(blocks)
    }

    /// Checks that what was read of the blocks from `first` to `end` is all of one fork, and on top of what was read
    /// before.
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
    L1Error::NotYet(format!("block {number} is another while it is being read"))
}
