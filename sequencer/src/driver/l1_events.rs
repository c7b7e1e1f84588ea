//! Handles the tracker's events: entries make blocks safe or cause a reorg, progress moves the
//! finalized head.

use tracing::warn;
use turnpike_l1::Reorg;
use turnpike_protocol::{DataKind, Entry, Origin, QueuedDeposit};
use turnpike_storage::SealedInput;

use super::{
    Driver,
    reorg::{ReorgPlan, ReorgReason, RewoundBlocks},
    rerun::UnexpectedEntry,
};
use crate::{
    BacklogLimits, Settlement,
    backlog::Backlog,
    builder::bytes_in_block,
    safe_head::advance_safe_head,
    tracker::{DerivedEntry, L1Event, L1Progress},
};

/// Blocks read at a time.
const BLOCKS_STEP: u32 = 16;

impl Driver {
    /// Applies an event from L1. Afterwards the chain agrees with what L1 is known to hold.
    pub(crate) async fn handle_l1_event(&mut self, event: L1Event) -> anyhow::Result<()> {
        let applied = self.apply(event).await;
        self.settlement_changed.send_modify(|changes| *changes += 1);
        applied
    }

    async fn apply(&mut self, event: L1Event) -> anyhow::Result<()> {
        match event {
            L1Event::Unavailable(error) => {
                self.handles.settlement.write().await.l1_error = Some(error);
                Ok(())
            }
            L1Event::Reorg(reorg) => self.handle_reorg(reorg).await,
            L1Event::Entry(entry) => self.apply_entry(*entry).await,
            L1Event::Progress(progress) => self.apply_progress(*progress).await,
        }
    }

    /// Handles a reorg of L1: no block is opened until L1's replacement blocks are known.
    async fn handle_reorg(&mut self, reorg: Reorg) -> anyhow::Result<()> {
        warn!(l1_block = reorg.block, entries = reorg.entries, "L1 reorg dropped blocks");
        self.production().awaits_l1_recheck = true;
        // The open block may depend on dropped data: it is checked together with the complete
        // blocks.
        self.complete_block().await?;
        self.handles.settlement.write().await.rewind(reorg.entries, reorg.deposits);
        Ok(())
    }

    /// Makes the blocks of an entry safe. If the chain's blocks differ, a reorg replaces them.
    async fn apply_entry(&mut self, entry: DerivedEntry) -> anyhow::Result<()> {
        let DerivedEntry { posted, fault, last_block, batch_bytes, .. } = &entry;
        let (index, last_block, batch_bytes) = (posted.entry.index, *last_block, *batch_bytes);
        if let Some(first) = entry.unknown.first() {
            let reason = match fault {
                None if posted.entry.data_kind == DataKind::None => ReorgReason::Forced { index },
                None => ReorgReason::OtherBlocks { index },
                Some(fault) => ReorgReason::InvalidBatch { index, fault: fault.clone() },
            };
            let plan = ReorgPlan {
                first: first.input.number,
                blocks: entry.unknown.clone(),
                reason,
                deposits: posted.entry.deposit_count,
                rewound: self.rewound_by(&entry, first.input.origin).await,
            };
            // The inbox takes no origin older than this entry's. No block is opened until the
            // newest origin is known.
            self.handles.settlement.write().await.origin = None;
            self.reorg(plan).await?;
        }
        advance_safe_head(&self.handles, entry).await?;
        self.production().backlog.drop_to(last_block, batch_bytes);
        Ok(())
    }

    /// What becomes of the blocks that an entry replaces. They run again on top, unless this node
    /// makes no blocks: then they came from entries that L1 has dropped.
    async fn rewound_by(&self, entry: &DerivedEntry, origin: Origin) -> RewoundBlocks {
        if self.config.backlog == BacklogLimits::NO_BLOCKS {
            return RewoundBlocks::ToPool;
        }
        let Entry { l1_time, deposit_count: deposits, data_kind, .. } = entry.posted.entry;
        let l1 = self.handles.settlement.read().await.l1;
        let l1_time = l1.map_or(l1_time, |l1| l1.time.max(l1_time));
        let is_batch = data_kind != DataKind::None && entry.fault.is_none();
        RewoundBlocks::OnTop(UnexpectedEntry { origin, l1_time, deposits, is_batch })
    }

    async fn apply_progress(&mut self, progress: L1Progress) -> anyhow::Result<()> {
        let last_read = progress.last_read;
        // The origin stays as young as a quiet chain's.
        let step = self.config.origin_step.min(self.handles.chain.config.origin_age_max / 4);
        self.proofs.apply_l1_progress(&self.handles, progress, step).await?;
        if self.production().awaits_l1_recheck && self.recheck_unposted(last_read).await? {
            self.production().awaits_l1_recheck = false;
        }
        self.replace_old_origin().await
    }

    /// Runs the unposted blocks again with the newest entry as their origin if theirs is older than
    /// half of `origin_age_max`, so that no batch of theirs is too old when L1 includes it. The age
    /// of the newest entry does not count.
    async fn replace_old_origin(&mut self) -> anyhow::Result<()> {
        if self.production().awaits_l1_recheck || self.production().backlog.is_empty() {
            return Ok(());
        }
        let (first, newest, l1_time) = {
            let settlement = self.handles.settlement.read().await;
            let (Some(newest), Some(l1)) = (settlement.newest_entry(), settlement.l1) else {
                return Ok(());
            };
            (settlement.safe() + 1, *newest, l1.time)
        };
        let oldest = self.handles.chain.database.sealed_blocks(first, 1).await?;
        let Some(origin) = oldest.first().map(|block| block.origin) else { return Ok(()) };
        let age = l1_time.saturating_sub(origin.l1_time);
        if origin.entry >= newest.index || age <= self.handles.chain.config.origin_age_max / 2 {
            return Ok(());
        }
        let deposits = newest.deposit_count;
        let entry =
            UnexpectedEntry { origin: Origin::from(&newest), l1_time, deposits, is_batch: false };
        let rewound = RewoundBlocks::OnTop(entry);
        let reason = ReorgReason::OldOrigin { index: origin.entry };
        self.reorg(ReorgPlan { first, blocks: Vec::new(), reason, deposits, rewound }).await
    }

    /// Finds the first unposted block that depends on data that L1 dropped, and rewinds the chain
    /// before it. Returns false if L1 has not been read up to the block that held the data.
    async fn recheck_unposted(&mut self, last_read: u64) -> anyhow::Result<bool> {
        let (mut backlog, mut missing) = (Backlog::default(), None);
        let (mut next, mut deposits) = {
            let settlement = self.handles.settlement.read().await;
            (settlement.safe() + 1, settlement.deposits_consumed())
        };
        'blocks: loop {
            let blocks = self.handles.chain.database.sealed_blocks(next, BLOCKS_STEP).await?;
            if blocks.is_empty() {
                break;
            }
            let settlement = self.handles.settlement.read().await;
            for block in blocks {
                missing =
                    missing_l1_data(&settlement, &block).map(|missing| (block.number, missing));
                if missing.is_some() {
                    break 'blocks;
                }
                next = block.number + 1;
                deposits += block.deposits.len() as u64;
                let bytes = block.transactions.iter().map(|raw| bytes_in_block(raw)).sum();
                backlog.push(block.number, block.time_ms, bytes);
            }
        }
        match missing {
            Some((_, MissingL1Data { l1_block, .. })) if l1_block > last_read => return Ok(false),
            Some((first, MissingL1Data { what, .. })) => {
                let reason = ReorgReason::L1Dropped { what };
                let (blocks, rewound) = (Vec::new(), RewoundBlocks::ToPool);
                self.reorg(ReorgPlan { first, blocks, reason, deposits, rewound }).await?;
            }
            None => {}
        }
        let mut production = self.production();
        production.backlog.replace(backlog);
        production.deposits_consumed = deposits;
        Ok(true)
    }
}

/// Data from L1 that a block depends on and that L1 dropped.
struct MissingL1Data {
    what: String,
    /// The L1 block that held it.
    l1_block: u64,
}

fn missing_l1_data(settlement: &Settlement, record: &SealedInput) -> Option<MissingL1Data> {
    let origin = record.origin;
    if settlement.entry(origin.entry).map(Origin::from) != Some(origin) {
        let what = format!("the origin, inbox entry {}", origin.entry);
        return Some(MissingL1Data { what, l1_block: origin.l1_block_number });
    }
    let queue = &settlement.deposits;
    let is_there = |queued: &QueuedDeposit| {
        let at = usize::try_from(queued.deposit.index).ok();
        at.and_then(|at| queue.get(at)) == Some(queued)
    };
    let missing = &record.deposits.iter().find(|queued| !is_there(queued))?.deposit;
    let what = format!("deposit {} or its name", missing.index);
    Some(MissingL1Data { what, l1_block: missing.l1_block_number })
}
