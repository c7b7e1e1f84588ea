//! A challenger with a faulty parallel engine. `turnpike_executor::faults` injects the fault.

#[path = "games/derived.rs"]
#[allow(dead_code)] // shared by several tests
mod derived;
#[path = "../../game/tests/inbox/mod.rs"]
mod inbox;

use std::num::NonZeroUsize;

use alloy_consensus::{SignableTransaction as _, TxEip1559, crypto::secp256k1::sign_message};
use alloy_primitives::{Address, B256, TxKind, U256, b256};
use derived::Derived;
use inbox::Rollup;
use turnpike_challenger::{HonestClaims, TraceCache, Verdict};
use turnpike_executor::{
    EngineConfig, Grain, Mode,
    faults::{Fault, inject},
};
use turnpike_game::{ClaimError, ClaimProvider as _};
use turnpike_protocol::{Header, OutputRoot, TxEnvelope};

/// Key of a second funded account.
const OTHER_KEY: B256 = b256!("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d");

fn other_transfer(nonce: u64) -> TxEnvelope {
    let tx = TxEip1559 {
        chain_id: 4242,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(Address::repeat_byte(0xb1)),
        value: U256::ONE,
        ..Default::default()
    };
    let signature = sign_message(OTHER_KEY, tx.signature_hash()).expect("signs");
    tx.into_signed(signature).into()
}

/// Transfers per account and block.
const TRANSFERS: u64 = 8;

/// Entries with a block each, which runs in two lanes.
fn posted(entries: u64) -> Rollup {
    let mut rollup = Rollup::new();
    (0..entries).for_each(|entry| post(&mut rollup, entry));
    rollup
}

fn post(rollup: &mut Rollup, entry: u64) {
    let mut block = rollup.block(40 + entry, TRANSFERS, 0);
    let nonces = entry * TRANSFERS..(entry + 1) * TRANSFERS;
    block.transactions.extend(nonces.map(other_transfer));
    rollup.calldata(0, vec![block]);
}

fn in_lanes() -> EngineConfig {
    let workers = NonZeroUsize::new(3).expect("not zero");
    EngineConfig { mode: Mode::Parallel, workers, grain: Grain::FINEST }
}

/// The reference executor's outputs, by entry.
async fn right(entries: u64) -> Vec<(OutputRoot, Header)> {
    let execution = EngineConfig { mode: Mode::Sequential, ..EngineConfig::default() };
    let mut derived = Derived::with_engine(posted(entries), execution);
    derived.derive().await;
    (0..=entries).map(|entry| derived_at(&derived, entry)).collect()
}

fn derived_at(derived: &Derived, entry: u64) -> (OutputRoot, Header) {
    let entry = derived.verifier.entry(entry).expect("derived");
    (entry.output, entry.header.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_engine_fault_never_challenges_a_right_output() {
    let right = right(4).await;
    let mut derived = Derived::with_engine(posted(3), in_lanes());
    let _injected = inject(Fault::OverlayForgotten);
    derived.derive().await;
    let all = |derived: &Derived| -> Vec<_> {
        (0..derived.verifier.next_entry()).map(|entry| derived_at(derived, entry)).collect()
    };
    assert!(
        (1..=3).all(|entry| all(&derived)[entry] != right[entry]),
        "the fault did not change every output"
    );

    // Another proposer's output is right.
    derived.propose(0, 3, None);
    derived.outputs[1].output = right[3].0;
    derived.outputs[1].header = alloy_rlp::encode(&right[3].1).into();
    assert!(matches!(derived.judge(1), Verdict::Wrong { .. }));
    assert!(!derived.confirm(1));
    assert_eq!(derived.judge(1), Verdict::Unknown);
    while derived.feed() {}
    assert_eq!(derived.judge(1), Verdict::Ok);
    assert_eq!(all(&derived), right[..=3]);
    let fault = derived.verifier.engine_fault().expect("the fault is found");
    assert_eq!((fault.entry, fault.sequential), (1, right[1].0.hash()));
    assert_ne!(fault.parallel, fault.sequential);

    // From now on the reference executor runs every block.
    post(&mut derived.rollup, 3);
    derived.derive().await;
    assert!(derived.verifier.entry(4).expect("derived").is_confirmed);
    assert_eq!(all(&derived), right);
}

#[tokio::test(flavor = "multi_thread")]
async fn disagreeing_block_is_never_played() {
    let right = right(1).await;
    let mut derived = Derived::with_engine(posted(1), in_lanes());
    let _injected = inject(Fault::OverlayForgotten);
    derived.derive().await;
    let wrong = derived.verifier.entry(1).expect("the entry is derived").output.hash();
    let output = derived.propose(0, 1, Some(7));
    let statement = derived.statement(1, 0);
    assert_eq!(statement.output_root, wrong);
    let mut traces = TraceCache::default();
    let mut truth = HonestClaims::new(&derived.verifier, &mut traces);
    let Err(ClaimError::Disagreement(disagreement)) = truth.prepare(&statement) else {
        panic!("expected a disagreement")
    };
    assert_eq!(disagreement.node, wrong);
    let program = right[1].0.hash().to_string();
    assert_eq!([disagreement.native, disagreement.machine], [program.clone(), program]);
    assert!(matches!(truth.trace(&output, 0), Err(ClaimError::Disagreement(_))));
}
