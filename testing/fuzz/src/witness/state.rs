//! A partial state on a witness that the input tampers with, next to the full state.

use std::{collections::BTreeSet, sync::LazyLock};

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use turnpike_protocol::predeploys::MESSAGE_PASSER;
use turnpike_state::{
    Account, AccountDiff, NodeState, PartialState, PreimageSource, StateCommit, StateDiff,
    StateRoots, StateView, StorageId, Touched, TrieError, Witness, WitnessError,
};

use super::tamper::Tamper;
use crate::{Outcome, input::Input};

/// Accounts of the base state.
const ACCOUNTS: u8 = 48;

/// Slots of every third account.
const SLOTS: u64 = 12;

/// Reads, changes, and false preimages, at most.
const READS_MAX: usize = 8;
const CHANGES_MAX: usize = 6;
const TAMPERS_MAX: usize = 4;

/// A state whose tries have several levels.
static BASE: LazyLock<NodeState> = LazyLock::new(|| {
    let account = |index: u8| {
        let slots = if index.is_multiple_of(3) { SLOTS } else { 0 };
        let code_hash = keccak256(code(index));
        let account = Account { nonce: 1, balance: U256::from(index), code_hash };
        AccountDiff {
            address: address(index),
            account: Some(account),
            storage: (0..slots).map(|slot| (U256::from(slot), U256::from(slot + 1))).collect(),
            ..AccountDiff::default()
        }
    };
    let codes = (0..ACCOUNTS).map(|index| (keccak256(code(index)), code(index))).collect();
    NodeState::from_genesis(&StateDiff { accounts: (0..ACCOUNTS).map(account).collect(), codes }).0
});

fn address(index: u8) -> Address {
    if index == 0 { MESSAGE_PASSER } else { Address::repeat_byte(index) }
}

/// One of four programs.
fn code(index: u8) -> Bytes {
    Bytes::from(vec![0x60, index % 4, 0x5b, 0x00])
}

type Answer = (Option<Account>, U256, Option<Bytes>);

/// A block's use of the state.
#[derive(Debug)]
struct Use {
    reads: Vec<(Address, U256)>,
    diff: StateDiff,
}

impl Use {
    fn read(input: &mut Input<'_>) -> Self {
        let reads = (0..input.below(READS_MAX + 1)).map(|_| (any_address(input), any_slot(input)));
        let reads = reads.collect();
        let mut accounts: Vec<AccountDiff> = Vec::new();
        for _ in 0..input.below(CHANGES_MAX + 1) {
            let change = change(input);
            if accounts.iter().all(|other| other.address != change.address) {
                accounts.push(change);
            }
        }
        Self { reads, diff: StateDiff { accounts, codes: Vec::new() } }
    }

    /// The keys that a node's witness of the block covers.
    fn touched(&self) -> Touched {
        let mut touched = Touched::default();
        for (address, slot) in &self.reads {
            touched.accounts.entry(*address).or_default().insert(*slot);
        }
        touched.codes.extend((0..4).map(|index| keccak256(code(index))));
        touched.add_diff(&self.diff);
        touched
    }

    /// Reads, commits and reads again.
    fn run<V: StateCommit>(
        &self,
        state: &mut V,
    ) -> Result<(Vec<Answer>, StateRoots, Vec<Answer>), V::Error> {
        Ok((self.answers(state)?, state.commit(&self.diff)?, self.answers(state)?))
    }

    fn answers<V: StateView>(&self, state: &mut V) -> Result<Vec<Answer>, V::Error> {
        let answer = |(address, slot): &(Address, U256)| {
            let account = state.account(address)?.map(|(account, _)| account);
            let code = account.map(|account| state.code(&account.code_hash)).transpose()?;
            let value = state.storage(address, StorageId::default(), *slot)?;
            Ok((account, value, code.map(|code| code.original_bytes())))
        };
        self.reads.iter().map(answer).collect()
    }
}

/// An account of the base state, or one that is not there.
fn any_address(input: &mut Input<'_>) -> Address {
    address(input.byte() % (ACCOUNTS + 8))
}

fn any_slot(input: &mut Input<'_>) -> U256 {
    U256::from(u64::from(input.byte()) % (SLOTS + 4))
}

fn change(input: &mut Input<'_>) -> AccountDiff {
    let address = any_address(input);
    let flags = input.byte();
    let mut storage = std::collections::BTreeMap::new();
    for _ in 0..flags >> 5 {
        storage.insert(any_slot(input), U256::from(input.byte()));
    }
    let account = Account {
        nonce: flags.into(),
        balance: input.u32().try_into().expect("fits"),
        ..Account::default()
    };
    AccountDiff {
        address,
        account: (flags & 1 == 0).then_some(account),
        storage_cleared: flags & 2 != 0,
        storage: storage.into_iter().collect(),
    }
}

/// A source that is not trusted, or one whose preimages count as checked.
#[derive(Clone, Debug)]
struct Source<const IS_CHECKED: bool>(Witness);

impl<const IS_CHECKED: bool> PreimageSource for Source<IS_CHECKED> {
    const IS_CHECKED: bool = IS_CHECKED;

    fn preimage(&mut self, hash: &B256) -> Option<Bytes> {
        self.0.preimages().get(hash).cloned()
    }
}

/// Runs a block on the full state, and on a partial one with some preimages false.
pub(super) fn check(input: &mut Input<'_>) -> Outcome {
    let block = Use::read(input);
    let mut full = BASE.clone();
    let root = full.roots().state_root;
    let honest = full.witness(&block.touched());
    let Ok(expected) = block.run(&mut full);
    let hashes: Vec<B256> = honest.preimages().keys().copied().collect();
    let mut preimages = honest.into_preimages();
    let mut tampered = BTreeSet::new();
    for _ in 0..input.below(TAMPERS_MAX + 1) {
        let (hash, tamper) = (*input.pick(&hashes), Tamper::read(input));
        let before = preimages.remove(&hash).unwrap_or_default();
        preimages.extend(tamper.apply(&before).map(|bytes| (hash, bytes.into())));
        tampered.insert(hash);
    }
    let mut witness = Witness::default();
    preimages.into_iter().for_each(|(hash, bytes)| witness.insert(hash, bytes));

    let outcome = block.run(&mut PartialState::new(root, Source::<false>(witness.clone())));
    // Preimages that count as checked may give another value, but they never panic.
    let trusted = block.run(&mut PartialState::new(root, Source::<true>(witness)));
    match outcome {
        Ok(outcome) => {
            assert_eq!(outcome, expected, "tampered: {tampered:?}");
            // What was read was true, so the check of hashes made no difference.
            assert_eq!(trusted, Ok(outcome));
            Outcome::Checked
        }
        Err(error) => {
            let hash = false_preimage(&error);
            assert!(tampered.contains(&hash), "{error}, tampered: {tampered:?}");
            Outcome::Refused
        }
    }
}

/// The preimage that an error of an unchecked source names.
fn false_preimage(error: &WitnessError) -> B256 {
    match error {
        WitnessError::Trie(TrieError::MissingNode { hash } | TrieError::HashMismatch { hash })
        | WitnessError::MissingCode { hash }
        | WitnessError::CodeMismatch { hash } => *hash,
        error => panic!("no error of a true root: {error}"),
    }
}
