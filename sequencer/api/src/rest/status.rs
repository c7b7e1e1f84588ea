use alloy_primitives::{Address, B256};
use axum::{Json, extract::State};
use serde::Serialize;
use serde_json::{Value, json};
use turnpike_executor::Engine;
use turnpike_l1::OutputStatus;
use utoipa::ToSchema;

use super::Api;
use crate::context::ApiContext;
use crate::schema::{AddressText, Hash};
use turnpike_sequencer::Settlement;

/// The node's status.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NodeStatus {
    chain_id: u64,
    head: HeadBlock,
    /// The newest safe block.
    safe: u64,
    /// The newest safe block in a final L1 block.
    finalized: u64,
    /// Transactions in the pool.
    pool: TransactionCount,
    /// Transactions that are preconfirmed and not indexed yet.
    preconfirmed: TransactionCount,
    /// The account that signs promises; null without a key.
    #[schema(value_type = Option<AddressText>)]
    sequencer: Option<Address>,
    execution: ExecutionStatus,
    l1: L1Status,
    outputs: OutputsStatus,
}

/// The newest block.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HeadBlock {
    number: u64,
    #[schema(value_type = Hash)]
    hash: B256,
    /// Unix seconds.
    timestamp: u64,
    #[schema(value_type = Hash)]
    state_root: B256,
}

/// A number of transactions.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct TransactionCount {
    transactions: usize,
}

/// How blocks are executed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExecutionStatus {
    /// `sequential`, `shadow` or `parallel`.
    #[schema(value_type = String)]
    mode: Value,
    /// Threads.
    workers: usize,
    /// How the newest block was executed; null before the first since the start.
    #[schema(value_type = Option<Object>)]
    last_block: Value,
    /// Counters since the start, blocks replayed from the journal included.
    #[schema(value_type = Object)]
    since_start: Value,
}

/// The state of L1.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct L1Status {
    /// L1's newest block; null before L1 has answered.
    block: Option<u64>,
    /// Entries of the inbox, its own first one counted.
    entries: usize,
    /// Why L1 did not answer the last time.
    error: Option<String>,
}

/// The state of outputs.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutputsStatus {
    count: usize,
    /// The block of the newest output.
    newest_block: Option<u64>,
    /// Indices of challenged outputs.
    challenged: Vec<u64>,
    /// Indices of rejected outputs.
    rejected: Vec<u64>,
    /// The newest block of a final output.
    r#final: Option<u64>,
}

/// The node's status
#[utoipa::path(
    get,
    path = "/v1/status",
    tag = "Chain",
    responses((status = 200, description = "The status", body = NodeStatus)),
)]
pub(crate) async fn status(State(context): Api) -> Json<NodeStatus> {
    let (head, execution) = {
        let chain = context.chain.read().await;
        (context.chain.newest(&chain).clone(), execution(&context, chain.engine()).await)
    };
    let pool = context.transactions.pool().len();
    let settlement = context.settlement.read().await;
    Json(NodeStatus {
        chain_id: context.chain.config.chain_id,
        head: HeadBlock {
            number: head.header.number,
            hash: head.hash(),
            timestamp: head.header.timestamp,
            state_root: head.header.state_root,
        },
        safe: settlement.safe(),
        finalized: settlement.finalized(),
        pool: TransactionCount { transactions: pool },
        preconfirmed: TransactionCount { transactions: context.transactions.preconfirmed_count() },
        sequencer: context.signer.as_ref().map(|signer| signer.address()),
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

async fn execution(context: &ApiContext, engine: &Engine) -> ExecutionStatus {
    ExecutionStatus {
        mode: json!(engine.mode()),
        workers: engine.workers(),
        last_block: json!(*context.chain.last_execution.read().await),
        since_start: json!(engine.counters()),
    }
}
