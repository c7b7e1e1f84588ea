//! Handles the tracker's events: entries make blocks safe or cause a reorg, progress moves the
//! finalized head.

use tracing::warn;
use turnpike_l1::Reorg;
use turnpike_protocol::{DataKind, Entry, Origin, QueuedDeposit};
use turnpike_storage::SealedInput;

use super::{
    Driver,
    reorg::{ReorgPlan, RewoundBlocks},
    rerun::UnexpectedEntry,
};
use crate::{
    Settlement,
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
        let DerivedEntry { posted, fault, last_block, .. } = &entry;
        let (index, last_block) = (posted.entry.index, *last_block);
        if let Some(first) = entry.unknown.first() {
            let reason = match fault {
                None if posted.entry.data_kind == DataKind::None => {
                    format!("inbox entry {index} was forced")
                }
                None => format!("inbox entry {index} holds other blocks"),
                Some(fault) => format!("inbox entry {index} holds an invalid batch: {fault}"),
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
        self.production().backlog.drop_to(last_block);
        Ok(())
    }

    /// What becomes of the blocks that an entry replaces. They run again on top, unless this node
    /// makes no blocks: then they came from entries that L1 has dropped.
    async fn rewound_by(&self, entry: &DerivedEntry, origin: Origin) -> RewoundBlocks {
        if self.config.backlog_entries_max == 0 {
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
        self.proofs.apply_l1_progress(&self.handles, progress).await?;
        if self.production().awaits_l1_recheck && self.recheck_unposted(last_read).await? {
            self.production().awaits_l1_recheck = false;
        }
        Ok(())
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
                backlog.push(block.number, block.origin.entry, bytes, block.deposits.len());
            }
        }
        match missing {
            Some((_, MissingL1Data { l1_block, .. })) if l1_block > last_read => return Ok(false),
            Some((first, MissingL1Data { what, .. })) => {
                let reason = format!("L1 has dropped {what}");
                let (blocks, rewound) = (Vec::new(), RewoundBlocks::ToPool);
                self.reorg(ReorgPlan { first, blocks, reason, deposits, rewound }).await?;
            }
            None => {}
        }
        let mut production = self.production();
        (production.backlog, production.deposits_consumed) = (backlog, deposits);
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
