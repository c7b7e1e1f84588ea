use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use tokio::{sync::mpsc, task::block_in_place};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use turnpike_l1::{L1Error, L1Head, L1View, PostedEntry, ProposedOutput, is_undisputed};
use turnpike_protocol::{BlockInput, ChainConfig, Origin, Parent, QueuedDeposit, derive};
use turnpike_storage::{Database, JournalRecord};

use crate::shared::PostedRange;

/// News from L1.
#[derive(Debug)]
pub(crate) enum L1News {
    /// L1 answered.
    Progress(Box<L1Progress>),
    /// L1 did not answer; it will be asked again.
    Silence(String),
}

/// What L1 holds that was not known before.
#[derive(Debug)]
pub(crate) struct L1Progress {
    pub(crate) head: L1Head,
    /// Entries that are new, and the blocks they hold.
    pub(crate) posted: Vec<PostedRange>,
    /// What the newest entry recorded; none while not even the first is deep enough to be read.
    pub(crate) origin: Option<Origin>,
    /// Deposits that are new.
    pub(crate) deposits: Vec<QueuedDeposit>,
    /// Every output.
    pub(crate) outputs: Vec<ProposedOutput>,
    /// Those of them that say what the journal says and stand on undisputed ground, by index.
    pub(crate) agreed: Vec<usize>,
}

/// Follows L1 and compares every entry with the journal, by deriving it.
#[derive(Debug)]
pub(crate) struct Tracker {
    view: L1View,
    database: Arc<Database>,
    config: ChainConfig,
    /// The blocks of each entry after the first, in order.
    ranges: Vec<PostedRange>,
    /// How many of the ranges and deposits were reported.
    reported: (usize, usize),
    /// The last safe block.
    safe: Parent,
}

impl Tracker {
    pub(crate) const fn new(
        view: L1View,
        database: Arc<Database>,
        config: ChainConfig,
        genesis: Parent,
    ) -> Self {
        Self { view, database, config, ranges: Vec::new(), reported: (0, 0), safe: genesis }
    }

    /// Asks L1 every `poll` until told to stop. Ends with an error when L1 holds what this sequencer did not make.
    pub(crate) async fn run(
        mut self,
        poll: Duration,
        news: mpsc::Sender<L1News>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(poll);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let looked = async {
                ticks.tick().await;
                self.step().await
            };
            let message = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                looked = looked => match looked {
                    Ok(progress) => progress,
                    Err(error) if is_retryable(&error) => {
                        warn!(error = format!("{error:#}"), "L1 does not answer");
                        L1News::Silence(format!("{error:#}"))
                    }
                    Err(error) => return Err(error),
                }
            };
            if news.send(message).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Reads what is new on L1.
    pub(crate) async fn step(&mut self) -> anyhow::Result<L1News> {
        let head = self.view.advance().await?.head;
        while let Some(entry) = self.view.entries().get(self.ranges.len() + 1).copied() {
            let range = self.match_entry(&entry).await?;
            let PostedRange { first_block, last_block, .. } = range;
            info!(entry = entry.entry.index, first_block, last_block, "blocks are safe");
            self.ranges.push(range);
        }
        let (ranges, deposits) = self.reported;
        self.reported = (self.ranges.len(), self.view.deposits().len());
        Ok(L1News::Progress(Box::new(L1Progress {
            head,
            posted: self.ranges[ranges..].to_vec(),
            origin: self.view.entries().last().map(|newest| Origin::from(&newest.entry)),
            deposits: self.view.deposits()[deposits..].to_vec(),
            outputs: self.view.outputs().to_vec(),
            agreed: self.agreed(),
        })))
    }

    fn agreed(&self) -> Vec<usize> {
        let outputs = self.view.outputs();
        let agrees = |output: &ProposedOutput| {
            let range = usize::try_from(output.entry).ok().and_then(|entry| entry.checked_sub(1));
            let range = range.and_then(|at| self.ranges.get(at));
            range.is_some_and(|range| range.output == output.output)
                && is_undisputed(outputs, output)
        };
        (0..outputs.len()).filter(|index| agrees(&outputs[*index])).collect()
    }

    /// Derives an entry and finds its blocks in the journal; an entry that holds others is the end of this sequencer's
    /// chain.
    async fn match_entry(&mut self, posted: &PostedEntry) -> anyhow::Result<PostedRange> {
        let entry = posted.entry;
        let index = entry.index;
        let derived = self.derive(index).await?;
        let first_block = self.safe.number + 1;
        let count = u32::try_from(derived.len())?;
        let records = self.database.journal(first_block, count).await?;
        let same = records.len() == derived.len()
            && records.iter().zip(&derived).all(|(record, block)| is_same_block(record, block));
        if !same {
            bail!(
                "inbox entry {index} derives blocks from {first_block} on that are not this sequencer's: they were forced, or the database is not the one that the batches were made from"
            );
        }
        let last = derived.last().context("an entry derives at least one block")?;
        let block = self.database.block(last.number).await?;
        let block =
            block.with_context(|| format!("block {} is not in the look-ups", last.number))?;
        self.safe = last.as_parent();
        Ok(PostedRange {
            entry,
            first_block,
            last_block: last.number,
            output: block.output(),
            l1_transaction: posted.l1_transaction,
        })
    }

    async fn derive(&self, index: u64) -> anyhow::Result<Vec<BlockInput>> {
        let source = self.view.source(index).await?.context("the entry is gone")?;
        let derived = block_in_place(|| derive(&self.config, self.safe, &source.as_data()))?;
        if let Some(fault) = derived.fault {
            warn!(entry = index, %fault, "bad batch: passed over by rule");
        }
        Ok(derived.blocks)
    }
}

fn is_same_block(record: &JournalRecord, block: &BlockInput) -> bool {
    let transactions = block.transactions.iter().map(turnpike_protocol::SignedTx::encoded);
    record.number == block.number
        && record.timestamp == block.timestamp
        && record.origin == block.origin
        && record.transactions.iter().map(|raw| raw.to_vec()).eq(transactions)
        && record.deposits.iter().all(|queued| {
            let expected = queued.deposit.to_transaction(queued.hint.source());
            expected.is_ok_and(|expected| block.deposits.contains(&expected))
        })
}

fn is_retryable(error: &anyhow::Error) -> bool {
    error.downcast_ref::<L1Error>().is_some_and(L1Error::is_retryable)
}
