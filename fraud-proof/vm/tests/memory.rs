//! Compares roots and witnesses with an implementation without pages.

mod support;

use std::collections::BTreeMap;

use alloy_primitives::{B256, keccak256};
use proptest::prelude::*;
use support::{ENTRY, EXIT, bytes, immediate, machine, no_oracle, pair, register};
use turnpike_vm::{Image, MEMORY_BYTES, Machine, Op, StepWitness};

const HEIGHT: u32 = 27;

/// The root over the nonzero leaves, computed from scratch.
fn naive_root(leaves: &BTreeMap<u64, [u8; 32]>) -> B256 {
    let mut zero = B256::ZERO;
    let mut level: BTreeMap<u64, B256> =
        leaves.iter().map(|(index, leaf)| (*index, leaf.into())).collect();
    for _ in 0..HEIGHT {
        let mut parents = BTreeMap::new();
        for index in level.keys().map(|index| index >> 1) {
            let child = |bit| level.get(&(index << 1 | bit)).copied().unwrap_or(zero);
            parents.insert(index, parent(child(0), child(1)));
        }
        zero = parent(zero, zero);
        level = parents;
    }
    level.get(&0).copied().unwrap_or(zero)
}

fn parent(left: B256, right: B256) -> B256 {
    keccak256([left, right].concat())
}

fn leaves(writes: &[(u64, Vec<u8>)]) -> BTreeMap<u64, [u8; 32]> {
    let mut leaves = BTreeMap::<u64, [u8; 32]>::new();
    for (address, bytes) in writes {
        for (at, byte) in (*address..).zip(bytes) {
            leaves.entry(at / 32).or_default()[usize::try_from(at % 32).expect("small")] = *byte;
        }
    }
    leaves
}

/// The root computed from a leaf and its siblings.
fn fold(address: u64, proof: &[u8]) -> B256 {
    let (leaf, siblings) = proof.split_at(32);
    let mut index = address / 32;
    let mut node = B256::from_slice(leaf);
    for sibling in siblings.chunks_exact(32).map(B256::from_slice) {
        node = if index & 1 == 0 { parent(node, sibling) } else { parent(sibling, node) };
        index >>= 1;
    }
    assert_eq!(index, 0);
    node
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn roots_are_those_of_the_whole_tree(
        writes in prop::collection::vec(
            (
                prop_oneof![0..MEMORY_BYTES - 64, 0x1000..0x4000_u64, MEMORY_BYTES - 128..MEMORY_BYTES - 64],
                prop::collection::vec(any::<u8>(), 0..64),
            ),
            0..12,
        ),
        entry in (0..MEMORY_BYTES / 4).prop_map(|index| index * 4),
    ) {
        let mut image = Image::new(entry).expect("an entry");
        for (address, bytes) in &writes {
            image = image.with_segment(*address, bytes, bytes.len() as u64).expect("it fits");
        }
        let mut machine = Machine::new(&image);
        let expected = naive_root(&leaves(&writes));
        prop_assert_eq!(machine.state().memory_root, expected);
        let witness = machine.witness();
        prop_assert_eq!(fold(entry, &witness.proof[..896]), expected);
        let leaf = leaves(&writes).get(&(entry / 32)).copied().unwrap_or_default();
        prop_assert_eq!(&witness.proof[..32], &leaf);
    }
}

#[test]
fn empty_memory_has_the_root_of_zeros() {
    let mut machine = Machine::new(&Image::new(0).expect("an entry"));
    assert_eq!(machine.state().memory_root, naive_root(&BTreeMap::new()));
    assert_eq!(machine.usage().pages, 0);
}

#[test]
fn roots_follow_stores() {
    let addresses = [0x8000_u64, 0x8fe0, 0x9000, 0xffff_fff8, 0x8000_0000, 0x8008];
    let store = [pair(Op::Sd, 1, 2, 0), immediate(Op::Jal, 0, 0, -4)];
    let code = bytes(&store);
    let mut machine = machine(&store);
    let mut writes = vec![(ENTRY, code)];
    for (value, address) in (0x0123_4567_89ab_cdef_u64..).zip(addresses) {
        machine.set_register(1, address);
        machine.set_register(2, value);
        machine.run(&mut no_oracle(), machine.steps() + 2).expect("no oracle is read");
        writes.push((address, value.to_le_bytes().to_vec()));
        assert_eq!(machine.state().memory_root, naive_root(&leaves(&writes)), "{address:#x}");
    }
    // A page of zeros equals an absent page.
    machine.set_register(2, 0);
    for address in addresses {
        machine.set_register(1, address);
        machine.run(&mut no_oracle(), machine.steps() + 2).expect("no oracle is read");
    }
    assert_eq!(machine.state().memory_root, naive_root(&leaves(&writes[..1])));
}

#[test]
fn witness_proves_every_leaf_that_the_step_reads() {
    let words =
        [pair(Op::Sd, 1, 2, 8), immediate(Op::Lw, 3, 1, 12), immediate(Op::Ld, 3, 1, 4), EXIT[0]];
    let mut machine = machine(&words);
    machine.set_register(1, 0x7000_0010);
    machine.set_register(2, u64::MAX);
    let data = |witness: &StepWitness| {
        assert_eq!(witness.proof.len(), 2 * 896);
        let (code, data) = witness.proof.split_at(896);
        assert_eq!(fold(ENTRY, code), witness.state.memory_root);
        assert_eq!(fold(0x7000_0018, data), witness.state.memory_root);
        data[..32].to_vec()
    };
    let store = machine.witness();
    assert_eq!(data(&store), [0; 32]);
    assert_eq!(store.state, machine.state());
    machine.step(&mut no_oracle()).expect("no oracle is read");
    let load = machine.witness();
    assert_eq!(data(&load), [[0; 8], [0; 8], [0; 8], [0xff; 8]].concat());
    assert_ne!(load.state.memory_root, store.state.memory_root);
    machine.step(&mut no_oracle()).expect("no oracle is read");
    // Misaligned: the data is not read.
    assert_eq!(machine.witness().proof.len(), 896);
    machine.step(&mut no_oracle()).expect("no oracle is read");
    assert_eq!(machine.exit(), Some(135));
    assert_eq!(machine.witness().proof.len(), 0, "exited");
}

#[test]
fn faulting_program_counter_needs_no_proof() {
    for target in [MEMORY_BYTES, 2] {
        let mut machine = machine(&[immediate(Op::Jalr, 0, 1, 0)]);
        machine.set_register(1, target);
        assert_eq!(machine.witness().proof.len(), 896);
        machine.step(&mut no_oracle()).expect("no oracle is read");
        assert_eq!(machine.witness().proof.len(), 0);
        assert_eq!(machine.exit(), None);
    }
}

/// Code that stores a word into each of several pages.
const TOUCH: [u32; 3] =
    [pair(Op::Sd, 5, 7, 0), register(Op::Add, 5, 5, 7), immediate(Op::Jal, 0, 0, -8)];

fn touch(machine: &mut Machine, from: u64, pages: u64) {
    machine.set_register(5, from);
    machine.set_register(7, 4096);
    machine.run(&mut no_oracle(), machine.steps() + 3 * pages).expect("no oracle is read");
}

#[test]
fn root_costs_hashes_per_written_page() {
    /// Hashes of a page, and of the nodes above it.
    const PAGE: u64 = 127;
    const ABOVE: u64 = 20;
    let mut machine = machine(&TOUCH);
    touch(&mut machine, 0x100_0000, 2048);
    machine.state();
    let start = machine.snapshot();
    let hashes = |pages: u64, machine: &mut Machine| {
        machine.restore(&start);
        touch(machine, 0x100_0000, pages);
        let before = machine.hashes();
        machine.state();
        machine.hashes() - before
    };
    assert_eq!(hashes(1, &mut machine), PAGE + ABOVE);
    // Adjacent pages share the nodes above them.
    assert_eq!(hashes(2, &mut machine), 2 * PAGE + 1 + (ABOVE - 1));
    assert_eq!(hashes(1024, &mut machine), 1024 * PAGE + 1023 + (ABOVE - 10));
    let before = machine.hashes();
    machine.state();
    machine.witness();
    machine.snapshot();
    machine.restore(&start);
    machine.state();
    assert_eq!(machine.hashes(), before, "nothing was written to since, or it was hashed before");
    // Another machine hashes the pages that differ only.
    let mut other = start.to_machine();
    assert_eq!(other.state().memory_root, machine.state().memory_root);
    assert_eq!(other.hashes(), 0);
}

#[test]
fn usage_counts_pages_and_their_end() {
    let mut machine = machine(&TOUCH);
    assert_eq!((machine.usage().pages, machine.usage().end), (1, ENTRY + 4096));
    touch(&mut machine, 0x10_0000, 3);
    let usage = machine.usage();
    assert_eq!((usage.pages, usage.end, usage.bytes()), (4, 0x10_3000, 4 * 4096));
}
