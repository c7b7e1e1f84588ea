//! Traces compute any state of a run, in any order, with few steps.

use alloy_primitives::{B256, keccak256};
use turnpike_game::{L1Step, Trace, TraceError, TraceFault, prove::STEPS_MAX};
use turnpike_l1::positions;
use turnpike_protocol::{LocalInputs, Oracle, OracleWord, Preimages};
use turnpike_random::Rng;
use turnpike_vm::{Machine, MissingPreimage, State};

use crate::counter::{counter, counter_steps};

fn preimages() -> Preimages {
    let output_root =
        B256::from(std::array::from_fn(|at| u8::try_from(at).expect("index fits 8 bits")));
    Preimages::new(LocalInputs { output_root, ..LocalInputs::default() })
}

fn trace(rounds: i32) -> Trace {
    Trace::new(&counter(rounds), preimages()).expect("the program loads")
}

/// The state after this many steps, taken one after the other.
fn stepped(elf: &[u8], steps: u64) -> State {
    let mut machine = Machine::load(elf, None).expect("the program loads");
    (0..steps).for_each(|_| machine.step(&mut preimages()).expect("the witness has the root"));
    machine.state()
}

#[test]
fn trace_is_send() {
    const fn sendable<T: Send>() {}
    sendable::<Trace>();
}

#[test]
fn states_in_random_order_equal_single_steps() {
    const ROUNDS: i32 = 3 << 16;
    let (elf, end) = (counter(ROUNDS), counter_steps(ROUNDS));
    let mut rng = Rng::new(1);
    let mut steps: Vec<u64> = (0..40).map(|_| rng.next_u64() % (end + 2)).collect();
    // Snapshots are 2^20 steps apart. Test the steps at a snapshot and next to it.
    steps.extend([0, 1, 4, 5, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, end - 1, end, end + 1]);
    let mut sorted = steps.clone();
    sorted.sort_unstable();
    let mut machine = Machine::load(&elf, None).expect("the program loads");
    let expected: Vec<State> = sorted
        .iter()
        .map(|step| {
            while machine.steps() < *step && machine.exit().is_none() {
                machine.step(&mut preimages()).expect("the witness has the root");
            }
            machine.state()
        })
        .collect();
    let mut trace = trace(ROUNDS);
    for step in steps {
        let at = sorted.binary_search(&step).expect("the step is in the list");
        assert_eq!(trace.state_at(step).expect("runs"), expected[at], "after {step} steps");
    }
}

#[test]
fn state_after_the_exit_stays_the_last() {
    let mut trace = trace(4096);
    let last = trace.final_state().expect("the run ends");
    assert_eq!((last.exit, last.step), (Some(0), counter_steps(4096)));
    for step in [last.step, last.step + 1, 1 << 41, STEPS_MAX, u64::MAX] {
        assert_eq!(trace.state_at(step).expect("runs"), last);
    }
    assert!(trace.state_at(last.step - 1).expect("runs").exit.is_none());
    let mut expected = preimages().local.output_root;
    // 4096 is added to the first eight bytes, lowest byte first.
    expected[1] += 16;
    assert_eq!(trace.output_root().expect("the run ends"), Some(expected));
}

#[test]
fn missing_preimage_is_reported_and_earlier_states_stay_available() {
    struct Nothing;
    impl Oracle for Nothing {
        fn read(&mut self, _: &B256, _: u64) -> Option<OracleWord> {
            None
        }
    }
    let mut trace =
        Trace::forged(&counter(4096), Nothing, preimages(), None).expect("the program loads");
    for step in [5, 100, STEPS_MAX] {
        let error = trace.state_at(step).expect_err("it is missing");
        assert!(matches!(error, TraceError::Missing(MissingPreimage { offset: 0, .. })));
    }
    assert_eq!(trace.state_at(4).expect("runs").step, 4);
    assert!(trace.prove(4, 0).is_err());
}

/// Reads ever smaller ranges, as both sides of a game do, down to the step before `step`.
fn narrow(trace: &mut Trace, step: u64) {
    let (mut first, mut last) = (0, STEPS_MAX);
    while last - first > 1 {
        let claims: Vec<u64> = positions(first, last).collect();
        for position in &claims {
            trace.hash_at(*position).expect("runs");
        }
        let at =
            claims.iter().position(|position| *position >= step).expect("the step is in the range");
        first = if at == 0 { first } else { claims[at - 1] };
        last = claims[at];
    }
    trace.prove(first, 0).expect("runs");
}

#[test]
fn game_repeats_few_steps_of_the_run() {
    // The run needs more snapshots than the first stride allows.
    const ROUNDS: i32 = 24 << 20;
    let end = counter_steps(ROUNDS);
    assert!(end > 1 << 27);
    let mut trace = trace(ROUNDS);
    trace.final_state().expect("the run ends");
    assert_eq!(trace.steps_taken(), end);
    let mut rng = Rng::new(2);
    for game in 1..=8 {
        let before = trace.steps_taken();
        narrow(&mut trace, 1 + rng.next_u64() % end);
        let taken = trace.steps_taken() - before;
        assert!(taken < end / 4, "game {game} takes {taken} steps of {end}");
    }
    // Reading a state again takes no steps.
    let before = trace.steps_taken();
    for step in (0..1_000).map(|at| at * (end / 1_000)) {
        trace.hash_at(step).expect("runs");
    }
    let once = trace.steps_taken();
    assert!(once - before <= 1_000 * (end / 64));
    (0..1_000).for_each(|at| drop(trace.hash_at(at * (end / 1_000))));
    assert_eq!(trace.steps_taken(), once);
}

#[test]
fn fault_makes_exactly_one_false_step() {
    const ROUNDS: i32 = 1 << 18;
    const FAULT: u64 = 1_500_000;
    let elf = counter(ROUNDS);
    let fault = TraceFault::new(FAULT, |machine| machine.set_register(13, 77));
    let mut lying =
        Trace::forged(&elf, preimages(), preimages(), Some(fault)).expect("the program loads");
    let mut right = trace(ROUNDS);
    let end = lying.final_state().expect("the run ends");
    assert_ne!(lying.output_root().expect("ends"), right.output_root().expect("ends"));
    let mut rng = Rng::new(3);
    for _ in 0..50 {
        let step = rng.next_u64() % (end.step + 1);
        let (lie, truth) = (lying.state_at(step), right.state_at(step));
        let is_same = lie.expect("runs") == truth.expect("runs");
        assert_eq!(is_same, step < FAULT, "after {step} steps");
    }
    let mut l1 = L1Step::new();
    for step in [4, FAULT - 2, FAULT - 1, FAULT, end.step - 1, end.step] {
        let proof = lying.prove(step, 7).expect("runs");
        assert_eq!(proof.segment, 7);
        assert_eq!(keccak256(&proof.state), lying.hash_at(step).expect("runs"));
        let found =
            l1.step(&proof.state, &proof.proof, &preimages().local).expect("L1 accepts the proof");
        let claimed = lying.hash_at(step + 1).expect("runs");
        assert_eq!(found.state == claimed, step != FAULT - 1, "step {step}");
    }
    let after = lying.state_at(FAULT).expect("runs");
    let mut expected = stepped(&elf, FAULT);
    expected.registers[12] = 77;
    assert_eq!(after, expected);
}

#[test]
fn false_oracle_makes_one_false_read() {
    struct Liar;
    impl Oracle for Liar {
        fn read(&mut self, _: &B256, _: u64) -> Option<OracleWord> {
            Some(OracleWord::of(&[0x55; 32], 0))
        }
    }
    let mut lying =
        Trace::forged(&counter(4096), Liar, preimages(), None).expect("the program loads");
    let root = lying.output_root().expect("the run ends").expect("the run succeeds");
    assert_eq!(root[8..], [0x55; 24]);
    let mut right = trace(4096);
    assert_eq!(lying.state_at(4).expect("runs"), right.state_at(4).expect("runs"));
    let proof = lying.prove(4, 0).expect("runs");
    let mut l1 = L1Step::new();
    let found =
        l1.step(&proof.state, &proof.proof, &preimages().local).expect("L1 accepts the proof");
    assert_eq!(found.state, right.hash_at(5).expect("runs"));
    assert_ne!(found.state, lying.hash_at(5).expect("runs"));
}
