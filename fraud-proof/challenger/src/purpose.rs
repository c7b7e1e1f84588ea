//! What the challenger's transactions are for.

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};
use turnpike_tx_manager::TxPurpose;

/// What a transaction is for. It identifies its subject by hash, so that a reorg cannot change what
/// it means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "purpose")]
pub(crate) enum Purpose {
    /// Challenges the output with this claim.
    Challenge { output: u64, claim: B256 },
    /// Defends an output against the challenge with this opening.
    Defend { challenge: u64, opening: B256 },
    /// Answers this bisection, or proves a step of it.
    Move { game: u64, answered: B256 },
    /// Loads what the step proof reads.
    Load { game: u64, answered: B256 },
    /// Ends a game whose clock has run out.
    TimeOut { game: u64 },
    /// Ends a challenge.
    Resolve { challenge: u64 },
    /// Returns the bond of a game that was decided elsewhere.
    ReturnBond { game: u64 },
    /// Withdraws credit from a contract.
    Withdraw { from: Address },
    /// Proposes an output.
    Propose { entry: u64, acc: B256 },
    /// Finalizes the output with this claim.
    Finalize { output: u64, claim: B256 },
    /// Voids the output with this claim, which is built on a rejected one.
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
    /// Whether it proposes, finalizes or voids an output.
    pub(crate) const fn is_proposing(&self) -> bool {
        matches!(self, Self::Propose { .. } | Self::Finalize { .. } | Self::Void { .. })
    }

    /// The stored form.
    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("invariant: a purpose is JSON")
    }

    /// Reads the stored form; `None` for an unknown purpose.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}
