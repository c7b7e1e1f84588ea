//! Inclusion and confirmation of batches.
//!
//! # Recovery
//!
//! Batches stay unconfirmed in the outbox until enough L1 blocks are on top of them, so that a
//! reorg or a new run finds them and posts them again.

use tracing::{info, warn};
use turnpike_l1::PostedEntry;
use turnpike_storage::{Inclusion, OutboxBatch};

use crate::{BatchPoster, CrashPoint};

impl BatchPoster {
    /// Records for each unconfirmed batch whether L1 includes it, has dropped it, or has confirmed
    /// it.
    pub(crate) async fn record_inclusions(&mut self) -> anyhow::Result<()> {
        let Some(head) = self.view.head() else { return Ok(()) };
        for batch in self.outbox.unconfirmed_batches().await? {
            let at = usize::try_from(batch.entry)?;
            let Some(posted) = self.view.entries().get(at).copied() else {
                if batch.inclusion.is_some() {
                    warn!(entry = batch.entry, "reorg dropped a batch: posting it again");
                    self.outbox.record_inclusion(batch.entry, None).await?;
                }
                continue;
            };
            let is_ours = posted.entry.data_hash == batch.data_hash
                && posted.entry.data_kind == batch.kind
                && posted.entry.deposit_count == batch.deposit_count;
            if !is_ours {
                info!(
                    entry = batch.entry,
                    "another entry took the place of a batch: forgetting the batch"
                );
                self.outbox.forget_batch(batch.entry).await?;
                continue;
            }
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

    /// Records that L1 includes a batch, and its cost.
    async fn count(&mut self, batch: &OutboxBatch, posted: &PostedEntry) -> anyhow::Result<()> {
        // The endpoint lags behind its own logs: ask again at the next step.
        let receipt = self.tx_manager.client().receipt(posted.l1_transaction).await?;
        let Some(receipt) = receipt else { return Ok(()) };
        self.faults.pass(CrashPoint::Included)?;
        let price = |wei: u128| u64::try_from(wei).unwrap_or(i64::MAX as u64);
        let inclusion = Inclusion {
            l1_transaction: posted.l1_transaction,
            l1_block: posted.entry.l1_block_number,
            gas_used: receipt.gas_used,
            gas_price: price(receipt.effective_gas_price),
            blob_gas_used: receipt.blob_gas_used.unwrap_or_default(),
            blob_gas_price: price(receipt.blob_gas_price.unwrap_or_default()),
        };
        self.outbox.record_inclusion(batch.entry, Some(&inclusion)).await?;
        self.rules.reset_reverts();
        self.metrics.included(batch, &inclusion);
        info!(
            entry = batch.entry,
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
        self.outbox.confirm_batch(batch.entry).await?;
        self.faults.pass(CrashPoint::Confirmed)?;
        info!(entry = batch.entry, last_block = batch.last_block, "batch confirmed");
        Ok(())
    }
}
