//! Runs the worst blocks that the genesis limits allow in the machine, and holds what the machine
//! does for a gas to a table. A block of the worst kind and the reading of its entry stay below
//! [`BLOCK_STEPS_MAX`] together.
//!
//! By default a part of each block runs, and the whole is extrapolated. With `TURNPIKE_LONG=1` whole
//! blocks run.

mod fixture;

use std::collections::BTreeMap;

use alloy_primitives::{Address, Bytes, U256, hex};
use fixture::{Chain, Posted, call, deposit_of, machine, output_root, transfer};
use turnpike_protocol::{
    BatchBlock, DataKind, Genesis, GenesisAccount, TxEnvelope, blob_data_bytes,
};

/// Steps of any block, with the reading of its entry. A dispute has room for 32 times as many.
const BLOCK_STEPS_MAX: u64 = 1 << 37;

/// A quarter of the machine's memory.
const MEMORY_BYTES_MAX: u64 = (1 << 32) / 4;

/// Bounds of the steps that the machine takes for a gas, by what a block repeats. Everything else is
/// in [`OPCODES`] and [`PRECOMPILES`], which share a bound.
#[rustfmt::skip] // one kind a line
const STEPS_PER_GAS: [(&str, u64); 30] = [
    ("keccak", 280),
    ("keccak-64", 140),
    ("sload", 20),
    ("sstore", 21),
    ("sstore-new", 6),
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
    ("blake2f", 190),
    ("ecrecover", 6),
    ("mulmod", 50),
    ("addmod", 40),
    ("sdiv", 22),
    ("mod", 52),
    ("exp", 20),
    ("jumpdest", 22),
    ("call", 31),
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

/// Address of the contract under test.
const CONTRACT: Address = Address::repeat_byte(0xc0);

/// Code that runs `start` once and repeats `body` while more than `gas_left` gas is left. `body` is
/// at most as long as a byte can count.
fn code(start: &[u8], body: &[u8], gas_left: u16) -> Bytes {
    let [high, low] = gas_left.to_be_bytes();
    let target = u8::try_from(start.len()).expect("short");
    let end = [0x61, high, low, 0x5a, 0x11, 0x60, target, 0x57, 0x00];
    [start, &[0x5b], body, &end].concat().into()
}

/// A chain with this code and storage at `CONTRACT`, and earlier blocks.
fn chain(
    code: Bytes,
    storage: BTreeMap<U256, U256>,
    others: BTreeMap<Address, GenesisAccount>,
) -> Chain {
    let mut genesis = Genesis::dev();
    let contract = GenesisAccount { nonce: 1, code, storage, balance: U256::from(1_000_000) };
    genesis.alloc.insert(CONTRACT, contract);
    genesis.alloc.extend(others);
    Chain::from_genesis(genesis)
}

fn block(step_ms: u64, transactions: Vec<TxEnvelope>) -> BatchBlock {
    BatchBlock { step_ms, transactions, ..Default::default() }
}

/// The input of a call: its number, far from those of other calls.
fn input_of(number: u64) -> Bytes {
    U256::from(number << 32).to_be_bytes::<32>().into()
}

/// The costs of two blocks that call the contract, with half of the gas and with all of it. The
/// input is the number of the call.
fn costs(chain: &mut Chain, nonce: u64, contract: Address, gas: u64) -> (Cost, Cost) {
    let calls = [(0, gas / 2), (1, gas)];
    let calls = calls.map(|(at, gas)| vec![call(nonce + at, contract, gas, input_of(at))]);
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

fn check_code(name: &str, keeps: Keeps, code: Bytes) {
    check_chain(name, keeps, chain(code, BTreeMap::new(), BTreeMap::new()));
}

fn check_chain(name: &str, keeps: Keeps, mut chain: Chain) {
    let (smaller, larger) = costs(&mut chain, 0, CONTRACT, sample_gas());
    check(name, keeps, smaller, larger);
    if long() {
        check_whole(name, &mut chain);
    }
}

/// Runs a block that is full of such calls.
fn check_whole(name: &str, chain: &mut Chain) {
    let config = Genesis::dev().config;
    let count = (config.block_gas_limit >> 24) - 1;
    let calls = (2..2 + count).map(|at| call(at, CONTRACT, 1 << 24, input_of(at))).collect();
    let (_, whole) = costs_of(chain, [Vec::new(), calls]);
    println!("{name:12} a whole block: gas {} steps {}", whole.gas, whole.steps);
    assert!(whole.gas > config.block_gas_limit / 5 * 4, "{name}: {} gas", whole.gas);
    assert!(whole.steps < BLOCK_STEPS_MAX, "{name}: {} steps", whole.steps);
    assert!(whole.memory_bytes < MEMORY_BYTES_MAX, "{name}: {} bytes", whole.memory_bytes);
}

/// Enough slots that most of their trie nodes are read once. With 10^8 slots a path is about twice
/// as long.
fn slots() -> BTreeMap<U256, U256> {
    (0..20_000).map(|slot| (U256::from(slot), U256::from(slot + 1))).collect()
}

#[test]
fn keccak() {
    // KECCAK256 of 128 KiB.
    check_code("keccak", Keeps::Nothing, code(&hex!(""), &hex!("62020000 5f 20 50"), 0x8000));
}

#[test]
fn keccak_of_slots() {
    // KECCAK256 of 64 bytes, each time of other bytes.
    let body = hex!("60 01 01 80 5f 52 60 40 5f 20 50");
    check_code("keccak-64", Keeps::Nothing, code(&hex!("5f"), &body.repeat(32), 0x1000));
}

#[test]
fn sload() {
    let code = code(&hex!("5f"), &hex!("80 54 50 60 01 01"), 0x1000);
    check_chain("sload", Keeps::All, chain(code, slots(), BTreeMap::new()));
}

#[test]
fn sstore() {
    // Changes the value of an existing slot.
    let code = code(&hex!("5f"), &hex!("5a 81 55 60 01 01"), 0x4000);
    check_chain("sstore", Keeps::All, chain(code, slots(), BTreeMap::new()));
}

#[test]
fn sstore_of_new_slots() {
    let code = code(&hex!("5f 35 62100000 01"), &hex!("5a 81 55 60 01 01"), 0x7000);
    check_chain("sstore-new", Keeps::All, chain(code, slots(), BTreeMap::new()));
}

#[test]
fn logs() {
    check_code("log", Keeps::All, code(&[], &hex!("5f 5f a0").repeat(8), 0x1000));
}

#[test]
fn logs_of_topics() {
    check_code("log-4", Keeps::All, code(&[], &hex!("5a 5a 5a 5a 5f 5f a4").repeat(2), 0x1000));
}

#[test]
fn logs_of_data() {
    // LOG0 of 16 KiB.
    check_code("log-data", Keeps::All, code(&[], &hex!("61 4000 5f a0"), 0xffff));
}

#[test]
fn creations() {
    // Contracts without code.
    check_code("create", Keeps::All, code(&[], &hex!("5f 5f 5f f0 50"), 0xa000));
}

#[test]
fn creations_of_hashed_code() {
    // CREATE2 with 48 KiB of zeros as init code: its first byte is STOP.
    let body = hex!("5a 61c000 5f 5f f5 50");
    check_code("create2", Keeps::All, code(&[], &body, 0xffff));
}

#[test]
fn memory() {
    // MCOPY within 1 MiB, or as much as the gas pays for.
    check_code("mcopy", Keeps::Nothing, code(&[], &hex!("62020000 60 20 5f 5e"), 0xf000));
}

#[test]
fn memory_that_grows() {
    let body = hex!("59 61 0400 01 51 50");
    check_code("memory", Keeps::Nothing, code(&[], &body, 0x8000));
}

#[test]
fn identity() {
    // STATICCALL of 0x04 with 96 KiB in and out.
    let body = hex!("62018000 5f 62018000 5f 6004 5a fa 50");
    check_code("identity", Keeps::Nothing, code(&[], &body, 0x8000));
}

#[test]
fn sha256() {
    let body = hex!("5f 5f 62018000 5f 6002 5a fa 50");
    check_code("sha256", Keeps::Nothing, code(&[], &body, 0xffff));
}

#[test]
fn ripemd160() {
    let body = hex!("5f 5f 61 1000 5f 6003 5a fa 50");
    check_code("ripemd160", Keeps::Nothing, code(&[], &body, 0xffff));
}

#[test]
fn blake2f() {
    // 60,000 rounds: 4 bytes, then state, message, offsets and the last flag, 213 bytes in all.
    let start = hex!("61ea60 60e0 1b 5f 52");
    let body = hex!("5f 5f 60d5 5f 6009 5a fa 50");
    check_code("blake2f", Keeps::Nothing, code(&start, &body, 0xffff));
}

#[test]
fn ecrecover() {
    let body = hex!("5f 5f 6080 5f 6001 5a fa 50");
    check_code(
        "ecrecover",
        Keeps::Nothing,
        code(&hex!("601b602052 6001604052 6001606052"), &body, 0x4000),
    );
}

#[test]
fn arithmetic() {
    // Operands that make divisions long: a modulus of 193 bits.
    let start = hex!("5f 19 80 60 3f 1c");
    check_code("mulmod", Keeps::Nothing, code(&start, &hex!("80 82 83 09 50").repeat(64), 0x1000));
    check_code("addmod", Keeps::Nothing, code(&start, &hex!("80 82 83 08 50").repeat(64), 0x1000));
    check_code("sdiv", Keeps::Nothing, code(&start, &hex!("80 82 05 50").repeat(64), 0x1000));
    check_code("mod", Keeps::Nothing, code(&start, &hex!("80 82 06 50").repeat(64), 0x1000));
    check_code("exp", Keeps::Nothing, code(&start, &hex!("81 82 0a 50"), 0x1000));
}

#[test]
fn jumps() {
    check_code("jumpdest", Keeps::Nothing, code(&[], &[0x5b; 2_000], 0x1000));
}

#[test]
fn calls() {
    // Of an account that stops at once: warm after the first time.
    let others = [(
        Address::with_last_byte(0xee),
        GenesisAccount { code: hex!("00").into(), nonce: 1, ..Default::default() },
    )];
    let body = hex!("5f 5f 5f 5f 60ee 5a fa 50");
    check_chain(
        "call",
        Keeps::Nothing,
        chain(code(&[], &body.repeat(16), 0x2000), BTreeMap::new(), others.into()),
    );
}

#[test]
fn block_hashes() {
    let code = code(&hex!("60ff 43 03"), &hex!("80 40 50").repeat(64), 0x1000);
    let mut chain = chain(code, BTreeMap::new(), BTreeMap::new());
    // BLOCKHASH reaches 256 blocks back, more than one entry holds.
    for _ in 0..2 {
        chain.batch_from(DataKind::Calldata, 0, &[], vec![block(0, vec![]); 129], 129);
    }
    check_chain("blockhash", Keeps::Nothing, chain);
}

#[test]
fn transient_storage() {
    check_code(
        "tstore",
        Keeps::Nothing,
        code(&hex!("5f"), &hex!("5a 81 5d 60 01 01").repeat(16), 0x1000),
    );
}

#[test]
fn accounts() {
    // BALANCE of one account after the other.
    let base = U256::from(1u64 << 40);
    let others = (0..7_000u64)
        .map(|i| {
            (
                Address::from_word((base + U256::from(i)).into()),
                GenesisAccount { balance: U256::from(1), ..Default::default() },
            )
        })
        .collect();
    let body = hex!("80 31 50 60 01 01");
    check_chain(
        "balance",
        Keeps::All,
        chain(code(&hex!("65010000000000"), &body, 0x1000), BTreeMap::new(), others),
    );
}

/// Addresses of large contracts, each with a code of its own.
fn large_contracts(count: u64) -> BTreeMap<Address, GenesisAccount> {
    let contract = |i: u64| {
        let mut code = vec![0x5b; 24_576];
        code[..8].copy_from_slice(&i.to_be_bytes());
        let address = Address::from_word((U256::from(1_u64 << 40) + U256::from(i)).into());
        (address, GenesisAccount { code: code.into(), nonce: 1, ..Default::default() })
    };
    (0..count).map(contract).collect()
}

/// Runs `body` for the address of one contract after the other, from the one that the call names.
fn for_each_contract(body: &[u8]) -> Bytes {
    code(&hex!("65010000000000 5f 35 01"), &[body, &hex!("60 01 01")].concat(), 0x1000)
}

/// Measures a body that uses the address on the stack, and leaves it there.
fn check_contracts(name: &str, body: &[u8]) {
    let contracts = large_contracts(sample_gas() / 2_600);
    let mut chain = chain(for_each_contract(body), BTreeMap::new(), contracts);
    let calls = [(0, sample_gas() / 2), (1, sample_gas())];
    let calls = calls.map(|(nonce, gas)| vec![call(nonce, CONTRACT, gas, Bytes::new())]);
    let (smaller, larger) = costs_of(&mut chain, calls);
    check(name, Keeps::Nothing, smaller, larger);
}

#[test]
fn codes() {
    // CALL, so that the code is analysed. It begins with STOP.
    check_contracts("code", &hex!("5f 5f 5f 5f 5f 85 5a f1 50"));
    check_contracts("codesize", &hex!("80 3b 50"));
}

#[test]
fn codes_of_one_transaction_make_place_for_those_of_the_next() {
    if !long() {
        eprintln!("NOT RUN: takes a minute; set TURNPIKE_LONG=1");
        return;
    }
    const EACH: u64 = 3_000;
    let calls = for_each_contract(&hex!("5f 5f 5f 5f 5f 85 5a f1 50"));
    let mut chain = chain(calls, BTreeMap::new(), large_contracts(4 * EACH));
    let transactions = (0..4).map(|nonce| {
        let start = U256::from(nonce * EACH);
        call(nonce, CONTRACT, EACH * 2_650 + 40_000, start.to_be_bytes::<32>().into())
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

/// Instructions that no other test repeats, each with what puts its operands on the stack and takes
/// its result off it. Below them the stack holds a number of 256 bits and one of 128.
#[rustfmt::skip] // one instruction a line
const OPCODES: &[(&str, &[u8])] = &[
    ("ADD", &hex!("80 82 01 50")),
    ("MUL", &hex!("80 82 02 50")),
    ("SUB", &hex!("80 82 03 50")),
    ("DIV", &hex!("80 82 04 50")),
    ("SMOD", &hex!("80 82 07 50")),
    ("SIGNEXTEND", &hex!("81 60 07 0b 50")),
    ("LT", &hex!("80 82 10 50")),
    ("GT", &hex!("80 82 11 50")),
    ("SLT", &hex!("80 82 12 50")),
    ("SGT", &hex!("80 82 13 50")),
    ("EQ", &hex!("80 82 14 50")),
    ("ISZERO", &hex!("80 15 50")),
    ("AND", &hex!("80 82 16 50")),
    ("OR", &hex!("80 82 17 50")),
    ("XOR", &hex!("80 82 18 50")),
    ("NOT", &hex!("80 19 50")),
    ("BYTE", &hex!("80 60 07 1a 50")),
    ("SHL", &hex!("80 60 07 1b 50")),
    ("SHR", &hex!("80 60 07 1c 50")),
    ("SAR", &hex!("80 60 07 1d 50")),
    ("CLZ", &hex!("80 1e 50")),
    ("ADDRESS", &hex!("30 50")),
    ("BALANCE", &hex!("30 31 50")),
    ("ORIGIN", &hex!("32 50")),
    ("CALLER", &hex!("33 50")),
    ("CALLVALUE", &hex!("34 50")),
    ("CALLDATALOAD", &hex!("5f 35 50")),
    ("CALLDATASIZE", &hex!("36 50")),
    ("CALLDATACOPY", &hex!("60 20 5f 5f 37")),
    ("CODESIZE", &hex!("38 50")),
    ("CODECOPY", &hex!("61 0400 5f 5f 39")),
    ("GASPRICE", &hex!("3a 50")),
    ("EXTCODESIZE", &hex!("30 3b 50")),
    ("EXTCODECOPY", &hex!("61 0400 5f 5f 30 3c")),
    ("RETURNDATASIZE", &hex!("3d 50")),
    ("RETURNDATACOPY", &hex!("5f 5f 5f 3e")),
    ("EXTCODEHASH", &hex!("30 3f 50")),
    ("COINBASE", &hex!("41 50")),
    ("TIMESTAMP", &hex!("42 50")),
    ("NUMBER", &hex!("43 50")),
    ("PREVRANDAO", &hex!("44 50")),
    ("GASLIMIT", &hex!("45 50")),
    ("CHAINID", &hex!("46 50")),
    ("SELFBALANCE", &hex!("47 50")),
    ("BASEFEE", &hex!("48 50")),
    ("BLOBHASH", &hex!("5f 49 50")),
    ("BLOBBASEFEE", &hex!("4a 50")),
    ("MLOAD", &hex!("5f 51 50")),
    ("MSTORE", &hex!("80 5f 52")),
    ("MSTORE8", &hex!("80 5f 53")),
    ("SLOAD, warm", &hex!("5f 54 50")),
    ("SSTORE, warm", &hex!("5a 5f 55")),
    ("PC", &hex!("58 50")),
    ("MSIZE", &hex!("59 50")),
    ("GAS", &hex!("5a 50")),
    ("TLOAD", &hex!("5f 5c 50")),
    ("PUSH0", &hex!("5f 50")),
    ("PUSH1", &hex!("60 ff 50")),
    ("PUSH32", &hex!("7f ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff 50")),
    ("DUP16", &hex!("5f 5f 5f 5f 5f 5f 5f 5f 5f 5f 5f 5f 5f 5f 5f 5f 8f 50 50 50 50 50 50 50 50 50 50 50 50 50 50 50 50 50")),
    ("SWAP1", &hex!("90")),
    ("CALLCODE", &hex!("5f 5f 5f 5f 5f 60 ee 5a f2 50")),
    ("DELEGATECALL", &hex!("5f 5f 5f 5f 60 ee 5a f4 50")),
    ("STATICCALL", &hex!("5f 5f 5f 5f 60 ee 5a fa 50")),
    ("CALL with value", &hex!("5f 5f 5f 5f 60 01 60 ee 5a f1 50")),
];

/// Calls of precompiles that no other test repeats, with zeros as input.
#[rustfmt::skip] // one precompile a line
const PRECOMPILES: &[(&str, &[u8])] = &[
    // Base, exponent and modulus of 32 bytes each are in memory.
    ("MODEXP", &hex!("60 20 5f 60 c0 5f 60 05 61 0300 fa 50")),
    ("BN254_ADD", &hex!("60 40 5f 60 80 60 e0 60 06 61 00c0 fa 50")),
    ("BN254_MUL", &hex!("60 40 5f 60 60 60 e0 60 07 61 2000 fa 50")),
    ("BN254_PAIRING", &hex!("60 20 5f 61 0180 60 e0 60 08 5a fa 50")),
    ("KZG_POINT_EVALUATION", &hex!("60 40 5f 60 c0 60 e0 60 0a 61 d000 fa 50")),
    ("BLS12_G1ADD", &hex!("60 80 61 0400 61 0100 60 e0 60 0b 61 0200 fa 50")),
    ("BLS12_G1MSM", &hex!("60 80 61 0400 60 a0 60 e0 60 0c 61 3000 fa 50")),
    ("BLS12_G2ADD", &hex!("61 0100 61 0400 61 0200 60 e0 60 0d 61 0300 fa 50")),
    ("BLS12_G2MSM", &hex!("61 0100 61 0400 61 0120 60 e0 60 0e 61 6000 fa 50")),
    ("BLS12_PAIRING", &hex!("60 20 61 0400 61 0180 60 e0 60 0f 5a fa 50")),
    ("BLS12_MAP_FP", &hex!("60 80 61 0400 60 40 60 e0 60 10 61 1600 fa 50")),
    ("BLS12_MAP_FP2", &hex!("61 0100 61 0400 60 80 60 e0 60 11 61 5e00 fa 50")),
    ("P256VERIFY", &hex!("60 20 5f 60 a0 60 e0 61 0100 61 1b00 fa 50")),
];

/// Checks that each of these bodies stays below the common bound.
fn check_all(start: &[u8], bodies: &[(&str, &[u8])], repeats: usize) {
    let gas = if long() { 1 << 22 } else { 400_000 };
    let address = |at: usize| Address::from_word(U256::from((1_u64 << 40) + at as u64).into());
    let contract = |(at, (_, body)): (usize, &(&str, &[u8]))| {
        let code = code(start, &body.repeat(repeats), 0xf000);
        let balance = U256::from(1_000_000);
        (address(at), GenesisAccount { code, nonce: 1, balance, ..Default::default() })
    };
    let mut others: BTreeMap<_, _> = bodies.iter().enumerate().map(contract).collect();
    let stops = GenesisAccount { code: hex!("00").into(), nonce: 1, ..Default::default() };
    others.insert(Address::with_last_byte(0xee), stops);
    let mut chain = chain(Bytes::new(), BTreeMap::new(), others);
    for ((at, (name, _)), nonce) in bodies.iter().enumerate().zip((0..).step_by(2)) {
        let (smaller, larger) = costs(&mut chain, nonce, address(at), gas);
        let steps = larger.steps - smaller.steps;
        let per_gas = steps as f64 / (larger.gas - smaller.gas) as f64;
        println!("{name:20} per gas {per_gas:>6.1}");
        assert!(per_gas <= OTHER_STEPS_PER_GAS as f64, "{name}: {per_gas} steps a gas");
    }
}

#[test]
fn other_instructions() {
    let start = hex!("5f 19 6f ffffffffffffffffffffffffffffffff");
    check_all(&start, OPCODES, 20);
}

#[test]
fn other_precompiles() {
    // The three lengths of MODEXP.
    check_all(&hex!("6020 5f 52 6020 6020 52 6020 6040 52"), PRECOMPILES, 1);
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
