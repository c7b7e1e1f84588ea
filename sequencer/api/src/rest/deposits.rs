use std::sync::Arc;

use alloy_primitives::{Address, B256};
use axum::{
    Json,
    extract::{RawQuery, State},
};
use serde::Serialize;
use turnpike_protocol::{DataKind, QueuedDeposit};
use utoipa::ToSchema;

use super::{
    Api, L1, Name, RestResult, TransactionState, TransactionStatus, parse_hash, parse_index,
    query::{Page, Query, malformed},
    transaction_status::StatusReader,
};
use crate::context::ApiContext;
use crate::{
    l1_queries::L1Queries,
    problem::Problem,
    schema::{AddressText, Failing, Hash, L1Silent, Malformed, Missing},
};

/// Deposits in one response.
const DEPOSITS_MAX: usize = 100;

/// The stage of a deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum DepositState {
    /// It waits in the queue on L1.
    Queued,
    /// It is in a block.
    Sealed,
    /// L1 holds that block.
    Safe,
    /// An output on L1 covers that block.
    Proposed,
    /// That output is final.
    Final,
}

impl DepositState {
    const fn of(status: &TransactionStatus) -> Self {
        match status.state {
            TransactionState::Safe => Self::Safe,
            TransactionState::Proposed => Self::Proposed,
            TransactionState::Final => Self::Final,
            _ => Self::Sealed,
        }
    }
}

/// A deposit's status. Times are L1's, in Unix seconds.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Deposit {
    /// Its index in the queue.
    index: u64,
    /// The sender on L2.
    #[schema(value_type = AddressText)]
    from: Address,
    /// The L1 block that queued it.
    l1_block: u64,
    state: DepositState,
    /// Its L2 transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<TransactionStatus>,
    /// The L1 transaction that queued it. This field and the following are unknown for deposits
    /// that
    /// were derived from L1 without their origin.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Hash)]
    l1_transaction: Option<B256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queued_at: Option<u64>,
    /// When the sequencer intends to have it in a block.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<u64>,
    /// From when on anyone may force it.
    #[serde(skip_serializing_if = "Option::is_none")]
    forced_from: Option<u64>,
    /// The time of the newest L1 block.
    #[serde(skip_serializing_if = "Option::is_none")]
    l1_time: Option<u64>,
}

/// Deposits, in order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Deposits {
    deposits: Vec<Deposit>,
}

/// Overdue deposits and forced entries.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Forced {
    /// Deposits that have waited for more than half of the force window, oldest first, at most 100.
    deposits: Vec<Deposit>,
    /// Entries that were forced, newest first.
    entries: Vec<ForcedEntry>,
}

/// An entry that was forced.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ForcedEntry {
    entry: u64,
    /// Its first block.
    block: u64,
    #[schema(value_type = Hash)]
    l1_transaction: B256,
    l1_block: u64,
    /// Unix seconds.
    l1_time: u64,
}

/// A deposit
#[utoipa::path(
    get,
    path = "/v1/deposits/{index}",
    tag = "Bridge",
    params(("index" = u64, Path, description = "Its place in the queue on L1, from 0 on", example = 0)),
    responses((status = 200, description = "Its status", body = Deposit), Malformed, Missing, Failing, L1Silent),
)]
pub(crate) async fn deposit(
    State(context): Api,
    State(l1): L1,
    name: Name,
) -> RestResult<Json<Deposit>> {
    let index = parse_index(&name.0, "a deposit")?;
    let at = usize::try_from(index).ok();
    let queued = {
        let settlement = context.settlement.read().await;
        at.and_then(|at| settlement.deposits.get(at)).cloned()
    };
    let queued = queued.ok_or_else(|| Problem::not_found(format!("deposit {index} is unknown")))?;
    Ok(Json(deposit_status(&context, &l1, &queued).await?))
}

/// The deposits that an L1 transaction queued
#[utoipa::path(
    get,
    path = "/v1/deposits",
    tag = "Bridge",
    params(("l1Transaction" = Hash, Query, description = "The L1 transaction")),
    responses((status = 200, description = "The newest 100 of its deposits, in order", body = Deposits), Malformed, Failing, L1Silent),
)]
pub(crate) async fn deposits(
    State(context): Api,
    State(l1): L1,
    RawQuery(query): RawQuery,
) -> RestResult<Json<Deposits>> {
    let query = Query::parse(query.as_deref(), &["l1Transaction"])?;
    let hash = query
        .get("l1Transaction")
        .ok_or_else(|| malformed("l1Transaction names an L1 transaction"))?;
    let names = l1.deposits_of(parse_hash(hash)?).await?;
    let found: Vec<_> = {
        let settlement = context.settlement.read().await;
        let is_named =
            |queued: &&QueuedDeposit| queued.hint.is_some_and(|hint| names.contains(&hint));
        settlement.deposits.iter().rev().filter(is_named).take(DEPOSITS_MAX).cloned().collect()
    };
    let mut deposits = Vec::with_capacity(found.len());
    for queued in found.iter().rev() {
        deposits.push(deposit_status(&context, &l1, queued).await?);
    }
    Ok(Json(Deposits { deposits }))
}

/// Overdue deposits and forced entries
#[utoipa::path(
    get,
    path = "/v1/forced",
    tag = "Bridge",
    params(Page),
    responses((status = 200, description = "Overdue deposits, and forced entries", body = Forced), Malformed, Failing, L1Silent),
)]
pub(crate) async fn forced(
    State(context): Api,
    State(l1): L1,
    RawQuery(query): RawQuery,
) -> RestResult<Json<Forced>> {
    let page = Page::of(&Query::parse(query.as_deref(), &["before", "limit"])?)?;
    let (waiting, entries) = {
        let settlement = context.settlement.read().await;
        let consumed = usize::try_from(settlement.deposits_consumed()).unwrap_or(usize::MAX);
        let waiting = settlement.deposits.get(consumed..).unwrap_or_default();
        let waiting: Vec<_> = waiting.iter().take(DEPOSITS_MAX).cloned().collect();
        let forced: Vec<_> = settlement
            .posted
            .iter()
            .filter(|range| range.entry.data_kind == DataKind::None)
            .map(|range| ForcedEntry {
                entry: range.entry.index,
                block: range.first_block,
                l1_transaction: range.l1_transaction,
                l1_block: range.entry.l1_block_number,
                l1_time: range.entry.l1_time,
            })
            .collect();
        let entries = page.places(forced.len()).map(|at| forced[at].clone()).collect();
        (waiting, entries)
    };
    let mut due = Vec::new();
    for queued in &waiting {
        let deposit = deposit_status(&context, &l1, queued).await?;
        let is_due = deposit.due_at <= deposit.l1_time;
        // The queue is ordered by time.
        if !is_due {
            break;
        }
        due.push(deposit);
    }
    Ok(Json(Forced { deposits: due, entries }))
}

/// A deposit's status.
async fn deposit_status(
    context: &ApiContext,
    l1: &Arc<L1Queries>,
    queued: &QueuedDeposit,
) -> RestResult<Deposit> {
    let deposit = &queued.deposit;
    let mut answer = Deposit {
        index: deposit.index,
        from: deposit.from,
        l1_block: deposit.l1_block_number,
        state: DepositState::Queued,
        transaction: None,
        l1_transaction: None,
        queued_at: None,
        due_at: None,
        forced_from: None,
        l1_time: None,
    };
    // Its hash depends on whether the block that holds it knew its origin: try both.
    let unnamed = QueuedDeposit { hint: None, ..queued.clone() };
    for name in [queued, &unnamed] {
        let Ok(tx) = name.to_transaction() else { continue };
        if let Some(sealed) = StatusReader::new(context).sealed(tx.tx_hash()).await? {
            answer.state = DepositState::of(&sealed);
            answer.transaction = Some(sealed);
            break;
        }
    }
    if let Some(hint) = queued.hint {
        let place = l1.deposit_origin(hint).await?;
        let window = context.chain.config.force_window;
        answer.l1_transaction = Some(place.transaction);
        answer.queued_at = Some(place.time);
        // The sequencer aims for half of the window. After the window anyone may force it.
        answer.due_at = Some(place.time.saturating_add(window / 2));
        answer.forced_from = Some(place.time.saturating_add(window));
        answer.l1_time = context.settlement.read().await.l1.map(|l1| l1.time);
    }
    Ok(answer)
}
