use alloy_primitives::B256;
use tracing::{info, warn};
use turnpike_l1::PostedEntry;
use turnpike_storage::{Inclusion, OutboxBatch};

use crate::{Poster, Step};

impl Poster {
    /// Records what became of the batches that are not confirmed yet: L1 holds them, or not any more, or for so long that
    /// they are done with.
    pub(crate) async fn settle(&mut self) -> anyhow::Result<()> {
        let Some(head) = self.view.head() else { return Ok(()) };
        for batch in self.outbox.unconfirmed_batches().await? {
            let at = usize::try_from(batch.entry)?;
            let Some(posted) = self.view.entries().get(at).copied() else {
                if batch.inclusion.is_some() {
                    warn!(entry = batch.entry, "L1 has dropped a batch: it is posted again");
                    self.outbox.record_inclusion(batch.entry, None).await?;
                }
                continue;
            };
            let is_ours = posted.entry.data_hash == batch.data_hash
                && posted.entry.data_kind == batch.kind
                && posted.entry.deposit_count == batch.deposit_count;
            if !is_ours {
                info!(entry = batch.entry, "the inbox holds another entry in a batch's place");
                self.outbox.forget_batch(batch.entry).await?;
                continue;
            }
            let place = (posted.l1_transaction, posted.entry.l1_block_number);
            let known = batch.inclusion.map(|known| (known.l1_transaction, known.l1_block));
            if known != Some(place) {
                self.count(&batch, &posted).await?;
            } else if head.number >= place.1.saturating_add(self.posting.confirmations) {
                self.confirm(&batch, posted.l1_transaction).await?;
            }
        }
        Ok(())
    }

    /// Records that L1 holds a batch, and what that cost.
    async fn count(&mut self, batch: &OutboxBatch, posted: &PostedEntry) -> anyhow::Result<()> {
        // An endpoint behind its own logs is asked again.
        let receipt = self.sender.receipt(posted.l1_transaction).await?;
        let Some(receipt) = receipt else { return Ok(()) };
        self.faults.pass(Step::Included)?;
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
        self.core.succeeded();
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
            "batch is on L1"
        );
        self.faults.pass(Step::Counted)?;
        Ok(())
    }

    /// Drops what is not needed any more.
    async fn confirm(&self, batch: &OutboxBatch, l1_transaction: B256) -> anyhow::Result<()> {
        let attempts = self.outbox.attempts().await?;
        let own = attempts.iter().find(|attempt| attempt.l1_transaction == l1_transaction);
        let used = own.map_or(0, |attempt| attempt.nonce + 1);
        self.outbox.confirm_batch(batch.entry, used).await?;
        self.faults.pass(Step::Confirmed)?;
        info!(entry = batch.entry, last_block = batch.last_block, "batch confirmed");
        Ok(())
    }
}
