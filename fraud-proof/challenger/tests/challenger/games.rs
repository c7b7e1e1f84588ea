//! Whole disputes, as the challenger plays them.

use alloy_primitives::{B256, U256};
use turnpike_challenger::{Event, ProposeConfig, Verdict};
use turnpike_l1::{BisectionAnswer, DisputedOutput, OutputStatus, Phase, Side, positions};
use turnpike_vm::State;

use crate::world::{World, own};

fn random(seed: u64) -> B256 {
    alloy_primitives::keccak256(seed.to_be_bytes())
}

/// Claims of somebody who says anything, for a range.
fn garbage(first: u64, last: u64, seed: u64) -> Vec<B256> {
    positions(first, last).map(|position| random(seed * 1_000_003 + position)).collect()
}

async fn disputed(world: &World, index: u64) -> DisputedOutput {
    let blocks = world.genesis.config.entry_blocks_max;
    DisputedOutput::of(world.view().await.outputs(), index, blocks).expect("there")
}

/// Somebody challenges a right output with claims that are anything.
async fn grief(world: &World, output: u64) {
    let disputed = disputed(world, output).await;
    let segment = disputed.segment();
    let claims = garbage(segment.first, segment.last, 1);
    let opening = BisectionAnswer { segment: 0, claims, final_state: Default::default() };
    world.send(1, world.calls().challenge(&disputed, &opening)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposer_who_says_nothing_loses_the_bond() {
    let mut world = World::new().await;
    let wrong = world.output(false).await;
    let before = world.balance(own()).await;
    let mut challenger = world.challenger().await;
    world.play_until(&mut challenger, |it| matches!(it, Event::Challenged { .. })).await;
    assert!(matches!(world.events[0], Event::Output { index: 1, .. }));
    // Time enough to defend it, and nobody does. A restart on the way changes nothing.
    world.wait(world.genesis.config.game_clock).await;
    drop(challenger);
    let mut challenger = world.challenger().await;
    let rejected = |it: &Event| matches!(it, Event::OutputRejected { own: true, .. });
    world.play_until(&mut challenger, rejected).await;
    world.play_until(&mut challenger, |it| matches!(it, Event::BondWithdrawn { .. })).await;
    let at = usize::try_from(wrong).expect("small");
    assert_eq!(world.output_at(at).await.status, OutputStatus::Rejected);
    assert_eq!(world.credit(own()).await, U256::ZERO);
    // Half of the bond, gas apart, and no more than one bond was ever put up.
    let won = world.genesis.config.proposer_bond / U256::from(2);
    let gained = world.balance(own()).await - before;
    assert!(gained < won && gained > won * U256::from(9) / U256::from(10), "{gained}");
    assert_eq!(world.view().await.disputes().challenges().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_that_is_not_kept_up_is_beaten_by_the_clock() {
    let mut world = World::new().await;
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
    let at = usize::try_from(right).expect("small");
    assert_eq!(world.output_at(at).await.status, OutputStatus::Proposed);
    let won = world.genesis.config.game_bond / U256::from(2);
    let gained = world.balance(own()).await - before;
    assert!(gained < won && gained > won * U256::from(9) / U256::from(10), "{gained}");
    assert_eq!(world.view().await.disputes().games().len(), 1, "defended once");
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_that_are_anything_lose_to_a_proof() {
    let mut world = World::new().await;
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
        let segment = newest.segment(0).expect("has one");
        let answer = if segment.length() > 1 {
            let claims = garbage(segment.first, segment.last, moves);
            BisectionAnswer { segment: 0, claims, final_state: Default::default() }
        } else {
            assert_eq!(segment.phase, Phase::Blocks, "a single step was left to the other side");
            let last = State {
                memory_root: B256::ZERO,
                pc: 0,
                registers: [7; 31],
                exit: Some(0),
                step: 9,
            };
            let mut claims = garbage(0, turnpike_l1::MACHINE_STEPS, moves);
            *claims.last_mut().expect("some") = last.hash();
            BisectionAnswer { segment: 0, claims, final_state: last.encode().to_vec().into() }
        };
        world.send(1, world.calls().answer(0, &newest, &answer)).await;
        moves += 1;
        if moves == 3 {
            drop(challenger);
            challenger = world.challenger().await;
            // It tells all from the beginning.
            world.step(&mut challenger).await;
        }
    }
    let proven = |it: &&Event| matches!(it, Event::StepProven { .. });
    assert_eq!(world.events.iter().filter(proven).count(), 1);
    let won = |it: &Event| matches!(it, Event::GameEnded { winner: Side::Defender, .. });
    assert!(world.events.iter().any(won));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_of_a_single_block_is_challenged_by_the_machine() {
    let mut world = World::with(|config| config.entry_blocks_max = 1).await;
    world.output(false).await;
    let mut challenger = world.challenger().await;
    world.play_until(&mut challenger, |it| matches!(it, Event::Challenged { .. })).await;
    let view = world.view().await;
    let opening = &view.disputes().challenges()[0].opening.bisection;
    assert_eq!(opening.phase, Phase::Machine);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_output_is_defended_once_the_sequential_engine_has_confirmed_it() {
    let mut world = World::new().await;
    let right = world.output(true).await;
    grief(&world, right).await;
    let mut challenger = world.challenger().await;
    let waiting = async |world: &World| {
        let account = world.sender(9).await.account().await.expect("answers");
        account.pending_nonce - account.nonce
    };
    // The parallel engine has derived it, and it is derived again.
    world.step(&mut challenger).await;
    assert_eq!(waiting(&world).await, 0);
    world.step(&mut challenger).await;
    assert_eq!(waiting(&world).await, 1);
    let defended = |it: &Event| matches!(it, Event::Defended { .. });
    world.play_until(&mut challenger, defended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_proposes_and_challenges() {
    let mut world = World::new().await;
    world.propose = Some(ProposeConfig { interval: 0 });
    world.output(false).await;
    let before = world.balance(own()).await;
    let mut challenger = world.challenger().await;
    let right = |it: &Event| matches!(it, Event::Output { index: 2, verdict: Verdict::Ok, .. });
    world.play_until(&mut challenger, right).await;
    let (wrong, right) = (world.output_at(1).await, world.output_at(2).await);
    assert_eq!((wrong.status, right.status), (OutputStatus::Challenged, OutputStatus::Proposed));
    assert_eq!((right.proposer, right.parent), (own(), 0), "not on what is wrong");
    // Both bonds come back, and half of another's, through the same account.
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
    assert_eq!(world.view().await.outputs().len(), 3, "proposed once");
}
