//! Limits of the pool.

use std::time::Duration;

/// Limits of the pool.
#[derive(Clone, Copy, Debug)]
pub struct PoolLimits {
    /// Transactions in the pool, at most.
    pub transactions_max: usize,
    /// Bytes of all encodings, at most.
    pub bytes_max: usize,
    /// Transactions of one sender, at most.
    pub sender_transactions_max: usize,
    /// Bytes of the encodings of one sender, at most.
    pub sender_bytes_max: usize,
    /// How far a nonce may be ahead of the account's.
    pub nonce_gap_max: u64,
    /// How long transactions wait for a missing nonce before theirs.
    pub gap_timeout: Duration,
}

impl PoolLimits {
    /// The same time limit, and no others.
    pub(super) const fn unbounded(self) -> Self {
        Self {
            transactions_max: usize::MAX,
            bytes_max: usize::MAX,
            sender_transactions_max: usize::MAX,
            sender_bytes_max: usize::MAX,
            nonce_gap_max: u64::MAX,
            gap_timeout: self.gap_timeout,
        }
    }
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            transactions_max: 100_000,
            bytes_max: 128 * 1024 * 1024,
            sender_transactions_max: 1_024,
            sender_bytes_max: 4 * 1024 * 1024,
            nonce_gap_max: 1_024,
            gap_timeout: Duration::from_secs(600),
        }
    }
}
