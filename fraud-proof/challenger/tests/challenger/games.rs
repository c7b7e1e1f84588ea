//! The challenger plays whole disputes.

use alloy_primitives::{B256, U256};
use turnpike_challenger::{Event, ProposeConfig, Verdict};
use turnpike_l1::{BisectionAnswer, DisputedOutput, OutputStatus, Phase, Side, positions};
use turnpike_vm::State;

use crate::rollup::{TestRollup, own};

fn random(seed: u64) -> B256 {
    alloy_primitives::keccak256(seed.to_be_bytes())
}

/// Arbitrary claims over a range.
fn garbage(first: u64, last: u64, seed: u64) -> Vec<B256> {
    positions(first, last).map(|position| random(seed * 1_000_003 + position)).collect()
}

async fn disputed(world: &TestRollup, index: u64) -> DisputedOutput {
    let blocks = world.genesis.config.blocks_per_entry_max();
    DisputedOutput::of(world.view().await.outputs(), index, blocks).expect("the output exists")
}

/// Another account challenges a right output with arbitrary claims.
async fn grief(world: &TestRollup, output: u64) {
    let disputed = disputed(world, output).await;
    let segment = disputed.segment();
    let claims = garbage(segment.first, segment.last, 1);
    let opening = BisectionAnswer { segment: 0, claims, final_state: Default::default() };
    world.send(1, world.calls().challenge(&disputed, &opening)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_proposer_loses_the_bond() {
    let mut world = TestRollup::new().await;
    let wrong = world.output(false).await;
    let before = world.balance(own()).await;
    let mut challenger = world.challenger().await;
    world.play_until(&mut challenger, |it| matches!(it, Event::Challenged { .. })).await;
    assert!(matches!(world.events[0], Event::Output { index: 1, .. }));
    // The output is never defended. A restart in between changes nothing.
    world.wait(world.genesis.config.game_clock).await;
    drop(challenger);
    let mut challenger = world.challenger().await;
    let rejected = |it: &Event| matches!(it, Event::OutputRejected { own: true, .. });
    world.play_until(&mut challenger, rejected).await;
    world.play_until(&mut challenger, |it| matches!(it, Event::BondWithdrawn { .. })).await;
    let at = usize::try_from(wrong).expect("index fits usize");
    assert_eq!(world.output_at(at).await.status, OutputStatus::Rejected);
    assert_eq!(world.credit(own()).await, U256::ZERO);
    // The challenger wins half of the bond, minus gas, and has never paid more than one bond.
    let won = world.genesis.config.proposer_bond / U256::from(2);
    let gained = world.balance(own()).await - before;
    assert!(gained < won && gained > won * U256::from(9) / U256::from(10), "{gained}");
    assert_eq!(world.view().await.disputes().challenges().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn abandoned_challenge_loses_by_the_clock() {
    let mut world = TestRollup::new().await;
    let right = world.output(true).await;
    grief(&world, right).await;
    let before = world.balance(own()).await;
    let mut challenger = world.challenger().await;
    let defended = |it: &Event| matches!(it, Event::Moved { side: Side::Defender, .. });
    world.play_until(&mut challenger, defended).await;
    world.wait(world.genesis.config.game_clock + 1).await;
    let upheld = |it: &Event| matches!(it, Event::OutputUpheld { own: false, .. });
    world.play_until(&mut challenger, upheld).await;
    world.play_until(&mut challenger, |it| matches!(it, Event::BondWithdrawn { .. })).await;
    let at = usize::try_from(right).expect("index fits usize");
    assert_eq!(world.output_at(at).await.status, OutputStatus::Proposed);
    let won = world.genesis.config.game_bond / U256::from(2);
    let gained = world.balance(own()).await - before;
    assert!(gained < won && gained > won * U256::from(9) / U256::from(10), "{gained}");
    assert_eq!(world.view().await.disputes().games().len(), 1, "the output is defended once");
}

#[tokio::test(flavor = "multi_thread")]
async fn arbitrary_claims_lose_to_a_step_proof() {
    let mut world = TestRollup::new().await;
    let right = world.output(true).await;
    grief(&world, right).await;
    let mut challenger = world.challenger().await;
    let mut moves = 0;
    loop {
        let defended = |it: &Event| {
            matches!(it, Event::Moved { side: Side::Defender, .. } | Event::GameEnded { .. })
        };
        world.play_until(&mut challenger, defended).await;
        if world.events.iter().any(|it| matches!(it, Event::GameEnded { .. })) {
            break;
        }
        let view = world.view().await;
        let (challenge, game) = (&view.disputes().challenges()[0], &view.disputes().games()[0]);
        let newest = game.newest(challenge).bisection.clone();
        let segment = newest.segment(0).expect("a bisection has segments");
        let answer = if segment.length() > 1 {
            let claims = garbage(segment.first, segment.last, moves);
            BisectionAnswer { segment: 0, claims, final_state: Default::default() }
        } else {
            assert_eq!(segment.phase, Phase::Blocks, "the other side may divide a single step");
            let last = State {
                memory_root: B256::ZERO,
                pc: 0,
                registers: [7; 31],
                exit: Some(0),
                step: 9,
            };
            let mut claims = garbage(0, turnpike_l1::MACHINE_STEPS, moves);
            *claims.last_mut().expect("a bisection has claims") = last.hash();
            BisectionAnswer { segment: 0, claims, final_state: last.encode().to_vec().into() }
        };
        world.send(1, world.calls().answer(0, &newest, &answer)).await;
        moves += 1;
        if moves == 3 {
            drop(challenger);
            challenger = world.challenger().await;
            // A restarted challenger reports everything again.
            world.step(&mut challenger).await;
        }
    }
    let proven = |it: &&Event| matches!(it, Event::StepProven { .. });
    assert_eq!(world.events.iter().filter(proven).count(), 1);
    let won = |it: &Event| matches!(it, Event::GameEnded { winner: Side::Defender, .. });
    assert!(world.events.iter().any(won));
}

#[tokio::test(flavor = "multi_thread")]
async fn right_output_is_defended_after_confirmation() {
    let mut world = TestRollup::new().await;
    let right = world.output(true).await;
    grief(&world, right).await;
    let mut challenger = world.challenger().await;
    let waiting = async |world: &TestRollup| {
        let account = world.sender(9).await.account().await.expect("L1 answers");
        account.pending_nonce - account.nonce
    };
    // The parallel engine derived the block, so the reference executor derives it again.
    world.step(&mut challenger).await;
    assert_eq!(waiting(&world).await, 0);
    world.step(&mut challenger).await;
    assert_eq!(waiting(&world).await, 1);
    let defended = |it: &Event| matches!(it, Event::Defended { .. });
    world.play_until(&mut challenger, defended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_proposes_and_challenges() {
    let mut world = TestRollup::new().await;
    world.propose = Some(ProposeConfig { interval: 0 });
    world.output(false).await;
    let before = world.balance(own()).await;
    let mut challenger = world.challenger().await;
    let right = |it: &Event| matches!(it, Event::Output { index: 2, verdict: Verdict::Ok, .. });
    world.play_until(&mut challenger, right).await;
    let (wrong, right) = (world.output_at(1).await, world.output_at(2).await);
    assert_eq!((wrong.status, right.status), (OutputStatus::Challenged, OutputStatus::Proposed));
    assert_eq!((right.proposer, right.parent), (own(), 0), "the parent is not the wrong output");
    // Both own bonds and half of the other side's bond return to the same account.
    world.wait(world.genesis.config.challenge_window).await;
    let rollup = world.genesis.l1.expect("deployed").rollup;
    let finished = |it: &Event| matches!(it, Event::BondWithdrawn { from, .. } if *from == rollup);
    world.play_until(&mut challenger, finished).await;
    for _ in 0..3 {
        world.step(&mut challenger).await;
        world.anvil.mine().await;
    }
    let statuses = [world.output_at(1).await.status, world.output_at(2).await.status];
    assert_eq!(statuses, [OutputStatus::Rejected, OutputStatus::Final]);
    assert_eq!(world.credit(own()).await, U256::ZERO);
    let won = world.genesis.config.proposer_bond / U256::from(2);
    let gained = world.balance(own()).await - before;
    assert!(gained < won && gained > won * U256::from(8) / U256::from(10), "{gained}");
    assert_eq!(world.view().await.outputs().len(), 3, "the output is proposed once");
}
