//! A change of the batcher's key: pure.
//!
//! The inbox names another batcher some time before it may take over. From then on the account's
//! transactions revert, so none may still wait: nothing new is sent in the last part of that time,
//! and what is in flight is bid up.

use alloy_primitives::Address;
use turnpike_l1::BatcherKeys;

/// The last part of the key delay, in which no new batch is sent.
const MARGIN_PART: u64 = 8;

/// Longest time without new batches, in seconds: 50 L1 blocks, in which bids double until they are
/// as high as any helps.
const MARGIN_MAX: u64 = 600;

/// What the batcher's account may send, as of an L1 block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyStatus {
    /// New batches.
    Sends,
    /// Higher bids for what is in flight.
    Bids,
    /// Nothing.
    Stops,
}

/// Until when the inbox takes the account's batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyTerm {
    /// L1 time in seconds from which on it may refuse them; [`u64::MAX`] without a change.
    end: u64,
    margin: u64,
}

impl KeyTerm {
    /// The term of an account without a change of keys.
    pub(crate) const UNLIMITED: Self = Self { end: u64::MAX, margin: 0 };

    /// The term of `account`.
    pub(crate) fn of(account: Address, keys: &BatcherKeys, key_delay: u64) -> Self {
        let margin = (key_delay / MARGIN_PART).min(MARGIN_MAX);
        let end = match keys.pending {
            _ if keys.batcher != account => 0,
            Some((next, from)) if next != account => from,
            _ => u64::MAX,
        };
        Self { end, margin }
    }

    /// L1 time in seconds from which on what is in flight is bid up at any price.
    pub(crate) const fn deadline(&self) -> u64 {
        match self.end {
            u64::MAX => u64::MAX,
            end => end.saturating_sub(self.margin),
        }
    }

    /// What the account may send on top of an L1 block with this time.
    pub(crate) const fn status(&self, l1_time: u64) -> KeyStatus {
        if l1_time >= self.end {
            KeyStatus::Stops
        } else if l1_time >= self.deadline() {
            KeyStatus::Bids
        } else {
            KeyStatus::Sends
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Address = Address::repeat_byte(1);
    const NEXT: Address = Address::repeat_byte(2);

    fn term(batcher: Address, pending: Option<(Address, u64)>, key_delay: u64) -> KeyTerm {
        KeyTerm::of(OWN, &BatcherKeys { batcher, pending }, key_delay)
    }

    #[test]
    fn account_stops_an_eighth_of_the_key_delay_before_another_may_take_over() {
        let term = term(OWN, Some((NEXT, 1_000)), 80);
        assert_eq!(term.deadline(), 990);
        assert_eq!(term.status(989), KeyStatus::Sends);
        assert_eq!(term.status(990), KeyStatus::Bids);
        assert_eq!(term.status(999), KeyStatus::Bids);
        assert_eq!(term.status(1_000), KeyStatus::Stops);
    }

    #[test]
    fn account_stops_at_most_ten_minutes_before() {
        assert_eq!(term(OWN, Some((NEXT, 1_000_000)), 86_400).deadline(), 1_000_000 - 600);
    }

    #[test]
    fn account_sends_while_it_alone_is_the_batcher() {
        for pending in [None, Some((OWN, 1_000))] {
            let term = term(OWN, pending, 80);
            assert_eq!((term, term.deadline()), (KeyTerm { end: u64::MAX, margin: 10 }, u64::MAX));
            assert_eq!(term.status(2_000), KeyStatus::Sends);
        }
        assert_eq!(KeyTerm::UNLIMITED.status(2_000), KeyStatus::Sends);
    }

    #[test]
    fn account_sends_nothing_while_another_is_the_batcher() {
        for pending in [None, Some((OWN, 1_000)), Some((NEXT, 1_000))] {
            assert_eq!(term(NEXT, pending, 80).status(5), KeyStatus::Stops);
        }
    }
}
