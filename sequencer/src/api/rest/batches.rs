use axum::{
    Json,
    extract::{Path, RawQuery, State},
};
use serde_json::{Value, json};
use turnpike_protocol::DataKind;

use super::{Answer, Api, L1, parse_index, query::Page};
use crate::{
    PostedRange,
    api::{l1::L1Cost, problem::Problem},
};

/// `GET /v1/batches?before=&limit=`: the inbox's entries, newest first, without what L1 has to be asked for.
pub(in crate::api) async fn batches(
    State(shared): Api,
    RawQuery(query): RawQuery,
) -> Answer<Json<Value>> {
    let page = Page::parse(query.as_deref())?;
    let settlement = shared.settlement.read().await;
    // Entry 0 holds no blocks: entry 1 is the first of the list.
    let places = page.places(settlement.posted.len() + 1).filter_map(|entry| entry.checked_sub(1));
    let batches: Vec<_> = places.map(|at| summary(&settlement.posted, at)).collect();
    Ok(Json(json!({ "batches": batches })))
}

/// `GET /v1/batches/{entry}`: an entry, and what posting it cost.
pub(in crate::api) async fn batch(
    State(shared): Api,
    State(l1): L1,
    Path(entry): Path<String>,
) -> Answer<Json<Value>> {
    let index = parse_index(&entry, "an inbox entry")?;
    let unknown = || Problem::not_found(format!("inbox entry {index} holds no blocks"));
    let at = usize::try_from(index).ok().and_then(|index| index.checked_sub(1));
    let (mut answer, range) = {
        let settlement = shared.settlement.read().await;
        let at = at.filter(|at| *at < settlement.posted.len()).ok_or_else(unknown)?;
        (summary(&settlement.posted, at), settlement.posted[at].clone())
    };
    let cost = l1.cost(range.l1_transaction, range.entry.l1_block_number).await?;
    add_cost(&mut answer, &range, &cost);
    Ok(Json(answer))
}

fn summary(posted: &[PostedRange], at: usize) -> Value {
    let PostedRange {
        entry,
        first_block,
        last_block,
        l1_transaction,
        bytes,
        transactions,
        fault,
        ..
    } = &posted[at];
    let before = at.checked_sub(1).map_or(0, |at| posted[at].entry.deposit_count);
    json!({
        "entry": entry.index,
        "kind": kind(entry.data_kind),
        "firstBlock": first_block,
        "lastBlock": last_block,
        "transactions": transactions,
        "deposits": entry.deposit_count - before,
        "bytes": bytes,
        "originEntry": entry.origin,
        "l1Transaction": l1_transaction,
        "l1Block": entry.l1_block_number,
        "l1Time": entry.l1_time,
        "fault": fault,
    })
}

const fn kind(kind: DataKind) -> &'static str {
    match kind {
        DataKind::None => "forced",
        DataKind::Calldata => "calldata",
        DataKind::Blobs => "blobs",
    }
}

/// Gas and fee of the L1 transaction, and what of them comes to one L2 transaction; null where there is none.
fn add_cost(answer: &mut Value, range: &PostedRange, cost: &L1Cost) {
    let fee = cost.fee();
    answer["l1GasUsed"] = cost.gas_used.into();
    answer["l1BlobGasUsed"] = cost.blob_gas_used.into();
    answer["l1FeeWei"] = fee.to_string().into();
    let of_each = |value: f64| {
        #[allow(clippy::cast_precision_loss)] // told to people
        let count = range.transactions as f64;
        (range.transactions > 0).then(|| value / count)
    };
    #[allow(clippy::cast_precision_loss)] // told to people
    let each = json!({
        "l1Gas": of_each(cost.gas_used as f64),
        "bytes": of_each(range.bytes as f64),
        "l1FeeWei": of_each(fee as f64),
    });
    answer["perTransaction"] = each;
}
