//! The honest claims: the verifier derives them, and the proof program confirms them.

use alloy_primitives::B256;
use turnpike_challenger::{HonestClaims, TraceCache, Verdict};
use turnpike_executor::{EngineConfig, Mode};
use turnpike_game::{ClaimError, ClaimProvider as _, Disagreement, opening, prove::Statement};
use turnpike_l1::{DisputedOutput, memory::L1Event};

use crate::{
    derived::{Derived, blocks_per_entry},
    inbox::Rollup,
};

/// Entries of three, one, one and two blocks. The second entry is invalid.
async fn derived() -> Derived {
    let mut rollup = Rollup::new();
    rollup.deposit(1);
    let blocks = vec![rollup.block(40, 2, 1), rollup.block(41, 1, 0), rollup.block(42, 0, 0)];
    rollup.calldata(0, blocks);
    let garbage = b"no batch".to_vec().into();
    rollup.l1.mine(&[L1Event::Calldata { data: garbage, deposits: 0, origin: 0 }]);
    let blocks = vec![rollup.block(60, 1, 0)];
    rollup.blobs(1, blocks);
    let blocks = vec![rollup.block(80, 1, 0), rollup.block(81, 1, 0)];
    rollup.calldata(2, blocks);
    let mut derived = Derived::new(rollup);
    derived.derive().await;
    derived
}

fn prepare(
    derived: &Derived,
    traces: &mut TraceCache,
    statement: &Statement,
) -> Result<(), ClaimError> {
    HonestClaims::new(&derived.verifier, traces).prepare(statement)
}

/// Whether the run at a position is prepared.
fn is_prepared(derived: &Derived, traces: &mut TraceCache, it: &DisputedOutput, at: u64) -> bool {
    match HonestClaims::new(&derived.verifier, traces).trace(it, at) {
        Ok(trace) => {
            let (entry, index) = it.block_at(at);
            assert_eq!(Some(trace.preimages().local), derived.verifier.local_inputs(entry, index));
            true
        }
        Err(ClaimError::NotPrepared { entry, index }) => {
            assert_eq!((entry, index), it.block_at(at));
            false
        }
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roots_follow_blocks_and_repeat_after_the_last() {
    let mut derived = derived().await;
    let output = derived.propose(0, 1, None);
    let output = derived.propose(output.index, 4, None);
    let mut roots = Vec::new();
    for entry in 1..=4 {
        let mut index = 0;
        loop {
            let statement = derived.statement(entry, index);
            let Some(block) = statement.block else { break };
            assert_eq!(derived.verifier.block(block.number).expect("derived").hash, block.hash);
            roots.push((entry, statement.output_root));
            index += 1;
        }
    }
    assert_eq!(roots.iter().map(|(entry, _)| *entry).collect::<Vec<_>>(), [1, 1, 1, 2, 3, 4, 4]);
    let after = |block: usize| roots[block - 1].1;
    let each = blocks_per_entry();
    let mut traces = TraceCache::default();
    let mut truth = HonestClaims::new(&derived.verifier, &mut traces);
    // The parent output is after entry 1.
    for (position, block) in [
        (0, 3),
        (1, 4),
        (2, 4),
        (each - 1, 4),
        (each, 4),
        (each + 1, 5),
        (2 * each - 1, 5),
        (2 * each, 5),
        (2 * each + 1, 6),
        (2 * each + 2, 7),
        (2 * each + 3, 7),
        (3 * each, 7),
    ] {
        let root = truth.root_at(&output, position).expect("derived");
        assert_eq!(root, after(block), "position {position}");
    }
    assert_eq!(truth.root_at(&output, output.segment().last).expect("derived"), output.root);
    assert_eq!(truth.root_at(&output, 0).expect("derived"), output.parent_root);
    let error = truth.root_at(&output, 3 * each + 1).expect_err("there is no entry 5");
    assert!(matches!(error, ClaimError::NotDerived(5)));
    let error = truth.trace(&output, 3 * each).expect_err("there is no entry 5");
    assert!(matches!(error, ClaimError::NotDerived(5)));
}

#[tokio::test(flavor = "multi_thread")]
async fn statement_leaves_the_verifier_unchanged() {
    let mut derived = derived().await;
    let newest = derived.verifier.entry(4).expect("derived").output;
    let wrong = derived.propose(0, 4, Some(7));
    for (entry, index) in [(4, 0), (1, 1), (3, 5), (4, 1_023), (2, 0)] {
        let before = format!("{:?}", derived.judge(wrong.index));
        let statement = derived.statement(entry, index);
        assert_eq!((statement.position.entry, statement.position.index), (entry, index));
        assert_eq!(
            statement.witness.local,
            derived.verifier.local_inputs(entry, index).expect("derived")
        );
        assert_eq!(Some(statement.output_root), derived.verifier.root_after(entry, index + 1));
        assert_eq!(derived.verifier.entry(4).expect("derived").output, newest);
        assert_eq!(derived.verifier.head(), 7);
        assert_eq!(format!("{:?}", derived.judge(wrong.index)), before);
        assert!((1..=7).all(|block| derived.verifier.replay(block).is_some()));
        assert!(derived.verifier.block(8).is_none() && derived.verifier.entry(5).is_none());
    }
    // A statement of another entry than the next fails and changes nothing.
    let source = derived.sources[2].clone().expect("the entry has a source");
    let posted = derived.posted().to_vec();
    derived.verifier.statement(&posted, &source.as_data(), 0).expect_err("not the next");
    assert_eq!((derived.verifier.next_entry(), derived.verifier.head()), (5, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn most_recently_used_runs_are_kept() {
    let mut derived = derived().await;
    let output = derived.propose(0, 4, Some(7));
    let each = blocks_per_entry();
    let mut traces = TraceCache::with_max(1, 2);
    let [first, second, third] = [0, 1, 3 * each];
    assert!(!is_prepared(&derived, &mut traces, &output, first));
    for (entry, index) in [(1, 0), (1, 1)] {
        let statement = derived.statement(entry, index);
        prepare(&derived, &mut traces, &statement).expect("verifier and program agree");
    }
    assert!(is_prepared(&derived, &mut traces, &output, second));
    assert!(is_prepared(&derived, &mut traces, &output, first));
    let statement = derived.statement(4, 0);
    prepare(&derived, &mut traces, &statement).expect("verifier and program agree");
    assert!(is_prepared(&derived, &mut traces, &output, third));
    assert!(is_prepared(&derived, &mut traces, &output, first));
    assert!(!is_prepared(&derived, &mut traces, &output, second));
    // The cache keeps one machine. Another run is repeated from its witness, without the chain.
    let mut truth = HonestClaims::new(&derived.verifier, &mut traces);
    for (position, entry) in [(first, 1), (third, 4), (first, 1)] {
        let trace = truth.trace(&output, position).expect("the trace is prepared");
        assert_eq!(trace.steps_taken(), 0, "the trace starts again");
        let root = trace.output_root().expect("runs");
        assert_eq!(root, derived.verifier.root_after(entry, 1));
    }
    // Claims of a rewound entry are rejected until the entry is derived again.
    derived.verifier.rewind(4);
    let mut truth = HonestClaims::new(&derived.verifier, &mut traces);
    assert!(matches!(truth.trace(&output, third), Err(ClaimError::NotDerived(4))));
    assert!(matches!(truth.prepare(&statement), Err(ClaimError::NotDerived(4))));
    assert!(matches!(opening(&mut truth, &output), Err(ClaimError::NotDerived(4))));
    while derived.feed() {}
    assert!(is_prepared(&derived, &mut traces, &output, third));
}

#[tokio::test(flavor = "multi_thread")]
async fn disagreement_with_the_program_refuses_claims() {
    let mut derived = derived().await;
    let output = derived.propose(0, 4, Some(7));
    let mut traces = TraceCache::default();
    let right = derived.statement(1, 1);
    let node = right.output_root;
    // The statement holds another block's inputs.
    let mut other = derived.statement(1, 0);
    other.position = right.position;
    let error = prepare(&derived, &mut traces, &other).expect_err("is of another block");
    assert!(matches!(error, ClaimError::NotPrepared { entry: 1, index: 1 }));
    // The node's root differs from the program's.
    let lying = Statement { output_root: B256::repeat_byte(9), ..right.clone() };
    let error = prepare(&derived, &mut traces, &lying).expect_err("differs");
    let ClaimError::Disagreement(Disagreement { entry: 1, index: 1, native, machine, .. }) = error
    else {
        panic!("{error}")
    };
    assert_eq!([native, machine], [node.to_string(), node.to_string()]);
    // The cache still rejects the statement.
    let mut truth = HonestClaims::new(&derived.verifier, &mut traces);
    let error = truth.trace(&output, 1).expect_err("differs");
    assert!(matches!(error, ClaimError::Disagreement(_)));
    assert!(error.to_string().contains("block 1 of inbox entry 1"), "{error}");
    truth.prepare(&right).expect("verifier and program agree");
    truth.trace(&output, 1).expect("the trace is prepared");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_output_is_confirmed_once_by_the_reference_executor() {
    let mut derived = derived().await;
    let right = derived.propose(0, 1, None);
    let wrong = derived.propose(right.index, 3, Some(7));
    let child = derived.propose(wrong.index, 4, Some(8));
    let verdict = derived.judge(wrong.index);
    assert!(matches!(verdict, Verdict::Wrong { .. }));
    assert!(!derived.confirm(wrong.index));
    // The verifier rewinds to the last right output.
    assert_eq!(derived.verifier.next_entry(), 2);
    assert_eq!(derived.judge(wrong.index), Verdict::Unknown);
    assert_eq!(derived.judge(right.index), Verdict::Ok);
    while derived.feed() {}
    assert_eq!(derived.judge(wrong.index), verdict);
    assert!(derived.confirm(wrong.index) && derived.confirm(child.index));
    assert_eq!(derived.verifier.next_entry(), 5);
    let confirmed: Vec<_> =
        (0..5).map(|entry| derived.verifier.entry(entry).expect("derived").is_confirmed).collect();
    assert_eq!(confirmed, [true, false, true, true, true]);
    assert_eq!(derived.verifier.engine_fault(), None);
    // A confirmed entry stays confirmed, whichever engine derives it again.
    let statement = derived.statement(3, 0);
    assert_eq!(statement.position.entry, 3);
    assert!(derived.confirm(wrong.index));
    assert_eq!(derived.verifier.next_entry(), 5);
    // Later entries run on the parallel engine.
    let block = derived.rollup.block(100, 1, 0);
    derived.rollup.calldata(2, vec![block]);
    derived.derive().await;
    assert!(!derived.verifier.entry(5).expect("derived").is_confirmed);
}

#[tokio::test(flavor = "multi_thread")]
async fn sequential_verifier_derives_nothing_twice() {
    for mode in [Mode::Sequential, Mode::Shadow] {
        let mut rollup = Rollup::new();
        let block = rollup.block(40, 1, 0);
        rollup.calldata(0, vec![block]);
        let execution = EngineConfig { mode, ..EngineConfig::default() };
        let mut derived = Derived::with_engine(rollup, execution);
        derived.derive().await;
        let wrong = derived.propose(0, 1, Some(7));
        assert!(matches!(derived.judge(wrong.index), Verdict::Wrong { .. }));
        assert!(derived.confirm(wrong.index));
        assert_eq!(derived.verifier.next_entry(), 2);
    }
}
