//! Advances the safe and finalized heads with what L1 holds.
//!
//! # Job
//!
//! An entry whose blocks the index holds makes them safe. L1's finality makes the newest such block
//! finalized.
//!
//! # State
//!
//! [`Settlement`](crate::Settlement), in memory; L1 is read again after a restart. Message passer
//! proofs, in the database.
//!
//! # Limits
//!
//! Below the finalized head, the database keeps message passer proofs of entries' last blocks only.

use std::time::Instant;

use anyhow::Context as _;
use tokio::task::block_in_place;
use tracing::info;
use turnpike_protocol::predeploys::MESSAGE_PASSER;

use crate::{
    NodeHandles, PostedRange,
    sealed::passer_proof,
    tracker::{DerivedEntry, L1Progress},
};

/// Makes the blocks of an entry safe. The index holds them.
pub async fn advance_safe_head(handles: &NodeHandles, entry: DerivedEntry) -> anyhow::Result<()> {
    let DerivedEntry { posted, fault, bytes, transactions, first_block, last_block, .. } = entry;
    let block = handles.chain.database.block(last_block).await?;
    let block = block.with_context(|| format!("block {last_block} is not in the index"))?;
    keep_proof(handles, last_block).await?;
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
    handles.settlement.write().await.posted.push(range);
    Ok(())
}

/// Which of the message passer's proofs the database keeps.
#[derive(Debug, Default)]
pub struct PasserProofRetention {
    /// The newest finalized block whose predecessors' proofs were dropped: only an entry's last
    /// block keeps its proof.
    pruned_to: u64,
}

impl PasserProofRetention {
    /// Applies L1's progress and drops the proofs that no withdrawal can use anymore. Blocks keep
    /// an origin for `origin_step` seconds of L1.
    pub async fn apply_l1_progress(
        &mut self,
        handles: &NodeHandles,
        progress: L1Progress,
        origin_step: u64,
    ) -> anyhow::Result<()> {
        let finalized = update_settlement(handles, progress, origin_step).await;
        if finalized > self.pruned_to {
            handles.chain.database.drop_passer_proofs(self.pruned_to + 1, finalized).await?;
            self.pruned_to = finalized;
        }
        Ok(())
    }
}

/// Updates the settlement and returns the newest finalized block.
async fn update_settlement(handles: &NodeHandles, progress: L1Progress, origin_step: u64) -> u64 {
    let mut settlement = handles.settlement.write().await;
    settlement.l1 = Some(progress.head);
    settlement.l1_error = None;
    settlement.l1_seen_at = Some(Instant::now());
    settlement.first_entry = progress.first_entry;
    settlement.advance_origin(progress.head.time, origin_step);
    settlement.deposits.extend(progress.deposits);
    settlement.outputs = progress.outputs;
    settlement.disputes = progress.disputes;
    settlement.agree();
    settlement.finalized()
}

/// Keeps the message passer's proof at a block, which proves withdrawals up to that block.
async fn keep_proof(handles: &NodeHandles, block: u64) -> anyhow::Result<()> {
    let database = &handles.chain.database;
    let proof = match database.passer_proof(block).await? {
        Some(_) => None,
        None => {
            let chain = handles.chain.read().await;
            let proof = || chain.proof_at(block, &MESSAGE_PASSER, &[]);
            block_in_place(proof).map(passer_proof)
        }
    };
    Ok(database.keep_passer_proof(block, proof.as_ref()).await?)
}
