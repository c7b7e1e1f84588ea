//! Runs the worst blocks that the genesis limits allow in the machine. Each must stay under a
//! quarter of the machine's bounds.
//!
//! By default a small part of each block runs, and the whole is extrapolated. With
//! `TURNPIKE_LONG=1` a transaction of 2^24 gas runs.

mod fixture;

use std::collections::BTreeMap;

use alloy_primitives::{Address, Bytes, U256, hex};
use fixture::{Chain, Posted, call, deposit_of, machine, output_root, transfer};
use turnpike_protocol::{
    BatchBlock, DataKind, Genesis, GenesisAccount, TxEnvelope, blob_data_bytes,
};

/// A quarter of the maximum number of steps.
const STEPS_MAX: u64 = turnpike_vm::STEPS_MAX / 4;

/// A quarter of the machine's memory.
const MEMORY_BYTES_MAX: u64 = (1 << 32) / 4;

/// Gas of a transaction whose block is measured.
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
    machine.run(&mut preimages.clone(), STEPS_MAX).expect("all that it reads is there");
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

/// Checks a block full of such transactions, up to the block's gas limit.
fn check(name: &str, keeps: Keeps, empty: Cost, sample: Cost) {
    let limit = Genesis::dev().config.block_gas_limit;
    let whole = |part: u64, base: u64| {
        let more =
            u128::from(part.saturating_sub(base)) * u128::from(limit) / u128::from(sample.gas);
        base + u64::try_from(more).expect("fits")
    };
    let steps = whole(sample.steps, empty.steps);
    let memory = match keeps {
        Keeps::All => whole(sample.memory_bytes, empty.memory_bytes),
        // Scales the part that ran to a whole transaction.
        Keeps::Nothing => {
            let part = sample.memory_bytes - empty.memory_bytes;
            empty.memory_bytes + part * (1 << 24) / sample.gas
        }
    };
    println!(
        "{name:12} gas {:>10} steps {:>12} memory {:>10} | per gas {:>6.1} | block 2^{:.1} steps, {} MiB",
        sample.gas,
        sample.steps,
        sample.memory_bytes,
        (sample.steps - empty.steps) as f64 / sample.gas as f64,
        (steps as f64).log2(),
        memory >> 20,
    );
    assert!(steps < STEPS_MAX, "{name}: {steps} steps");
    assert!(memory < MEMORY_BYTES_MAX, "{name}: {memory} bytes");
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

/// The costs of a block without a call of the contract and of a block with one.
fn costs(mut chain: Chain) -> (Cost, Cost) {
    // BLOCKHASH reaches 256 blocks back, more than one entry holds.
    let earlier = vec![block(0, vec![]); 129];
    chain.batch_from(DataKind::Calldata, 0, &[], earlier.clone(), 129);
    let mut blocks = earlier;
    blocks.push(block(0, vec![call(0, CONTRACT, sample_gas(), [0; 32].into())]));
    let posted = chain.batch_from(DataKind::Calldata, 0, &[], blocks, 128);
    let (empty, sample) = (measure(&posted, 0), measure(&posted, 1));
    assert!(sample.gas > sample_gas() / 2, "the gas is used: {}", sample.gas);
    (empty, sample)
}

fn check_code(name: &str, keeps: Keeps, code: Bytes) {
    check_chain(name, keeps, chain(code, BTreeMap::new(), BTreeMap::new()));
}

fn check_chain(name: &str, keeps: Keeps, chain: Chain) {
    let (empty, sample) = costs(chain);
    check(name, keeps, empty, sample);
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
    check_code("keccak-64", Keeps::Nothing, code(&hex!("5f"), &body, 0x1000));
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
    let code = code(&hex!("62100000"), &hex!("5a 81 55 60 01 01"), 0x7000);
    check_chain("sstore-new", Keeps::All, chain(code, slots(), BTreeMap::new()));
}

#[test]
fn logs() {
    check_code("log", Keeps::All, code(&[], &hex!("5f 5f a0"), 0x1000));
}

#[test]
fn logs_of_topics() {
    check_code("log-4", Keeps::All, code(&[], &hex!("5a 5a 5a 5a 5f 5f a4"), 0x1000));
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
    check_code("mulmod", Keeps::Nothing, code(&start, &hex!("80 82 83 09 50"), 0x1000));
    check_code("addmod", Keeps::Nothing, code(&start, &hex!("80 82 83 08 50"), 0x1000));
    check_code("sdiv", Keeps::Nothing, code(&start, &hex!("80 82 05 50"), 0x1000));
    check_code("mod", Keeps::Nothing, code(&start, &hex!("80 82 06 50"), 0x1000));
    check_code("exp", Keeps::Nothing, code(&start, &hex!("81 82 0a 50"), 0x1000));
}

#[test]
fn jumps() {
    check_code("jumpdest", Keeps::Nothing, code(&[], &[0x5b; 100], 0x1000));
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
        chain(code(&[], &body, 0x2000), BTreeMap::new(), others.into()),
    );
}

#[test]
fn block_hashes() {
    let start = hex!("60ff 43 03");
    let body = hex!("80 40 50");
    check_code("blockhash", Keeps::Nothing, code(&start, &body, 0x1000));
}

#[test]
fn transient_storage() {
    check_code("tstore", Keeps::Nothing, code(&hex!("5f"), &hex!("5a 81 5d 60 01 01"), 0x1000));
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

/// EXTCODESIZE of one contract after the other, from the one that the call names.
fn reads_codes() -> Bytes {
    code(&hex!("5f 35"), &hex!("80 3b 50 60 01 01"), 0x1000)
}

#[test]
fn codes() {
    let mut start = [0; 32];
    start[26] = 1;
    let mut chain = chain(reads_codes(), BTreeMap::new(), large_contracts(sample_gas() / 2_600));
    let transaction = call(0, CONTRACT, sample_gas(), start.into());
    let blocks = vec![block(0, vec![]), block(0, vec![transaction])];
    let posted = chain.batch(DataKind::Calldata, 0, &[], blocks);
    check("code", Keeps::Nothing, measure(&posted, 0), measure(&posted, 1));
}

#[test]
fn codes_of_one_transaction_make_place_for_those_of_the_next() {
    if !long() {
        eprintln!("NOT RUN: takes a minute; set TURNPIKE_LONG=1");
        return;
    }
    const EACH: u64 = 3_000;
    let mut chain = chain(reads_codes(), BTreeMap::new(), large_contracts(4 * EACH));
    let transactions = (0..4).map(|nonce| {
        let start = U256::from(1_u64 << 40) + U256::from(nonce * EACH);
        call(nonce, CONTRACT, EACH * 2_620 + 40_000, start.to_be_bytes::<32>().into())
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
    let blocks = vec![block(0, vec![]), block(0, (0..count).map(transfer).collect())];
    let posted = chain.batch(DataKind::Blobs, 0, &[], blocks);
    check("transfers", Keeps::All, measure(&posted, 0), measure(&posted, 1));
}

#[test]
fn deposits() {
    let config = Genesis::dev().config;
    let count = config.entry_deposits_max;
    let gas = sample_gas() / count;
    let code = code(&[], &hex!("62020000 5f 20 50"), 0x8000);
    let mut chain = chain(code, BTreeMap::new(), BTreeMap::new());
    let posted = chain.entry(DataKind::None, 0, &[], Vec::new());
    let empty = measure(&posted, 0);
    let deposits: Vec<_> = (0..count)
        .map(|index| deposit_of(index, CONTRACT, gas.max(700_000), vec![1; 65_536]))
        .collect();
    let posted = chain.entry(DataKind::None, 0, &deposits, Vec::new());
    let sample = measure(&posted, 0);
    check("deposits", Keeps::Nothing, empty, sample);
}

/// Checks a block whose cost is its entry's data, of which `1 / parts` was there.
fn check_data(name: &str, parts: u64, empty: Cost, sample: Cost) {
    let steps = empty.steps + (sample.steps - empty.steps) * parts;
    let memory = empty.memory_bytes + (sample.memory_bytes - empty.memory_bytes) * parts;
    println!("{name:12} block 2^{:.1} steps, {} MiB", (steps as f64).log2(), memory >> 20);
    assert!(steps < STEPS_MAX, "{name}: {steps} steps");
    assert!(memory < MEMORY_BYTES_MAX, "{name}: {memory} bytes");
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
    check_data("inflation", parts as u64, empty, sample);
}

#[test]
fn full_blobs() {
    let max = blob_data_bytes(usize::try_from(Genesis::dev().config.entry_blobs_max).expect("few"));
    let parts = if long() { 1 } else { 16 };
    // Bytes that the codec gains next to nothing on.
    let mut seed = 1_u64;
    let noise = core::iter::repeat_with(|| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        seed.to_be_bytes()[0]
    });
    let input = noise.take((max - max / 16) / parts).collect();
    let (empty, sample) = data_costs(DataKind::Blobs, input);
    check_data("blobs", parts as u64, empty, sample);
}
