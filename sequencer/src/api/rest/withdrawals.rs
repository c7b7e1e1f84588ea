use axum::{
    Json,
    extract::{Path, RawQuery, State},
};
use serde_json::{Value, json};
use turnpike_l1::ProposedOutput;
use turnpike_storage::WithdrawalRecord;

use super::{Answer, Api, L1, outputs::summary, parse_hash, query::Query, settle};
use crate::{
    Settlement, Shared,
    api::{
        l1::{L1Desk, Withdrawn},
        problem::Problem,
    },
};

/// Withdrawals of one transaction that are told of.
const WITHDRAWALS_MAX: u32 = 100;

/// `GET /v1/withdrawals/{hash}`: a withdrawal's life so far, on both layers.
pub(in crate::api) async fn withdrawal(
    State(shared): Api,
    State(l1): L1,
    Path(hash): Path<String>,
) -> Answer<Json<Value>> {
    let hash = parse_hash(&hash)?;
    let found = shared.database.withdrawal(&hash).await?;
    let unknown = || Problem::not_found(format!("withdrawal {hash} is unknown"));
    let (block, record) = found.ok_or_else(unknown)?;
    Ok(Json(life(&shared, &l1, block, &record).await?))
}

/// `GET /v1/withdrawals?transaction=0x…`: the withdrawals of an L2 transaction, in order.
pub(in crate::api) async fn withdrawals(
    State(shared): Api,
    State(l1): L1,
    RawQuery(query): RawQuery,
) -> Answer<Json<Value>> {
    let query = Query::parse(query.as_deref(), &["transaction"])?;
    let hash = query.get("transaction").ok_or_else(|| {
        Problem::bad_request("malformed-query", "transaction names an L2 transaction")
    })?;
    let found = shared.database.withdrawals_of(&parse_hash(hash)?, WITHDRAWALS_MAX).await?;
    let mut withdrawals = Vec::with_capacity(found.len());
    for (block, record) in &found {
        withdrawals.push(life(&shared, &l1, *block, record).await?);
    }
    Ok(Json(json!({ "withdrawals": withdrawals })))
}

async fn life(
    shared: &Shared,
    l1: &L1Desk,
    block: u64,
    record: &WithdrawalRecord,
) -> Answer<Value> {
    let mut answer = json!({
        "hash": record.hash,
        "transaction": record.transaction,
        "block": block,
        "nonce": record.nonce,
        "sender": record.sender,
        "target": record.target,
        "value": record.value.to_string(),
        "gasLimit": record.gas_limit.to_string(),
        "data": record.data,
    });
    let withdrawn = l1.withdrawn(record.hash).await?;
    let settlement = shared.settlement.read().await;
    let window = shared.config.challenge_window;
    answer["blockState"] = settle(&settlement, block, &mut json!({})).into();
    let covering = settlement.output(block);
    answer["output"] = covering.map_or(Value::Null, |output| {
        let at = usize::try_from(output.index).unwrap_or(usize::MAX);
        summary(&settlement, at, window)
    });
    answer["state"] = match (&withdrawn, covering) {
        (Some(Withdrawn { is_finalized: true, .. }), _) => "finalized",
        (Some(Withdrawn { proven_at: Some(_), .. }), _) => "proven",
        (_, Some(_)) => "provable",
        (_, None) => "initiated",
    }
    .into();
    let proven_at = withdrawn.as_ref().and_then(|withdrawn| withdrawn.proven_at);
    answer["provenAt"] = json!(proven_at);
    answer["secondsToProvable"] = json!(seconds_to_output(&settlement, covering));
    answer["secondsToFinalizable"] =
        json!(covering.and_then(|output| seconds_to_end(&settlement, output, window)));
    Ok(answer)
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
