//! Compares the states of a chain's recent blocks with reads from when each block was the newest.

use alloy_primitives::{Address, B256, TxKind, U256, hex, keccak256};
use alloy_trie::{Nibbles, TrieAccount, proof::verify_proof};
use op_alloy_consensus::TxDeposit;
use turnpike_executor::{CallOutcome, CallRequest, Chain, ChainHead, call};
use turnpike_protocol::{BlockInput, Genesis, Origin, TxEnvelope};
use turnpike_state::{Account, HistoryLimits};

const BLOCKS: u64 = 12;
const KEPT: u64 = 8;
const LIMITS: HistoryLimits = HistoryLimits { blocks_max: 8, items_max: 100_000 };
const RICH: Address = Address::repeat_byte(0xaa);
const FUNDS: u128 = 1_000_000_000_000_000_000;

/// Without input, adds one to slot 0. With input, returns slot 0, NUMBER and the parent's hash.
const COUNTER: [u8; 33] =
    hex!("36600c575f546001015f55005b5f545f5243602052600143034060405260605ff3");

/// The reads from when a block was the newest.
struct Snapshot {
    head: ChainHead,
    rich: Option<Account>,
    count: U256,
}

fn deposit(number: u64, to: TxKind, mint: u128, input: &[u8]) -> TxEnvelope {
    let source_hash = keccak256([&number.to_be_bytes(), input].concat());
    let (from, gas_limit) = (RICH, 200_000);
    let input = input.to_vec().into();
    TxDeposit { source_hash, from, to, mint, gas_limit, input, ..Default::default() }.into()
}

/// Executes a block that pays an account and increments the counter. The first block creates the
/// counter.
fn advance(chain: &mut Chain, counter: Address) {
    let number = chain.head().header.number + 1;
    let (to, input) = match number {
        // PUSH1 length, PUSH1 10, PUSH0, CODECOPY, PUSH1 length, PUSH0, RETURN
        1 => (TxKind::Create, [&hex!("6021600a5f3960215ff3")[..], &COUNTER].concat()),
        _ => (TxKind::Call(counter), Vec::new()),
    };
    let origin = Origin { l1_time: 1_800_000_000, ..Origin::default() };
    let input = BlockInput {
        number,
        time_ms: 1_000 * (origin.l1_time + number),
        origin,
        deposits: vec![deposit(number, to, FUNDS, &input)],
        transactions: Vec::new(),
    };
    let outcome = chain.execute(&input).expect("full state");
    assert!(outcome.transactions.iter().all(|tx| tx.receipt.envelope.status()), "block {number}");
}

fn chain() -> (Chain, Address, Vec<Snapshot>) {
    let mut chain = Chain::from_genesis_with(&Genesis::dev(), LIMITS);
    let counter = RICH.create(0);
    let mut snapshots = Vec::new();
    for number in 0..=BLOCKS {
        if number > 0 {
            advance(&mut chain, counter);
        }
        snapshots.push(Snapshot {
            head: chain.head().clone(),
            rich: chain.state().account(&RICH),
            count: chain.state().storage(&counter, U256::ZERO),
        });
    }
    (chain, counter, snapshots)
}

#[test]
fn recent_states_equal_earlier_reads() {
    let (chain, counter, snapshots) = chain();
    assert_eq!(snapshots[12].count, U256::from(11));
    assert_eq!(chain.oldest_state(), BLOCKS - KEPT);
    for (number, was) in (0..).zip(&snapshots).skip(4) {
        let state = chain.state_at(number).expect("the state is kept");
        assert_eq!(chain.head_at(number), Some(&was.head));
        assert_eq!(state.account(&RICH), was.rich, "block {number}");
        assert_eq!(state.storage(&counter, U256::ZERO), was.count, "block {number}");
    }
}

#[test]
fn recent_states_are_proven_against_their_headers() {
    let (chain, counter, snapshots) = chain();
    for (number, was) in (0..).zip(&snapshots).skip(4) {
        let root = was.head.header.state_root;
        for address in [RICH, counter, Address::repeat_byte(0xdd)] {
            let proof = chain.proof_at(number, &address, &[U256::ZERO]).expect("the state is kept");
            let storage_root = proof.storage_root;
            let leaf = proof.account.map(|Account { nonce, balance, code_hash }| {
                alloy_rlp::encode(TrieAccount { nonce, balance, storage_root, code_hash })
            });
            let key = Nibbles::unpack(keccak256(address));
            verify_proof(root, key, leaf, &proof.account_proof).expect("valid");
            let slot = &proof.storage[0];
            let leaf = (!slot.value.is_zero()).then(|| alloy_rlp::encode(slot.value));
            let key = Nibbles::unpack(keccak256(B256::ZERO));
            verify_proof(storage_root, key, leaf, &slot.proof).expect("valid");
            if address == counter {
                assert_eq!(slot.value, was.count);
            } else if address == RICH {
                assert_eq!(proof.account, was.rich);
            }
        }
    }
}

#[test]
fn call_at_a_recent_block_uses_its_environment() {
    let (chain, counter, snapshots) = chain();
    for number in 5..=BLOCKS {
        let request = CallRequest {
            to: TxKind::Call(counter),
            gas_limit: 100_000,
            input: [1].into(),
            ..CallRequest::default()
        };
        let head = chain.head_at(number).expect("the state is kept");
        let state = chain.state_at(number).expect("the state is kept");
        let outcome = call(chain.config(), &head.header, state, &request).expect("valid");
        let CallOutcome::Success { output, .. } = outcome else { panic!("{outcome:?}") };
        let parent = snapshots[usize::try_from(number).expect("fits usize") - 1].head.hash();
        let expected = [B256::from(U256::from(number - 1)), B256::from(U256::from(number)), parent];
        assert_eq!(output, expected.concat(), "block {number}");
    }
}

#[test]
fn chain_rewinds_to_a_recent_block() {
    for number in BLOCKS - KEPT..=BLOCKS {
        let (mut chain, counter, snapshots) = chain();
        let was = &snapshots[usize::try_from(number).expect("fits usize")];
        assert!(chain.rewind(number), "block {number}");
        assert_eq!(chain.head(), &was.head);
        assert_eq!(chain.state().account(&RICH), was.rich, "block {number}");
        assert_eq!(chain.state().storage(&counter, U256::ZERO), was.count, "block {number}");
        assert_eq!(chain.state().roots().state_root, was.head.header.state_root);
        assert_eq!(chain.oldest_state(), BLOCKS - KEPT, "the rewind keeps earlier states");
        for again in number + 1..=BLOCKS {
            assert!(chain.head_at(again).is_none(), "block {again}");
            advance(&mut chain, counter);
        }
        assert_eq!(chain.head(), &snapshots[12].head, "the same blocks lead to the same head");
        for kept in BLOCKS - KEPT..=BLOCKS {
            let was = &snapshots[usize::try_from(kept).expect("fits usize")];
            assert_eq!(chain.head_at(kept), Some(&was.head));
        }
    }
}

#[test]
fn chain_refuses_to_rewind_beyond_its_history() {
    let (mut chain, _, snapshots) = chain();
    for number in [0, BLOCKS - KEPT - 1, BLOCKS + 1, u64::MAX] {
        assert!(!chain.rewind(number), "block {number}");
        assert_eq!(chain.head(), &snapshots[12].head);
    }
}

#[test]
fn older_and_future_states_are_missing() {
    let (chain, ..) = chain();
    for number in [0, BLOCKS - KEPT - 1, BLOCKS + 1, u64::MAX] {
        assert!(chain.head_at(number).is_none(), "block {number}");
        assert!(chain.state_at(number).is_none(), "block {number}");
        assert!(chain.proof_at(number, &RICH, &[]).is_none(), "block {number}");
    }
}
