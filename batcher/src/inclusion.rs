//! Inclusion and confirmation of batches.
//!
//! # Recovery
//!
//! Batches stay unconfirmed in the outbox until enough L1 blocks are on top of them, so that a
//! reorg or a new run finds them and posts them again.

use tracing::{info, warn};
use turnpike_l1::PostedEntry;
use turnpike_storage::{Inclusion, OutboxBatch};

use crate::{BatchPoster, CrashPoint, plan::BATCHES_OF_CALL_MAX};

impl BatchPoster {
    /// Records for each unconfirmed batch whether L1 includes it, has dropped it, or has confirmed
    /// it.
    pub(crate) async fn record_inclusions(&mut self) -> anyhow::Result<()> {
        let Some(head) = self.view.head() else { return Ok(()) };
        for batch in self.outbox.unconfirmed_batches().await? {
            let posted = self.posted(batch.number).copied();
            let Some(posted) = posted.filter(|posted| posted.content == batch.content) else {
                if batch.inclusion.is_some() {
                    warn!(batch = batch.number, "reorg dropped a batch: posting it again");
                    self.outbox.record_inclusion(batch.number, None).await?;
                }
                if posted.is_some() {
                    info!(
                        batch = batch.number,
                        "another batch took the place of a batch: forgetting the batch"
                    );
                    self.outbox.forget_batches(batch.number).await?;
                    return Ok(());
                }
                continue;
            };
            let place = (posted.l1_transaction, posted.entry.l1_block_number);
            let known = batch.inclusion.map(|known| (known.l1_transaction, known.l1_block));
            if known != Some(place) {
                self.count(&batch, &posted).await?;
            } else if head.number >= place.1.saturating_add(self.posting.confirmations) {
                self.confirm(&batch).await?;
            }
        }
        Ok(())
    }

    /// The entry that is the batch with this number.
    pub(crate) fn posted(&self, number: u64) -> Option<&PostedEntry> {
        let at = usize::try_from(number.checked_sub(1)?).ok()?;
        self.view.batches().get(at).and_then(|at| self.view.entries().get(*at))
    }

    /// Records that L1 includes a batch, and its cost.
    async fn count(&mut self, batch: &OutboxBatch, posted: &PostedEntry) -> anyhow::Result<()> {
        // The endpoint lags behind its own logs: ask again at the next step.
        let l1_transaction = posted.l1_transaction;
        let receipts = self.tx_manager.client().receipts(&[l1_transaction]).await?;
        let Some(receipt) = receipts.get(&l1_transaction) else { return Ok(()) };
        self.faults.pass(CrashPoint::Included)?;
        let price = |wei: u128| u64::try_from(wei).unwrap_or(i64::MAX as u64);
        // The batches of a transaction share its gas.
        let together = |other: &&PostedEntry| other.l1_transaction == posted.l1_transaction;
        let first = usize::try_from(posted.entry.index)?.saturating_sub(BATCHES_OF_CALL_MAX);
        let batches = self.view.entries()[first..].iter().filter(together).count().max(1) as u64;
        let inclusion = Inclusion {
            l1_transaction: posted.l1_transaction,
            l1_block: posted.entry.l1_block_number,
            gas_used: receipt.gas_used / batches,
            gas_price: price(receipt.effective_gas_price),
            blob_gas_used: receipt.blob_gas_used.unwrap_or_default() / batches,
            blob_gas_price: price(receipt.blob_gas_price.unwrap_or_default()),
        };
        self.outbox.record_inclusion(batch.number, Some(&inclusion)).await?;
        self.rules.reset_reverts();
        self.metrics.included(batch, &inclusion);
        info!(
            batch = batch.number,
            entry = posted.entry.index,
            first_block = batch.first_block,
            last_block = batch.last_block,
            l1_block = inclusion.l1_block,
            transactions = batch.transactions,
            bytes = batch.data_bytes,
            gas = inclusion.gas_used,
            gas_price = inclusion.gas_price,
            blob_gas = inclusion.blob_gas_used,
            blob_gas_price = inclusion.blob_gas_price,
            cost = %inclusion.cost(),
            "batch included"
        );
        self.faults.pass(CrashPoint::Counted)?;
        Ok(())
    }

    /// Confirms a batch and drops its data.
    async fn confirm(&self, batch: &OutboxBatch) -> anyhow::Result<()> {
        self.outbox.confirm_batch(batch.number).await?;
        self.faults.pass(CrashPoint::Confirmed)?;
        info!(batch = batch.number, last_block = batch.last_block, "batch confirmed");
        Ok(())
    }
}
