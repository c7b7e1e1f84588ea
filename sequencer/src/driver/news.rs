use anyhow::Context as _;
use tokio::task::block_in_place;
use tracing::{info, warn};
use turnpike_l1::Reorg;
use turnpike_protocol::{DataKind, Origin, QueuedDeposit, predeploys::MESSAGE_PASSER};
use turnpike_storage::JournalRecord;

use super::{Driver, sealed::passer_proof};
use crate::{
    PostedRange, Settlement,
    backlog::Backlog,
    tracker::{EntryNews, L1News, L1Progress},
};

/// Journal records read at a time.
const RECORDS_STEP: u32 = 1_000;

impl Driver {
    /// Takes in what L1 says. Afterwards the chain goes on from what L1 holds.
    pub(crate) async fn take_news(&mut self, news: L1News) -> anyhow::Result<()> {
        match news {
            L1News::Silence(error) => {
                self.shared.settlement.write().await.l1_error = Some(error);
                Ok(())
            }
            L1News::Reorg(reorg) => {
                self.take_back(reorg).await;
                Ok(())
            }
            L1News::Entry(entry) => self.take_entry(*entry).await,
            L1News::Progress(progress) => self.take_progress(*progress).await,
        }
    }

    /// L1 has dropped blocks: nothing is sealed until it has told what took their place.
    async fn take_back(&mut self, reorg: Reorg) {
        warn!(l1_block = reorg.block, entries = reorg.entries, "L1 has dropped blocks");
        self.is_in_doubt = true;
        self.shared.settlement.write().await.rewind(reorg.entries, reorg.deposits);
    }

    /// The blocks of an entry are safe. Where they are not the chain's, they take the place of the chain's.
    async fn take_entry(&mut self, news: EntryNews) -> anyhow::Result<()> {
        let EntryNews { posted, fault, bytes, transactions, first_block, last_block, unknown } =
            news;
        let index = posted.entry.index;
        if let Some(first) = unknown.first() {
            let reason = match &fault {
                None if posted.entry.data_kind == DataKind::None => {
                    format!("inbox entry {index} was forced")
                }
                None => format!("inbox entry {index} holds other blocks"),
                Some(fault) => format!("inbox entry {index} was passed over: {fault}"),
            };
            self.reorganise(first.input.number, unknown, reason).await?;
            // The inbox takes no origin that is older than this entry's. Nothing is sealed until the newest is known.
            self.shared.settlement.write().await.origin = None;
        }
        let block = self.shared.database.block(last_block).await?;
        let block = block.with_context(|| format!("block {last_block} is not in the look-ups"))?;
        self.keep_proof(last_block).await?;
        let range = PostedRange {
            entry: posted.entry,
            first_block,
            last_block,
            output: block.output(),
            l1_transaction: posted.l1_transaction,
            bytes,
            transactions,
            fault: fault.map(|fault| fault.to_string()),
        };
        info!(entry = index, first_block, last_block, "blocks are safe");
        self.shared.settlement.write().await.posted.push(range);
        self.backlog.drop_to(last_block);
        Ok(())
    }

    async fn take_progress(&mut self, news: L1Progress) -> anyhow::Result<()> {
        let finalized = {
            let mut settlement = self.shared.settlement.write().await;
            settlement.l1 = Some(news.head);
            settlement.l1_error = None;
            settlement.first_entry = news.first_entry;
            settlement.origin = settlement.newest_entry().map(Origin::from);
            settlement.deposits.extend(news.deposits);
            settlement.outputs = news.outputs;
            settlement.disputes = news.disputes;
            settlement.agree();
            settlement.finalized()
        };
        if self.is_in_doubt {
            self.is_in_doubt = !self.check_unposted(news.last_read).await?;
        }
        if finalized > self.proofs_settled {
            // No other block can become the last of an entry any more.
            let database = &self.shared.database;
            database.drop_passer_proofs(self.proofs_settled + 1, finalized).await?;
            self.proofs_settled = finalized;
        }
        Ok(())
    }

    /// Finds blocks that no entry can hold any more, because what they took from L1 is gone, and takes them back. False if L1
    /// has not yet come as far as a block was made from.
    async fn check_unposted(&mut self, last_read: u64) -> anyhow::Result<bool> {
        let mut backlog = Backlog::default();
        let mut next = self.shared.settlement.read().await.safe() + 1;
        let mut gone = None;
        'journal: loop {
            let records = self.shared.database.journal(next, RECORDS_STEP).await?;
            if records.is_empty() {
                break;
            }
            let settlement = self.shared.settlement.read().await;
            for record in records {
                gone = what_is_gone(&settlement, &record).map(|gone| (record.number, gone));
                if gone.is_some() {
                    break 'journal;
                }
                next = record.number + 1;
                backlog.push(&record);
            }
        }
        match gone {
            Some((_, Gone { l1_block, .. })) if l1_block > last_read => return Ok(false),
            Some((first, Gone { what, .. })) => {
                self.reorganise(first, Vec::new(), format!("L1 has dropped {what}")).await?;
            }
            None => {}
        }
        self.backlog = backlog;
        Ok(true)
    }

    /// Keeps the proof from which withdrawals up to a block can be proven.
    async fn keep_proof(&self, block: u64) -> anyhow::Result<()> {
        let database = &self.shared.database;
        let proof = match database.passer_proof(block).await? {
            Some(_) => None,
            None => {
                let chain = self.shared.chain.read().await;
                let proof = || chain.proof_at(block, &MESSAGE_PASSER, &[]);
                block_in_place(proof).map(passer_proof)
            }
        };
        Ok(database.keep_passer_proof(block, proof.as_ref()).await?)
    }
}

/// Something that a block took from L1 and that is not there.
struct Gone {
    what: String,
    /// The L1 block that had it.
    l1_block: u64,
}

fn what_is_gone(settlement: &Settlement, record: &JournalRecord) -> Option<Gone> {
    let origin = record.origin;
    if settlement.entry(origin.entry).map(Origin::from) != Some(origin) {
        let what = format!("the origin, inbox entry {}", origin.entry);
        return Some(Gone { what, l1_block: origin.l1_block_number });
    }
    let queue = &settlement.deposits;
    let is_there = |queued: &QueuedDeposit| {
        let at = usize::try_from(queued.deposit.index).ok();
        at.and_then(|at| queue.get(at)) == Some(queued)
    };
    let gone = &record.deposits.iter().find(|queued| !is_there(queued))?.deposit;
    let what = format!("deposit {} or its name", gone.index);
    Some(Gone { what, l1_block: gone.l1_block_number })
}
