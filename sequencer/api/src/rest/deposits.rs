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
    Answer, Api, L1, Life, LifeState, Name,
    life::Lives,
    parse_hash, parse_index,
    query::{Page, Query, malformed},
};
use crate::context::ApiContext;
use crate::{
    l1::L1Desk,
    openapi::{AddressText, Failing, Hash, L1Silent, Malformed, Missing},
    problem::Problem,
};

/// Deposits of one L1 transaction, and of those that wait, that are told of.
const DEPOSITS_MAX: usize = 100;

/// How far a deposit has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum DepositState {
    /// It waits in the queue on L1.
    Queued,
    /// It is in a block.
    Sealed,
    /// L1 holds that block.
    Safe,
    /// An output on L1 speaks for it.
    Proposed,
    /// That output is final.
    Final,
}

impl DepositState {
    const fn of(life: &Life) -> Self {
        match life.state {
            LifeState::Safe => Self::Safe,
            LifeState::Proposed => Self::Proposed,
            LifeState::Final => Self::Final,
            _ => Self::Sealed,
        }
    }
}

/// A deposit's life so far. Times are L1's, in Unix seconds.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Deposit {
    /// Its place in the queue.
    index: u64,
    /// Who made it, as L2 knows them.
    #[schema(value_type = AddressText)]
    from: Address,
    /// The L1 block that queued it.
    l1_block: u64,
    state: DepositState,
    /// The L2 transaction that it became.
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<Life>,
    /// The L1 transaction that queued it. This and what follows is not known of what L1 gave without naming it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Hash)]
    l1_transaction: Option<B256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queued_at: Option<u64>,
    /// The sequencer aims at having it in a block by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<u64>,
    /// From then on anybody may force it.
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

/// What is overdue, and what was forced.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Forced {
    /// Deposits that wait for longer than half of the force window, oldest first, 100 at most.
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
    responses((status = 200, description = "Its life so far", body = Deposit), Malformed, Missing, Failing, L1Silent),
)]
pub(crate) async fn deposit(
    State(shared): Api,
    State(l1): L1,
    name: Name,
) -> Answer<Json<Deposit>> {
    let index = parse_index(&name.0, "a deposit")?;
    let at = usize::try_from(index).ok();
    let queued = {
        let settlement = shared.settlement.read().await;
        at.and_then(|at| settlement.deposits.get(at)).cloned()
    };
    let queued = queued.ok_or_else(|| Problem::not_found(format!("deposit {index} is unknown")))?;
    Ok(Json(life(&shared, &l1, &queued).await?))
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
    State(shared): Api,
    State(l1): L1,
    RawQuery(query): RawQuery,
) -> Answer<Json<Deposits>> {
    let query = Query::parse(query.as_deref(), &["l1Transaction"])?;
    let hash = query
        .get("l1Transaction")
        .ok_or_else(|| malformed("l1Transaction names an L1 transaction"))?;
    let names = l1.deposits_of(parse_hash(hash)?).await?;
    let found: Vec<_> = {
        let settlement = shared.settlement.read().await;
        let is_named =
            |queued: &&QueuedDeposit| queued.hint.is_some_and(|hint| names.contains(&hint));
        settlement.deposits.iter().rev().filter(is_named).take(DEPOSITS_MAX).cloned().collect()
    };
    let mut deposits = Vec::with_capacity(found.len());
    for queued in found.iter().rev() {
        deposits.push(life(&shared, &l1, queued).await?);
    }
    Ok(Json(Deposits { deposits }))
}

/// What is overdue, and what was forced
#[utoipa::path(
    get,
    path = "/v1/forced",
    tag = "Bridge",
    params(Page),
    responses((status = 200, description = "Overdue deposits, and forced entries", body = Forced), Malformed, Failing, L1Silent),
)]
pub(crate) async fn forced(
    State(shared): Api,
    State(l1): L1,
    RawQuery(query): RawQuery,
) -> Answer<Json<Forced>> {
    let page = Page::of(&Query::parse(query.as_deref(), &["before", "limit"])?)?;
    let (waiting, entries) = {
        let settlement = shared.settlement.read().await;
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
        let deposit = life(&shared, &l1, queued).await?;
        let is_due = deposit.due_at <= deposit.l1_time;
        // The queue is in the order of time.
        if !is_due {
            break;
        }
        due.push(deposit);
    }
    Ok(Json(Forced { deposits: due, entries }))
}

/// A deposit's life so far.
async fn life(shared: &ApiContext, l1: &Arc<L1Desk>, queued: &QueuedDeposit) -> Answer<Deposit> {
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
    // Consumed by an entry, only its block knows its name: it may have none but its place in the queue.
    let unnamed = QueuedDeposit { hint: None, ..queued.clone() };
    for name in [queued, &unnamed] {
        let Ok(tx) = name.to_transaction() else { continue };
        if let Some(sealed) = Lives::new(shared).sealed(tx.tx_hash()).await? {
            answer.state = DepositState::of(&sealed);
            answer.transaction = Some(sealed);
            break;
        }
    }
    if let Some(hint) = queued.hint {
        let place = l1.deposit_place(hint).await?;
        let window = shared.chain.config.force_window;
        answer.l1_transaction = Some(place.transaction);
        answer.queued_at = Some(place.time);
        // The sequencer aims at half of the window; from its end on anybody may force it.
        answer.due_at = Some(place.time.saturating_add(window / 2));
        answer.forced_from = Some(place.time.saturating_add(window));
        answer.l1_time = shared.settlement.read().await.l1.map(|l1| l1.time);
    }
    Ok(answer)
}
