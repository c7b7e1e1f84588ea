use alloy_primitives::{Address, B256};
use axum::{
    Json,
    extract::{RawQuery, State},
};
use serde::Serialize;
use turnpike_l1::OutputStatus;
use utoipa::ToSchema;

use super::{Api, Name, RestResult, parse_index, query::Page};
use crate::{
    problem::Problem,
    schema::{AddressText, Hash, Malformed, Missing},
};
use turnpike_sequencer::Settlement;

/// The state of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum OutputState {
    Proposed,
    Challenged,
    Final,
    Rejected,
    /// An ancestor was rejected.
    Void,
}

impl From<OutputStatus> for OutputState {
    fn from(status: OutputStatus) -> Self {
        match status {
            OutputStatus::Proposed => Self::Proposed,
            OutputStatus::Challenged => Self::Challenged,
            OutputStatus::Final => Self::Final,
            OutputStatus::Rejected => Self::Rejected,
            OutputStatus::Void => Self::Void,
        }
    }
}

/// An output. Times are L1's, in Unix seconds.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output {
    index: u64,
    /// Index of the parent output.
    parent: u64,
    /// The inbox entry after which it asserts the chain's state.
    entry: u64,
    /// The last block of that entry, as asserted.
    block: u64,
    #[schema(value_type = Hash)]
    output_root: B256,
    #[schema(value_type = Hash)]
    state_root: B256,
    #[schema(value_type = Hash)]
    message_passer_storage_root: B256,
    #[schema(value_type = Hash)]
    block_hash: B256,
    #[schema(value_type = AddressText)]
    proposer: Address,
    proposed_at: u64,
    /// The L1 transaction that proposed it.
    #[schema(value_type = Hash)]
    l1_transaction: B256,
    state: OutputState,
    /// Whether it and its ancestors agree with this node's chain.
    agreed: bool,
    open_challenges: usize,
    window_ends_at: u64,
    /// Seconds until its window is over. Null if a challenge decides.
    seconds_to_final: Option<u64>,
}

/// Outputs, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Outputs {
    outputs: Vec<Output>,
}

/// Outputs, newest first
#[utoipa::path(
    get,
    path = "/v1/outputs",
    tag = "Settlement",
    params(Page),
    responses((status = 200, description = "Outputs", body = Outputs), Malformed),
)]
pub(crate) async fn outputs(
    State(context): Api,
    RawQuery(query): RawQuery,
) -> RestResult<Json<Outputs>> {
    let page = Page::parse(query.as_deref())?;
    let settlement = context.settlement.read().await;
    let window = context.chain.config.challenge_window;
    let places = page.places(settlement.outputs.len());
    let outputs = places.map(|at| summary(&settlement, at, window)).collect();
    Ok(Json(Outputs { outputs }))
}

/// An output
#[utoipa::path(
    get,
    path = "/v1/outputs/{index}",
    tag = "Settlement",
    params(("index" = u64, Path, description = "Index of the output; 0 is the genesis output", example = 0)),
    responses((status = 200, description = "The output", body = Output), Malformed, Missing),
)]
pub(crate) async fn output(State(context): Api, name: Name) -> RestResult<Json<Output>> {
    let index = parse_index(&name.0, "an output")?;
    let settlement = context.settlement.read().await;
    let at = usize::try_from(index).ok().filter(|at| *at < settlement.outputs.len());
    let at = at.ok_or_else(|| Problem::not_found(format!("output {index} is unknown")))?;
    Ok(Json(summary(&settlement, at, context.chain.config.challenge_window)))
}

/// The output at an index. `window` is the challenge window in seconds.
pub(super) fn summary(settlement: &Settlement, at: usize, window: u64) -> Output {
    let output = &settlement.outputs[at];
    let window_ends_at = output.proposed_at.saturating_add(window);
    let seconds_to_final = match output.status {
        OutputStatus::Proposed => settlement.l1.map(|l1| window_ends_at.saturating_sub(l1.time)),
        OutputStatus::Final => Some(0),
        // Nobody knows how long a challenge takes.
        OutputStatus::Challenged | OutputStatus::Rejected | OutputStatus::Void => None,
    };
    Output {
        index: output.index,
        parent: output.parent,
        entry: output.entry,
        block: output.l2_block,
        output_root: output.output.hash(),
        state_root: output.output.state_root,
        message_passer_storage_root: output.output.message_passer_storage_root,
        block_hash: output.output.block_hash,
        proposer: output.proposer,
        proposed_at: output.proposed_at,
        l1_transaction: output.l1_transaction,
        state: output.status.into(),
        agreed: settlement.agreed.contains(&at),
        open_challenges: settlement.disputes.open_challenges(output.index),
        window_ends_at,
        seconds_to_final,
    }
}
