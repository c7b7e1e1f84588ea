//! What is sent arrives, once: through crashes, lost pools, reorganisations, gas spikes, and
//! without money.

use alloy_primitives::{Address, U256};
use serde_json::json;
use turnpike_challenger::{Challenger, Event, FeePolicy};

use crate::world::{World, own};

const GWEI: u64 = 1_000_000_000;

fn is_challenged(event: &Event) -> bool {
    matches!(event, Event::Challenged { .. })
}

/// A wrong output, and a challenger that has just sent a challenge of it.
async fn challenging() -> (World, Challenger) {
    let mut world = World::new().await;
    world.output(false).await;
    let mut challenger = world.challenger().await;
    world.step(&mut challenger).await;
    assert_eq!(waiting(&world).await, 1);
    (world, challenger)
}

/// How many of the challenger's transactions wait in L1's pool.
async fn waiting(world: &World) -> u64 {
    let sender = world.sender(9).await;
    let account = sender.account().await.expect("answers");
    account.pending_nonce - account.nonce
}

/// L1 holds one challenge, and so many transactions of the challenger's in all.
async fn check(world: &World, transactions: u64) {
    assert_eq!(world.view().await.disputes().challenges().len(), 1);
    assert_eq!(world.anvil.nonce(own()).await, transactions);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_after_broadcasting_costs_no_second_bond() {
    let mut world = World::new().await;
    world.output(false).await;
    // It is urgent: nothing is waited for.
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
    // Nor one after it was seen on L1.
    drop(challenger);
    let mut challenger = world.challenger().await;
    world.step(&mut challenger).await;
    assert_eq!(waiting(&world).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_not_taken_back_before_all_is_judged() {
    let mut world = World::new().await;
    world.output_on(0, false).await;
    world.post().await;
    world.output_on(0, false).await;
    // So urgent that what is not wanted is replaced at once.
    world.wait(world.genesis.config.challenge_window - 20).await;
    let mut challenger = world.challenger().await;
    world.step(&mut challenger).await;
    assert_eq!(waiting(&world).await, 2);
    let pool = async |world: &World| {
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
async fn a_crash_before_broadcasting_loses_nothing() {
    let (mut world, challenger) = challenging().await;
    drop(challenger);
    // As if it had never got there.
    world.anvil.empty_pool().await;
    let mut challenger = world.challenger().await;
    world.step(&mut challenger).await;
    assert_eq!(waiting(&world).await, 1);
    world.play_until(&mut challenger, is_challenged).await;
    check(&world, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_pool_is_noticed_with_the_next_block() {
    let (mut world, mut challenger) = challenging().await;
    world.anvil.empty_pool().await;
    world.anvil.mine().await;
    world.step(&mut challenger).await;
    assert_eq!(waiting(&world).await, 1);
    world.play_until(&mut challenger, is_challenged).await;
    check(&world, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_that_drops_a_challenge_does_not_drop_it_for_good() {
    let (mut world, mut challenger) = challenging().await;
    world.play_until(&mut challenger, is_challenged).await;
    world.anvil.reorg(1).await;
    world.anvil.empty_pool().await;
    assert_eq!(world.view().await.disputes().challenges().len(), 0, "dropped");
    world.play_until(&mut challenger, is_challenged).await;
    assert!(world.events.iter().any(|event| matches!(event, Event::Reorg { .. })));
    check(&world, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_gas_spike_what_has_time_waits_and_what_has_none_pays() {
    let mut world = World::new().await;
    world.fees = FeePolicy { max_fee_per_gas: u128::from(5 * GWEI), ..world.fees };
    world.output(false).await;
    let mut challenger = world.challenger().await;
    world.step(&mut challenger).await;
    for _ in 0..5 {
        world.anvil.set_base_fee(100 * GWEI).await;
        world.anvil.mine().await;
        world.step(&mut challenger).await;
    }
    assert_eq!(world.anvil.nonce(own()).await, 0, "nothing is paid above the limit");
    // Just before the end of the window.
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
async fn without_money_it_says_so_and_goes_on_when_there_is_some() {
    let mut world = World::new().await;
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
async fn a_nonce_that_somebody_else_has_used_is_given_up() {
    let (mut world, mut challenger) = challenging().await;
    world.anvil.empty_pool().await;
    world.anvil.request("anvil_impersonateAccount", json!([own()])).await;
    world.anvil.send(own(), Address::repeat_byte(0xee), 0).await;
    world.anvil.mine().await;
    world.play_until(&mut challenger, is_challenged).await;
    check(&world, 2).await;
}
