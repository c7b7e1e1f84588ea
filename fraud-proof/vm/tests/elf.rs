//! Which files load as programs.

mod support;

use support::{EXIT, bytes, immediate, no_oracle};
use turnpike_vm::{ElfError, MEMORY_BYTES, Machine, Op};

const HEADER_BYTES: usize = 64;
const SEGMENT_BYTES: usize = 56;

struct Segment {
    kind: u32,
    address: u64,
    bytes: Vec<u8>,
    length: u64,
}

fn load(address: u64, bytes: Vec<u8>, length: u64) -> Segment {
    Segment { kind: 1, address, bytes, length }
}

/// A static little-endian RV64 executable.
fn elf(entry: u64, segments: &[Segment]) -> Vec<u8> {
    let mut file = vec![0; HEADER_BYTES];
    file[..8].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(16, &2_u16.to_le_bytes());
    put(18, &243_u16.to_le_bytes());
    put(20, &1_u32.to_le_bytes());
    put(24, &entry.to_le_bytes());
    put(32, &(HEADER_BYTES as u64).to_le_bytes());
    put(52, &64_u16.to_le_bytes());
    put(54, &56_u16.to_le_bytes());
    put(56, &u16::try_from(segments.len()).expect("few").to_le_bytes());
    let mut offset = HEADER_BYTES + SEGMENT_BYTES * segments.len();
    for segment in segments {
        file.extend_from_slice(&segment.kind.to_le_bytes());
        file.extend_from_slice(&7_u32.to_le_bytes());
        let words = [
            offset as u64,
            segment.address,
            segment.address,
            segment.bytes.len() as u64,
            segment.length,
            4096,
        ];
        words.iter().for_each(|word| file.extend_from_slice(&word.to_le_bytes()));
        offset += segment.bytes.len();
    }
    segments.iter().for_each(|segment| file.extend_from_slice(&segment.bytes));
    file
}

/// Exits with 7 from the first instruction, with 8 from the second.
fn program() -> Vec<u8> {
    bytes(&[immediate(Op::Addi, 10, 10, -1), immediate(Op::Addi, 10, 10, 8), EXIT[0], EXIT[1]])
}

fn valid() -> Vec<u8> {
    elf(0x1000, &[load(0x1000, program(), 16)])
}

fn refusal(file: &[u8]) -> ElfError {
    Machine::load(file, None).map(|_| ()).expect_err("a refusal")
}

/// A valid file with `bytes` at offset `at`.
fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = valid();
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

#[test]
fn programs_run_from_the_given_entry() {
    let run = |entry| {
        let mut machine = Machine::load(&valid(), entry).expect("a program");
        assert_eq!((machine.register(2), machine.steps()), (MEMORY_BYTES, 0));
        machine.run(&mut no_oracle(), 100).expect("no oracle is read");
        machine.exit()
    };
    assert_eq!(run(None), Some(7));
    assert_eq!(run(Some(0x1004)), Some(8));
}

#[test]
fn later_segments_overwrite_earlier_ones() {
    let segments = [
        load(0x1ffc, vec![1; 16], 16),
        load(0x2000, vec![2; 2], 4),
        load(MEMORY_BYTES - 4, vec![3; 4], 4),
        Segment { kind: 4, address: 0, bytes: vec![9; 4], length: 4 },
        load(0x5000, vec![], 0xf000_0000),
    ];
    let machine = Machine::load(&elf(0x1000, &segments), None).expect("a program");
    let at: Vec<u8> = (0x1ffb..0x2006).map(|at| machine.byte(at)).collect();
    assert_eq!(at, [0, 1, 1, 1, 1, 2, 2, 0, 0, 1, 1]);
    assert_eq!(machine.byte(MEMORY_BYTES - 1), 3);
    assert_eq!(machine.byte(0), 0, "a note is not loaded");
    assert_eq!(machine.usage().pages, 3, "zeros take no pages");
}

#[test]
fn other_files_are_refused() {
    assert_eq!(refusal(b""), ElfError::NotElf);
    assert_eq!(refusal(b"#!/bin/sh"), ElfError::NotElf);
    assert_eq!(refusal(&valid()[..4]), ElfError::Broken("file header"));
    assert_eq!(refusal(&valid()[..63]), ElfError::Broken("file header"));
    assert_eq!(refusal(&valid()[..100]), ElfError::Broken("program headers"));
    assert_eq!(refusal(&valid()[..130]), ElfError::Broken("a segment"));
    assert_eq!(refusal(&with(4, &[1])), ElfError::Class(1));
    assert_eq!(refusal(&with(5, &[2])), ElfError::Endianness(2));
    assert_eq!(refusal(&with(18, &[62])), ElfError::Machine(62));
    assert_eq!(refusal(&with(16, &[3])), ElfError::Type(3));
    assert_eq!(refusal(&with(16, &[1])), ElfError::Type(1));
    for flags in [1, 2, 4, 8] {
        assert_eq!(refusal(&with(48, &[flags])), ElfError::Flags(flags.into()));
    }
    for kind in [2, 3] {
        let dynamic = Segment { kind, address: 0, bytes: vec![], length: 0 };
        let file = elf(0x1000, &[load(0x1000, program(), 16), dynamic]);
        assert_eq!(refusal(&file), ElfError::Dynamic);
    }
}

#[test]
fn entries_and_segments_outside_memory_are_refused() {
    let at = |entry| Machine::load(&valid(), Some(entry)).map(|_| ());
    for entry in [0x1002, MEMORY_BYTES, u64::MAX - 3] {
        assert_eq!(at(entry), Err(ElfError::Entry(entry)));
        assert_eq!(refusal(&with(24, &entry.to_le_bytes())), ElfError::Entry(entry));
    }
    assert_eq!(at(MEMORY_BYTES - 4), Ok(()));
    let segment = |address, length| {
        let file = elf(0x1000, &[load(address, vec![1; 4], length)]);
        Machine::load(&file, None).map(|_| ())
    };
    for (address, bytes) in
        [(MEMORY_BYTES - 4, 5), (MEMORY_BYTES, 4), (u64::MAX, 4), (8, u64::MAX - 4)]
    {
        assert_eq!(segment(address, bytes), Err(ElfError::Segment { address, bytes }));
    }
    assert_eq!(segment(MEMORY_BYTES - 4, 4), Ok(()));
    assert_eq!(segment(4, MEMORY_BYTES - 4), Ok(()));
    let longer = ElfError::Broken("a segment is longer in the file than in memory");
    assert_eq!(segment(4, 3), Err(longer));
}
