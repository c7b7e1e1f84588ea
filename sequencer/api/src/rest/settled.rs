use alloy_primitives::B256;
use serde::Serialize;
use turnpike_l1::OutputStatus;
use utoipa::ToSchema;

use crate::openapi::Hash;
use turnpike_sequencer::Settlement;

/// How far a block has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum BlockState {
    /// It has a hash.
    Sealed,
    /// An inbox entry on L1 holds it.
    Safe,
    /// An output on L1 speaks for it.
    Proposed,
    /// That output is final.
    Final,
}

/// The inbox entry that holds a block.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Posted {
    /// Its index in the inbox.
    pub(super) entry: u64,
    /// The L1 transaction that appended it.
    #[schema(value_type = Hash)]
    pub(super) l1_transaction: B256,
    /// The L1 block that holds that.
    pub(super) l1_block: u64,
}

/// The output that speaks for a block.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Covering {
    /// Its index.
    pub(super) index: u64,
    /// The L1 transaction that proposed it.
    #[schema(value_type = Hash)]
    pub(super) l1_transaction: B256,
    /// Whether it is final.
    #[serde(rename = "final")]
    pub(super) is_final: bool,
}

/// How far a block has come, with the details.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    pub(super) state: BlockState,
    pub(super) posted: Option<Posted>,
    pub(super) output: Option<Covering>,
    pub(super) times: SettledTimes,
}

/// When L1 held a block, in Unix milliseconds: the times of L1's blocks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SettledTimes {
    pub(super) posted: Option<u64>,
    pub(super) proposed: Option<u64>,
    pub(super) r#final: Option<u64>,
}

/// How far a block has come; `window` is the challenge window, in seconds.
pub(super) fn settled(settlement: &Settlement, block: u64, window: u64) -> Settled {
    let mut settled = Settled {
        state: BlockState::Sealed,
        posted: None,
        output: None,
        times: SettledTimes::default(),
    };
    let Some(range) = settlement.posted(block) else { return settled };
    settled.state = BlockState::Safe;
    settled.posted = Some(Posted {
        entry: range.entry.index,
        l1_transaction: range.l1_transaction,
        l1_block: range.entry.l1_block_number,
    });
    settled.times.posted = Some(milliseconds(range.entry.l1_time));
    let Some(output) = settlement.output(block) else { return settled };
    let is_final = output.status == OutputStatus::Final;
    settled.state = if is_final { BlockState::Final } else { BlockState::Proposed };
    let (index, l1_transaction) = (output.index, output.l1_transaction);
    settled.output = Some(Covering { index, l1_transaction, is_final });
    settled.times.proposed = Some(milliseconds(output.proposed_at));
    if is_final && !was_disputed(settlement, index) {
        settled.times.r#final = Some(milliseconds(output.proposed_at.saturating_add(window)));
    }
    settled
}

/// Whether an output, or one that it is built on, was challenged: then the end of its window is not when it could be final.
fn was_disputed(settlement: &Settlement, output: u64) -> bool {
    let challenges = settlement.disputes.challenges();
    let mut at = output;
    while at > 0 && !challenges.is_empty() {
        if challenges.iter().any(|challenge| challenge.output == at) {
            return true;
        }
        let found = usize::try_from(at).ok().and_then(|at| settlement.outputs.get(at));
        // Outputs are built on earlier ones.
        match found.map(|output| output.parent).filter(|parent| *parent < at) {
            Some(parent) => at = parent,
            None => return false,
        }
    }
    false
}

/// A time of L1's, in Unix milliseconds.
pub(super) const fn milliseconds(seconds: u64) -> u64 {
    seconds.saturating_mul(1_000)
}
