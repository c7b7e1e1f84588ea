//! Runs the worst blocks that the genesis limits allow in the machine, and holds what the machine
//! does for a gas to a table. A block of the worst kind and the reading of its entry stay below
//! [`BLOCK_STEPS_MAX`] together.
//!
//! By default a part of each block runs, and the whole is extrapolated. With `TURNPIKE_LONG=1` whole
//! blocks run.

mod fixture;

use std::collections::BTreeMap;

use alloy_primitives::{Address, U256};
use fixture::{Chain, Posted, call, deposit_of, machine, output_root, transfer};
use turnpike_protocol::{
    BatchBlock, DataKind, Genesis, GenesisAccount, TxEnvelope, blob_data_bytes,
};
use turnpike_workloads::worst::{self, CONTRACT, INSTRUCTIONS, PRECOMPILES, Worst, WorstAccount};

/// Steps of any block, with the reading of its entry. A dispute has room for 32 times as many.
const BLOCK_STEPS_MAX: u64 = 1 << 37;

/// A quarter of the machine's memory.
const MEMORY_BYTES_MAX: u64 = (1 << 32) / 4;

/// Bounds of the steps that the machine takes for a gas, by what a block repeats. Everything else is
/// in [`INSTRUCTIONS`] and [`PRECOMPILES`], which share a bound.
#[rustfmt::skip] // one kind a line
const STEPS_PER_GAS: [(&str, u64); 30] = [
    ("keccak", 138),
    ("keccak-64", 134),
    ("sload", 20),
    ("sstore", 21),
    ("sstore-new", 4),
    ("log", 26),
    ("log-4", 26),
    ("log-data", 15),
    ("create", 2),
    ("create2", 70),
    ("mcopy", 8),
    ("memory", 1),
    ("identity", 15),
    ("sha256", 180),
    ("ripemd160", 11),
    ("blake2f", 117),
    ("ecrecover", 3),
    ("mulmod", 50),
    ("addmod", 40),
    ("sdiv", 22),
    ("mod", 52),
    ("exp", 20),
    ("jumpdest", 22),
    ("call", 38),
    ("blockhash", 16),
    ("tstore", 18),
    ("balance", 12),
    ("code", 170),
    ("codesize", 12),
    ("transfers", 5),
];

/// Bound of the steps for a gas of any other instruction or precompile.
const OTHER_STEPS_PER_GAS: u64 = 80;

/// Bounds of the steps for what an entry holds, whatever its blocks do.
const READING_STEPS: [(&str, u64); 3] =
    [("blobs", 1 << 32), ("inflation", 1 << 31), ("deposits' data", 1 << 33)];

/// The bound of a kind.
fn bound(kind: &str) -> u64 {
    let mut all = STEPS_PER_GAS.iter().chain(&READING_STEPS);
    all.find(|(name, _)| *name == kind).expect("it is listed").1
}

/// Gas of the larger transaction that is measured. The smaller one has half of it.
fn sample_gas() -> u64 {
    if long() { 1 << 24 } else { 1_000_000 }
}

fn long() -> bool {
    std::env::var("TURNPIKE_LONG").is_ok_and(|value| value == "1")
}

/// The cost of a block.
#[derive(Clone, Copy, Debug)]
struct Cost {
    gas: u64,
    steps: u64,
    memory_bytes: u64,
}

/// Runs an entry's block in the machine.
fn measure(posted: &Posted, index: usize) -> Cost {
    let (preimages, expected) = &posted.blocks[index];
    let mut machine = machine();
    machine.run(&mut preimages.clone(), BLOCK_STEPS_MAX).expect("all that it reads is there");
    assert_eq!(output_root(&machine), *expected);
    let memory_bytes = machine.usage().bytes();
    Cost { gas: posted.gas_used[index], steps: machine.steps(), memory_bytes }
}

/// Which of a transaction's memory stays in use until the block ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeps {
    All,
    /// None: the next transaction reuses it.
    Nothing,
}

/// Checks a block full of what the larger sample has more than the smaller one, up to the block's
/// gas limit.
fn check(name: &str, keeps: Keeps, smaller: Cost, larger: Cost) {
    let limit = Genesis::dev().config.block_gas_limit;
    let more_gas = larger.gas - smaller.gas;
    let whole = |smaller: u64, larger: u64, gas: u64| {
        let more = u128::from(larger.saturating_sub(smaller)) * u128::from(gas);
        smaller + u64::try_from(more / u128::from(more_gas)).expect("fits")
    };
    let steps = whole(smaller.steps, larger.steps, limit);
    let kept = match keeps {
        Keeps::All => limit,
        Keeps::Nothing => 1 << 24,
    };
    let memory = whole(smaller.memory_bytes, larger.memory_bytes, kept);
    let per_gas = (larger.steps - smaller.steps) as f64 / more_gas as f64;
    println!(
        "{name:12} gas {:>10} steps {:>12} memory {:>10} | per gas {per_gas:>6.1} | block 2^{:.2} steps, {} MiB",
        larger.gas,
        larger.steps,
        larger.memory_bytes,
        (steps as f64).log2(),
        memory >> 20,
    );
    let bound = bound(name) as f64;
    assert!(per_gas <= bound, "{name}: {per_gas} steps a gas");
    assert!(per_gas > 0.8 * bound - 2.0, "{name}: {per_gas} steps a gas are far below the bound");
    assert!(memory < MEMORY_BYTES_MAX, "{name}: {memory} bytes");
}

/// The block's gas limit times the largest bound, and all that an entry may hold.
#[test]
fn worst_block_and_its_entry_are_provable() {
    const { assert!(32 * BLOCK_STEPS_MAX <= turnpike_vm::STEPS_MAX) };
    let bounds = STEPS_PER_GAS.iter().map(|(_, bound)| *bound);
    let worst = bounds.chain([OTHER_STEPS_PER_GAS]).max().expect("not empty");
    let block = worst * Genesis::dev().config.block_gas_limit;
    let reading: u64 = READING_STEPS.iter().map(|(_, bound)| bound).sum();
    let all = (block + reading) as f64;
    println!("{worst} steps a gas: a block and its entry take 2^{:.2} steps", all.log2());
    assert!(block + reading < BLOCK_STEPS_MAX);
}

/// A chain with these accounts.
fn chain(accounts: BTreeMap<Address, WorstAccount>) -> Chain {
    let mut genesis = Genesis::dev();
    genesis.alloc.extend(accounts.into_iter().map(|(address, account)| {
        let WorstAccount { balance, code, storage } = account;
        (address, GenesisAccount { nonce: 1, balance, code, storage })
    }));
    Chain::from_genesis(genesis)
}

fn block(step_ms: u64, transactions: Vec<TxEnvelope>) -> BatchBlock {
    BatchBlock { step_ms, transactions, ..Default::default() }
}

/// The costs of two blocks that call the contract, with half of the gas and with all of it.
fn costs(chain: &mut Chain, nonce: u64, contract: Address, kind: &Worst, gas: u64) -> (Cost, Cost) {
    let calls = [(0, gas / 2, 0), (1, gas, gas / 2)];
    let calls =
        calls.map(|(at, gas, before)| vec![call(nonce + at, contract, gas, kind.input(before))]);
    let (smaller, larger) = costs_of(chain, calls);
    assert!(larger.gas > gas - gas / 5, "the gas is used: {}", larger.gas);
    (smaller, larger)
}

/// The costs of two blocks with these transactions.
fn costs_of(chain: &mut Chain, blocks: [Vec<TxEnvelope>; 2]) -> (Cost, Cost) {
    // The first block on an origin has more to do than those after it.
    let first = block(0, vec![]);
    let blocks = [first].into_iter().chain(blocks.map(|transactions| block(0, transactions)));
    let posted = chain.batch_from(DataKind::Blobs, 0, &[], blocks.collect(), 1);
    (measure(&posted, 0), measure(&posted, 1))
}

fn check_kind(name: &str, keeps: Keeps) {
    let kind = worst::find(name);
    let gas = if long() { Genesis::dev().config.block_gas_limit } else { 2 * sample_gas() };
    check_chain(kind, keeps, &mut chain(kind.accounts(gas)));
}

fn check_chain(kind: &Worst, keeps: Keeps, chain: &mut Chain) {
    let (smaller, larger) = costs(chain, 0, CONTRACT, kind, sample_gas());
    check(kind.name, keeps, smaller, larger);
    if long() {
        check_whole(kind, chain);
    }
}

/// Runs a block that is full of such calls.
fn check_whole(kind: &Worst, chain: &mut Chain) {
    let (name, limit) = (kind.name, Genesis::dev().config.block_gas_limit);
    let count = (limit >> 24) - 1;
    let calls = (2..2 + count).map(|at| call(at, CONTRACT, 1 << 24, kind.input(at << 24)));
    let (_, whole) = costs_of(chain, [Vec::new(), calls.collect()]);
    println!("{name:12} a whole block: gas {} steps {}", whole.gas, whole.steps);
    assert!(whole.gas > limit / 5 * 4, "{name}: {} gas", whole.gas);
    assert!(whole.steps < BLOCK_STEPS_MAX, "{name}: {} steps", whole.steps);
    assert!(whole.memory_bytes < MEMORY_BYTES_MAX, "{name}: {} bytes", whole.memory_bytes);
}

#[test]
fn hashes() {
    check_kind("keccak", Keeps::Nothing);
    check_kind("keccak-64", Keeps::Nothing);
}

#[test]
fn storage() {
    check_kind("sload", Keeps::All);
    check_kind("sstore", Keeps::All);
    check_kind("sstore-new", Keeps::All);
}

#[test]
fn logs() {
    check_kind("log", Keeps::All);
    check_kind("log-4", Keeps::All);
    check_kind("log-data", Keeps::All);
}

#[test]
fn creations() {
    check_kind("create", Keeps::All);
    check_kind("create2", Keeps::All);
}

#[test]
fn memory() {
    check_kind("mcopy", Keeps::Nothing);
    check_kind("memory", Keeps::Nothing);
}

#[test]
fn hashing_precompiles() {
    check_kind("identity", Keeps::Nothing);
    check_kind("sha256", Keeps::Nothing);
    check_kind("ripemd160", Keeps::Nothing);
    check_kind("blake2f", Keeps::Nothing);
    check_kind("ecrecover", Keeps::Nothing);
}

#[test]
fn arithmetic() {
    for name in ["mulmod", "addmod", "sdiv", "mod", "exp"] {
        check_kind(name, Keeps::Nothing);
    }
}

#[test]
fn jumps_and_calls() {
    check_kind("jumpdest", Keeps::Nothing);
    check_kind("call", Keeps::Nothing);
    check_kind("tstore", Keeps::Nothing);
}

#[test]
fn block_hashes() {
    let kind = worst::find("blockhash");
    let mut chain = chain(kind.accounts(0));
    // BLOCKHASH reaches 256 blocks back, more than one entry holds.
    for _ in 0..2 {
        chain.batch_from(DataKind::Calldata, 0, &[], vec![block(0, vec![]); 129], 129);
    }
    check_chain(kind, Keeps::Nothing, &mut chain);
}

#[test]
fn accounts() {
    check_kind("balance", Keeps::All);
}

#[test]
fn codes() {
    for name in ["code", "codesize"] {
        let kind = worst::find(name);
        let mut chain = chain(kind.accounts(2 * sample_gas()));
        let (smaller, larger) = costs(&mut chain, 0, CONTRACT, kind, sample_gas());
        check(name, Keeps::Nothing, smaller, larger);
    }
}

#[test]
fn codes_of_one_transaction_make_place_for_those_of_the_next() {
    if !long() {
        eprintln!("NOT RUN: takes a minute; set TURNPIKE_LONG=1");
        return;
    }
    const EACH: u64 = 3_000;
    let kind = worst::find("code");
    let mut chain = chain(kind.accounts(4 * EACH * 2_600));
    let transactions = (0..4).map(|nonce| {
        let input = kind.input(nonce * EACH * 2_600);
        call(nonce, CONTRACT, EACH * 2_650 + 40_000, input)
    });
    let blocks = vec![block(chain.l1_time(), transactions.collect())];
    let posted = chain.batch(DataKind::Calldata, 0, &[], blocks);
    let cost = measure(&posted, 0);
    println!("codes: gas {} memory {} MiB", cost.gas, cost.memory_bytes >> 20);
    assert!(cost.gas > 3 * EACH * 2_600, "they are read");
    // Two transactions' worth, with room for what is kept, but not four.
    assert!(cost.memory_bytes < 3 * EACH * 32_768, "{} bytes", cost.memory_bytes);
}

#[test]
fn signatures() {
    let mut chain = Chain::new();
    let count = sample_gas() / 21_000;
    let counts = [0..count / 2, count / 2..count / 2 + count];
    let (smaller, larger) =
        costs_of(&mut chain, counts.map(|nonces| nonces.map(transfer).collect()));
    check("transfers", Keeps::All, smaller, larger);
}

/// Checks that each of these kinds stays below the common bound.
fn check_all(kinds: &[Worst]) {
    let gas = if long() { 1 << 22 } else { 400_000 };
    let address = |at: usize| Address::from_word(U256::from((1_u64 << 48) + at as u64).into());
    let mut accounts = BTreeMap::new();
    for (at, kind) in kinds.iter().enumerate() {
        accounts.extend(kind.accounts(0));
        let contract = accounts.remove(&CONTRACT).expect("it is there");
        accounts.insert(address(at), contract);
    }
    let mut chain = chain(accounts);
    for ((at, kind), nonce) in kinds.iter().enumerate().zip((0..).step_by(2)) {
        let name = kind.name;
        let (smaller, larger) = costs(&mut chain, nonce, address(at), kind, gas);
        let steps = larger.steps.saturating_sub(smaller.steps);
        let per_gas = steps as f64 / (larger.gas - smaller.gas) as f64;
        println!("{name:20} per gas {per_gas:>6.1}");
        assert!(per_gas <= OTHER_STEPS_PER_GAS as f64, "{name}: {per_gas} steps a gas");
    }
}

#[test]
fn other_instructions() {
    check_all(INSTRUCTIONS);
}

#[test]
fn other_precompiles() {
    check_all(PRECOMPILES);
}

/// Checks what reading an entry costs, of which `1 / parts` was there.
fn check_reading(name: &str, parts: u64, empty: Cost, sample: Cost) {
    let steps = (sample.steps - empty.steps) * parts;
    let memory = (sample.memory_bytes - empty.memory_bytes) * parts;
    println!("{name:12} reading 2^{:.1} steps, {} MiB", (steps as f64).log2(), memory >> 20);
    assert!(steps < bound(name), "{name}: {steps} steps");
    assert!(memory < MEMORY_BYTES_MAX, "{name}: {memory} bytes");
}

/// As many deposits as an entry may hold, each with as much data as fits.
#[test]
fn deposits() {
    let count = Genesis::dev().config.entry_deposits_max;
    let mut chain = Chain::new();
    let posted = chain.entry(DataKind::None, 0, &[], Vec::new());
    let empty = measure(&posted, 0);
    let deposits: Vec<_> =
        (0..count).map(|index| deposit_of(index, CONTRACT, 700_000, vec![1; 65_536])).collect();
    let posted = chain.entry(DataKind::None, 0, &deposits, Vec::new());
    check_reading("deposits' data", 1, empty, measure(&posted, 0));
}

/// An entry of one block with this transaction, whose input makes it invalid.
fn data_costs(kind: DataKind, input: Vec<u8>) -> (Cost, Cost) {
    let mut chain = Chain::new();
    let empty = chain.batch(kind, 0, &[], vec![block(0, vec![])]);
    let transaction = call(0, CONTRACT, 30_000, input.into());
    let posted = chain.batch(kind, 0, &[], vec![block(0, vec![transaction])]);
    (measure(&empty, 0), measure(&posted, 0))
}

#[test]
fn inflation() {
    // A few bytes become as many as a batch may have.
    let max = usize::try_from(Genesis::dev().config.entry_inflated_bytes_max).expect("fits");
    let parts = if long() { 1 } else { 64 };
    // Words that repeat take fewer bits than any other calldata.
    let words = (max - 1_000) / parts / 32;
    let (empty, sample) = data_costs(DataKind::Calldata, vec![0; 4 + 32 * words]);
    check_reading("inflation", parts as u64, empty, sample);
}

#[test]
fn full_blobs() {
    let max = blob_data_bytes(usize::try_from(Genesis::dev().config.entry_blobs_max).expect("few"));
    // In a sixteenth, all bytes are in mixed contexts, which take the most steps.
    let parts = if long() { 1 } else { 16 };
    // Bytes that the codec gains next to nothing on.
    let mut seed = 1_u64;
    let noise = core::iter::repeat_with(|| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        seed.to_be_bytes()[0]
    });
    let input = noise.take((max - max / 16) / parts).collect();
    let (empty, sample) = data_costs(DataKind::Blobs, input);
    check_reading("blobs", parts as u64, empty, sample);
}
