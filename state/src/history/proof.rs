//! Merkle proofs of a recent state, without keeping its trie.

use alloy_primitives::{Address, U256};

use crate::{
    AccountProof, NodeState, PartialState, StateCommit, StateDiff, Touched, Witness, WitnessError,
};

impl NodeState {
    /// Merkle proofs of an account and some of its slots in the state that `undo` leads to from
    /// this one; see [`History::undo_to`](crate::History::undo_to).
    ///
    /// Costs as much as committing `undo`. This state stays as it is: the diff is committed to a
    /// partial one that is built from the nodes it needs.
    #[must_use]
    pub fn proof_at(&self, undo: &StateDiff, address: &Address, slots: &[U256]) -> AccountProof {
        let mut touched = Touched::default();
        touched.add_diff(undo);
        touched.accounts.entry(*address).or_default().extend(slots);
        let past = PartialState::new(self.roots().state_root, self.witness(&touched));
        prove(past, undo, address, slots).expect("invariant: the witness covers what is touched")
    }
}

fn prove(
    mut past: PartialState<Witness>,
    undo: &StateDiff,
    address: &Address,
    slots: &[U256],
) -> Result<AccountProof, WitnessError> {
    past.commit(undo)?;
    past.proof(address, slots)
}
