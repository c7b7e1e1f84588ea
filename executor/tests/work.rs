//! Work: what transactions pay for it, who runs out of it, and what counts when state is reverted.

use std::sync::Arc;

use alloy_consensus::{SignableTransaction, TxEip1559, TxEip7702};
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip7702::Authorization,
};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, hex};
use turnpike_executor::{Chain, Sandbox};
use turnpike_protocol::{
    BLOCK_LOAD, BlockInput, Genesis, GenesisAccount, Load, Origin, SignedTx, TxEnvelope, backlog,
};
use turnpike_state::{HistoricalView, MergedDiff};

const SENDER: Address = Address::repeat_byte(0xa0);
const MAIN: Address = Address::with_last_byte(0xc0);
const CHILD: Address = Address::with_last_byte(0xcc);

/// Work of a transaction that calls a contract.
const TRANSACTION: u64 = 2_000;

/// Gas of a transaction without calldata.
const INTRINSIC: u64 = 21_000;

/// KECCAK256 of 32,000 bytes: PUSH2, PUSH0, KECCAK256, POP.
const HASH: [u8; 6] = hex!("61 7d00 5f 20 50");

/// Blocks of [`HASH`], and gas that counts as they do.
const HASH_BLOCKS: u64 = 32_000 / 136 + 1;
const HASH_GAS: u64 = 6 * 1_000;

/// Outcome of a transaction: whether it succeeded, and what it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ran {
    is_success: bool,
    gas: u64,
    work: u64,
}

fn genesis(codes: &[(Address, &[u8])]) -> Genesis {
    let mut genesis = Genesis::dev();
    let balance = U256::from(10).pow(U256::from(24));
    genesis.alloc.insert(SENDER, GenesisAccount { balance, ..Default::default() });
    for (address, code) in codes {
        let code = Bytes::copy_from_slice(code);
        genesis.alloc.insert(*address, GenesisAccount { nonce: 1, code, ..Default::default() });
    }
    genesis
}

fn sign<T: SignableTransaction<Signature>>(tx: T) -> SignedTx
where
    TxEnvelope: From<alloy_consensus::Signed<T>>,
{
    SignedTx::new_unchecked(tx.into_signed(Signature::test_signature()).into(), SENDER)
}

fn call(gas_limit: u64) -> TxEip1559 {
    TxEip1559 {
        chain_id: Genesis::dev().config.chain_id,
        gas_limit,
        max_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(MAIN),
        ..Default::default()
    }
}

/// Executes a transaction in a block, and in a sandbox, which must agree. Returns the state after
/// the block, too.
fn execute(codes: &[(Address, &[u8])], tx: SignedTx) -> (Ran, Chain) {
    let mut chain = Chain::from_genesis(&genesis(codes));
    let input = BlockInput {
        number: 1,
        time_ms: 2_000_000_000_000,
        origin: Origin::default(),
        deposits: Vec::new(),
        transactions: vec![tx.clone()],
    };
    let (config, header) = (chain.config().clone(), chain.head().header.clone());
    let (in_sandbox, work) = {
        let view = HistoricalView::new(chain.state().flat(), Arc::new(MergedDiff::default()));
        let mut sandbox = Sandbox::new(&config, &header, view);
        let tx = turnpike_executor::BlockTx::User(tx);
        let tx = sandbox.transaction(&tx).expect("it has a sender");
        let result = sandbox.execute(&tx).expect("it is valid");
        (result, sandbox.work())
    };
    let outcome = chain.execute(&input).expect("full state");
    let used = backlog(&outcome.header).minus(BLOCK_LOAD);
    let receipt = &outcome.transactions[0].receipt;
    let Load { gas, work: in_block } = used;
    assert_eq!(gas, receipt.gas_used);
    let ran = Ran { is_success: receipt.envelope.status(), gas, work: in_block };
    let (is_success, gas) = (in_sandbox.is_success(), in_sandbox.tx_gas_used());
    assert_eq!(Ran { is_success, gas, work }, ran, "in a sandbox and in a block");
    (ran, chain)
}

fn run(codes: &[(Address, &[u8])], gas_limit: u64) -> Ran {
    execute(codes, sign(call(gas_limit))).0
}

/// What a contract that only computes uses.
fn computation(gas: u64) -> Ran {
    Ran { is_success: true, gas: INTRINSIC + gas, work: TRANSACTION + 2 * gas }
}

#[test]
fn ordinary_calls_pay_ethereums_gas() {
    // PUSH0, PUSH0, ADD, POP.
    let sums = hex!("5f 5f 01 50").repeat(50);
    assert_eq!(run(&[(MAIN, &sums)], 100_000), computation(50 * 9));
}

#[test]
fn work_beyond_gas_is_paid_in_gas() {
    let once = run(&[(MAIN, &HASH)], 1_000_000);
    // 1,000 words of memory cost 3 each and 1,000^2 / 512.
    let gas = 3 + 2 + 30 + HASH_GAS + 4_953 + 2;
    let work = TRANSACTION + 2 * (gas - HASH_GAS) + 300 * HASH_BLOCKS;
    assert_eq!(once, Ran { is_success: true, gas: INTRINSIC + gas, work });
    let many = run(&[(MAIN, &HASH.repeat(100))], 1_400_000);
    let gas = 100 * (3 + 2 + 30 + HASH_GAS + 2) + 4_953;
    let work = TRANSACTION + 2 * (gas - 100 * HASH_GAS) + 300 * 100 * HASH_BLOCKS;
    assert!(work > 6 * (INTRINSIC + gas), "it is more work than its gas pays for");
    assert_eq!(many, Ran { is_success: true, gas: work.div_ceil(6), work });
    // The limit decides whether it fits.
    let exact = run(&[(MAIN, &HASH.repeat(100))], many.gas);
    assert_eq!(exact, many);
    let short = run(&[(MAIN, &HASH.repeat(100))], many.gas - 1);
    assert_eq!((short.is_success, short.gas), (false, many.gas - 1));
}

#[test]
fn transaction_out_of_work_uses_its_gas_limit_and_changes_nothing() {
    // SSTORE(0, 1), then hashes without end.
    let code = [&hex!("60 01 5f 55 5b")[..], &HASH, &hex!("60 04 56")].concat();
    let (ran, chain) = execute(&[(MAIN, &code)], sign(call(1_000_000)));
    assert_eq!(ran, Ran { is_success: false, gas: 1_000_000, work: 6_000_000 });
    assert_eq!(chain.state().flat().storage(&MAIN, U256::ZERO), U256::ZERO);
}

/// Code that calls `CHILD` with this much gas, or all, and stores the outcome plus one in slot 0.
fn calls(gas: Option<u32>) -> Vec<u8> {
    let gas =
        gas.map_or_else(|| hex!("5a").to_vec(), |gas| [&[0x63][..], &gas.to_be_bytes()].concat());
    [&hex!("5f 5f 5f 5f 5f 60 cc")[..], &gas, &hex!("f1 60 01 01 5f 55")].concat()
}

fn stored(chain: &Chain) -> u64 {
    chain.state().flat().storage(&MAIN, U256::ZERO).to()
}

#[test]
fn call_gets_the_share_of_work_that_it_gets_of_gas() {
    let (parent, child) = (calls(Some(200_000)), HASH.repeat(20));
    let codes: [(Address, &[u8]); 2] = [(MAIN, &parent), (CHILD, &child)];
    // 200,000 gas are 1,200,000 ns of work, the child's hashes 1,460,000.
    let (ran, chain) = execute(&codes, sign(call(3_000_000)));
    assert!(ran.is_success, "the caller goes on");
    assert_eq!(stored(&chain), 1, "the call fails");
    // With more gas it has more work.
    let more = calls(Some(400_000));
    let codes: [(Address, &[u8]); 2] = [(MAIN, &more), (CHILD, &child)];
    let (ran, chain) = execute(&codes, sign(call(3_000_000)));
    assert!(ran.is_success);
    assert_eq!(stored(&chain), 2, "the call succeeds");
}

#[test]
fn unused_work_returns_to_the_caller() {
    // The child stops at once. Its share was nearly all.
    let parent = [calls(None), HASH.repeat(20)].concat();
    let codes: [(Address, &[u8]); 2] = [(MAIN, &parent), (CHILD, &[0])];
    let ran = run(&codes, 350_000);
    assert!(ran.is_success, "{ran:?}");
    assert!(ran.work > 300 * 20 * HASH_BLOCKS);
}

#[test]
fn work_counts_in_reverted_frames() {
    // The child hashes and reverts.
    let child = [&HASH.repeat(20)[..], &hex!("5f 5f fd")].concat();
    let parent = calls(None);
    let codes: [(Address, &[u8]); 2] = [(MAIN, &parent), (CHILD, &child)];
    let (ran, chain) = execute(&codes, sign(call(1_000_000)));
    assert!(ran.is_success, "{ran:?}");
    assert_eq!(stored(&chain), 1, "the call reverts");
    assert!(ran.work > 300 * 20 * HASH_BLOCKS, "{ran:?}");
    assert_eq!(ran.gas, ran.work.div_ceil(6));
}

#[test]
fn precompile_takes_the_callers_work() {
    // ecrecover with the 3,000 gas that it costs: its share of work would not be enough.
    let once = hex!("5f 5f 60 80 5f 60 01 61 0bb8 fa");
    let code = [&once[..], &hex!("5f 55")].concat();
    let (ran, chain) = execute(&[(MAIN, &code)], sign(call(100_000)));
    assert!(ran.is_success);
    assert_eq!(stored(&chain), 1, "the precompile ran");
    assert!(ran.work > 14 * 3_000 + 2 * 22_100);
    // A hundred of them are more work than their gas pays for.
    let many = [once.repeat(100), hex!("5f 55").to_vec()].concat();
    let short = execute(&[(MAIN, &many)], sign(call(450_000)));
    assert_eq!((short.0.is_success, short.0.gas), (false, 450_000));
    let enough = execute(&[(MAIN, &many)], sign(call(1_000_000)));
    assert_eq!((enough.0.is_success, stored(&enough.1)), (true, 1));
    // Without input it has nothing to do.
    let empty = [hex!("5f 5f 5f 5f 60 01 61 0bb8 fa").repeat(100), hex!("5f 55").to_vec()].concat();
    let (ran, _) = execute(&[(MAIN, &empty)], sign(call(450_000)));
    assert!(ran.is_success && ran.work < 2 * ran.gas, "{ran:?}");
}

#[test]
fn first_accesses_count_less_than_their_gas() {
    // SLOAD of two slots, the second twice.
    let ran = run(&[(MAIN, &hex!("5f 54 60 01 54 60 01 54"))], 100_000);
    let gas = 2 + 3 + 3 + 2_100 + 2_100 + 100;
    let work = TRANSACTION + 2 * (gas - 2 * 2_000) + 2 * 300;
    assert_eq!(ran, Ran { is_success: true, gas: INTRINSIC + gas, work });
    // CALL of an account without code.
    let ran = run(&[(MAIN, &hex!("5f 5f 5f 5f 5f 60 bb 5a f1"))], 100_000);
    let gas = 5 * 2 + 3 + 2 + 2_600;
    let work = TRANSACTION + 2 * (gas - 2_500) + 2_000;
    assert_eq!(ran, Ran { is_success: true, gas: INTRINSIC + gas, work });
}

#[test]
fn new_slots_count_their_gas_and_changed_slots_a_trie_update() {
    let ran = run(&[(MAIN, &hex!("60 01 5f 55"))], 100_000);
    assert_eq!(ran, computation(3 + 2 + 22_100));
    let mut genesis = genesis(&[(MAIN, &hex!("60 02 5f 55 60 03 5f 55"))]);
    let storage = [(U256::ZERO, U256::ONE)].into();
    genesis.alloc.get_mut(&MAIN).expect("it is there").storage = storage;
    let mut chain = Chain::from_genesis(&genesis);
    let input = BlockInput {
        number: 1,
        time_ms: 2_000_000_000_000,
        origin: Origin::default(),
        deposits: Vec::new(),
        transactions: vec![sign(call(100_000))],
    };
    let outcome = chain.execute(&input).expect("full state");
    let gas = 2 * (3 + 2) + 5_000 + 100;
    let work = TRANSACTION + 2 * (gas - 2_000 - 2_800) + 300 + 1_000;
    let used = backlog(&outcome.header).minus(BLOCK_LOAD);
    assert_eq!(used, Load { gas: INTRINSIC + gas, work });
}

#[test]
fn topics_and_data_of_logs_count_half_their_gas() {
    // LOG1 of 32 bytes.
    let ran = run(&[(MAIN, &hex!("5f 60 20 5f a1"))], 100_000);
    let (rest, log) = (2 + 3 + 2 + 3 + 375, 375 + 32 * 8);
    let work = TRANSACTION + 2 * rest + log;
    assert_eq!(ran, Ran { is_success: true, gas: INTRINSIC + rest + log, work });
}

#[test]
fn hash_of_create2_counts() {
    // CREATE2 with 32,000 bytes of zeros.
    let code = hex!("5f 61 7d00 5f 5f f5");
    let ran = run(&[(MAIN, &code)], 1_000_000);
    let gas = 3 * 2 + 3 + 32_000 + 2 * 1_000 + 6 * 1_000 + 4_953;
    let work = TRANSACTION + 2 * (gas - HASH_GAS) + 300 * HASH_BLOCKS;
    assert_eq!(ran, Ran { is_success: true, gas: INTRINSIC + gas, work });
}

#[test]
fn lists_of_a_transaction_count() {
    let slots = vec![B256::ZERO, B256::with_last_byte(1)];
    let access_list = AccessList(vec![AccessListItem { address: CHILD, storage_keys: slots }]);
    let (ran, _) = execute(&[(MAIN, &[0])], sign(TxEip1559 { access_list, ..call(100_000) }));
    assert_eq!(ran.work, TRANSACTION + 3 * 300);
    let chain_id = U256::from(call(0).chain_id);
    let authorization = Authorization { chain_id, address: CHILD, nonce: 0 }
        .into_signed(Signature::test_signature());
    let tx = TxEip7702 {
        chain_id: chain_id.to(),
        gas_limit: 100_000,
        max_fee_per_gas: 1_000_000_000,
        to: MAIN,
        authorization_list: vec![authorization.clone(), authorization],
        ..Default::default()
    };
    let (ran, _) = execute(&[(MAIN, &[0])], sign(tx));
    assert_eq!(ran.work, TRANSACTION + 2 * 95_000);
}

#[test]
fn accounts_that_transfers_and_creations_make_count() {
    let to = |to: Address, access_list: AccessList| {
        let (to, value) = (TxKind::Call(to), U256::ONE);
        sign(TxEip1559 { to, value, access_list, ..call(100_000) })
    };
    let none = AccessList::default;
    // With an access list, the interpreter runs it.
    let listed = || AccessList(vec![AccessListItem { address: SENDER, storage_keys: vec![] }]);
    let new = Address::repeat_byte(0xbb);
    let codes: [(Address, &[u8]); 1] = [(MAIN, &[0])];
    assert_eq!(execute(&codes, to(new, none())).0.work, 52_000);
    assert_eq!(execute(&codes, to(new, listed())).0.work, 52_300);
    assert_eq!(execute(&codes, to(MAIN, listed())).0.work, 2_300);
    let create = TxEip1559 { to: TxKind::Create, ..call(100_000) };
    assert_eq!(execute(&[], sign(create)).0.work, 52_000);
}

#[test]
fn modular_arithmetic_counts_beyond_its_gas() {
    let ran = run(&[(MAIN, &hex!("5f 19 5f 19 5f 19 09 5f 19 5f 19 5f 19 08"))], 100_000);
    let gas = 6 * (2 + 3) + 8 + 8;
    assert_eq!(ran.work, TRANSACTION + 2 * gas + 80 + 20);
}
