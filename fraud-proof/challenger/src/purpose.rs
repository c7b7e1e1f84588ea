use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};
use turnpike_tx_manager::TxPurpose;

/// What a transaction is for. It names what it is about so closely that after a reorg it is not taken for something else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "purpose")]
pub(crate) enum Purpose {
    /// To challenge the output with this claim.
    Challenge { output: u64, claim: B256 },
    /// To defend an output against the challenge that began with these claims.
    Defend { challenge: u64, opening: B256 },
    /// To answer this bisection, or prove a step of it.
    Move { game: u64, answered: B256 },
    /// To load what that proof reads.
    Load { game: u64, answered: B256 },
    /// To end a game by its clock.
    TimeOut { game: u64 },
    /// To end a challenge.
    Resolve { challenge: u64 },
    /// To have a bond back.
    ReturnBond { game: u64 },
    /// To take out what a contract has credited.
    Withdraw { from: Address },
    /// To propose an output.
    Propose { entry: u64, acc: B256 },
    /// To finalize the output with this claim.
    Finalize { output: u64, claim: B256 },
    /// To have the bond of the output with this claim returned, which is built on a rejected one.
    Void { output: u64, claim: B256 },
}

impl TxPurpose for Purpose {
    fn is_standing(&self) -> bool {
        matches!(
            self,
            Self::Withdraw { .. }
                | Self::Propose { .. }
                | Self::Finalize { .. }
                | Self::Void { .. }
        )
    }
}

impl Purpose {
    /// Whether it brings an output to L1, or closer to being final.
    pub(crate) const fn is_proposing(&self) -> bool {
        matches!(self, Self::Propose { .. } | Self::Finalize { .. } | Self::Void { .. })
    }

    /// As it is stored.
    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("invariant: a purpose is JSON")
    }

    /// What was stored.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}
