//! Accepted and refused transactions that the journal holds and the index does not, each with its
//! latest outcome.

use std::collections::HashMap;

use alloy_primitives::{B256, keccak256};
use turnpike_storage::AcceptedTx;

/// Transactions that wait or were refused, as of the last journal row. A later outcome replaces an
/// earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnindexedTxs {
    waiting: HashMap<B256, AcceptedTx>,
    refused: HashMap<B256, String>,
}

impl UnindexedTxs {
    /// Adds transactions that wait.
    pub fn accept(&mut self, accepted: impl IntoIterator<Item = AcceptedTx>) {
        for accepted in accepted {
            let hash = keccak256(&accepted.tx.raw);
            self.refused.remove(&hash);
            self.waiting.insert(hash, accepted);
        }
    }

    /// Adds refused transactions.
    pub fn refuse(&mut self, refused: impl IntoIterator<Item = (B256, String)>) {
        for (hash, reason) in refused {
            self.waiting.remove(&hash);
            self.refused.insert(hash, reason);
        }
    }

    /// Removes transactions that a block includes.
    pub fn include(&mut self, hashes: impl IntoIterator<Item = B256>) {
        if self.is_empty() {
            return;
        }
        for hash in hashes {
            self.waiting.remove(&hash);
            self.refused.remove(&hash);
        }
    }

    /// Adds the outcomes of later rows.
    pub fn extend(&mut self, later: Self) {
        for (hash, accepted) in later.waiting {
            self.refused.remove(&hash);
            self.waiting.insert(hash, accepted);
        }
        self.refuse(later.refused);
    }

    /// Whether there are no outcomes.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.refused.is_empty()
    }

    /// The arrivals of the waiting transactions.
    pub fn arrivals(&self) -> impl Iterator<Item = u64> {
        self.waiting.values().map(|accepted| accepted.arrival)
    }

    /// The refused transactions, each with its reason.
    pub const fn refused(&self) -> &HashMap<B256, String> {
        &self.refused
    }

    /// The waiting transactions by arrival, and the refused ones with their reasons.
    pub fn into_parts(self) -> (Vec<AcceptedTx>, Vec<(B256, String)>) {
        let mut waiting: Vec<_> = self.waiting.into_values().collect();
        waiting.sort_by_key(|accepted| accepted.arrival);
        let mut refused: Vec<_> = self.refused.into_iter().collect();
        refused.sort();
        (waiting, refused)
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;
    use turnpike_storage::JournalTx;

    use super::*;

    fn waiting(arrival: u64, seed: u8) -> AcceptedTx {
        let tx = JournalTx { raw: vec![seed].into(), sender: Address::ZERO };
        AcceptedTx { arrival, received_ms: 0, tx }
    }

    fn refusal(seed: u8) -> (B256, String) {
        (keccak256([seed]), "too late".into())
    }

    #[test]
    fn latest_outcome_wins() {
        let mut unindexed = UnindexedTxs::default();
        unindexed.accept([waiting(3, 1), waiting(2, 2), waiting(1, 3)]);
        unindexed.refuse([refusal(1), refusal(4)]);
        unindexed.accept([waiting(9, 4)]);
        unindexed.include([keccak256([3])]);
        assert_eq!(
            unindexed.clone().into_parts(),
            (vec![waiting(2, 2), waiting(9, 4)], vec![refusal(1)])
        );

        let mut later = UnindexedTxs::default();
        later.refuse([refusal(2)]);
        later.accept([waiting(10, 1)]);
        unindexed.extend(later);
        assert_eq!(unindexed.into_parts(), (vec![waiting(9, 4), waiting(10, 1)], vec![refusal(2)]));
    }
}
