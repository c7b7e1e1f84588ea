//! Stages of deposits and withdrawals as JSON and as text.

use alloy_primitives::B256;
use serde::Serialize;
use serde_json::{Value, json};
use turnpike_bridge::{DepositStage, DepositStatus, WithdrawalFacts, WithdrawalStage};

use crate::common::{about, when};

/// A deposit's stage as a JSON event.
pub(super) fn deposit_event(event: &str, status: &DepositStatus) -> Value {
    let value = json!({
        "event": event,
        "index": status.index,
        "l1Block": status.deposit.l1_block_number,
        "l2Transaction": status.l2_transaction,
        "next": match status.stage {
            DepositStage::Queued { .. } => Some("wait"),
            DepositStage::Overdue { .. } => Some("force"),
            DepositStage::Posted | DepositStage::Included { .. } => None,
        },
    });
    with_stage(value, status.stage)
}

/// A deposit's stage as text.
pub(super) fn deposit_text(stage: DepositStage) -> String {
    match stage {
        DepositStage::Queued { estimated_seconds, .. } => {
            format!("waiting for L2: expected{}", when(Some(estimated_seconds)))
        }
        DepositStage::Overdue { .. } => {
            "overdue: the sequencer leaves it out. Next: turnpike bridge force --include".to_owned()
        }
        DepositStage::Posted => {
            "in the inbox on L1: it is part of the chain, whatever the sequencer does".to_owned()
        }
        DepositStage::Included { block, success: true } => format!("done: L2 block {block}"),
        DepositStage::Included { block, success: false } => {
            format!("L2 block {block} holds it, but its call has failed; its ether is minted")
        }
    }
}

/// A withdrawal's stage as a JSON event.
pub(super) fn withdrawal_event(event: &str, facts: &WithdrawalFacts) -> Value {
    let stage = facts.stage();
    let value = json!({
        "event": event,
        "withdrawalHash": facts.withdrawal,
        "secondsToFinalize": facts.seconds_to_finalize(),
        "next": match stage {
            WithdrawalStage::WaitingToProve { .. } | WithdrawalStage::WaitingToFinalize { .. } => Some("wait"),
            WithdrawalStage::ReadyToProve { .. } => Some("prove"),
            WithdrawalStage::ReadyToFinalize { .. } => Some("finalize"),
            WithdrawalStage::Finalized => None,
        },
    });
    with_stage(value, stage)
}

/// A withdrawal's next step and when it is possible, as text.
pub(super) fn next_step(facts: &WithdrawalFacts, transaction: B256) -> String {
    match facts.stage() {
        WithdrawalStage::WaitingToProve { estimated_seconds } => {
            let total = facts.seconds_to_finalize();
            let then = total.map(|total| format!("; final in about {}", about(total)));
            format!(
                "waiting for an output that covers it{}{}\nnext: turnpike bridge prove {transaction}",
                when(estimated_seconds),
                then.unwrap_or_default()
            )
        }
        WithdrawalStage::ReadyToProve { output } => {
            format!("provable on output {output}\nnext: turnpike bridge prove {transaction}")
        }
        WithdrawalStage::WaitingToFinalize { output, estimated_seconds } => format!(
            "proven on output {output}; can be finalized in about {}\nnext: turnpike bridge finalize {transaction}",
            about(estimated_seconds)
        ),
        WithdrawalStage::ReadyToFinalize { output } => {
            format!("proven on output {output}\nnext: turnpike bridge finalize {transaction}")
        }
        WithdrawalStage::Finalized => "finalized: nothing is left to do".to_owned(),
    }
}

/// An event with the fields of a stage.
fn with_stage(mut event: Value, stage: impl Serialize) -> Value {
    let stage = serde_json::to_value(stage).expect("invariant: a stage is JSON");
    let fields = event.as_object_mut().expect("invariant: made as an object");
    fields.extend(stage.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
    event
}
