//! Accepted and refused transactions that the journal holds and the index does not, each with its
//! latest outcome.

use std::collections::{HashMap, HashSet};

use alloy_primitives::B256;
use turnpike_storage::AcceptedTx;

/// Transactions that were accepted or refused, as of the last journal row. A later outcome replaces
/// an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnindexedTxs {
    accepted: HashSet<B256>,
    refused: HashMap<B256, String>,
}

impl UnindexedTxs {
    /// Adds accepted transactions.
    pub fn accept<'a>(&mut self, accepted: impl IntoIterator<Item = &'a AcceptedTx>) {
        for accepted in accepted {
            self.refused.remove(&accepted.hash);
            self.accepted.insert(accepted.hash);
        }
    }

    /// Adds refused transactions.
    pub fn refuse(&mut self, refused: impl IntoIterator<Item = (B256, String)>) {
        for (hash, reason) in refused {
            self.accepted.remove(&hash);
            self.refused.insert(hash, reason);
        }
    }

    /// Removes transactions that a block includes.
    pub fn include(&mut self, hashes: impl IntoIterator<Item = B256>) {
        if self.is_empty() {
            return;
        }
        for hash in hashes {
            self.accepted.remove(&hash);
            self.refused.remove(&hash);
        }
    }

    /// Adds the outcomes of later rows.
    pub fn extend(&mut self, later: Self) {
        for hash in later.accepted {
            self.refused.remove(&hash);
            self.accepted.insert(hash);
        }
        self.refuse(later.refused);
    }

    /// Whether there are no outcomes.
    pub fn is_empty(&self) -> bool {
        self.accepted.is_empty() && self.refused.is_empty()
    }

    /// The refused transactions, each with its reason.
    pub const fn refused(&self) -> &HashMap<B256, String> {
        &self.refused
    }

    /// The accepted transactions, and the refused ones with their reasons.
    pub fn into_parts(self) -> (Vec<B256>, Vec<(B256, String)>) {
        let mut accepted: Vec<_> = self.accepted.into_iter().collect();
        accepted.sort();
        let mut refused: Vec<_> = self.refused.into_iter().collect();
        refused.sort();
        (accepted, refused)
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;
    use turnpike_storage::AcceptedBytes;

    use super::*;

    fn hash(seed: u8) -> B256 {
        B256::with_last_byte(seed)
    }

    fn accepted(seed: u8) -> AcceptedTx {
        let (sender, raw) = (Address::ZERO, AcceptedBytes::Log(None));
        AcceptedTx { arrival: 0, received_ms: 0, hash: hash(seed), sender, raw }
    }

    fn refusal(seed: u8) -> (B256, String) {
        (hash(seed), "too late".into())
    }

    #[test]
    fn latest_outcome_wins() {
        let mut unindexed = UnindexedTxs::default();
        unindexed.accept(&[accepted(1), accepted(2), accepted(3)]);
        unindexed.refuse([refusal(1), refusal(4)]);
        unindexed.accept(&[accepted(4)]);
        unindexed.include([hash(3)]);
        assert_eq!(unindexed.clone().into_parts(), (vec![hash(2), hash(4)], vec![refusal(1)]));

        let mut later = UnindexedTxs::default();
        later.refuse([refusal(2)]);
        later.accept(&[accepted(1)]);
        unindexed.extend(later);
        assert_eq!(unindexed.into_parts(), (vec![hash(1), hash(4)], vec![refusal(2)]));
    }
}
