use tracing::warn;
use turnpike_l1::Reorg;
use turnpike_protocol::{DataKind, Origin, QueuedDeposit};
use turnpike_storage::SealedInput;

use super::Driver;
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
    /// Takes in what L1 says. Afterwards the chain goes on from what L1 holds.
    pub(crate) async fn handle_l1_event(&mut self, news: L1Event) -> anyhow::Result<()> {
        let taken = self.take(news).await;
        self.settlement_changed.send_modify(|changes| *changes += 1);
        taken
    }

    async fn take(&mut self, news: L1Event) -> anyhow::Result<()> {
        match news {
            L1Event::Silence(error) => {
                self.shared.settlement.write().await.l1_error = Some(error);
                Ok(())
            }
            L1Event::Reorg(reorg) => self.doubt(reorg).await,
            L1Event::Entry(entry) => self.take_entry(*entry).await,
            L1Event::Progress(progress) => self.take_progress(*progress).await,
        }
    }

    /// L1 has dropped blocks: nothing is sealed until it has told what took their place.
    async fn doubt(&mut self, reorg: Reorg) -> anyhow::Result<()> {
        warn!(l1_block = reorg.block, entries = reorg.entries, "L1 has dropped blocks");
        self.production().awaits_l1_recheck = true;
        // What is open may be made from what was dropped: it is looked at together with what is complete.
        self.complete().await?;
        self.shared.settlement.write().await.rewind(reorg.entries, reorg.deposits);
        Ok(())
    }

    /// The blocks of an entry are safe. Where they are not the chain's, they take the place of the chain's.
    async fn take_entry(&mut self, news: DerivedEntry) -> anyhow::Result<()> {
        let DerivedEntry { posted, fault, last_block, .. } = &news;
        let (index, last_block) = (posted.entry.index, *last_block);
        if let Some(first) = news.unknown.first() {
            let reason = match fault {
                None if posted.entry.data_kind == DataKind::None => {
                    format!("inbox entry {index} was forced")
                }
                None => format!("inbox entry {index} holds other blocks"),
                Some(fault) => format!("inbox entry {index} was passed over: {fault}"),
            };
            let deposits = posted.entry.deposit_count;
            let blocks = news.unknown.clone();
            // The inbox takes no origin that is older than this entry's. Nothing is sealed until the newest is known.
            self.shared.settlement.write().await.origin = None;
            self.reorg(first.input.number, blocks, reason, deposits).await?;
        }
        advance_safe_head(&self.shared, news).await?;
        self.production().backlog.drop_to(last_block);
        Ok(())
    }

    async fn take_progress(&mut self, news: L1Progress) -> anyhow::Result<()> {
        let last_read = news.last_read;
        self.proofs.apply_l1_progress(&self.shared, news).await?;
        if self.production().awaits_l1_recheck && self.check_unposted(last_read).await? {
            self.production().awaits_l1_recheck = false;
        }
        Ok(())
    }

    /// Finds blocks that no entry can hold any more, because what they took from L1 is gone, and takes them back. False if L1
    /// has not yet come as far as a block was made from.
    async fn check_unposted(&mut self, last_read: u64) -> anyhow::Result<bool> {
        let (mut backlog, mut gone) = (Backlog::default(), None);
        let (mut next, mut deposits) = {
            let settlement = self.shared.settlement.read().await;
            (settlement.safe() + 1, settlement.deposits_consumed())
        };
        'blocks: loop {
            let blocks = self.shared.database.sealed_blocks(next, BLOCKS_STEP).await?;
            if blocks.is_empty() {
                break;
            }
            let settlement = self.shared.settlement.read().await;
            for block in blocks {
                gone = missing_l1_data(&settlement, &block).map(|gone| (block.number, gone));
                if gone.is_some() {
                    break 'blocks;
                }
                next = block.number + 1;
                deposits += block.deposits.len() as u64;
                let bytes = block.transactions.iter().map(|raw| bytes_in_block(raw)).sum();
                backlog.push(block.number, block.origin.entry, bytes, block.deposits.len());
            }
        }
        match gone {
            Some((_, MissingL1Data { l1_block, .. })) if l1_block > last_read => return Ok(false),
            Some((first, MissingL1Data { what, .. })) => {
                let reason = format!("L1 has dropped {what}");
                self.reorg(first, Vec::new(), reason, deposits).await?;
            }
            None => {}
        }
        let mut production = self.production();
        (production.backlog, production.deposits_consumed) = (backlog, deposits);
        Ok(true)
    }
}

/// Something that a block took from L1 and that is not there.
struct MissingL1Data {
    what: String,
    /// The L1 block that had it.
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
    let gone = &record.deposits.iter().find(|queued| !is_there(queued))?.deposit;
    let what = format!("deposit {} or its name", gone.index);
    Some(MissingL1Data { what, l1_block: gone.l1_block_number })
}
