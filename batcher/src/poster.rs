use anyhow::{Context as _, bail};
use tokio::task::block_in_place;
use tracing::{debug, info, warn};
use turnpike_l1::{EntryPayload, L1Sender, L1View, PostedEntry};
use turnpike_protocol::{Batch, ChainConfig, DataKind, Entry, Parent, calldata_hash, derive};
use turnpike_storage::{Database, PostedBatch};

use crate::{Packed, pack};

/// Journal records looked at for one batch.
const RECORDS_MAX: u32 = 1_024;

/// Posts the journal's blocks to the inbox, in order, each once.
#[derive(Debug)]
pub(crate) struct Poster {
    config: ChainConfig,
    sender: L1Sender,
    journal: std::sync::Arc<Database>,
    outbox: Database,
    /// Last block of each entry that L1 holds, by entry.
    confirmed: Vec<u64>,
}

impl Poster {
    pub(crate) const fn new(
        config: ChainConfig,
        sender: L1Sender,
        journal: std::sync::Arc<Database>,
        outbox: Database,
    ) -> Self {
        Self { config, sender, journal, outbox, confirmed: Vec::new() }
    }

    /// Last block of each entry that L1 holds, by entry.
    pub(crate) fn confirmed(&self) -> &[u64] {
        &self.confirmed
    }

    /// Takes note of what L1 holds and, if nothing is in flight, posts what it does not.
    pub(crate) async fn step(&mut self, view: &L1View) -> anyhow::Result<()> {
        while let Some(posted) = view.entries().get(self.confirmed.len()).copied() {
            let last_block = self.confirm(view, &posted).await?;
            self.confirmed.push(last_block);
        }
        // Not even the first entry may be deep enough to be read.
        let Some(previous) = view.entries().last().copied() else { return Ok(()) };
        let entry = previous.entry.index + 1;
        if let Some(sent) = self.outbox.batch(entry).await? {
            let l1_transaction = sent.l1_transaction;
            match self.sender.receipt(l1_transaction).await? {
                // The view learns of it once L1 is deep enough.
                Some(receipt) if receipt.status() => return Ok(()),
                Some(_) => warn!(entry, %l1_transaction, "batch failed on L1: posting again"),
                None if self.sender.is_known(l1_transaction).await? => return Ok(()),
                None => warn!(entry, %l1_transaction, "L1 has lost a batch: posting again"),
            }
        }
        self.post(view, &previous).await
    }

    /// Records that L1 holds an entry. Returns the last block it holds.
    async fn confirm(&self, view: &L1View, posted: &PostedEntry) -> anyhow::Result<u64> {
        let entry = &posted.entry;
        let first_block = self.confirmed.last().map_or(0, |last| last + 1);
        if entry.index == 0 {
            return Ok(0);
        }
        if entry.data_kind == DataKind::None {
            bail!("inbox entry {} was forced: this batcher's blocks do not follow it", entry.index);
        }
        let sent = self.outbox.batch(entry.index).await?;
        let sent = sent
            .filter(|sent| sent.data_hash == entry.data_hash && sent.first_block == first_block);
        let mut batch = match sent {
            Some(sent) => sent,
            // The outbox was lost: L1 knows all the same.
            None => {
                let data = view.client().payload(posted).await?.data;
                let inflated_max = usize::try_from(self.config.entry_inflated_bytes_max)?;
                let blocks = Batch::decode(&data, inflated_max)
                    .with_context(|| format!("inbox entry {} holds a bad batch", entry.index))?
                    .blocks
                    .len() as u64;
                PostedBatch {
                    entry: entry.index,
                    first_block,
                    last_block: first_block + blocks - 1,
                    data_hash: entry.data_hash,
                    nonce: 0,
                    l1_transaction: posted.l1_transaction,
                    l1_block: None,
                }
            }
        };
        if batch.l1_block != Some(entry.l1_block_number) {
            batch.l1_block = Some(entry.l1_block_number);
            self.outbox.record_batch(&batch).await?;
            info!(
                entry = batch.entry,
                first_block = batch.first_block,
                last_block = batch.last_block,
                l1_block = entry.l1_block_number,
                "batch confirmed"
            );
        }
        Ok(batch.last_block)
    }

    async fn post(&self, view: &L1View, previous: &PostedEntry) -> anyhow::Result<()> {
        let first = self.confirmed.last().map_or(1, |last| last + 1);
        let records = self.journal.journal(first, RECORDS_MAX).await?;
        let Some(packed) = pack(&self.config, &records)? else { return Ok(()) };
        let held = usize::try_from(packed.last_block - packed.first_block + 1)?;
        let newest = records[held - 1].timestamp;
        let l1_time = view.head().map_or(0, |head| head.time);
        if newest > l1_time.saturating_add(self.config.time_drift_max) {
            debug!(timestamp = newest, l1_time, "L1's clock is too far behind to post");
            return Ok(());
        }
        self.check(view, previous, &packed, l1_time).await?;
        let entry = previous.entry.index + 1;
        let Packed { data, first_block, last_block, origin, deposits } = packed;
        let deposit_count = previous.entry.deposit_count + deposits;
        let deposit_acc = view
            .deposit_acc(deposit_count)
            .context("the journal holds deposits that L1 does not")?;
        let data_hash = calldata_hash(&data);
        let bytes = data.len();
        let tx = self
            .sender
            .prepare_append(previous.acc, deposit_count, deposit_acc, origin, data)
            .await?;
        let batch = PostedBatch {
            entry,
            first_block,
            last_block,
            data_hash,
            nonce: tx.nonce,
            l1_transaction: tx.hash,
            l1_block: None,
        };
        self.outbox.record_batch(&batch).await?;
        self.sender.broadcast(&tx).await?;
        info!(entry, first_block, last_block, bytes, l1_transaction = %tx.hash, "batch posted");
        Ok(())
    }

    /// Derives the batch as everybody else will: what derivation would pass over is not posted.
    async fn check(
        &self,
        view: &L1View,
        previous: &PostedEntry,
        packed: &Packed,
        l1_time: u64,
    ) -> anyhow::Result<()> {
        let before = packed.first_block - 1;
        let parent = self.journal.block(before).await?;
        let parent = parent.with_context(|| format!("block {before} is not in the journal"))?;
        let parent = Parent {
            number: before,
            timestamp: parent.header.timestamp,
            origin: (before > 0).then_some(parent.origin.entry),
        };
        let entry = Entry {
            index: previous.entry.index + 1,
            data_kind: DataKind::Calldata,
            data_hash: calldata_hash(&packed.data),
            deposit_count: previous.entry.deposit_count + packed.deposits,
            l1_time,
            origin: packed.origin,
            ..previous.entry
        };
        let payload = EntryPayload { data: packed.data.clone(), ..EntryPayload::default() };
        let source = view.source_of(entry, payload)?;
        let derived = block_in_place(|| derive(&self.config, parent, &source.as_data()))?;
        match derived.fault {
            Some(fault) => bail!("blocks from {} on cannot be posted: {fault}", packed.first_block),
            None => Ok(()),
        }
    }

    pub(crate) async fn close(&self) {
        self.outbox.close().await;
    }
}
