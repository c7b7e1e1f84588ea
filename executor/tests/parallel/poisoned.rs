//! Contracts whose behaviour changes after it was learned. The profile becomes wrong for all calls
//! at once, between two blocks or within one. The code at the called address stays the same.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use turnpike_executor::{BlockContext, BlockHashes, ChainSpec, Grain, Mode, SpecId, TxEnv};
use turnpike_protocol::{GenesisAccount, Header};

use crate::{
    compare::{Totals, engine, run_blocks},
    log::{count_of, logged},
    random::{BASE_FEE, CHAIN_ID, Genesis, Tx, contract, person},
    script::{Block, Chain, Script},
};

const PEOPLE: usize = 40;
const WORKERS: [usize; 3] = [2, 3, 8];
/// Blocks before the change, enough to learn from.
const BLOCKS_BEFORE: u64 = 2;
const BLOCKS_AFTER: u64 = 2;

/// The called contract. Its slot 0 determines its behaviour.
fn target() -> Address {
    contract(0)
}

/// Code that jumps to `then` if a condition holds.
fn if_else(condition: &[u8], otherwise: &[u8], then: &[u8]) -> Vec<u8> {
    const JUMP_BYTES: usize = 3;
    let to = u8::try_from(condition.len() + JUMP_BYTES + otherwise.len()).expect("fits 8 bits");
    let jump: [u8; JUMP_BYTES] = [0x60, to, 0x57];
    [condition, &jump, otherwise, &[0x5b], then].concat()
}

/// Adds one to the caller's entry of the mapping at slot 1.
const COUNT_FOR_CALLER: [u8; 22] = [
    0x33, 0x60, 0, 0x52, 0x60, 1, 0x60, 32, 0x52, 0x60, 64, 0x60, 0, 0x20, // its slot
    0x80, 0x54, 0x60, 1, 0x01, 0x90, 0x55, 0x00,
];
/// Adds one to slot 7.
const COUNT_FOR_ALL: [u8; 10] = [0x60, 7, 0x54, 0x60, 1, 0x01, 0x60, 7, 0x55, 0x00];
/// Sets slot 0 to the first word of the calldata.
const SET: [u8; 7] = [0x60, 4, 0x35, 0x60, 0, 0x55, 0x00];
/// Runs the code of the contract in slot 0.
const DELEGATE: [u8; 18] = [
    0x36, 0x60, 0, 0x60, 0, 0x37, // calldata
    0x60, 0, 0x60, 0, 0x36, 0x60, 0, 0x60, 0, 0x54, 0x5a, 0xf4,
];
/// Whether the calldata has more than a selector.
const HAS_WORD: [u8; 4] = [0x60, 4, 0x36, 0x11];

/// The kind of change.
#[derive(Clone, Copy, Debug)]
enum Poison {
    /// A flag in the contract's storage.
    Flag,
    /// A proxy's implementation.
    Proxy,
}

impl Poison {
    fn genesis(self) -> Genesis {
        let with_code = |code: Vec<u8>| GenesisAccount {
            nonce: 1,
            code: code.into(),
            ..GenesisAccount::default()
        };
        let person = |at| {
            let balance = U256::from(1_000_000_000_000_u64);
            (crate::random::person(at), GenesisAccount { balance, ..GenesisAccount::default() })
        };
        let mut accounts: BTreeMap<_, _> = (0..=PEOPLE).map(person).collect();
        let code = match self {
            Self::Flag => {
                const SETTER: u8 = 46;
                let flag = [&HAS_WORD[..], &[0x60, SETTER, 0x57, 0x60, 0, 0x54]].concat();
                let code = if_else(&flag, &COUNT_FOR_CALLER, &COUNT_FOR_ALL);
                assert_eq!(code.len(), usize::from(SETTER));
                [code, vec![0x5b], SET.to_vec()].concat()
            }
            Self::Proxy => {
                accounts.insert(contract(1), with_code(COUNT_FOR_CALLER.to_vec()));
                accounts.insert(contract(2), with_code(COUNT_FOR_ALL.to_vec()));
                if_else(&HAS_WORD, &[&DELEGATE[..], &[0x00]].concat(), &SET)
            }
        };
        let mut account = with_code(code);
        if matches!(self, Self::Proxy) {
            account.storage.insert(U256::ZERO, contract(1).into_word().into());
        }
        accounts.insert(target(), account);
        Genesis(accounts)
    }

    /// Calldata of the call that makes the change.
    fn setter(self) -> Bytes {
        let word = match self {
            Self::Flag => B256::with_last_byte(1),
            Self::Proxy => contract(2).into_word(),
        };
        [&[9, 9, 9, 9][..], word.as_slice()].concat().into()
    }
}

fn call(sender: usize, nonce: u64, data: Bytes) -> Tx {
    let env = TxEnv {
        caller: person(sender),
        gas_limit: 150_000,
        gas_price: u128::from(2 * BASE_FEE),
        kind: TxKind::Call(target()),
        data,
        nonce,
        chain_id: Some(CHAIN_ID),
        ..TxEnv::default()
    };
    let id = nonce << 32 | u64::try_from(sender).expect("fits 64 bits");
    Tx { env, mint: None, data_size: 0, id }
}

/// Position of the change among the calls of the first block after learning. `None` for no change.
type Change = Option<usize>;

fn script(poison: Poison, change: Change, mode: Mode) -> Script {
    let block = |number: u64| {
        let transactions = (0..PEOPLE).map(|at| call(at, number - 1, vec![1, 2, 3, 4].into()));
        let mut transactions: Vec<_> = transactions.collect();
        if let Some(at) = change.filter(|_| number == BLOCKS_BEFORE + 1) {
            transactions.insert(at, call(PEOPLE, 0, poison.setter()));
        }
        let header = Header {
            beneficiary: Address::repeat_byte(0xcb),
            number,
            timestamp: 1_000 + number,
            gas_limit: 1_000_000_000,
            base_fee_per_gas: Some(BASE_FEE),
            excess_blob_gas: Some(0),
            ..Header::default()
        };
        let context = BlockContext {
            header,
            hashes: BlockHashes::Given(BTreeMap::new()),
            l1_fee: None,
            backlog: None,
        };
        Block { chain: 0, context, mode, slices: vec![transactions] }
    };
    let spec = ChainSpec::ethereum(CHAIN_ID, SpecId::CANCUN);
    Script {
        grain: Grain::FINEST,
        chains: vec![Chain { spec, genesis: poison.genesis() }],
        blocks: (1..=BLOCKS_BEFORE + BLOCKS_AFTER).map(block).collect(),
    }
}

fn check(poison: Poison) {
    let run = |change: Change, mode: Mode, workers: usize| {
        let engine = engine(workers, Grain::FINEST);
        let script = script(poison, change, mode);
        let (result, lines) = logged(|| run_blocks(&script, &engine, &mut Totals::default()));
        result.unwrap_or_else(|failure| panic!("{poison:?}, {change:?}, {workers}: {failure}"));
        (engine.counters(), lines)
    };
    for workers in WORKERS {
        let (learned, _) = run(None, Mode::Parallel, workers);
        let all = u64::try_from(PEOPLE).expect("fits 64 bits") * (BLOCKS_BEFORE + BLOCKS_AFTER);
        assert_eq!((learned.in_lanes, learned.conflicts), (all, 0), "{poison:?} is not predicted");
        for change in [0, PEOPLE / 2, PEOPLE] {
            let (counters, lines) = run(Some(change), Mode::Parallel, workers);
            let again = count_of(&lines, "DEBUG lanes conflict, executing them again");
            assert!(counters.conflicts > 0 && again > 0, "{poison:?}, {change}: {counters:?}");
            assert_eq!((counters.panics, counters.lane_errors), (0, 0));
            let (counters, _) = run(Some(change), Mode::Shadow, workers);
            assert_eq!((counters.shadowed, counters.mismatches), (4, 0));
        }
    }
}

#[test]
fn flag_flip_after_learning_never_changes_the_outcome() {
    check(Poison::Flag);
}

#[test]
fn proxy_upgrade_after_learning_never_changes_the_outcome() {
    check(Poison::Proxy);
}
