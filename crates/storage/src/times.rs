//! When the parts of a block and their transactions reached each stage. The journal provides the
//! times: a row contains its time of writing, and a slice the times at which its transactions were
//! received.

use std::time::{SystemTime, UNIX_EPOCH};

use alloy_rlp::{RlpDecodable, RlpEncodable};

/// Returns the current time in Unix milliseconds.
pub fn unix_milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// When the parts of a block were written and their transactions received.
#[derive(Clone, Debug, Default, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct BlockTimes {
    parts: Vec<PartTimes>,
}

/// The times of one part of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq, RlpEncodable, RlpDecodable)]
struct PartTimes {
    /// When its row was written, in Unix milliseconds.
    written_at_ms: u64,
    /// Transactions in the block up to the end of this part, deposits included.
    end: u64,
    /// Milliseconds from reception to writing, for each of the users' transactions; empty if
    /// unknown.
    waited_ms: Vec<u64>,
}

/// When a transaction reached each stage, in Unix milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionTimes {
    /// Reception; `None` for a deposit and for a transaction derived from L1.
    pub received_ms: Option<u64>,
    /// Writing of the row that holds it.
    pub preconfirmed_ms: Option<u64>,
}

/// Milliseconds from reception to writing. Wraps around, so that [`received`] inverts it even if
/// the clock went backwards.
pub(crate) const fn waited(written_at_ms: u64, received_ms: u64) -> u64 {
    written_at_ms.wrapping_sub(received_ms)
}

/// The inverse of [`waited`].
pub(crate) const fn received(written_at_ms: u64, waited_ms: u64) -> u64 {
    written_at_ms.wrapping_sub(waited_ms)
}

impl BlockTimes {
    /// Adds the next part. Its row was written at `written_at_ms`, it has this many transactions,
    /// deposits included, and those of users were received at `received_ms`.
    pub fn push(&mut self, written_at_ms: u64, transactions: usize, received_ms: &[u64]) {
        let start = self.parts.last().map_or(0, |part| part.end);
        let end = start + transactions as u64;
        let waited_ms = received_ms.iter().map(|ms| waited(written_at_ms, *ms)).collect();
        self.parts.push(PartTimes { written_at_ms, end, waited_ms });
    }

    /// Times of the transaction at a position in the block, deposits counted.
    pub fn of(&self, position: usize) -> TransactionTimes {
        let at = self.parts.partition_point(|part| part.end <= position as u64);
        let Some(part) = self.parts.get(at) else { return TransactionTimes::default() };
        let written = part.written_at_ms;
        // Users' transactions come last in a part.
        let from_end = usize::try_from(part.end).ok().and_then(|end| end.checked_sub(position));
        let index = from_end.and_then(|from_end| part.waited_ms.len().checked_sub(from_end));
        let waited_ms = index.and_then(|index| part.waited_ms.get(index));
        TransactionTimes {
            received_ms: waited_ms.map(|waited_ms| received(written, *waited_ms)),
            preconfirmed_ms: Some(written),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy_rlp::Decodable as _;

    use super::*;

    #[test]
    fn transaction_has_the_times_of_its_part() {
        let mut times = BlockTimes::default();
        // Two deposits and two transactions; a reception after the writing; an unknown reception.
        times.push(1_000, 4, &[900, 990]);
        times.push(1_010, 0, &[]);
        times.push(1_020, 1, &[1_025]);
        times.push(1_030, 1, &[]);
        let times_of = |position| {
            let TransactionTimes { received_ms, preconfirmed_ms } = times.of(position);
            (received_ms, preconfirmed_ms)
        };
        assert_eq!([times_of(0), times_of(1)], [(None, Some(1_000)); 2]);
        assert_eq!(times_of(2), (Some(900), Some(1_000)));
        assert_eq!(times_of(3), (Some(990), Some(1_000)));
        assert_eq!(times_of(4), (Some(1_025), Some(1_020)));
        assert_eq!(times_of(5), (None, Some(1_030)));
        assert_eq!(times_of(6), (None, None));
        let bytes = alloy_rlp::encode(&times);
        assert_eq!(BlockTimes::decode(&mut bytes.as_slice()), Ok(times));
    }
}
