use std::collections::HashMap;

use alloy_primitives::{B256, keccak256};
use turnpike_game::{L1Step, L1StepError};
use turnpike_vm::State;

use crate::{
    arena::{Arena, LOCAL, Start, l1},
    random::Steps,
};

const OF_A_KIND: usize = 4;
const PATH_BYTES: usize = 896;

/// A step with the inputs that L1 receives.
struct Case {
    state: Vec<u8>,
    proof: Vec<u8>,
    after: B256,
    reads_preimage: bool,
}

/// Steps of every kind: without memory access, with an instruction, with data; that continue and
/// that halt.
fn cases() -> (Arena, L1Step, Vec<Case>) {
    let (mut steps, mut l1) = (Steps::new(0x7a6), l1());
    let mut kinds: HashMap<_, Vec<Case>> = HashMap::new();
    while let Some(start) = steps.next() {
        let Some(taken) = steps.arena.step_on_l1(&start, &mut l1) else { continue };
        let witness = taken.witness;
        let preimage = |(key, _)| steps.arena.preimages.get(&key);
        let reads_preimage = witness.read.and_then(preimage).is_some();
        let kind = (witness.proof.len(), reads_preimage, taken.after.exit);
        let state = witness.state.encode().to_vec();
        let kind = kinds.entry(kind).or_default();
        if kind.len() < OF_A_KIND {
            let after = taken.after.hash();
            kind.push(Case { state, proof: witness.proof, after, reads_preimage });
        }
    }
    let count = |length| kinds.keys().filter(|kind| kind.0 == length).count();
    assert!(
        count(0) >= 2 && count(PATH_BYTES) >= 6 && count(2 * PATH_BYTES) == 1,
        "{:?}",
        kinds.keys()
    );
    (steps.arena, l1, kinds.into_values().flatten().collect())
}

fn step(l1: &mut L1Step, state: &[u8], proof: &[u8]) -> Option<B256> {
    match l1.step(state, proof, &LOCAL) {
        Ok(stepped) => Some(stepped.state),
        Err(L1StepError::Refused(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

/// The result that L1 must return for a state and a proof on the arena's memory. Loads the preimage
/// that the step reads.
fn expected(arena: &mut Arena, l1: &mut L1Step, bytes: &[u8], proof: &[u8]) -> Option<B256> {
    let state = State::decode(bytes.as_array()?)?;
    if state.exit.is_some() {
        return proof.is_empty().then(|| keccak256(bytes));
    }
    let mut registers = [0; 32];
    registers[1..].copy_from_slice(&state.registers);
    let start = Start { pc: state.pc, registers };
    let witness = arena.witness(&start);
    let root = witness.state.memory_root;
    let is_proof = witness.proof == proof && (proof.is_empty() || root == state.memory_root);
    let after = is_proof.then(|| arena.step(&start))??;
    let read = witness.read.and_then(|(key, offset)| Some((arena.preimages.get(&key)?, offset)));
    if let Some((preimage, offset)) = read {
        l1.load(preimage, offset).expect("a preimage can be loaded");
    }
    let memory_root = if proof.is_empty() { state.memory_root } else { after.memory_root };
    Some(State { memory_root, step: state.step + 1, ..after }.hash())
}

/// Each state has exactly one valid proof, so two witnesses never give two results.
#[test]
fn altered_proof_is_refused() {
    let (_, mut l1, cases) = cases();
    for Case { state, proof, after, .. } in &cases {
        assert_eq!(step(&mut l1, state, proof), Some(*after));
        for at in 0..proof.len() {
            let mut tampered = proof.clone();
            tampered[at] ^= 1 << (at % 8);
            assert_eq!(step(&mut l1, state, &tampered), None, "byte {at}");
        }
        for length in [0, 1, 32, 895, 896, 897, 928, 1791, 1792, 1793, 2688] {
            let mut tampered = proof.clone();
            tampered.resize(length, 0xa5);
            assert!(
                tampered == *proof || step(&mut l1, state, &tampered).is_none(),
                "{length} bytes"
            );
        }
        for other in &cases {
            assert!(other.proof == *proof || step(&mut l1, state, &other.proof).is_none());
        }
        if proof.len() == 2 * PATH_BYTES {
            let (code, data) = proof.split_at(PATH_BYTES);
            for tampered in [[data, code], [code, code], [data, data]].map(|paths| paths.concat()) {
                assert!(tampered == *proof || step(&mut l1, state, &tampered).is_none());
            }
        }
    }
}

/// An altered state either takes its own step with this proof, or is rejected.
#[test]
fn altered_state_changes_the_result() {
    let (mut arena, mut l1, cases) = cases();
    let mut taken = 0;
    for Case { state, proof, .. } in &cases {
        for at in 0..state.len() {
            let mut tampered = state.clone();
            tampered[at] ^= 1 << (at % 8);
            let after = expected(&mut arena, &mut l1, &tampered, proof);
            assert_eq!(step(&mut l1, &tampered, proof), after, "byte {at}");
            taken += usize::from(after.is_some());
        }
        for length in [0, 1, 32, 304, 306, 337] {
            let mut tampered = state.clone();
            tampered.resize(length, 0);
            assert_eq!(step(&mut l1, &tampered, proof), None, "{length} bytes");
        }
    }
    assert!(taken > 10 * cases.len(), "{taken}");
}

#[test]
fn halted_machine_keeps_its_state() {
    let (_, mut l1, cases) = cases();
    for Case { state, proof, .. } in &cases {
        let state = State::decode(state.as_array().expect("valid length")).expect("valid state");
        let state = State { exit: Some(0x8000_0000_0000_0001), ..state };
        assert_eq!(step(&mut l1, &state.encode(), &[]), Some(state.hash()));
        assert!(proof.is_empty() || step(&mut l1, &state.encode(), proof).is_none());
    }
}

#[test]
fn read_is_refused_until_its_preimage_is_loaded() {
    let (mut arena, _, cases) = cases();
    let reads = |case: &&Case| case.proof.len() == PATH_BYTES && case.reads_preimage;
    let Case { state, proof, after, .. } =
        cases.iter().find(reads).expect("a case reads a preimage");
    let mut fresh = l1();
    assert_eq!(step(&mut fresh, state, proof), None);
    assert_eq!(expected(&mut arena, &mut fresh, state, proof), Some(*after));
    assert_eq!(step(&mut fresh, state, proof), Some(*after));
}
