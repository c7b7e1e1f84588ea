//! The proof machine: runs equal steps, and the witness of a step is enough to take it.

use std::cell::RefCell;

use alloy_primitives::{B256, Bytes, keccak256};
use turnpike_protocol::{
    LocalInput, LocalInputs, ORACLE_WORD_BYTES, Preimage, Preimages, keccak_key,
};
use turnpike_vm::{
    Counts, Image, Instruction, MEMORY_BYTES, Machine, MissingPreimage, Op, Snapshot, State,
    StepWitness, decode,
};

use crate::{Outcome, input::Input};

/// Addresses of code: anywhere, across a page's end, at both ends of memory.
const BASES: [u64; 4] = [0x1_0000, 0x2_0000 - 64, 0, MEMORY_BYTES - 512];

/// Steps of a run, at most.
const STEPS_MAX: u64 = 512;

/// Steps to a load or store, at most.
const ACCESS_STEPS_MAX: u64 = 32;

/// Number of times that a run stops for a comparison.
const STOPS: usize = 3;

/// Instructions of a program, at most.
const INSTRUCTIONS_MAX: usize = 256;

/// Bytes that describe an instruction.
const INSTRUCTION_BYTES: usize = 8;

/// Lengths of the preimages in the oracle, around a word's.
const PREIMAGES: [usize; 4] = [1, 32, 33, 100];

/// Bytes of a leaf of memory.
const LEAF_BYTES: u64 = 32;

/// Bytes that prove a leaf: the leaf and 27 siblings.
const PROOF_BYTES: usize = 32 * 28;

/// First argument register of the calling convention, and those of an oracle read.
const A0: u8 = 10;
const A4: u8 = 14;
const A7: u8 = 17;

/// `ecall` number of an oracle read.
const READ_ORACLE: u64 = 1_000;

thread_local! {
    static MACHINES: RefCell<Machines> = RefCell::new(Machines::new());
}

/// Machines that serve input after input. A restored one keeps decoded pages, which must make no
/// difference.
struct Machines {
    fast: Machine,
    reference: Machine,
    proven: Machine,
}

impl Machines {
    fn new() -> Self {
        let [fast, reference, proven] = [(); 3].map(|()| with_memory([]));
        Self { fast, reference, proven }
    }
}

/// Runs a program fast and step by step, and takes some steps from their witness.
pub fn machine(data: &[u8]) -> Outcome {
    let mut input = Input::new(data);
    let start = start(&mut input);
    let mut stops = [0; STOPS].map(|_: u64| u64::from(input.byte()));
    stops.sort_unstable();
    MACHINES.with_borrow_mut(|Machines { fast, reference, proven }| {
        fast.restore(&start);
        reference.restore(&start);
        for (index, stop) in stops.into_iter().chain([STEPS_MAX]).enumerate() {
            let goes_on = advance(fast, reference, stop);
            if index == 0 || !goes_on {
                proven.restore(&reference.snapshot());
                check_witness(proven);
            }
            if index == 0 {
                to_next_access(proven);
                check_witness(proven);
            }
            if !goes_on {
                break;
            }
        }
        fast.restore(&start);
        check_counts(fast, reference);
        if reference.steps() > 1 { Outcome::Checked } else { Outcome::Refused }
    })
}

/// The machine before the first step.
fn start(input: &mut Input<'_>) -> Snapshot {
    let is_raw = input.byte() & 1 == 1;
    let base = BASES[input.below(BASES.len())];
    let pc = base.wrapping_add(input.u64());
    let count = input.below(33);
    let registers: Vec<_> = (0..count).map(|_| (input.byte(), input.u64())).collect();
    let count = input.below(INSTRUCTIONS_MAX);
    let code: Vec<u8> = (0..count).flat_map(|_| word(input, is_raw).to_le_bytes()).collect();
    let fits = usize::try_from(MEMORY_BYTES - base).unwrap_or(usize::MAX).min(code.len());
    let mut machine = with_memory([(base, &code[..fits])]);
    for (number, value) in registers {
        set_register(&mut machine, number, value);
    }
    machine.set_pc(pc);
    machine.snapshot()
}

/// An instruction's word: as it is, or from its fields.
fn word(input: &mut Input<'_>, is_raw: bool) -> u32 {
    if is_raw {
        return u32::from_le_bytes(input.array());
    }
    let [op, rd, rs1, rs2, imm @ ..]: [u8; INSTRUCTION_BYTES] = input.array();
    let imm = i32::from_be_bytes(imm);
    // Most offsets are aligned, so that programs run for a while.
    let imm = if op & 0x80 == 0 { imm & !7 } else { imm };
    let op = Op::ALL[usize::from(op & 0x7f) % Op::ALL.len()];
    Instruction { op, rd: rd & 31, rs1: rs1 & 31, rs2: rs2 & 31, imm }.encode()
}

/// Sets a register. Numbers from 32 on set all registers of an oracle read at offset `value`.
fn set_register(machine: &mut Machine, number: u8, value: u64) {
    let keys = keys();
    match usize::from(number).checked_sub(32) {
        None if number > 0 => machine.set_register(number, value),
        None => {}
        Some(key) => {
            let key = keys[key % keys.len()];
            for (register, bytes) in (A0..).zip(key.as_chunks().0) {
                machine.set_register(register, u64::from_le_bytes(*bytes));
            }
            machine.set_register(A4, value);
            machine.set_register(A7, READ_ORACLE);
        }
    }
}

/// Keys of the oracle: a local input, a preimage of each length, and one without a preimage.
fn keys() -> Vec<B256> {
    let preimages = PREIMAGES.map(|length| keccak_key(keccak256(preimage(length))));
    let missing = keccak_key(B256::repeat_byte(7));
    [LocalInput::BlockIndex.key()].into_iter().chain(preimages).chain([missing]).collect()
}

fn preimage(length: usize) -> Vec<u8> {
    (1..).take(length).collect()
}

fn oracle() -> Preimages {
    let mut oracle = Preimages::new(LocalInputs { block_index: 3, ..LocalInputs::default() });
    for length in PREIMAGES {
        oracle.add(Preimage::Keccak { bytes: Bytes::from(preimage(length)) });
    }
    oracle
}

/// Advances both machines to step `until` and compares them. Returns whether they can go on.
fn advance(fast: &mut Machine, reference: &mut Machine, until: u64) -> bool {
    let ran = fast.run(&mut oracle(), until);
    let stepped = step_until(reference, until);
    assert_eq!((ran, fast.state()), (stepped, reference.state()), "before step {until}");
    assert_eq!(fast.trap(), reference.trap());
    assert_eq!(fast.usage(), reference.usage());
    stepped.is_ok() && reference.exit().is_none()
}

fn step_until(machine: &mut Machine, until: u64) -> Result<(), MissingPreimage> {
    let mut oracle = oracle();
    while machine.exit().is_none() && machine.steps() < until {
        machine.step(&mut oracle)?;
    }
    Ok(())
}

/// A counted run reaches the same state, and counts its steps.
fn check_counts(counted: &mut Machine, reference: &mut Machine) {
    let mut counts = Counts::default();
    let ran = counted.run_counted(&mut oracle(), reference.steps(), &mut counts);
    assert_eq!((ran, counted.state()), (Ok(()), reference.state()));
    // The step in which a machine stops without an instruction is not counted.
    let steps = counts.total()..=counts.total() + u64::from(counted.exit().is_some());
    assert!(steps.contains(&counted.steps()), "{} steps, {counts:?}", counted.steps());
}

/// Advances to the next step that loads or stores, if there soon is one.
fn to_next_access(machine: &mut Machine) {
    let until = machine.steps() + ACCESS_STEPS_MAX;
    while machine.next_access().is_none() && machine.exit().is_none() && machine.steps() < until {
        if machine.step(&mut oracle()).is_err() {
            return;
        }
    }
}

/// Takes the machine's next step, and takes it again from the witness alone.
fn check_witness(machine: &mut Machine) {
    let before = machine.state();
    let witness = machine.witness();
    assert_eq!(witness.state, before);
    assert_eq!(State::decode(&before.encode()), Some(before));
    let stepped = machine.step(&mut oracle());
    let after = machine.state();
    if before.exit.is_some() {
        assert_eq!((after, witness.proof.len()), (before, 0), "an exited machine stays");
        return;
    }
    assert_eq!(replay(&witness), stepped.map(|()| after), "taken from {witness:?}");
    if let Some((_, offset)) = witness.read {
        assert!(offset.is_multiple_of(ORACLE_WORD_BYTES as u64));
    }
    assert!(stepped.is_ok() || witness.read.is_some());
}

/// The state after the step of a witness, computed in a memory that holds nothing but its leaves.
fn replay(witness: &StepWitness) -> Result<State, MissingPreimage> {
    let before = &witness.state;
    let mut proofs = witness.proof.chunks_exact(PROOF_BYTES);
    let code = proofs.next().map(|proof| (before.pc & !(LEAF_BYTES - 1), proof));
    let place = usize::try_from(before.pc % LEAF_BYTES).expect("within a leaf");
    let address = code.and_then(|(_, proof)| accessed(before, &proof[place..]));
    let data = address.map(|address| {
        (address & !(LEAF_BYTES - 1), proofs.next().expect("the leaf that the step accesses"))
    });
    assert_eq!(proofs.len() + proofs.remainder().len(), 0, "no more leaves than the step reads");
    for (at, proof) in code.into_iter().chain(data) {
        assert_eq!(root(at, &proof[..32], proof), before.memory_root, "the leaf at {at:#x}");
    }
    let leaves = code.into_iter().chain(data).map(|(at, proof)| (at, &proof[..32]));
    let mut machine = with_memory(leaves);
    for (number, value) in (1..).zip(before.registers) {
        machine.set_register(number, value);
    }
    machine.set_pc(before.pc);
    machine.step(&mut oracle())?;
    let memory_root = data.map_or(before.memory_root, |(at, proof)| {
        let leaf: Vec<u8> = (at..at + LEAF_BYTES).map(|at| machine.byte(at)).collect();
        root(at, &leaf, proof)
    });
    Ok(State { memory_root, step: before.step + 1, ..machine.state() })
}

/// The address that an instruction loads from or stores to, if it does not fault.
fn accessed(state: &State, code: &[u8]) -> Option<u64> {
    let instruction = decode(u32::from_le_bytes(*code.first_chunk()?))?;
    let base = usize::from(instruction.rs1).checked_sub(1).map_or(0, |rs1| state.registers[rs1]);
    let (address, bytes) = (base.wrapping_add(instruction.imm64()), instruction.op.access_bytes());
    (bytes > 0 && address.is_multiple_of(bytes) && address < MEMORY_BYTES).then_some(address)
}

/// A machine at address 0 whose memory holds these bytes.
fn with_memory<'a>(segments: impl IntoIterator<Item = (u64, &'a [u8])>) -> Machine {
    let empty = Image::new(0).expect("an entry");
    let image = segments
        .into_iter()
        .try_fold(empty, |image, (at, bytes)| image.with_segment(at, bytes, bytes.len() as u64));
    Machine::new(&image.expect("it fits the memory"))
}

/// The memory's root with this leaf at an address, from the siblings of its proof.
fn root(address: u64, leaf: &[u8], proof: &[u8]) -> B256 {
    let mut index = address / LEAF_BYTES;
    let mut node = B256::from_slice(leaf);
    for sibling in proof[32..].chunks_exact(32) {
        let pair =
            if index & 1 == 0 { [node.as_slice(), sibling] } else { [sibling, node.as_slice()] };
        node = keccak256(pair.concat());
        index >>= 1;
    }
    node
}
