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
    Api, L1, Name, RestResult,
    block_settlement::{BlockState, block_settlement},
    outputs::{Output, summary},
    parse_hash,
    query::{Query, malformed},
};
use crate::context::ApiContext;
use crate::{
    l1_queries::{L1Queries, Withdrawn},
    problem::Problem,
    schema::{AddressText, Data, Failing, Hash, L1Silent, Malformed, Missing, Quantity, Wei},
};
use turnpike_sequencer::Settlement;

/// Withdrawals of one transaction in one response.
const WITHDRAWALS_MAX: u32 = 100;

/// The stage of a withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum WithdrawalState {
    /// Its transaction was executed on L2.
    Initiated,
    /// An output covers it: it can be proven on L1.
    Provable,
    /// It is proven on L1.
    Proven,
    /// L1 has executed it.
    Finalized,
}

/// A withdrawal's status, on both layers.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Withdrawal {
    #[schema(value_type = Hash)]
    hash: B256,
    /// The L2 transaction that sent it.
    #[schema(value_type = Hash)]
    transaction: B256,
    /// The block of that transaction.
    block: u64,
    /// Its nonce, the version included.
    #[schema(value_type = Quantity)]
    nonce: U256,
    #[schema(value_type = AddressText)]
    sender: Address,
    /// The L1 account to call.
    #[schema(value_type = AddressText)]
    target: Address,
    #[schema(value_type = Wei)]
    value: String,
    /// Least gas for the call, decimal.
    gas_limit: String,
    #[schema(value_type = Data)]
    data: Bytes,
    block_state: BlockState,
    /// The output that covers its block.
    output: Option<Output>,
    state: WithdrawalState,
    /// When it was proven, in Unix seconds.
    proven_at: Option<u64>,
    /// Estimated seconds until an output covers it, from the interval of the last two outputs. Null
    /// if
    /// unknown.
    seconds_to_provable: Option<u64>,
    /// Seconds until that output's challenge window is over. Null without an output.
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
    responses((status = 200, description = "Its status", body = Withdrawal), Malformed, Missing, Failing, L1Silent),
)]
pub(crate) async fn withdrawal(
    State(context): Api,
    State(l1): L1,
    name: Name,
) -> RestResult<Json<Withdrawal>> {
    let hash = parse_hash(&name.0)?;
    let found = context.chain.client_database.withdrawal(&hash).await?;
    let unknown = || Problem::not_found(format!("withdrawal {hash} is unknown"));
    let (block, record) = found.ok_or_else(unknown)?;
    Ok(Json(withdrawal_status(&context, &l1, block, &record).await?))
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
    State(context): Api,
    State(l1): L1,
    RawQuery(query): RawQuery,
) -> RestResult<Json<Withdrawals>> {
    let query = Query::parse(query.as_deref(), &["transaction"])?;
    let hash =
        query.get("transaction").ok_or_else(|| malformed("transaction names an L2 transaction"))?;
    let found =
        context.chain.client_database.withdrawals_of(&parse_hash(hash)?, WITHDRAWALS_MAX).await?;
    let mut withdrawals = Vec::with_capacity(found.len());
    for (block, record) in &found {
        withdrawals.push(withdrawal_status(&context, &l1, *block, record).await?);
    }
    Ok(Json(Withdrawals { withdrawals }))
}

async fn withdrawal_status(
    context: &ApiContext,
    l1: &L1Queries,
    block: u64,
    record: &WithdrawalRecord,
) -> RestResult<Withdrawal> {
    let withdrawn = l1.withdrawn(record.hash).await?;
    let settlement = context.settlement.read().await;
    let window = context.chain.config.challenge_window;
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
        block_state: block_settlement(&settlement, block, window).state,
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

/// Estimated seconds until an output covers a block, from the interval of the last two outputs.
fn seconds_to_output(settlement: &Settlement, covering: Option<&ProposedOutput>) -> Option<u64> {
    if covering.is_some() {
        return Some(0);
    }
    let [.., before, last] = settlement.outputs.as_slice() else { return None };
    let interval = last.proposed_at.checked_sub(before.proposed_at).filter(|_| before.index > 0)?;
    let expected = last.proposed_at.saturating_add(interval);
    Some(expected.saturating_sub(settlement.l1?.time))
}

/// Seconds until an output's challenge window is over.
fn seconds_to_end(settlement: &Settlement, output: &ProposedOutput, window: u64) -> Option<u64> {
    if output.status == turnpike_l1::OutputStatus::Final {
        return Some(0);
    }
    Some(output.proposed_at.saturating_add(window).saturating_sub(settlement.l1?.time))
}
