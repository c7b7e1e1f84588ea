//! Compares recent states with snapshots from when they were the newest.

mod common;

use std::{collections::BTreeSet, sync::Arc};

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_trie::{Nibbles, TrieAccount, proof::verify_proof};
use common::{Model, diff, set};
use proptest::{collection, prelude::*};
use turnpike_protocol::predeploys::MESSAGE_PASSER;
use turnpike_state::{
    Account, AccountDiff, HistoricalView, History, HistoryLimits, MergedDiff, NodeState, StateDiff,
    StateView,
};

const ROOMY: HistoryLimits = HistoryLimits { blocks_max: 64, items_max: 100_000 };
const FIRST: u64 = 100;

/// A chain of blocks, with a snapshot of each state.
struct Chain {
    state: NodeState,
    history: History,
    /// State and root after block `FIRST + index`.
    snapshots: Vec<(Model, B256)>,
}

impl Chain {
    fn new(genesis: &StateDiff, limits: HistoryLimits) -> Self {
        let (state, roots) = NodeState::from_genesis(genesis);
        let mut model = Model::default();
        model.apply(genesis);
        let snapshots = vec![(model, roots.state_root)];
        Self { state, history: History::new(FIRST, limits), snapshots }
    }

    fn apply(&mut self, diff: &StateDiff) {
        let undo = self.state.flat().undo_of(diff);
        let root = self.state.apply(diff).state_root;
        self.history.push(self.history.newest() + 1, undo);
        let mut model = self.snapshots.last().expect("never empty").0.clone();
        model.apply(diff);
        self.snapshots.push((model, root));
    }

    /// Compares the newest states and the pinned ones, which are all that is kept.
    fn check_kept(&self, pins: &BTreeSet<u64>) {
        let (oldest, newest) = (self.history.oldest(), self.history.newest());
        let is_kept = |block: &u64| *block >= oldest || pins.contains(block);
        let mut before = None;
        for block in FIRST..=newest {
            if is_kept(&block) {
                self.check(block);
                before = Some(block);
            } else {
                assert!(self.history.undo_to(block).is_none(), "block {block}");
            }
            assert_eq!(self.history.kept_before(block), before, "block {block}");
        }
    }

    fn view(&self, block: u64) -> Option<HistoricalView<'_>> {
        Some(HistoricalView::new(self.state.flat(), Arc::new(self.history.merged_to(block)?)))
    }

    fn check(&self, block: u64) {
        let (model, root) =
            &self.snapshots[usize::try_from(block - FIRST).expect("index fits usize")];
        let mut view = self.view(block).expect("within the history");
        let undo = self.history.undo_to(block).expect("within the history");
        let slots: Vec<U256> = (0..12).map(U256::from).collect();
        for address in addresses() {
            let held = model.0.get(&address);
            let account = held.map(|(account, _)| *account);
            assert_eq!(view.account(&address), account, "block {block}, account {address}");
            let value = |slot| held.and_then(|(_, slots)| slots.get(slot)).copied();
            let proof = self.state.proof_at(&undo, &address, &slots);
            verify_account(*root, &address, account, &proof.account_proof, proof.storage_root);
            assert_eq!(
                (proof.account, proof.storage_root),
                (account, model.storage_root(&address))
            );
            for (slot, proven) in slots.iter().zip(&proof.storage) {
                let expected = value(slot).unwrap_or_default();
                assert_eq!(view.storage(&address, *slot), expected, "block {block}, {address}");
                assert_eq!((proven.slot, proven.value), (*slot, expected));
                let leaf = value(slot).map(alloy_rlp::encode);
                let key = Nibbles::unpack(keccak256(B256::from(*slot)));
                verify_proof(proof.storage_root, key, leaf, &proven.proof).expect("valid proof");
            }
            if let Some(account) = account {
                let code = StateView::code(&mut view, &account.code_hash).expect("infallible");
                assert_eq!(keccak256(code.original_bytes()), account.code_hash);
            }
        }
    }
}

fn verify_account(
    root: B256,
    address: &Address,
    account: Option<Account>,
    proof: &[alloy_primitives::Bytes],
    storage_root: B256,
) {
    let leaf = account.map(|Account { nonce, balance, code_hash }| {
        alloy_rlp::encode(TrieAccount { nonce, balance, storage_root, code_hash })
    });
    verify_proof(root, Nibbles::unpack(keccak256(address)), leaf, proof).expect("valid proof");
}

/// The addresses of random diffs, and one other address.
fn addresses() -> impl Iterator<Item = Address> {
    std::iter::once(MESSAGE_PASSER).chain((1..=24).map(Address::with_last_byte))
}

fn gone(address: Address) -> AccountDiff {
    AccountDiff { address, ..AccountDiff::default() }
}

fn of(accounts: &[AccountDiff]) -> StateDiff {
    StateDiff { accounts: accounts.to_vec(), ..StateDiff::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn recent_states_read_and_prove_as_when_they_were_newest(
        genesis in diff(),
        blocks in collection::vec(diff(), 30),
    ) {
        let mut chain = Chain::new(&genesis, ROOMY);
        for block in &blocks {
            chain.apply(block);
        }
        for block in FIRST..=chain.history.newest() {
            chain.check(block);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn truncation_restores_the_state(
        genesis in diff(),
        blocks in collection::vec(diff(), 1..12),
        back in any::<prop::sample::Index>(),
    ) {
        let mut chain = Chain::new(&genesis, ROOMY);
        for block in &blocks {
            chain.apply(block);
        }
        let index = back.index(chain.snapshots.len());
        let block = FIRST + u64::try_from(index).expect("index fits u64");
        let undo = chain.history.truncate(block).expect("within the history");
        let root = chain.state.apply(&undo).state_root;
        prop_assert_eq!(root, chain.snapshots[index].1);
        prop_assert_eq!(chain.history.newest(), block);
        chain.snapshots.truncate(index + 1);
        chain.apply(&blocks[0]);
        chain.check(FIRST);
        chain.check(block);
    }

    #[test]
    fn pinned_states_outlast_the_limits(
        genesis in diff(),
        blocks in collection::vec(diff(), 1..40),
        pins in collection::btree_set(0..40_u64, 0..6),
        unpinned in any::<prop::sample::Index>(),
        back in any::<prop::sample::Index>(),
    ) {
        let mut chain = Chain::new(&genesis, HistoryLimits { blocks_max: 3, ..ROOMY });
        let mut pins: BTreeSet<u64> = pins.into_iter().map(|pin| FIRST + pin).collect();
        chain.history.pin(pins.clone());
        for block in &blocks {
            chain.apply(block);
        }
        chain.check_kept(&pins);
        if !pins.is_empty() {
            let unpinned = *pins.iter().nth(unpinned.index(pins.len())).expect("one of them");
            pins.remove(&unpinned);
            chain.history.pin(pins.clone());
            chain.check_kept(&pins);
        }
        // Go back to a kept state, and on from there.
        let kept = |block: &u64| chain.history.kept_before(*block) == Some(*block);
        let kept: Vec<u64> = (FIRST..=chain.history.newest()).filter(kept).collect();
        let block = kept[back.index(kept.len())];
        let undo = chain.history.truncate(block).expect("kept");
        let root = chain.state.apply(&undo).state_root;
        chain.snapshots.truncate(usize::try_from(block - FIRST + 1).expect("fits"));
        prop_assert_eq!(root, chain.snapshots.last().expect("never empty").1);
        for block in &blocks {
            chain.apply(block);
        }
        pins.retain(|pin| *pin >= block || kept.contains(pin));
        chain.check_kept(&pins);
    }

    #[test]
    fn merged_diff_equals_sequential_merges(diffs in collection::vec(diff(), 2..5)) {
        let mut merged = MergedDiff::default();
        let mut expected = StateDiff::default();
        for diff in diffs {
            merged.push(&diff);
            expected.merge(diff);
        }
        prop_assert_eq!(merged.into_diff(), expected);
    }
}

#[test]
fn rewind_restores_the_storage_of_a_removed_account() {
    let [alice, bob] = [1, 2].map(Address::with_last_byte);
    let genesis = of(&[set(alice, 1, &[(1, 10), (2, 20)]), set(bob, 1, &[(3, 30)])]);
    let mut chain = Chain::new(&genesis, ROOMY);
    let cleared = AccountDiff { storage_cleared: true, ..set(bob, 2, &[(4, 40)]) };
    chain.apply(&of(&[gone(alice), cleared]));
    chain.apply(&of(&[set(alice, 5, &[(2, 21)]), gone(bob)]));
    chain.apply(&of(&[gone(Address::with_last_byte(9))]));
    for block in FIRST..=FIRST + 3 {
        chain.check(block);
    }
    let view = chain.view(FIRST).expect("block is within the history");
    assert_eq!(view.storage(&alice, U256::from(1)), U256::from(10));
    assert_eq!(view.storage(&bob, U256::from(4)), U256::ZERO);
}

#[test]
fn history_drops_blocks_beyond_its_limits() {
    let alice = Address::with_last_byte(1);
    let mut chain = Chain::new(&of(&[]), HistoryLimits { blocks_max: 3, ..ROOMY });
    for nonce in 0..8 {
        chain.apply(&of(&[set(alice, nonce, &[])]));
    }
    assert_eq!((chain.history.oldest(), chain.history.newest()), (FIRST + 5, FIRST + 8));
    for block in FIRST + 5..=FIRST + 8 {
        chain.check(block);
    }
    for block in [0, FIRST + 4, FIRST + 9, u64::MAX] {
        assert!(chain.view(block).is_none(), "block {block}");
        assert!(chain.history.undo_to(block).is_none(), "block {block}");
        assert!(chain.history.truncate(block).is_none(), "block {block}");
    }

    let mut chain = Chain::new(&of(&[]), HistoryLimits { items_max: 6, ..ROOMY });
    for nonce in 0..4 {
        chain.apply(&of(&[set(alice, nonce, &[(1, nonce + 1), (2, nonce + 1)])]));
    }
    // The first block created the account: its reverse diff has one item, and each later one has
    // three.
    assert_eq!(chain.history.oldest(), FIRST + 2);
    chain.check(FIRST + 2);
}

#[test]
fn trim_keeps_the_requested_state() {
    let mut history = History::new(FIRST, HistoryLimits { blocks_max: 4, items_max: 6 });
    let undo = of(&[set(Address::with_last_byte(1), 1, &[(1, 1), (2, 2)])]);
    let mut next = |kept| {
        let block = history.newest() + 1;
        history.push_ahead(block, undo.clone());
        history.trim(block, kept);
        history.oldest()
    };
    assert_eq!([next(FIRST), next(FIRST)], [FIRST, FIRST]);
    assert_eq!(next(FIRST), FIRST, "the kept block outweighs the limit on items");
    assert_eq!(next(FIRST + 1), FIRST + 1);
    assert_eq!(
        [next(FIRST + 1), next(FIRST + 1)],
        [FIRST + 1, FIRST + 2],
        "the limit on blocks still applies"
    );
    assert_eq!(next(u64::MAX), FIRST + 5, "six items are two blocks of three");
}

#[test]
#[should_panic(expected = "invariant: blocks follow one another")]
fn pushing_a_block_after_a_gap_panics() {
    History::new(FIRST, ROOMY).push(FIRST + 2, StateDiff::default());
}
