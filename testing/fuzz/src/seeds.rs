//! The inputs that the corpora start from: the golden vectors, and a few of each kind that a target
//! distinguishes.

use std::{fs, path::Path};

use alloy_primitives::hex;
use serde_json::Value;
use turnpike_protocol::{Batch, BatchBlock, DepositHint, Effort};
use turnpike_random::Rng;
use turnpike_vm::Op;

use crate::{
    TARGETS,
    batch::LIMITS,
    derivation::{Fields, Flip, Run},
};

/// An input of a corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// Name of the target.
    pub target: &'static str,
    /// Name of the file.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

/// The seeds of all targets. They are always the same.
///
/// # Panics
///
/// If the golden vectors cannot be read.
pub fn seeds() -> Vec<Seed> {
    let batches = batches();
    let mut seeds: Vec<_> =
        TARGETS.iter().map(|target| seed(target.name, "empty", Vec::new())).collect();
    seeds.extend(batches.iter().map(|(name, bytes)| seed("batch", name, bytes.clone())));
    seeds.push(seed("batch", "deposits-of-two-blocks", deposits_of_two_blocks()));
    seeds.extend(derivations(&batches));
    seeds.extend(machines());
    seeds.extend(witnesses());
    seeds
}

fn seed(target: &'static str, name: impl Into<String>, bytes: Vec<u8>) -> Seed {
    Seed { target, name: name.into(), bytes }
}

/// The batches of the golden vectors by name.
fn batches() -> Vec<(String, Vec<u8>)> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/protocol/vectors/batch.json");
    let json = fs::read_to_string(path).expect("vectors/batch.json");
    let vectors: Vec<Value> = serde_json::from_str(&json).expect("vectors");
    let text = |vector: &Value, field: &str| vector[field].as_str().expect("a string").to_owned();
    let batch = |vector: &Value| {
        let bytes = hex::decode(text(vector, "encoded")).expect("hexadecimal");
        (text(vector, "name"), bytes)
    };
    vectors.iter().map(batch).collect()
}

/// A batch whose blocks share the limit of deposits.
fn deposits_of_two_blocks() -> Vec<u8> {
    let block = BatchBlock { step_ms: 100, deposit_count: 1, ..BatchBlock::default() };
    let hint = |log_index| DepositHint { log_index, ..DepositHint::default() };
    let batch =
        Batch { blocks: vec![block; 2], deposit_hints: vec![hint(1), hint(4)], ..Batch::default() };
    batch.encode(LIMITS, Effort::Fast).expect("it fits its limits")
}

/// Entries with each vector's batch, and one of each kind of entry.
fn derivations(batches: &[(String, Vec<u8>)]) -> Vec<Seed> {
    let plain = Fields {
        kind: 1,
        previous_kind: 1,
        blocks_max: 231,
        drift: 600,
        age_max: 3_599,
        parents: [(7, 1_000_000, 2), (0, 5_000_000, u64::MAX)],
        previous: [8, 3, 1_090],
        l1_time: 1_100,
        origin: [2, 920],
        runs: vec![Run { count: 2, l1_block: 3, gas_limit: 100_000 }],
        ..Fields::default()
    };
    let with = |data: &[u8]| Fields { data: data.to_vec(), ..plain.clone() };
    let named = |name: &str| {
        &batches.iter().find(|(other, _)| other == name).expect("a vector of that name").1
    };
    let deposits = named("deposits");
    let largest = Run { count: 255, l1_block: 4, gas_limit: 1 << 24 };
    let kinds = [
        ("forced", Fields { kind: 0, ..plain.clone() }),
        ("forced-full", Fields { kind: 0, runs: vec![largest; 2], ..plain.clone() }),
        ("garbage", with(b"garbage")),
        ("full", Fields { runs: vec![largest; 2], ..with(deposits) }),
        ("too-many-blocks", Fields { blocks_max: 3, ..with(named("quiet")) }),
        ("blobs", Fields { kind: 2, ..with(named("types")) }),
        (
            "broken-blobs",
            Fields { kind: 2, flips: vec![Flip { at: 32, mask: 0x80 }], ..with(deposits) },
        ),
        ("old-origin", Fields { age_max: 1, ..with(deposits) }),
        ("origin-before", Fields { flags: Fields::ORIGIN_BEFORE, age_max: 1, ..with(deposits) }),
        ("end-of-time", Fields { l1_time: u64::MAX, origin: [2, u64::MAX], ..with(deposits) }),
        ("end-of-queue", Fields { previous: [8, u64::MAX - 1, 0], ..with(deposits) }),
        ("dishonest", Fields { flags: Fields::DISHONEST, ..with(deposits) }),
    ];
    let batches = batches.iter().map(|(name, bytes)| (format!("batch-{name}"), with(bytes)));
    let kinds = kinds.into_iter().map(|(name, fields)| (name.to_owned(), fields));
    batches.chain(kinds).map(|(name, fields)| seed("derivation", name, fields.to_bytes())).collect()
}

/// An input of the target `machine`.
struct Program {
    /// Whether `words` are the program, instead of `code`.
    is_raw: bool,
    base: u8,
    pc: u64,
    registers: Vec<(u8, u64)>,
    /// Operation, destination, sources and immediate.
    code: Vec<(Op, [u8; 3], i32)>,
    words: Vec<u32>,
}

impl Program {
    const PLAIN: Self = Self {
        is_raw: false,
        base: 0,
        pc: 0,
        registers: Vec::new(),
        code: Vec::new(),
        words: Vec::new(),
    };

    fn to_bytes(&self) -> Vec<u8> {
        let few = |count: usize| u8::try_from(count).expect("few");
        let mut bytes = vec![u8::from(self.is_raw), self.base];
        bytes.extend(self.pc.to_be_bytes());
        bytes.push(few(self.registers.len()));
        for (number, value) in &self.registers {
            bytes.push(*number);
            bytes.extend(value.to_be_bytes());
        }
        bytes.push(few(self.code.len() + self.words.len()));
        for (op, registers, imm) in &self.code {
            let op = Op::ALL.iter().position(|other| other == op).expect("an operation");
            bytes.push(few(op) | 0x80);
            bytes.extend_from_slice(registers);
            bytes.extend(imm.to_be_bytes());
        }
        bytes.extend(self.words.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend([3, 7, 60]);
        bytes
    }
}

/// Programs: loops, stores to code, calls, faults of each kind, and random ones.
fn machines() -> Vec<Seed> {
    let base = 0x1_0000;
    let plain = |code: &[(Op, [u8; 3], i32)]| Program { code: code.to_vec(), ..Program::PLAIN };
    let call = |code: &[(Op, [u8; 3], i32)], key: u8, offset: u64| Program {
        registers: vec![(32 + key, offset)],
        ..plain(code)
    };
    let counts = [
        (Op::Addi, [5, 0, 0], 100),
        (Op::Mul, [6, 5, 5], 0),
        (Op::Divu, [7, 6, 5], 0),
        (Op::Sd, [0, 2, 6], -8),
        (Op::Ld, [8, 2, 0], -8),
        (Op::Auipc, [9, 0, 0], 0x1000),
        (Op::Fence, [0, 0, 0], 0),
        (Op::Addi, [5, 5, 0], -1),
        (Op::Bne, [0, 5, 0], -28),
        (Op::Addi, [17, 0, 0], 93),
        (Op::Ecall, [0, 0, 0], 0),
    ];
    // The second round executes `addi x5, x0, 2`, which the first one stored.
    let rewrites = |place: i32| {
        [
            (Op::Addi, [5, 0, 0], 1),
            (Op::Addi, [5, 5, 0], 8),
            (Op::Bne, [0, 6, 0], 16),
            (Op::Addi, [6, 0, 0], 1),
            (Op::Sw, [0, 1, 7], place),
            (Op::Jal, [0, 0, 0], -20),
            (Op::Addi, [17, 0, 0], 93),
            (Op::Ecall, [0, 0, 0], 0),
        ]
    };
    let rewrites =
        |place| Program { registers: vec![(1, base), (7, 0x0020_0293)], ..plain(&rewrites(place)) };
    let read = [(Op::Ecall, [0, 0, 0], 0), (Op::Sd, [0, 2, 10], -8), (Op::Ecall, [0, 0, 0], 0)];
    let programs = [
        ("counts", plain(&counts)),
        ("counts-across-pages", Program { base: 1, ..plain(&counts) }),
        ("counts-at-the-end", Program { base: 3, ..plain(&counts) }),
        ("rewrites-first", rewrites(0)),
        ("rewrites-second", rewrites(4)),
        ("reads-local", call(&read, 0, 0)),
        ("reads-preimage", call(&read, 4, 96)),
        ("reads-past-end", call(&read, 2, 1 << 40)),
        ("reads-missing", call(&read, 5, 0)),
        ("reads-misaligned", call(&read, 1, 33)),
        ("breaks", plain(&[(Op::Add, [1, 2, 3], 0), (Op::Ebreak, [0, 0, 0], 0)])),
        (
            "illegal",
            Program { is_raw: true, words: vec![0x0000_0013, 0xffff_ffff], ..Program::PLAIN },
        ),
        ("misaligned-load", plain(&[(Op::Fence, [0, 0, 0], 0), (Op::Lw, [1, 2, 0], -6)])),
        ("out-of-range-store", plain(&[(Op::Fence, [0, 0, 0], 0), (Op::Sb, [0, 2, 1], 0)])),
        ("misaligned-jump", plain(&[(Op::Jalr, [1, 0, 0], 2)])),
        ("jump-out-of-range", plain(&[(Op::Fence, [0, 0, 0], 0), (Op::Jalr, [1, 2, 0], 0)])),
        ("misaligned-counter", Program { pc: 2, ..plain(&counts) }),
    ];
    let random = (0..6).map(|number| (format!("random-{number}"), random(number)));
    let programs = programs.into_iter().map(|(name, program)| (name.to_owned(), program));
    programs
        .chain(random)
        .map(|(name, program)| seed("machine", name, program.to_bytes()))
        .collect()
}

/// A random program over few registers, of which two point to the code.
fn random(seed: u64) -> Program {
    let mut rng = Rng::new(seed);
    let base = seed.to_le_bytes()[0] % 2;
    let start = if base == 0 { 0x1_0000 } else { 0x2_0000 - 64 };
    let register = |rng: &mut Rng| 1 + rng.byte(7);
    let code = (0..48).map(|_| {
        let op = rng.pick(&Op::ALL[..Op::ALL.len() - 2]);
        let registers = [1 + rng.byte(5), register(&mut rng), register(&mut rng)];
        let imm = i32::try_from(rng.below(64)).expect("small") * 8 - 128;
        (op, registers, imm)
    });
    let code = code.collect();
    let registers = (1..6).map(|number| (number, rng.next_u64() >> rng.below(64)));
    let registers = registers.chain([(6, start), (7, start + 128)]).collect();
    Program { base, registers, code, ..Program::PLAIN }
}

/// True and false tries, blocks and oracles.
fn witnesses() -> Vec<Seed> {
    let mut seeds = vec![
        seed("witness", "trie", trie()),
        seed("witness", "trie-inlined", trie_of_inlined_nodes()),
        seed("witness", "trie-too-deep", trie_too_deep()),
        seed("witness", "state", [BLOCK, &[0]].concat()),
        seed("witness", "program", vec![2, 0, 0]),
        seed("witness", "program-length", vec![2, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5]),
        seed("witness", "program-endless", [&[2, 0, 1, 0, 2][..], &[0xff; 8]].concat()),
    ];
    let mut rng = Rng::new(1);
    for number in 0..2 {
        let noise = (0..200).map(|_| rng.next_u64().to_le_bytes()[0]);
        let noise = [0].into_iter().chain(noise).collect();
        seeds.push(seed("witness", format!("trie-noise-{number}"), noise));
    }
    let tampers: [(&str, &[u8]); 5] = [
        ("missing", &[0]),
        ("flip", &[1, 0, 77]),
        ("cut", &[2, 0, 31]),
        ("extend", &[3, 0x80]),
        ("empty", &[4]),
    ];
    for (name, tamper) in tampers {
        for place in [0, 3, 9] {
            let state = [BLOCK, &[1, 0, place], tamper].concat();
            seeds.push(seed("witness", format!("state-{name}-{place}"), state));
            let program = [&[2, 1, 0, place], tamper, &[0]].concat();
            seeds.push(seed("witness", format!("program-{name}-{place}"), program));
        }
    }
    seeds
}

/// A block on the state: three reads, then a change of three accounts.
const BLOCK: &[u8] = &[
    1, // the kind of witness
    3, 3, 2, 0, 1, 54, 5, // reads of accounts 3, 0 and 54, each with a slot
    3, // changes
    6, 0x64, 1, 9, 2, 0, 3, 8, 0, 0, 0, 9, // account 6 with three slots
    9, 1, 0, 0, 0, 0, // account 9 is removed
    12, 0x42, 4, 1, 5, 7, 0, 0, 0, 1, // account 12 with its storage cleared
];

/// An extension above a branch of two leaves; then reads, changes and proofs of both keys.
fn trie() -> Vec<u8> {
    let leaf = [1, 62, 0, 0x11, 0x11, 40, 7, 7];
    let branch = [3, 0x00, 0b0100_0010, 1, 0, 0];
    let extension = [2, 1, 0x01, 0];
    let keys: [&[u8]; 2] = [&[1, 0x11, 0], &[2, 0x16, 0x11, 0]];
    with_operations([&[0, 3][..], &leaf, &leaf, &branch, &extension].concat(), keys)
}

/// Two keys that differ in their last byte, so that parents hold the nodes of their ends.
fn trie_of_inlined_nodes() -> Vec<u8> {
    let leaf = [1, 1, 0x01, 0, 5, 5];
    let branch = [3, 0b10, 0b10, 1, 0, 0];
    let extension = [2, 62, 0, 0x11, 0x11, 0];
    let keys: [&[u8]; 2] = [&[1, 0x11, 0], &[1, 0x11, 0x91]];
    with_operations([&[0, 3][..], &leaf, &leaf, &branch, &extension].concat(), keys)
}

/// A branch below the last nibble of a key.
fn trie_too_deep() -> Vec<u8> {
    let leaf = [1, 0, 0, 0, 5, 5];
    let branch = [3, 0b10, 0b10, 0, 0, 0];
    let extension = [2, 62, 0, 0x11, 0x11, 0];
    let keys: [&[u8]; 2] = [&[1, 0x11, 0], &[1, 0x11, 0x91]];
    let nodes = [&[0, 4][..], &leaf, &branch, &branch, &branch, &extension].concat();
    with_operations(nodes, keys)
}

/// The trie with reads, proofs, insertions and removals of these keys.
fn with_operations(mut trie: Vec<u8>, keys: [&[u8]; 2]) -> Vec<u8> {
    let operations: [(u8, usize, &[u8]); 9] = [
        (0, 0, &[]),
        (3, 1, &[]),
        (1, 0, &[33, 5, 5]),
        (3, 0, &[]),
        (2, 1, &[]),
        (3, 1, &[]),
        (1, 1, &[0, 9, 9]),
        (0, 1, &[]),
        (0, 0, &[]),
    ];
    for (operation, key, value) in operations {
        trie.push(operation);
        trie.extend_from_slice(keys[key]);
        trie.extend_from_slice(value);
    }
    trie
}
