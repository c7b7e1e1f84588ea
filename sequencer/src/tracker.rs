use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use turnpike_l1::{L1Head, L1View, PostedEntry, ProposedOutput};
use turnpike_protocol::{Batch, ChainConfig, DataKind, Origin, QueuedDeposit};
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
    /// What the newest entry recorded.
    pub(crate) origin: Origin,
    /// Deposits that are new.
    pub(crate) deposits: Vec<QueuedDeposit>,
    /// Every output.
    pub(crate) outputs: Vec<ProposedOutput>,
}

/// Follows L1 and compares every entry with the journal.
#[derive(Debug)]
pub(crate) struct Tracker {
    view: L1View,
    database: Arc<Database>,
    config: ChainConfig,
    entries_seen: usize,
    deposits_seen: usize,
    safe: u64,
}

impl Tracker {
    pub(crate) const fn new(view: L1View, database: Arc<Database>, config: ChainConfig) -> Self {
        Self { view, database, config, entries_seen: 0, deposits_seen: 0, safe: 0 }
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
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = ticks.tick() => {}
            }
            let message = match self.step().await {
                Ok(progress) => progress,
                Err(error) if is_retryable(&error) => {
                    warn!(error = format!("{error:#}"), "L1 does not answer");
                    L1News::Silence(format!("{error:#}"))
                }
                Err(error) => return Err(error),
            };
            if news.send(message).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Reads what is new on L1.
    pub(crate) async fn step(&mut self) -> anyhow::Result<L1News> {
        let head = self.view.advance().await?;
        let mut posted = Vec::new();
        while let Some(entry) = self.view.entries().get(self.entries_seen).copied() {
            if entry.entry.index != 0 {
                let range = self.match_entry(&entry).await?;
                info!(
                    entry = entry.entry.index,
                    first_block = range.first_block,
                    last_block = range.last_block,
                    "blocks are safe"
                );
                self.safe = range.last_block;
                posted.push(range);
            }
            self.entries_seen += 1;
        }
        let newest = self.view.entries().last().context("the inbox has no first entry")?;
        let origin = Origin::from(&newest.entry);
        let deposits = self.view.deposits()[self.deposits_seen..].to_vec();
        self.deposits_seen = self.view.deposits().len();
        let outputs = self.view.outputs().to_vec();
        Ok(L1News::Progress(Box::new(L1Progress { head, posted, origin, deposits, outputs })))
    }

    /// Finds the journal's blocks in an entry; an entry that holds others is the end of this sequencer's chain.
    async fn match_entry(&self, posted: &PostedEntry) -> anyhow::Result<PostedRange> {
        let entry = posted.entry;
        let index = entry.index;
        if entry.data_kind == DataKind::None {
            bail!(
                "inbox entry {index} was forced: L1 has ordered deposits without this sequencer, whose blocks after {} are void",
                self.safe
            );
        }
        let data = self.view.client().entry_data(posted).await?;
        let inflated_max = usize::try_from(self.config.entry_inflated_bytes_max)?;
        let batch = Batch::decode(&data, inflated_max)
            .with_context(|| format!("inbox entry {index} holds a bad batch"))?;
        let first_block = self.safe + 1;
        let records =
            self.database.journal(first_block, u32::try_from(batch.blocks.len())?).await?;
        let same = records.len() == batch.blocks.len()
            && records.iter().zip(&batch.blocks).all(|(record, block)| {
                record.origin.entry == entry.origin && is_same_block(record, block)
            });
        if !same {
            bail!(
                "inbox entry {index} holds blocks from {first_block} on that are not this sequencer's: the database is not the one the batches were made from"
            );
        }
        let last_block = self.safe + batch.blocks.len() as u64;
        let l1_transaction = posted.l1_transaction;
        Ok(PostedRange { entry, first_block, last_block, l1_transaction })
    }
}

fn is_same_block(record: &JournalRecord, block: &turnpike_protocol::BatchBlock) -> bool {
    record.timestamp == block.timestamp
        && record.deposits.len() as u64 == block.deposit_count
        && record.transactions == block.transactions
}

fn is_retryable(error: &anyhow::Error) -> bool {
    error.downcast_ref::<turnpike_l1::L1Error>().is_some_and(turnpike_l1::L1Error::is_retryable)
}
