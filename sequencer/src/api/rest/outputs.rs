use axum::{
    Json,
    extract::{Path, RawQuery, State},
};
use serde_json::{Value, json};
use turnpike_l1::OutputStatus;

use super::{Answer, Api, parse_index, query::Page};
use crate::{Settlement, api::problem::Problem};

/// `GET /v1/outputs?before=&limit=`: outputs, newest first.
pub(in crate::api) async fn outputs(
    State(shared): Api,
    RawQuery(query): RawQuery,
) -> Answer<Json<Value>> {
    let page = Page::parse(query.as_deref())?;
    let settlement = shared.settlement.read().await;
    let window = shared.config.challenge_window;
    let places = page.places(settlement.outputs.len());
    let outputs: Vec<_> = places.map(|at| summary(&settlement, at, window)).collect();
    Ok(Json(json!({ "outputs": outputs })))
}

/// `GET /v1/outputs/{index}`: an output, and when it can be final.
pub(in crate::api) async fn output(
    State(shared): Api,
    Path(index): Path<String>,
) -> Answer<Json<Value>> {
    let index = parse_index(&index, "an output")?;
    let settlement = shared.settlement.read().await;
    let at = usize::try_from(index).ok().filter(|at| *at < settlement.outputs.len());
    let at = at.ok_or_else(|| Problem::not_found(format!("output {index} is unknown")))?;
    Ok(Json(summary(&settlement, at, shared.config.challenge_window)))
}

/// An output by its place among all; `window` is the challenge window, in seconds.
pub(super) fn summary(settlement: &Settlement, at: usize, window: u64) -> Value {
    let output = &settlement.outputs[at];
    let state = match output.status {
        OutputStatus::Proposed => "proposed",
        OutputStatus::Challenged => "challenged",
        OutputStatus::Final => "final",
        OutputStatus::Rejected => "rejected",
        OutputStatus::Void => "void",
    };
    let window_ends = output.proposed_at.saturating_add(window);
    let left = match output.status {
        OutputStatus::Proposed => settlement.l1.map(|l1| window_ends.saturating_sub(l1.time)),
        OutputStatus::Final => Some(0),
        // A challenge takes as long as it takes.
        OutputStatus::Challenged | OutputStatus::Rejected | OutputStatus::Void => None,
    };
    json!({
        "index": output.index,
        "parent": output.parent,
        "entry": output.entry,
        "block": output.l2_block,
        "outputRoot": output.output.hash(),
        "stateRoot": output.output.state_root,
        "messagePasserStorageRoot": output.output.message_passer_storage_root,
        "blockHash": output.output.block_hash,
        "proposer": output.proposer,
        "proposedAt": output.proposed_at,
        "l1Transaction": output.l1_transaction,
        "state": state,
        "agreed": settlement.agreed.contains(&at),
        "openChallenges": settlement.disputes.open_challenges(output.index),
        "windowEndsAt": window_ends,
        "secondsToFinal": left,
    })
}
