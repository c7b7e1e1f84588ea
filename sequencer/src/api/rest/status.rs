use axum::{Json, extract::State};
use serde_json::{Value, json};
use turnpike_executor::Engine;
use turnpike_l1::OutputStatus;

use super::Api;
use crate::{Settlement, Shared};

/// `GET /v1/status`: where the chain is.
pub(in crate::api) async fn status(State(shared): Api) -> Json<Value> {
    let (head, execution) = {
        let chain = shared.chain.read().await;
        (chain.head().clone(), execution(&shared, chain.engine()).await)
    };
    let pool = shared.pool.read().await.len();
    let settlement = shared.settlement.read().await;
    let newest = settlement.outputs.last();
    Json(json!({
        "chainId": shared.config.chain_id,
        "head": {
            "number": head.header.number,
            "hash": head.hash(),
            "timestamp": head.header.timestamp,
            "stateRoot": head.header.state_root,
        },
        "safe": settlement.safe(),
        "finalized": settlement.finalized(),
        "pool": { "transactions": pool },
        "execution": execution,
        "l1": {
            "block": settlement.l1.map(|l1| l1.number),
            "entries": settlement.posted.len() + 1,
            "error": settlement.l1_error,
        },
        "outputs": {
            "count": settlement.outputs.len(),
            "newestBlock": newest.map(|output| output.l2_block),
            "challenged": indexes(&settlement, OutputStatus::Challenged),
            "rejected": indexes(&settlement, OutputStatus::Rejected),
            "final": settlement
                .outputs
                .iter()
                .filter(|output| output.status == OutputStatus::Final)
                .map(|output| output.l2_block)
                .max(),
        },
    }))
}

/// The outputs that stand like this.
fn indexes(settlement: &Settlement, status: OutputStatus) -> Vec<u64> {
    let outputs = settlement.outputs.iter().filter(|output| output.status == status);
    outputs.map(|output| output.index).collect()
}

/// How blocks are run: what is set, how the newest block ran (null before the first since the start), and what happened
/// since the start, the journal's blocks that were run again included.
async fn execution(shared: &Shared, engine: &Engine) -> Value {
    json!({
        "mode": engine.mode(),
        "workers": engine.workers(),
        "lastBlock": *shared.last_execution.read().await,
        "sinceStart": engine.counters(),
    })
}
