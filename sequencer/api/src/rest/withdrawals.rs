use alloy_primitives::{Address, B256, Bytes, U256};
use axum::{
    Json,
    extract::{RawQuery, State},
};
use serde::Serialize;
use turnpike_l1::ProposedOutput;
use turnpike_storage::WithdrawalRecord;
use utoipa::ToSchema;

use super::{
    Answer, Api, L1, Name,
    outputs::{Output, summary},
    parse_hash,
    query::{Query, malformed},
    settled::{BlockState, settled},
};
use crate::context::ApiContext;
use crate::{
    l1::{L1Desk, Withdrawn},
    openapi::{AddressText, Data, Failing, Hash, L1Silent, Malformed, Missing, Quantity, Wei},
    problem::Problem,
};
use turnpike_sequencer::Settlement;

/// Withdrawals of one transaction that are told of.
const WITHDRAWALS_MAX: u32 = 100;

/// How far a withdrawal has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum WithdrawalState {
    /// Its transaction ran on L2.
    Initiated,
    /// An output holds it: it can be proven on L1.
    Provable,
    /// It is proven.
    Proven,
    /// L1 has acted on it.
    Finalized,
}

/// A withdrawal's life so far, on both layers.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Withdrawal {
    #[schema(value_type = Hash)]
    hash: B256,
    /// The L2 transaction that sent it.
    #[schema(value_type = Hash)]
    transaction: B256,
    /// The block of that.
    block: u64,
    /// Its nonce, the version included.
    #[schema(value_type = Quantity)]
    nonce: U256,
    #[schema(value_type = AddressText)]
    sender: Address,
    /// Whom L1 is to call.
    #[schema(value_type = AddressText)]
    target: Address,
    #[schema(value_type = Wei)]
    value: String,
    /// Gas that the call gets at least, decimal.
    gas_limit: String,
    #[schema(value_type = Data)]
    data: Bytes,
    block_state: BlockState,
    /// The output that speaks for its block.
    output: Option<Output>,
    state: WithdrawalState,
    /// When it was proven, in Unix seconds.
    proven_at: Option<u64>,
    /// Seconds until an output covers it, if they come as regularly as the last two; null if that cannot be said.
    seconds_to_provable: Option<u64>,
    /// Seconds until the window of that output is over; null before there is one.
    seconds_to_finalizable: Option<u64>,
}

/// Withdrawals, in order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Withdrawals {
    withdrawals: Vec<Withdrawal>,
}

/// A withdrawal, on both layers
#[utoipa::path(
    get,
    path = "/v1/withdrawals/{hash}",
    tag = "Bridge",
    params(("hash" = Hash, Path, description = "The withdrawal's own hash")),
    responses((status = 200, description = "Its life so far", body = Withdrawal), Malformed, Missing, Failing, L1Silent),
)]
pub(crate) async fn withdrawal(
    State(shared): Api,
    State(l1): L1,
    name: Name,
) -> Answer<Json<Withdrawal>> {
    let hash = parse_hash(&name.0)?;
    let found = shared.chain.client_database.withdrawal(&hash).await?;
    let unknown = || Problem::not_found(format!("withdrawal {hash} is unknown"));
    let (block, record) = found.ok_or_else(unknown)?;
    Ok(Json(life(&shared, &l1, block, &record).await?))
}

/// The withdrawals of an L2 transaction
#[utoipa::path(
    get,
    path = "/v1/withdrawals",
    tag = "Bridge",
    params(("transaction" = Hash, Query, description = "The L2 transaction")),
    responses((status = 200, description = "Its first 100 withdrawals, in order", body = Withdrawals), Malformed, Failing, L1Silent),
)]
pub(crate) async fn withdrawals(
    State(shared): Api,
    State(l1): L1,
    RawQuery(query): RawQuery,
) -> Answer<Json<Withdrawals>> {
    let query = Query::parse(query.as_deref(), &["transaction"])?;
    let hash =
        query.get("transaction").ok_or_else(|| malformed("transaction names an L2 transaction"))?;
    let found =
        shared.chain.client_database.withdrawals_of(&parse_hash(hash)?, WITHDRAWALS_MAX).await?;
    let mut withdrawals = Vec::with_capacity(found.len());
    for (block, record) in &found {
        withdrawals.push(life(&shared, &l1, *block, record).await?);
    }
    Ok(Json(Withdrawals { withdrawals }))
}

async fn life(
    shared: &ApiContext,
    l1: &L1Desk,
    block: u64,
    record: &WithdrawalRecord,
) -> Answer<Withdrawal> {
    let withdrawn = l1.withdrawn(record.hash).await?;
    let settlement = shared.settlement.read().await;
    let window = shared.chain.config.challenge_window;
    let covering = settlement.output(block);
    let state = match (&withdrawn, covering) {
        (Some(Withdrawn { is_finalized: true, .. }), _) => WithdrawalState::Finalized,
        (Some(Withdrawn { proven_at: Some(_), .. }), _) => WithdrawalState::Proven,
        (_, Some(_)) => WithdrawalState::Provable,
        (_, None) => WithdrawalState::Initiated,
    };
    Ok(Withdrawal {
        hash: record.hash,
        transaction: record.transaction,
        block,
        nonce: record.nonce,
        sender: record.sender,
        target: record.target,
        value: record.value.to_string(),
        gas_limit: record.gas_limit.to_string(),
        data: record.data.clone(),
        block_state: settled(&settlement, block, window).state,
        output: covering.map(|output| {
            let at = usize::try_from(output.index).unwrap_or(usize::MAX);
            summary(&settlement, at, window)
        }),
        state,
        proven_at: withdrawn.as_ref().and_then(|withdrawn| withdrawn.proven_at),
        seconds_to_provable: seconds_to_output(&settlement, covering),
        seconds_to_finalizable: covering
            .and_then(|output| seconds_to_end(&settlement, output, window)),
    })
}

/// Seconds until an output covers a block, if the next comes as long after the last as that came after the one before.
fn seconds_to_output(settlement: &Settlement, covering: Option<&ProposedOutput>) -> Option<u64> {
    if covering.is_some() {
        return Some(0);
    }
    let [.., before, last] = settlement.outputs.as_slice() else { return None };
    let interval = last.proposed_at.checked_sub(before.proposed_at).filter(|_| before.index > 0)?;
    let expected = last.proposed_at.saturating_add(interval);
    Some(expected.saturating_sub(settlement.l1?.time))
}

/// Seconds until the window of an output and of all it stands on is over.
fn seconds_to_end(settlement: &Settlement, output: &ProposedOutput, window: u64) -> Option<u64> {
    if output.status == turnpike_l1::OutputStatus::Final {
        return Some(0);
    }
    Some(output.proposed_at.saturating_add(window).saturating_sub(settlement.l1?.time))
}
