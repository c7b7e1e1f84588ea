use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, RawQuery, State},
};
use serde_json::{Value, json};
use turnpike_protocol::{DataKind, QueuedDeposit};

use super::{
    Answer, Api, L1, parse_hash, parse_index,
    query::{Page, Query},
    transactions::sealed_transaction,
};
use crate::{
    Shared,
    api::{l1::L1Desk, problem::Problem},
};

/// Deposits of one L1 transaction, and of those that wait, that are told of.
const DEPOSITS_MAX: usize = 100;

/// `GET /v1/deposits/{index}`: a deposit, by its place in the queue.
pub(in crate::api) async fn deposit(
    State(shared): Api,
    State(l1): L1,
    Path(index): Path<String>,
) -> Answer<Json<Value>> {
    let index = parse_index(&index, "a deposit")?;
    let at = usize::try_from(index).ok();
    let queued = {
        let settlement = shared.settlement.read().await;
        at.and_then(|at| settlement.deposits.get(at)).cloned()
    };
    let queued = queued.ok_or_else(|| Problem::not_found(format!("deposit {index} is unknown")))?;
    Ok(Json(life(&shared, &l1, &queued).await?))
}

/// `GET /v1/deposits?l1Transaction=0x…`: the deposits that an L1 transaction queued.
pub(in crate::api) async fn deposits(
    State(shared): Api,
    State(l1): L1,
    RawQuery(query): RawQuery,
) -> Answer<Json<Value>> {
    let query = Query::parse(query.as_deref(), &["l1Transaction"])?;
    let hash = query.get("l1Transaction").ok_or_else(|| {
        Problem::bad_request("malformed-query", "l1Transaction names an L1 transaction")
    })?;
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
    Ok(Json(json!({ "deposits": deposits })))
}

/// `GET /v1/forced?before=&limit=`: deposits that wait for longer than half of the force window, oldest first, and entries that
/// were forced, newest first.
pub(in crate::api) async fn forced(
    State(shared): Api,
    State(l1): L1,
    RawQuery(query): RawQuery,
) -> Answer<Json<Value>> {
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
            .map(|range| {
                json!({
                    "entry": range.entry.index,
                    "block": range.first_block,
                    "l1Transaction": range.l1_transaction,
                    "l1Block": range.entry.l1_block_number,
                    "l1Time": range.entry.l1_time,
                })
            })
            .collect();
        let entries: Vec<_> = page.places(forced.len()).map(|at| forced[at].clone()).collect();
        (waiting, entries)
    };
    let mut due = Vec::new();
    for queued in &waiting {
        let deposit = life(&shared, &l1, queued).await?;
        let is_due = deposit["dueAt"].as_u64() <= deposit["l1Time"].as_u64();
        // The queue is in the order of time.
        if !is_due {
            break;
        }
        due.push(deposit);
    }
    Ok(Json(json!({ "deposits": due, "entries": entries })))
}

/// A deposit's life so far.
async fn life(shared: &Shared, l1: &Arc<L1Desk>, queued: &QueuedDeposit) -> Answer<Value> {
    let deposit = &queued.deposit;
    let mut answer = json!({
        "index": deposit.index,
        "from": deposit.from,
        "l1Block": deposit.l1_block_number,
        "state": "queued",
    });
    // Consumed by an entry, only its block knows its name: it may have none but its place in the queue.
    let unnamed = QueuedDeposit { hint: None, ..queued.clone() };
    for name in [queued, &unnamed] {
        let Ok(tx) = name.to_transaction() else { continue };
        if let Some(sealed) = sealed_transaction(shared, tx.tx_hash()).await? {
            answer["state"] = sealed["state"].clone();
            answer["transaction"] = sealed;
            break;
        }
    }
    if let Some(hint) = queued.hint {
        let place = l1.deposit_place(hint).await?;
        let now = shared.settlement.read().await.l1.map(|l1| l1.time);
        let window = shared.config.force_window;
        answer["l1Transaction"] = json!(place.transaction);
        answer["queuedAt"] = place.time.into();
        // The sequencer aims at half of the window; from its end on anybody may force it.
        answer["dueAt"] = place.time.saturating_add(window / 2).into();
        answer["forcedFrom"] = place.time.saturating_add(window).into();
        answer["l1Time"] = json!(now);
    }
    Ok(answer)
}
