//! Reads of the preimage oracle.

mod support;

use alloy_primitives::B256;
use support::{ECALL, ENTRY, immediate, machine};
use turnpike_protocol::{LocalInput, LocalInputs, Preimage, Preimages, keccak_key};
use turnpike_vm::{Machine, MissingPreimage, Op};

const READ_ORACLE: i32 = 1000;

/// A machine before a read.
fn reader(key: B256, offset: u64) -> Machine {
    let mut machine = machine(&[immediate(Op::Addi, 17, 0, READ_ORACLE), ECALL]);
    for (register, bytes) in (10..).zip(key.as_chunks().0) {
        machine.set_register(register, u64::from_le_bytes(*bytes));
    }
    machine.set_register(14, offset);
    machine
}

/// The word in `a0..a3`, and the length in `a4`.
fn answer(machine: &Machine) -> (Vec<u8>, u64) {
    let word = (10..14).flat_map(|register| machine.register(register).to_le_bytes()).collect();
    (word, machine.register(14))
}

#[test]
fn local_inputs_are_read() {
    let local = LocalInputs { block_index: 0x0102, ..LocalInputs::default() };
    let mut machine = reader(LocalInput::BlockIndex.key(), 0);
    machine.run(&mut Preimages::new(local), 2).expect("local inputs are there");
    let expected = B256::left_padding_from(&[1, 2]);
    assert_eq!(answer(&machine), (expected.to_vec(), 32));
    assert_eq!((machine.pc(), machine.exit()), (ENTRY + 8, None));
}

#[test]
fn missing_preimage_is_an_error_and_the_run_resumes() {
    let preimage: Vec<u8> = (1..=40).collect();
    let preimage = Preimage::Keccak { bytes: preimage.into() };
    let key = preimage.key();
    let mut oracle = Preimages::default();
    let missing = Err(MissingPreimage { key, offset: 32 });
    for step in [false, true] {
        let mut machine = reader(key, 32);
        if step {
            machine.step(&mut oracle).expect("nothing is read");
            assert_eq!(machine.step(&mut oracle), missing);
        } else {
            assert_eq!(machine.run(&mut oracle, 100), missing);
        }
        let state = machine.state();
        assert_eq!((state.step, state.pc, state.exit), (1, ENTRY + 4, None));
        assert_eq!(machine.witness().read, Some((key, 32)));
        assert_eq!(machine.run(&mut oracle, 100), missing);
        assert_eq!(machine.state(), state);
        let mut loaded = Preimages::default();
        loaded.add(preimage.clone());
        machine.run(&mut loaded, 2).expect("the preimage is there");
        let expected: Vec<u8> = (33..=40).chain([0; 24]).collect();
        assert_eq!(answer(&machine), (expected, 40));
        assert_eq!(machine.witness().read, None);
    }
}

#[test]
fn invalid_reads_exit() {
    let key = keccak_key(B256::repeat_byte(7));
    let mut local = LocalInput::BlockIndex.key();
    local[31] = 9;
    let cases = [
        (key, 1),
        (key, 33),
        (key, u64::MAX),
        (B256::ZERO, 0),
        (local, 0),
        (B256::repeat_byte(5), 0),
    ];
    for (key, offset) in cases {
        let mut machine = reader(key, offset);
        machine.step(&mut Preimages::default()).expect("nothing is read");
        assert_eq!(machine.witness().read, None);
        let before = machine.state();
        machine.run(&mut Preimages::default(), 100).expect("nothing is read");
        let expected = turnpike_vm::State { exit: Some(159), step: 2, ..before };
        assert_eq!(machine.state(), expected, "{key} {offset}");
    }
}

#[test]
fn witness_names_a_read_only_before_its_call() {
    let key = keccak_key(B256::repeat_byte(7));
    let mut machine = reader(key, 0);
    machine.set_register(17, 1000);
    assert_eq!(machine.witness().read, None, "the next instruction is no ecall");
}
