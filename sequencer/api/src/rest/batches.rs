use alloy_primitives::B256;
use axum::{
    Json,
    extract::{RawQuery, State},
};
use serde::Serialize;
use turnpike_protocol::DataKind;
use utoipa::ToSchema;

use super::{Api, L1, Name, RestResult, parse_index, query::Page};
use crate::{
    l1_queries::L1Cost,
    problem::Problem,
    schema::{Hash, L1Silent, Malformed, Missing, Wei},
};
use turnpike_sequencer::PostedRange;

/// The kind of an entry's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum BatchKind {
    /// None: the entry forces deposits.
    Forced,
    Calldata,
    Blobs,
}

/// An entry of the inbox, and the blocks that it holds.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Batch {
    /// Its index.
    entry: u64,
    kind: BatchKind,
    first_block: u64,
    last_block: u64,
    /// Transactions in its blocks, without deposits.
    transactions: u64,
    /// Deposits in its blocks.
    deposits: u64,
    /// Bytes of its data on L1: of calldata, or of whole blobs.
    bytes: u64,
    /// The entry that gives its blocks their L1 attributes.
    origin_entry: u64,
    /// The L1 transaction that appended it.
    #[schema(value_type = Hash)]
    l1_transaction: B256,
    l1_block: u64,
    /// Time of its L1 block in Unix seconds.
    l1_time: u64,
    /// Why its batch was skipped.
    fault: Option<String>,
}

/// Batches, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Batches {
    batches: Vec<Batch>,
}

/// A batch and its L1 cost.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PricedBatch {
    #[serde(flatten)]
    batch: Batch,
    l1_gas_used: u64,
    l1_blob_gas_used: u64,
    /// Fee paid on L1, blobs included.
    #[schema(value_type = Wei)]
    l1_fee_wei: String,
    per_transaction: CostPerTransaction,
}

/// An entry's cost per L2 transaction. Null without transactions.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CostPerTransaction {
    l1_gas: Option<f64>,
    bytes: Option<f64>,
    l1_fee_wei: Option<f64>,
}

/// Batches, newest first
#[utoipa::path(
    get,
    path = "/v1/batches",
    tag = "Settlement",
    params(Page),
    responses((status = 200, description = "The inbox's entries, without their L1 cost", body = Batches), Malformed),
)]
pub(crate) async fn batches(
    State(context): Api,
    RawQuery(query): RawQuery,
) -> RestResult<Json<Batches>> {
    let page = Page::parse(query.as_deref())?;
    let settlement = context.settlement.read().await;
    // Entry 0 holds no blocks: entry 1 is the first in the list.
    let places = page.places(settlement.posted.len() + 1).filter_map(|entry| entry.checked_sub(1));
    let batches = places.map(|at| summary(&settlement.posted, at)).collect();
    Ok(Json(Batches { batches }))
}

/// A batch and its L1 cost
#[utoipa::path(
    get,
    path = "/v1/batches/{entry}",
    tag = "Settlement",
    params(("entry" = u64, Path, description = "Index of the inbox entry, from 1 on", example = 1)),
    responses((status = 200, description = "The batch", body = PricedBatch), Malformed, Missing, L1Silent),
)]
pub(crate) async fn batch(
    State(context): Api,
    State(l1): L1,
    name: Name,
) -> RestResult<Json<PricedBatch>> {
    let index = parse_index(&name.0, "an inbox entry")?;
    let unknown = || Problem::not_found(format!("inbox entry {index} holds no blocks"));
    let at = usize::try_from(index).ok().and_then(|index| index.checked_sub(1));
    let (batch, range) = {
        let settlement = context.settlement.read().await;
        let at = at.filter(|at| *at < settlement.posted.len()).ok_or_else(unknown)?;
        (summary(&settlement.posted, at), settlement.posted[at].clone())
    };
    let cost = l1.cost(range.l1_transaction, range.entry.l1_block_number).await?;
    Ok(Json(priced(batch, &cost)))
}

fn summary(posted: &[PostedRange], at: usize) -> Batch {
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
    Batch {
        entry: entry.index,
        kind: batch_kind(entry.data_kind),
        first_block: *first_block,
        last_block: *last_block,
        transactions: *transactions,
        deposits: entry.deposit_count - before,
        bytes: *bytes,
        origin_entry: entry.origin,
        l1_transaction: *l1_transaction,
        l1_block: entry.l1_block_number,
        l1_time: entry.l1_time,
        fault: fault.clone(),
    }
}

const fn batch_kind(kind: DataKind) -> BatchKind {
    match kind {
        DataKind::None => BatchKind::Forced,
        DataKind::Calldata => BatchKind::Calldata,
        DataKind::Blobs => BatchKind::Blobs,
    }
}

/// Adds gas and fee of the L1 transaction.
fn priced(batch: Batch, cost: &L1Cost) -> PricedBatch {
    let fee = cost.fee();
    let of_each = |value: f64| {
        #[allow(clippy::cast_precision_loss)] // for display
        let count = batch.transactions as f64;
        (batch.transactions > 0).then(|| value / count)
    };
    #[allow(clippy::cast_precision_loss)] // for display
    let per_transaction = CostPerTransaction {
        l1_gas: of_each(cost.gas_used as f64),
        bytes: of_each(batch.bytes as f64),
        l1_fee_wei: of_each(fee as f64),
    };
    PricedBatch {
        batch,
        l1_gas_used: cost.gas_used,
        l1_blob_gas_used: cost.blob_gas_used,
        l1_fee_wei: fee.to_string(),
        per_transaction,
    }
}
