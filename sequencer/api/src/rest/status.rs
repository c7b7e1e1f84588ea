use alloy_primitives::{Address, B256};
use axum::{Json, extract::State};
use serde::Serialize;
use serde_json::{Value, json};
use turnpike_executor::Engine;
use turnpike_l1::OutputStatus;
use utoipa::ToSchema;

use super::Api;
use crate::context::ApiContext;
use crate::openapi::{AddressText, Hash};
use turnpike_sequencer::Settlement;

/// Where the chain is.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    chain_id: u64,
    head: Head,
    /// The newest block that L1 holds.
    safe: u64,
    /// The newest block that an L1 block holds which is final.
    finalized: u64,
    /// What waits.
    pool: Count,
    /// What ran, and is in no block yet that can be looked up.
    preconfirmed: Count,
    /// Who signs promises; null if nobody does.
    #[schema(value_type = Option<AddressText>)]
    sequencer: Option<Address>,
    execution: Execution,
    l1: L1Status,
    outputs: OutputsStatus,
}

/// The newest block.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Head {
    number: u64,
    #[schema(value_type = Hash)]
    hash: B256,
    /// Unix seconds.
    timestamp: u64,
    #[schema(value_type = Hash)]
    state_root: B256,
}

/// How many there are.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct Count {
    transactions: usize,
}

/// How blocks are run.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Execution {
    /// `sequential`, `shadow` or `parallel`.
    #[schema(value_type = String)]
    mode: Value,
    /// Threads.
    workers: usize,
    /// How the newest block ran; null before the first since the start.
    #[schema(value_type = Option<Object>)]
    last_block: Value,
    /// What happened since the start, the journal's blocks that were run again included.
    #[schema(value_type = Object)]
    since_start: Value,
}

/// What is known of L1.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct L1Status {
    /// Its newest block; null before it has answered.
    block: Option<u64>,
    /// Entries of the inbox, its own first one counted.
    entries: usize,
    /// Why it did not answer the last time.
    error: Option<String>,
}

/// How outputs stand.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutputsStatus {
    count: usize,
    /// The block that the newest one is of.
    newest_block: Option<u64>,
    /// Indexes of those that are challenged.
    challenged: Vec<u64>,
    /// Indexes of those that were rejected.
    rejected: Vec<u64>,
    /// The newest block of a final one.
    r#final: Option<u64>,
}

/// Where the chain is
#[utoipa::path(
    get,
    path = "/v1/status",
    tag = "Chain",
    responses((status = 200, description = "Where it is", body = Status)),
)]
pub(crate) async fn status(State(shared): Api) -> Json<Status> {
    let (head, execution) = {
        let chain = shared.chain.read().await;
        (shared.chain.newest(&chain).clone(), execution(&shared, chain.engine()).await)
    };
    let pool = shared.transactions.pool().len();
    let settlement = shared.settlement.read().await;
    Json(Status {
        chain_id: shared.chain.config.chain_id,
        head: Head {
            number: head.header.number,
            hash: head.hash(),
            timestamp: head.header.timestamp,
            state_root: head.header.state_root,
        },
        safe: settlement.safe(),
        finalized: settlement.finalized(),
        pool: Count { transactions: pool },
        preconfirmed: Count { transactions: shared.transactions.preconfirmed_count() },
        sequencer: shared.signer.as_ref().map(|signer| signer.address()),
        execution,
        l1: L1Status {
            block: settlement.l1.map(|l1| l1.number),
            entries: settlement.posted.len() + 1,
            error: settlement.l1_error.clone(),
        },
        outputs: outputs(&settlement),
    })
}

fn outputs(settlement: &Settlement) -> OutputsStatus {
    let indexes = |status: OutputStatus| {
        let outputs = settlement.outputs.iter().filter(|output| output.status == status);
        outputs.map(|output| output.index).collect()
    };
    let is_final = settlement.outputs.iter().filter(|output| output.status == OutputStatus::Final);
    OutputsStatus {
        count: settlement.outputs.len(),
        newest_block: settlement.outputs.last().map(|output| output.l2_block),
        challenged: indexes(OutputStatus::Challenged),
        rejected: indexes(OutputStatus::Rejected),
        r#final: is_final.map(|output| output.l2_block).max(),
    }
}

async fn execution(shared: &ApiContext, engine: &Engine) -> Execution {
    Execution {
        mode: json!(engine.mode()),
        workers: engine.workers(),
        last_block: json!(*shared.chain.last_execution.read().await),
        since_start: json!(engine.counters()),
    }
}
