//! Compares stateless execution with the full state, with complete, incomplete and false witnesses.

mod common;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use common::{Model, address, code_of, diff, slot};
use proptest::{collection, prelude::*};
use turnpike_state::{
    Account, AccountDiff, NodeState, PartialState, PreimageSource, RecordingSource, RecordingView,
    StateCommit, StateDiff, StateRoots, StateView, StorageId, Touched, TrieError, Witness,
    WitnessError,
};

type Reads = Vec<(Address, U256)>;
type Answers = Vec<(Option<Account>, U256, Option<Bytes>)>;

fn reads() -> impl Strategy<Value = Reads> {
    collection::vec((address(), slot()), 0..10)
}

fn read<V: StateView>(view: &mut V, reads: &Reads) -> Result<Answers, V::Error> {
    let mut answers = Vec::new();
    for (address, slot) in reads {
        let (account, id) = view.account(address)?.unzip();
        let code = match account {
            Some(account) => Some(view.code(&account.code_hash)?.original_bytes()),
            None => None,
        };
        let value = view.storage(address, id.unwrap_or_default(), *slot)?;
        assert_same(value, view.storage(address, StorageId::default(), *slot)?);
        answers.push((account, value, code));
    }
    Ok(answers)
}

/// Reads a slot with and without the account's id, and expects the same value.
fn assert_same(with_id: U256, without: U256) {
    assert_eq!(with_id, without);
}

fn read_and_commit<V: StateCommit>(
    state: &mut V,
    reads: &Reads,
    diff: &StateDiff,
) -> Result<(Answers, StateRoots, Answers), V::Error> {
    Ok((read(state, reads)?, state.commit(diff)?, read(state, reads)?))
}

/// The witness that a node serves for a block with these reads and this diff.
fn witness(state: &NodeState, reads: &Reads, diff: &StateDiff) -> Witness {
    let mut view = RecordingView::new(state.flat());
    read(&mut view, reads).expect("infallible");
    let mut touched: Touched = view.into_touched();
    touched.add_diff(diff);
    state.witness(&touched)
}

/// A state with so many accounts that its trie has several levels.
fn base(diff: &StateDiff) -> NodeState {
    let account = |index: u8| {
        let address = Address::repeat_byte(index);
        let storage = (0..20).map(|slot| (U256::from(slot), U256::from(slot + 1))).collect();
        let account = Some(Account { nonce: 1, ..Account::default() });
        AccountDiff { address, account, storage, ..AccountDiff::default() }
    };
    let accounts = (32..96).map(account).collect();
    let (mut state, _) = NodeState::from_genesis(&StateDiff { accounts, ..StateDiff::default() });
    state.apply(diff);
    state
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn partial_state_equals_full_state(before in diff(), block in diff(), reads in reads()) {
        let mut full = base(&before);
        let mut partial =
            PartialState::new(full.roots().state_root, witness(&full, &reads, &block));
        let expected = read_and_commit(&mut full, &reads, &block)?;
        prop_assert_eq!(read_and_commit(&mut partial, &reads, &block)?, expected);
    }

    /// Executes several blocks with the nodes that all of them need.
    #[test]
    fn partial_state_equals_full_state_over_several_blocks(
        before in diff(),
        blocks in collection::vec((reads(), diff()), 2..5),
    ) {
        let mut full = base(&before);
        let mut model = Model::default();
        model.apply(&before);
        let mut all = StateDiff::default();
        let mut touched = Touched::default();
        for (reads, block) in &blocks {
            all.merge(block.clone());
            touched.add_diff(block);
            for (address, slot) in reads {
                touched.accounts.entry(*address).or_default().insert(*slot);
            }
        }
        touched.codes.extend((0..4).map(|seed| keccak256(code_of(seed))));
        let root = full.roots().state_root;
        let mut partial = PartialState::new(root, full.witness(&touched));
        for (reads, block) in &blocks {
            let expected = read_and_commit(&mut full, reads, block)?;
            prop_assert_eq!(read_and_commit(&mut partial, reads, block)?, expected);
        }
        prop_assert_eq!(partial.roots()?, full.roots());
    }

    /// The witness that a recorded run leaves is complete. Each of its parts is needed and checked.
    #[test]
    fn every_preimage_is_needed_and_checked(
        before in diff(),
        block in diff(),
        reads in reads(),
        flip in any::<prop::sample::Index>(),
    ) {
        let mut full = base(&before);
        let root = full.roots().state_root;
        let source = RecordingSource::new(witness(&full, &reads, &block));
        let mut recorded = PartialState::new(root, source);
        let expected = read_and_commit(&mut full, &reads, &block)?;
        prop_assert_eq!(&read_and_commit(&mut recorded, &reads, &block)?, &expected);

        let used = recorded.into_source().into_used();
        let mut replayed = PartialState::new(root, used.clone());
        prop_assert_eq!(read_and_commit(&mut replayed, &reads, &block)?, expected);

        for (hash, bytes) in used.preimages() {
            let without = used.preimages().iter().filter(|(other, _)| *other != hash);
            let mut source = Witness::default();
            without.for_each(|(hash, bytes)| source.insert(*hash, bytes.clone()));
            let outcome = read_and_commit(
                &mut PartialState::new(root, source.clone()), &reads, &block);
            let missing = [
                WitnessError::Trie(TrieError::MissingNode { hash: *hash }),
                WitnessError::MissingCode { hash: *hash },
            ];
            prop_assert!(outcome.is_err_and(|error| missing.contains(&error)));

            let mut tampered = bytes.to_vec();
            tampered[flip.index(bytes.len())] ^= 1;
            source.insert(*hash, tampered.into());
            let outcome = read_and_commit(&mut PartialState::new(root, source), &reads, &block);
            let mismatch = [
                WitnessError::Trie(TrieError::HashMismatch { hash: *hash }),
                WitnessError::CodeMismatch { hash: *hash },
            ];
            prop_assert!(outcome.is_err_and(|error| mismatch.contains(&error)));
        }
    }
}

#[test]
fn only_a_failed_commit_abandons_the_state() {
    let full = base(&StateDiff::default());
    let address = Address::repeat_byte(40);
    let account = full.account(&address);
    let change = AccountDiff { address, account, ..AccountDiff::default() };
    let diff = StateDiff { accounts: vec![change], ..StateDiff::default() };
    let root = full.roots().state_root;
    let missing = WitnessError::Trie(TrieError::MissingNode { hash: root });

    let mut partial = PartialState::new(root, Witness::default());
    assert_eq!(partial.account(&address), Err(missing));
    assert_eq!(partial.account(&address), Err(missing));
    assert_eq!(partial.commit(&diff), Err(missing));
    assert_eq!(partial.account(&address), Err(WitnessError::Abandoned));
    let storage = partial.storage(&address, StorageId::default(), U256::ZERO);
    assert_eq!(storage, Err(WitnessError::Abandoned));
    assert_eq!(partial.commit(&diff), Err(WitnessError::Abandoned));
    assert_eq!(partial.roots(), Err(WitnessError::Abandoned));
}

#[test]
fn committed_code_is_read_without_a_source() {
    let code = code_of(9);
    let hash = keccak256(&code);
    let mut partial = PartialState::new(turnpike_state::EMPTY_ROOT, Witness::default());
    assert_eq!(partial.code(&hash).map(drop), Err(WitnessError::MissingCode { hash }));
    let diff = StateDiff { codes: [(hash, code.clone())].into(), ..StateDiff::default() };
    partial.commit(&diff).expect("nothing to resolve");
    assert_eq!(partial.code(&hash).map(|code| code.original_bytes()), Ok(code));
}

#[test]
fn empty_state_needs_no_witness() {
    let mut partial = PartialState::new(turnpike_state::EMPTY_ROOT, Witness::default());
    assert_eq!(partial.account(&Address::ZERO), Ok(None));
    let account = Some(Account { nonce: 1, ..Account::default() });
    let storage = [(U256::from(1), U256::from(2))].into();
    let change = AccountDiff { account, storage, ..AccountDiff::default() };
    let diff = StateDiff { accounts: vec![change], ..StateDiff::default() };
    let expected = NodeState::from_genesis(&diff).1;
    assert_eq!(partial.commit(&diff), Ok(expected));
    assert_ne!(expected.state_root, B256::ZERO);
}

#[test]
fn loaded_codes_stay_within_their_memory_limit() {
    fn code(index: usize) -> Bytes {
        vec![u8::try_from(index).expect("index fits 8 bits"); 1 << 20].into()
    }
    struct Counting(usize);
    impl PreimageSource for Counting {
        fn preimage(&mut self, _: &B256) -> Option<Bytes> {
            self.0 += 1;
            Some(code(self.0 - 1))
        }
    }
    let mut state = PartialState::new(turnpike_state::EMPTY_ROOT, Counting(0));
    let hashes: Vec<B256> = (0..40).map(|index| keccak256(code(index))).collect();
    for hash in &hashes[..30] {
        state.code(hash).expect("the source has the code");
        state.code(hash).expect("the code is kept");
    }
    assert_eq!(state.source().0, 30, "kept codes are not requested again");
    for hash in &hashes[30..] {
        state.code(hash).expect("the source has the code");
    }
    // The source now returns another code, so a second request fails.
    let mismatch = WitnessError::CodeMismatch { hash: hashes[0] };
    assert_eq!(state.code(&hashes[0]).expect_err("the dropped code is requested again"), mismatch);
}
