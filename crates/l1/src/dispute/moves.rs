//! What challenges and games consist of on L1.

use alloy_primitives::B256;

use super::Bisection;

/// A move: a bisection posted to L1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GameMove {
    /// The bisection.
    pub bisection: Bisection,
    /// Its hash.
    pub hash: B256,
    /// L1 time, in seconds.
    pub at: u64,
    /// The L1 transaction.
    pub l1_transaction: B256,
}

/// Where on L1 a game or challenge ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedAt {
    /// L1 time, in seconds.
    pub at: u64,
    /// The L1 transaction.
    pub l1_transaction: B256,
}
