//! Merkle proofs of a recent state, without keeping its trie.

use alloc::vec::Vec;
use alloy_primitives::{Address, Bytes, U256, map::HashSet};

use crate::{
    AccountProof, NodeState, PartialState, StateCommit, StateDiff, Touched, Witness, WitnessError,
};

impl NodeState {
    /// Merkle proofs of an account and some of its slots in the state that applying `undo` to this
    /// state gives; see [`History::undo_to`](crate::History::undo_to).
    ///
    /// Costs as much as committing `undo`. Does not change this state: the diff is committed to a
    /// partial state that is built from the necessary nodes.
    #[must_use]
    pub fn proof_at(&self, undo: &StateDiff, address: &Address, slots: &[U256]) -> AccountProof {
        let witness = self.witness_of(undo, address, slots);
        let past = PartialState::new(self.roots().state_root, witness);
        prove(past, undo, address, slots).expect("invariant: the witness covers what is touched")
    }

    /// Collects the nodes that committing `undo` and then reading the account and its slots can
    /// need.
    ///
    /// Only a removed key can need more nodes than its path: if a branch is left with one child,
    /// the child replaces the branch. Siblings are many and removals rare, so only removed keys
    /// collect siblings.
    fn witness_of(&self, undo: &StateDiff, address: &Address, slots: &[U256]) -> Witness {
        let mut touched = Touched::default();
        touched.accounts.entry(*address).or_default().extend(slots);
        let mut paths = HashSet::<Bytes>::default();
        for change in &undo.accounts {
            let (kept, gone): (Vec<(U256, U256)>, Vec<_>) =
                change.storage.iter().partition(|(_, value)| !value.is_zero());
            if change.account.is_none() || !gone.is_empty() {
                let gone = gone.into_iter().map(|(slot, _)| slot);
                touched.accounts.entry(change.address).or_default().extend(gone);
            }
            let kept: Vec<U256> = kept.into_iter().map(|(slot, _)| slot).collect();
            let proof = self.proof(&change.address, &kept);
            paths.extend(proof.account_proof);
            paths.extend(proof.storage.into_iter().flat_map(|slot| slot.proof));
        }
        let mut witness = self.witness(&touched);
        paths.into_iter().for_each(|node| witness.add(node));
        witness
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
