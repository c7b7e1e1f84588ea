use alloy_primitives::B256;
use serde::Serialize;
use turnpike_l1::OutputStatus;
use utoipa::ToSchema;

use crate::schema::Hash;
use turnpike_sequencer::Settlement;

/// The stage of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum BlockState {
    /// Sealed.
    Sealed,
    /// Held by an inbox entry on L1.
    Safe,
    /// Covered by an output on L1.
    Proposed,
    /// Covered by a final output.
    Final,
}

/// The inbox entry that holds a block.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockEntry {
    /// Its index in the inbox.
    pub(super) entry: u64,
    /// The L1 transaction that appended it.
    #[schema(value_type = Hash)]
    pub(super) l1_transaction: B256,
    /// The L1 block of that transaction.
    pub(super) l1_block: u64,
}

/// The output that covers a block.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CoveringOutput {
    /// Its index.
    pub(super) index: u64,
    /// The L1 transaction that proposed it.
    #[schema(value_type = Hash)]
    pub(super) l1_transaction: B256,
    /// Whether it is final.
    #[serde(rename = "final")]
    pub(super) is_final: bool,
}

/// The stage of a block, with the entry and the output that it follows from.
#[derive(Clone, Debug)]
pub(super) struct BlockSettlement {
    pub(super) state: BlockState,
    pub(super) posted: Option<BlockEntry>,
    pub(super) output: Option<CoveringOutput>,
    pub(super) times: SettlementTimes,
}

/// When a block reached its stages on L1, in Unix milliseconds: L1 block times.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SettlementTimes {
    pub(super) posted: Option<u64>,
    pub(super) proposed: Option<u64>,
    pub(super) r#final: Option<u64>,
}

/// The stage of a block. `window` is the challenge window in seconds.
pub(super) fn block_settlement(
    settlement: &Settlement,
    block: u64,
    window: u64,
) -> BlockSettlement {
    let mut settled = BlockSettlement {
        state: BlockState::Sealed,
        posted: None,
        output: None,
        times: SettlementTimes::default(),
    };
    let Some(range) = settlement.posted(block) else { return settled };
    settled.state = BlockState::Safe;
    settled.posted = Some(BlockEntry {
        entry: range.entry.index,
        l1_transaction: range.l1_transaction,
        l1_block: range.entry.l1_block_number,
    });
    settled.times.posted = Some(milliseconds(range.entry.l1_time));
    let Some(output) = settlement.output(block) else { return settled };
    let is_final = output.status == OutputStatus::Final;
    settled.state = if is_final { BlockState::Final } else { BlockState::Proposed };
    let (index, l1_transaction) = (output.index, output.l1_transaction);
    settled.output = Some(CoveringOutput { index, l1_transaction, is_final });
    settled.times.proposed = Some(milliseconds(output.proposed_at));
    if is_final && !was_disputed(settlement, index) {
        settled.times.r#final = Some(milliseconds(output.proposed_at.saturating_add(window)));
    }
    settled
}

/// Whether an output or one of its ancestors was challenged: then it was not final at the end of
/// its
/// window.
fn was_disputed(settlement: &Settlement, output: u64) -> bool {
    let challenges = settlement.disputes.challenges();
    let mut at = output;
    while at > 0 && !challenges.is_empty() {
        if challenges.iter().any(|challenge| challenge.output == at) {
            return true;
        }
        let found = usize::try_from(at).ok().and_then(|at| settlement.outputs.get(at));
        // A parent has a lower index.
        match found.map(|output| output.parent).filter(|parent| *parent < at) {
            Some(parent) => at = parent,
            None => return false,
        }
    }
    false
}

/// An L1 time in Unix milliseconds.
pub(super) const fn milliseconds(seconds: u64) -> u64 {
    seconds.saturating_mul(1_000)
}
