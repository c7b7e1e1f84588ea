//! Challenges of outputs.

use alloy_primitives::Address;

use super::{EndedAt, GameMove};

/// Status of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ChallengeStatus {
    /// The challenge is undecided.
    Open,
    /// Every defender lost, and the output is rejected.
    Won,
    /// The challenger lost to a defender.
    Failed,
    /// Another challenge was won first, and the bond was returned.
    Moot,
}

/// A challenge of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Number of the challenge.
    pub index: u64,
    /// Index of the output.
    pub output: u64,
    /// Account of the challenger.
    pub challenger: Address,
    /// L1 timestamp of its opening, in seconds.
    pub started_at: u64,
    /// The challenger's first claims.
    pub opening: GameMove,
    /// Status.
    pub status: ChallengeStatus,
    /// Where on L1 the challenge was decided; `None` if it is open.
    pub ended: Option<EndedAt>,
}
