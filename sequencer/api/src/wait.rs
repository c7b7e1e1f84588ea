//! Waiting for a transaction to reach a stage. Events wake the wait; it never polls.

use std::{pin::pin, task::Poll};

use alloy_primitives::B256;
use futures_util::poll;
use turnpike_l1::OutputStatus;
use turnpike_storage::StorageError;
use utoipa::ToSchema;

use crate::context::ApiContext;
use turnpike_sequencer::{PreconfirmationError, Settlement};

/// The stage that a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) enum WaitGoal {
    /// The transaction was executed, and its position and receipt are durable.
    Preconfirmed,
    /// The transaction's block is sealed and in the index.
    Sealed,
    /// An inbox entry holds the transaction's block.
    Safe,
    /// An output at or after the transaction's block is final.
    Final,
}

/// Why a wait ended before its goal.
#[derive(Debug, thiserror::Error)]
pub(super) enum WaitError {
    /// The transaction will not reach the stage.
    #[error(transparent)]
    End(#[from] PreconfirmationError),
    /// The index cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The node stops: the sender of the events is gone.
fn stopping<E>(_: E) -> PreconfirmationError {
    PreconfirmationError::Stopping
}

/// Waits until an accepted transaction reaches the goal. The caller bounds the time.
pub(super) async fn reached(
    context: &ApiContext,
    hash: B256,
    goal: WaitGoal,
) -> Result<(), WaitError> {
    loop {
        let block = placed(context, hash).await?;
        if goal == WaitGoal::Preconfirmed {
            return Ok(());
        }
        let mut head = context.chain.head.clone();
        head.wait_for(|head| *head >= block).await.map_err(stopping)?;
        settled(context, block, goal).await?;
        // A reorg may have removed its block meanwhile: then it is in another block, or in none.
        let place = context.chain.client_database.transaction(&hash).await?;
        if place.is_some_and(|place| place.block == block) {
            return Ok(());
        }
    }
}

/// Waits until a transaction is in a block, and returns the block's number.
pub(super) async fn placed(context: &ApiContext, hash: B256) -> Result<u64, WaitError> {
    let mut wait = pin!(context.transactions.wait_preconfirmed(hash));
    // The wait begins before the index is read, so that the transaction cannot be missed in
    // between.
    if let Poll::Ready(found) = poll!(&mut wait) {
        return Ok(found?.block);
    }
    if let Some(place) = context.chain.client_database.transaction(&hash).await? {
        return Ok(place.block);
    }
    if let Some(reason) = context.transactions.refusal(&hash).await? {
        // A refused transaction may have been sent again: then it waits.
        if context.transactions.waiting(&hash).is_none() {
            return Err(PreconfirmationError::Refused(reason).into());
        }
    }
    Ok(wait.await?.block)
}

/// Waits until a block is safe or its output is final.
async fn settled(
    context: &ApiContext,
    block: u64,
    goal: WaitGoal,
) -> Result<(), PreconfirmationError> {
    let mut changed = context.settlement.changed();
    loop {
        changed.mark_unchanged();
        if has_settled(&*context.settlement.read().await, block, goal) {
            return Ok(());
        }
        changed.changed().await.map_err(stopping)?;
    }
}

fn has_settled(settlement: &Settlement, block: u64, goal: WaitGoal) -> bool {
    match goal {
        WaitGoal::Preconfirmed | WaitGoal::Sealed => true,
        WaitGoal::Safe => settlement.safe() >= block,
        WaitGoal::Final => {
            settlement.output(block).is_some_and(|output| output.status == OutputStatus::Final)
        }
    }
}
