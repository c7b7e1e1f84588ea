//! Every transaction reaches L1 once: through crashes, lost pools, reorgs, gas spikes and without
//! funds.

use alloy_primitives::{Address, U256};
use serde_json::json;
use turnpike_challenger::{Challenger, Event, FeePolicy};

use crate::rollup::{TestRollup, own};

const GWEI: u64 = 1_000_000_000;

fn is_challenged(event: &Event) -> bool {
    matches!(event, Event::Challenged { .. })
}

/// A wrong output, and a challenger that has just sent its challenge.
async fn challenging() -> (TestRollup, Challenger) {
    let mut world = TestRollup::new().await;
    world.output(false).await;
    let mut challenger = world.challenger().await;
    world.step(&mut challenger).await;
    assert_eq!(waiting(&world).await, 1);
    (world, challenger)
}

/// Number of the challenger's transactions in L1's pool.
async fn waiting(world: &TestRollup) -> u64 {
    let sender = world.sender(9).await;
    let account = sender.account().await.expect("L1 answers");
    account.pending_nonce - account.nonce
}

/// Checks that L1 holds one challenge and this many transactions of the challenger.
async fn check(world: &TestRollup, transactions: u64) {
    assert_eq!(world.view().await.disputes().challenges().len(), 1);
    assert_eq!(world.anvil.nonce(own()).await, transactions);
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_after_broadcast_pays_no_second_bond() {
    let mut world = TestRollup::new().await;
    world.output(false).await;
    // The challenge is urgent, so it is not delayed.
    world.wait(world.genesis.config.challenge_window - 20).await;
    let mut challenger = world.challenger().await;
    world.step(&mut challenger).await;
    assert_eq!(waiting(&world).await, 1);
    drop(challenger);
    let mut challenger = world.challenger().await;
    world.step(&mut challenger).await;
    assert_eq!(waiting(&world).await, 1);
    world.play_until(&mut challenger, is_challenged).await;
    check(&world, 1).await;
    // A restart after the challenge is on L1 does not send another one either.
    drop(challenger);
    let mut challenger = world.challenger().await;
    world.step(&mut challenger).await;
    assert_eq!(waiting(&world).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_not_cancelled_before_outputs_are_judged() {
    let mut world = TestRollup::new().await;
    world.output_on(0, false).await;
    world.post().await;
    world.output_on(0, false).await;
    // The actions are so urgent that an unwanted transaction would be replaced at once.
    world.wait(world.genesis.config.challenge_window - 20).await;
    let mut challenger = world.challenger().await;
    world.step(&mut challenger).await;
    assert_eq!(waiting(&world).await, 2);
    let pool = async |world: &TestRollup| {
        let content = world.anvil.request("txpool_content", json!([])).await;
        content["pending"].clone()
    };
    let sent = pool(&world).await;
    assert_ne!(sent, json!({}));
    drop(challenger);
    let mut challenger = world.challenger().await;
    world.step(&mut challenger).await;
    assert_eq!(pool(&world).await, sent);
    world.anvil.mine().await;
    assert_eq!(world.view().await.disputes().challenges().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_before_broadcast_loses_nothing() {
    let (mut world, challenger) = challenging().await;
    drop(challenger);
    // The pool is empty, as after a failed broadcast.
    world.anvil.empty_pool().await;
    let mut challenger = world.challenger().await;
    world.step(&mut challenger).await;
    assert_eq!(waiting(&world).await, 1);
    world.play_until(&mut challenger, is_challenged).await;
    check(&world, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_pool_is_noticed_at_the_next_block() {
    let (mut world, mut challenger) = challenging().await;
    world.anvil.empty_pool().await;
    world.anvil.mine().await;
    world.step(&mut challenger).await;
    assert_eq!(waiting(&world).await, 1);
    world.play_until(&mut challenger, is_challenged).await;
    check(&world, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn challenge_dropped_by_a_reorg_is_sent_again() {
    let (mut world, mut challenger) = challenging().await;
    world.play_until(&mut challenger, is_challenged).await;
    world.anvil.reorg(1).await;
    world.anvil.empty_pool().await;
    assert_eq!(
        world.view().await.disputes().challenges().len(),
        0,
        "the reorg dropped the challenge"
    );
    world.play_until(&mut challenger, is_challenged).await;
    assert!(world.events.iter().any(|event| matches!(event, Event::Reorg { .. })));
    check(&world, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gas_spike_delays_only_actions_with_time() {
    let mut world = TestRollup::new().await;
    world.fees = FeePolicy { max_fee_per_gas: u128::from(5 * GWEI), ..world.fees };
    world.output(false).await;
    let mut challenger = world.challenger().await;
    world.step(&mut challenger).await;
    for _ in 0..5 {
        world.anvil.set_base_fee(100 * GWEI).await;
        world.anvil.mine().await;
        world.step(&mut challenger).await;
    }
    assert_eq!(world.anvil.nonce(own()).await, 0, "no transaction pays more than the limit");
    // Continue just before the end of the window.
    world.anvil.set_base_fee(100 * GWEI).await;
    world.wait(world.genesis.config.challenge_window - 30).await;
    for _ in 0..20 {
        world.anvil.set_base_fee(100 * GWEI).await;
        world.step(&mut challenger).await;
        if world.events.iter().any(is_challenged) {
            break;
        }
        world.anvil.mine().await;
    }
    check(&world, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn out_of_funds_is_reported_and_play_resumes() {
    let mut world = TestRollup::new().await;
    world.output(false).await;
    let bond = world.genesis.config.game_bond;
    world.anvil.set_balance(own(), bond / U256::from(2)).await;
    let mut challenger = world.challenger().await;
    world
        .play_until(&mut challenger, |it| matches!(it, Event::OutOfFunds { waiting: 1, .. }))
        .await;
    assert_eq!(world.anvil.nonce(own()).await, 0);
    world.anvil.set_balance(own(), bond * U256::from(2)).await;
    world.anvil.mine().await;
    world.play_until(&mut challenger, is_challenged).await;
    check(&world, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bond_is_not_staked_without_the_gas_to_play_for_it() {
    let mut world = TestRollup::new().await;
    world.output(false).await;
    let bond = world.genesis.config.game_bond;
    // More than the challenge costs, less than the game may.
    let few = U256::from(GWEI) * U256::from(1_000_000);
    world.anvil.set_base_fee(GWEI).await;
    world.anvil.set_balance(own(), bond + few).await;
    let mut challenger = world.challenger().await;
    world
        .play_until(&mut challenger, |it| matches!(it, Event::OutOfFunds { waiting: 1, .. }))
        .await;
    assert_eq!(world.anvil.nonce(own()).await, 0);
    world.anvil.set_balance(own(), bond * U256::from(2)).await;
    world.anvil.mine().await;
    world.play_until(&mut challenger, is_challenged).await;
    check(&world, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_nonce_use_is_detected() {
    let (mut world, mut challenger) = challenging().await;
    world.anvil.empty_pool().await;
    world.anvil.request("anvil_impersonateAccount", json!([own()])).await;
    world.anvil.send(own(), Address::repeat_byte(0xee), 0).await;
    world.anvil.mine().await;
    world.play_until(&mut challenger, is_challenged).await;
    check(&world, 2).await;
}
