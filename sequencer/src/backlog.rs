//! The backlog: complete blocks that L1 does not hold yet, and the back-pressure that follows.

use std::collections::VecDeque;

use crate::BacklogLimits;

/// Blocks of an entry from whose size the compression is measured, in bytes of transactions.
const MEASURED_BYTES_MIN: u64 = 16 * 1024;

/// Weight of a new measurement: one part in this many.
const MEASUREMENT_PARTS: u64 = 4;

/// A size without compression, in thousandths.
const UNCOMPRESSED: u64 = 1_000;

/// A complete block that L1 does not hold yet.
#[derive(Clone, Copy, Debug)]
struct Unposted {
    block: u64,
    time_ms: u64,
    bytes: u64,
}

/// Complete blocks that L1 does not hold yet. Beyond the limits no block is opened: the pool fills
/// and refuses, instead of blocks growing too old for the inbox.
#[derive(Debug)]
pub(crate) struct Backlog {
    blocks: VecDeque<Unposted>,
    bytes: u64,
    /// Bytes on L1 for a thousand bytes of transactions, as posted batches had it.
    encoded_permille: u64,
}

impl Default for Backlog {
    fn default() -> Self {
        Self { blocks: VecDeque::new(), bytes: 0, encoded_permille: UNCOMPRESSED }
    }
}

impl Backlog {
    /// Adds a complete block with `bytes` bytes of transactions.
    pub(crate) fn push(&mut self, block: u64, time_ms: u64, bytes: usize) {
        let bytes = bytes as u64;
        self.bytes += bytes;
        self.blocks.push_back(Unposted { block, time_ms, bytes });
    }

    /// Removes the blocks up to `safe`, which L1 holds in a batch of `encoded` bytes.
    pub(crate) fn drop_to(&mut self, safe: u64, encoded: u64) {
        let before = self.bytes;
        while let Some(posted) = self.blocks.pop_front_if(|unposted| unposted.block <= safe) {
            self.bytes -= posted.bytes;
        }
        let bytes = before - self.bytes;
        if bytes >= MEASURED_BYTES_MIN {
            let measured = (encoded.saturating_mul(1_000) / bytes).min(UNCOMPRESSED);
            let weighted = self.encoded_permille * (MEASUREMENT_PARTS - 1) + measured;
            self.encoded_permille = weighted / MEASUREMENT_PARTS;
        }
    }

    /// Removes the blocks from `first` on.
    pub(crate) fn truncate(&mut self, first: u64) {
        while let Some(dropped) = self.blocks.pop_back_if(|unposted| unposted.block >= first) {
            self.bytes -= dropped.bytes;
        }
    }

    /// Replaces the blocks by these ones.
    pub(crate) fn replace(&mut self, blocks: Self) {
        let encoded_permille = self.encoded_permille;
        *self = Self { encoded_permille, ..blocks };
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Bytes that the blocks will take on L1.
    pub(crate) const fn encoded_bytes(&self) -> u64 {
        self.bytes.saturating_mul(self.encoded_permille) / 1_000
    }

    /// Age of the oldest block at an L1 block of this time, both in seconds.
    pub(crate) fn age(&self, l1_time: u64) -> u64 {
        let oldest = self.blocks.front().map_or(l1_time, |unposted| unposted.time_ms / 1_000);
        l1_time.saturating_sub(oldest)
    }

    /// Whether no block may be opened at an L1 block of this time.
    pub(crate) fn is_full(&self, limits: &BacklogLimits, l1_time: u64) -> bool {
        self.encoded_bytes() >= limits.bytes_max || self.age(l1_time) > limits.seconds_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backlog() -> Backlog {
        let mut backlog = Backlog::default();
        for number in 1..=10 {
            backlog.push(number, 1_000 * (100 + number), 30_000);
        }
        backlog
    }

    #[test]
    fn bytes_count_as_posted_batches_were_encoded() {
        let mut backlog = backlog();
        let limits = BacklogLimits { bytes_max: 300_000, seconds_max: 1_000 };
        assert_eq!(backlog.encoded_bytes(), 300_000, "nothing was measured yet");
        assert!(backlog.is_full(&limits, 111));
        backlog.drop_to(2, 30_000);
        // A quarter of the way from the whole to the half.
        assert_eq!(backlog.encoded_bytes(), 240_000 * 875 / 1_000);
        assert!(!backlog.is_full(&limits, 111));
        // A batch of nothing, or one that grew by padding, says nothing.
        backlog.drop_to(2, 500_000);
        assert_eq!(backlog.encoded_bytes(), 210_000);
        backlog.drop_to(10, 240_000);
        assert!(backlog.is_empty());
        assert_eq!(backlog.encoded_bytes(), 0);
    }

    #[test]
    fn age_is_that_of_the_oldest_block_in_l1_seconds() {
        let mut backlog = backlog();
        let limits = BacklogLimits { bytes_max: u64::MAX, seconds_max: 20 };
        assert_eq!((backlog.age(100), backlog.age(121)), (0, 20));
        assert!(!backlog.is_full(&limits, 121) && backlog.is_full(&limits, 122));
        backlog.drop_to(1, 0);
        assert!(!backlog.is_full(&limits, 122));
        backlog.truncate(2);
        assert_eq!((backlog.is_empty(), backlog.age(9_000)), (true, 0));
    }

    #[test]
    fn limits_of_zero_admit_no_block() {
        assert!(Backlog::default().is_full(&BacklogLimits::NO_BLOCKS, 0));
    }
}
