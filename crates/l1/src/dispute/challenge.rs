use alloy_primitives::Address;

use super::{Ended, Move};

/// How a challenge stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ChallengeStatus {
    /// Not decided.
    Open,
    /// Every defender was beaten: the output is rejected.
    Won,
    /// A defender has beaten the challenger.
    Failed,
    /// Another challenge was won first, and the bond is returned.
    Moot,
}

/// A challenge of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Its number.
    pub index: u64,
    /// Index of the output.
    pub output: u64,
    /// Who challenges.
    pub challenger: Address,
    /// L1 time, in seconds.
    pub started_at: u64,
    /// The challenger's first claims.
    pub opening: Move,
    /// How it stands.
    pub status: ChallengeStatus,
    /// Where on L1 it was decided, if it was.
    pub ended: Option<Ended>,
}
