//! What a block may hold: limits, timestamp and deposits.

use std::convert::Infallible;

use turnpike_executor::ExecutionError;
use turnpike_protocol::{
    ChainConfig, DepositError, Origin, QueuedDeposit, blob_data_bytes, block_time,
};

/// More blobs than a transaction can carry in any known fork. Keeps the arithmetic in bounds.
const BLOBS_MAX: usize = 1_024;

/// Bytes that a batch adds to a block's transactions.
pub(crate) const BATCH_OVERHEAD_BYTES: usize = 16 * 1024;

/// One part in this many of an entry's bytes is reserved for transactions made to compress badly:
/// data that the codec's model considers unlikely takes more bytes than it has.
pub(crate) const RESERVED_PART: usize = 8;

/// Bytes that a batch adds to a transaction, at most.
pub(crate) const TRANSACTION_OVERHEAD_BYTES: usize = 4;

/// The inputs of a block besides the pool's transactions.
#[derive(Clone, Debug)]
pub(crate) struct BlockPlan {
    pub(crate) time_ms: u64,
    pub(crate) origin: Origin,
    pub(crate) deposits: Vec<QueuedDeposit>,
}

/// Why a block could not be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error(transparent)]
    Deposit(#[from] DepositError),
    #[error(transparent)]
    Execution(#[from] ExecutionError<Infallible>),
}

/// Bytes of batch data that an entry may hold, in blobs or as calldata, whichever holds more. A
/// block that fits only one of them waits until that one is affordable.
pub(crate) fn entry_bytes_max(config: &ChainConfig) -> usize {
    let at_most = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
    let blobs = blob_data_bytes(at_most(config.entry_blobs_max).min(BLOBS_MAX));
    at_most(config.entry_bytes_max).max(blobs).min(at_most(config.entry_inflated_bytes_max))
}

/// Bytes of transactions that a block may hold, so that it fits an entry even if it is
/// incompressible.
pub(crate) fn block_bytes_max(config: &ChainConfig) -> usize {
    let entry = entry_bytes_max(config);
    (entry - entry / RESERVED_PART).saturating_sub(BATCH_OVERHEAD_BYTES)
}

/// Bytes of a block that a transaction takes.
pub(crate) const fn bytes_in_block(raw: &[u8]) -> usize {
    raw.len() + TRANSACTION_OVERHEAD_BYTES
}

/// The block's time in milliseconds: the clock, within the bounds of derivation. An entry's L1 time
/// is at least `l1_time`, that of the newest L1 block, in seconds.
pub(crate) fn time_ms(
    config: &ChainConfig,
    now_ms: u64,
    parent_ms: u64,
    origin: &Origin,
    l1_time: u64,
) -> u64 {
    let step_ms = now_ms.saturating_sub(parent_ms);
    block_time(config, parent_ms, origin, l1_time, Some(step_ms))
}

/// The deposits of a block, from the queue.
pub(crate) fn deposits_of_block(
    config: &ChainConfig,
    queue: &[QueuedDeposit],
) -> Result<Vec<QueuedDeposit>, DepositError> {
    let entry_max = usize::try_from(config.entry_deposits_max).unwrap_or(usize::MAX);
    let queue = &queue[..queue.len().min(entry_max)];
    let gas_limits =
        queue.iter().map(|queued| queued.deposit.gas_limit()).collect::<Result<Vec<_>, _>>()?;
    Ok(queue[..turnpike_protocol::deposits_of_block(config, gas_limits)].to_vec())
}

#[cfg(test)]
mod tests {
    use turnpike_protocol::Genesis;

    use super::*;

    #[test]
    fn time_follows_clock_within_derivation_bounds() {
        let config = Genesis::dev().config;
        let origin = Origin { l1_time: 100, ..Origin::default() };
        let time = |now_ms, parent_ms| time_ms(&config, now_ms, parent_ms, &origin, 120);
        assert_eq!(time(130_007, 110_000), 130_007);
        // Never before the parent or the origin, never more than the drift ahead of L1.
        assert_eq!(time(105_000, 110_001), 110_001);
        assert_eq!(time(90_000, 80_000), 100_000);
        assert_eq!(time(9_000_000, 110_000), 720_000);
    }

    #[test]
    fn entry_bytes_are_the_larger_of_calldata_and_blobs() {
        let rules = |bytes, blobs, inflated| ChainConfig {
            entry_bytes_max: bytes,
            entry_blobs_max: blobs,
            entry_inflated_bytes_max: inflated,
            ..Genesis::dev().config
        };
        assert_eq!(entry_bytes_max(&rules(100_000, 6, u64::MAX)), blob_data_bytes(6));
        assert_eq!(entry_bytes_max(&rules(1_000_000, 6, u64::MAX)), 1_000_000);
        assert_eq!(entry_bytes_max(&rules(1_000_000, 6, 50_000)), 50_000);
        assert_eq!(entry_bytes_max(&rules(10, u64::MAX, u64::MAX)), blob_data_bytes(BLOBS_MAX));
    }
}
