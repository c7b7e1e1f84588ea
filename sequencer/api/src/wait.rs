//! Waiting for a transaction to come so far: woken by what happens, never by a clock.

use std::{pin::pin, task::Poll};

use alloy_primitives::B256;
use futures_util::poll;
use turnpike_l1::OutputStatus;
use turnpike_storage::StorageError;
use utoipa::ToSchema;

use crate::context::ApiContext;
use turnpike_sequencer::{PreconfirmationError, Settlement};

/// How far a transaction is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) enum Goal {
    /// It ran, and its place and receipt are durable.
    Preconfirmed,
    /// Its block has a hash, and the index holds it.
    Sealed,
    /// An inbox entry holds its block.
    Safe,
    /// An output after its block is final.
    Final,
}

/// Why a wait ended before its goal was reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum WaitError {
    /// The transaction will not come so far.
    #[error(transparent)]
    End(#[from] PreconfirmationError),
    /// The index cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The parts of the node that the waits hear of have ended.
fn stopping<E>(_: E) -> PreconfirmationError {
    PreconfirmationError::Stopping
}

/// Waits until a transaction that was accepted has come so far. The caller bounds the time.
pub(super) async fn reached(shared: &ApiContext, hash: B256, goal: Goal) -> Result<(), WaitError> {
    loop {
        let block = placed(shared, hash).await?;
        if goal == Goal::Preconfirmed {
            return Ok(());
        }
        let mut head = shared.chain.head.clone();
        head.wait_for(|head| *head >= block).await.map_err(stopping)?;
        settled(shared, block, goal).await?;
        // Its block may have been taken back meanwhile: then it is somewhere else, or nowhere.
        let place = shared.chain.client_database.transaction(&hash).await?;
        if place.is_some_and(|place| place.block == block) {
            return Ok(());
        }
    }
}

/// Waits until a transaction has its place, and says in which block.
pub(super) async fn placed(shared: &ApiContext, hash: B256) -> Result<u64, WaitError> {
    let mut wait = pin!(shared.transactions.wait_preconfirmed(hash));
    // The wait begins before the index is read, so that it cannot move on unseen in between.
    if let Poll::Ready(found) = poll!(&mut wait) {
        return Ok(found?.block);
    }
    if let Some(place) = shared.chain.client_database.transaction(&hash).await? {
        return Ok(place.block);
    }
    if let Some(reason) = shared.transactions.refusal(&hash).await? {
        // One that was sent again after it was refused waits.
        if shared.transactions.waiting(&hash).is_none() {
            return Err(PreconfirmationError::Refused(reason).into());
        }
    }
    Ok(wait.await?.block)
}

/// Waits until L1 holds a block, or its output is final.
async fn settled(shared: &ApiContext, block: u64, goal: Goal) -> Result<(), PreconfirmationError> {
    let mut changed = shared.settlement.changed();
    loop {
        changed.mark_unchanged();
        if has_settled(&*shared.settlement.read().await, block, goal) {
            return Ok(());
        }
        changed.changed().await.map_err(stopping)?;
    }
}

fn has_settled(settlement: &Settlement, block: u64, goal: Goal) -> bool {
    match goal {
        Goal::Preconfirmed | Goal::Sealed => true,
        Goal::Safe => settlement.safe() >= block,
        Goal::Final => {
            settlement.output(block).is_some_and(|output| output.status == OutputStatus::Final)
        }
    }
}
