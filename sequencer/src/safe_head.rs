//! What L1 says of blocks that this node has.

use std::time::Instant;

use anyhow::Context as _;
use tokio::task::block_in_place;
use tracing::info;
use turnpike_protocol::{Origin, predeploys::MESSAGE_PASSER};

use crate::{
    PostedRange, Shared,
    sealed::passer_proof,
    tracker::{DerivedEntry, L1Progress},
};

/// The blocks of an entry, which the index holds, are safe.
pub(crate) async fn advance_safe_head(shared: &Shared, news: DerivedEntry) -> anyhow::Result<()> {
    let DerivedEntry { posted, fault, bytes, transactions, first_block, last_block, .. } = news;
    let block = shared.database.block(last_block).await?;
    let block = block.with_context(|| format!("block {last_block} is not in the index"))?;
    keep_proof(shared, last_block).await?;
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
    info!(entry = posted.entry.index, first_block, last_block, "blocks are safe");
    shared.settlement.write().await.posted.push(range);
    Ok(())
}

/// Which of the message passer's proofs are kept.
#[derive(Debug, Default)]
pub(crate) struct PasserProofRetention {
    /// No other block up to this one can become the last of an entry.
    settled: u64,
}

impl PasserProofRetention {
    /// Where L1 is. Proofs are dropped that nobody can ask for any more.
    pub(crate) async fn apply_l1_progress(
        &mut self,
        shared: &Shared,
        news: L1Progress,
    ) -> anyhow::Result<()> {
        let finalized = note(shared, news).await;
        if finalized > self.settled {
            shared.database.drop_passer_proofs(self.settled + 1, finalized).await?;
            self.settled = finalized;
        }
        Ok(())
    }
}

/// Returns the newest block that is final.
async fn note(shared: &Shared, news: L1Progress) -> u64 {
    let mut settlement = shared.settlement.write().await;
    settlement.l1 = Some(news.head);
    settlement.l1_error = None;
    settlement.l1_seen_at = Some(Instant::now());
    settlement.first_entry = news.first_entry;
    settlement.origin = settlement.newest_entry().map(Origin::from);
    settlement.deposits.extend(news.deposits);
    settlement.outputs = news.outputs;
    settlement.disputes = news.disputes;
    settlement.agree();
    settlement.finalized()
}

/// Keeps the proof from which withdrawals up to a block can be proven.
async fn keep_proof(shared: &Shared, block: u64) -> anyhow::Result<()> {
    let database = &shared.database;
    let proof = match database.passer_proof(block).await? {
        Some(_) => None,
        None => {
            let chain = shared.chain.read().await;
            let proof = || chain.proof_at(block, &MESSAGE_PASSER, &[]);
            block_in_place(proof).map(passer_proof)
        }
    };
    Ok(database.keep_passer_proof(block, proof.as_ref()).await?)
}
