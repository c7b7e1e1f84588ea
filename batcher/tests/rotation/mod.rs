//! A change of the batcher's key: the old one stops in time, the new one continues where L1 is.

use alloy::{
    consensus::Transaction as _, eips::Encodable2718 as _, signers::local::PrivateKeySigner,
};
use alloy_primitives::{Address, Bytes};
use serde_json::json;
use turnpike_batcher::{BatchPoster, CrashPlan, DataMode, StepOutcome, WaitReason};
use turnpike_l1::Inbox;

use crate::fixture::{GWEI, PostingWorld, account, batcher};

const STOPPED: StepOutcome = StepOutcome::Waits(WaitReason::Rotation);

/// Key of the next batcher.
fn next() -> PrivateKeySigner {
    account(8)
}

/// A poster with the next key and a database of its own.
async fn next_poster(world: &PostingWorld) -> BatchPoster {
    world.poster_of(next(), "next.db", CrashPlan::default()).await
}

/// Names a batcher. Returns the L1 time from which it may take over.
async fn name(world: &PostingWorld, batcher: Address) -> u64 {
    let admin = world.genesis.config.key_admin;
    world.call_inbox(admin, &Inbox::nameBatcherCall { newBatcher: batcher }).await;
    world.anvil.mine().await;
    let (_, time) = world.anvil.head().await;
    time + world.genesis.config.key_delay
}

/// The next batcher takes over.
async fn change(world: &PostingWorld) {
    world.call_inbox(account(0).address(), &Inbox::changeBatcherCall {}).await;
    world.anvil.mine().await;
    let client = world.client().await;
    let inbox = Inbox::new(client.deployment().inbox, client.provider());
    assert_eq!(inbox.batcher().call().await.expect("answers"), next().address());
}

async fn step(world: &PostingWorld, poster: &mut BatchPoster) -> StepOutcome {
    world.step_once(poster).await.expect("looks")
}

/// Nonce and bid of each transaction that the poster signed.
async fn bids(world: &PostingWorld, poster: &BatchPoster) -> Vec<(u64, u128)> {
    let signed = world.signed(poster).await;
    signed.iter().map(|tx| (tx.nonce(), tx.max_fee_per_gas())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn old_key_stops_before_the_change_and_new_key_continues() {
    let mut world = PostingWorld::new(DataMode::Calldata).await;
    let limit = 20 * u128::from(GWEI);
    world.posting.max_fee_per_gas = limit;
    let mut old = world.poster(CrashPlan::default()).await;
    world.seal(2).await;
    world.run(&mut old).await.expect("posts");
    let from = name(&world, next().address()).await;
    let margin = world.genesis.config.key_delay / 8;
    // Long before the change nothing is different.
    world.seal(1).await;
    world.run(&mut old).await.expect("posts");
    // One batch is in flight when gas becomes dear.
    world.anvil.set_base_fee(GWEI).await;
    world.anvil.mine().await;
    world.seal(1).await;
    assert!(matches!(step(&world, &mut old).await, StepOutcome::Sent { .. }));
    world.anvil.set_base_fee(100 * GWEI).await;
    world.anvil.mine_at(from - margin - 1).await;
    assert_eq!(step(&world, &mut old).await, StepOutcome::Waits(WaitReason::Price));
    let before = bids(&world, &old).await;
    assert!(before.iter().all(|(_, bid)| *bid <= limit), "{before:?}");
    // From the margin on it lands at any price, and nothing new is sent.
    world.anvil.set_base_fee(100 * GWEI).await;
    world.anvil.mine_at(from - margin).await;
    world.seal(1).await;
    assert_eq!(step(&world, &mut old).await, STOPPED);
    let after = bids(&world, &old).await;
    let [(nonce, bid)] = after[before.len()..] else { panic!("{after:?}") };
    assert!(bid > limit && nonce == before.last().expect("one").0, "{after:?}");
    let entries = world.view().await.entries().len();
    world.anvil.mine().await;
    assert_eq!(world.view().await.entries().len(), entries + 1);
    assert!(world.anvil.head().await.1 < from, "it landed in time");
    let mut new = next_poster(&world).await;
    assert_eq!(step(&world, &mut old).await, STOPPED);
    assert_eq!(step(&world, &mut new).await, STOPPED);
    world.anvil.mine_at(from).await;
    assert_eq!(step(&world, &mut old).await, STOPPED);
    assert_eq!(step(&world, &mut new).await, STOPPED, "nobody has made the change yet");
    change(&world).await;
    assert_eq!(step(&world, &mut old).await, STOPPED);
    world.run(&mut new).await.expect("continues");
    world.check().await;
    world.check_contents(&new).await;
    // The old one stays stopped, also after a restart.
    old.close().await;
    drop(old);
    let mut old = world.poster(CrashPlan::default()).await;
    world.seal(1).await;
    assert_eq!(world.steps(&mut old, 2).await.expect("looks"), STOPPED);
    world.run(&mut new).await.expect("continues");
    world.check().await;
    world.check_contents(&new).await;
    assert_eq!(bids(&world, &old).await, after, "the old one has sent nothing more");
}

#[tokio::test(flavor = "multi_thread")]
async fn transaction_that_missed_the_change_does_no_harm() {
    let mut world = PostingWorld::new(DataMode::Calldata).await;
    let mut old = world.poster(CrashPlan::default()).await;
    let from = name(&world, next().address()).await;
    world.seal(1).await;
    assert!(matches!(step(&world, &mut old).await, StepOutcome::Sent { .. }));
    let late = world.signed(&old).await;
    // L1 loses the transaction, and the batcher is down until another key may take over.
    world.anvil.empty_pool().await;
    world.anvil.mine_at(from).await;
    assert_eq!(step(&world, &mut old).await, STOPPED);
    assert!(!world.anvil.has_pending().await, "it is not broadcast again");
    assert_eq!(world.signed(&old).await.len(), late.len());
    change(&world).await;
    // L1 includes it after the change.
    let raw = Bytes::from(late[0].encoded_2718());
    world.anvil.request("eth_sendRawTransaction", json!([raw])).await;
    world.anvil.mine().await;
    assert_eq!(world.anvil.nonce(batcher().address()).await, 1, "it reverted");
    assert_eq!(world.view().await.entries().len(), 1);
    assert_eq!(step(&world, &mut old).await, STOPPED);
    let mut new = next_poster(&world).await;
    world.run(&mut new).await.expect("continues");
    assert_eq!(world.check().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn key_that_is_named_again_goes_on() {
    let mut world = PostingWorld::new(DataMode::Calldata).await;
    let mut old = world.poster(CrashPlan::default()).await;
    let from = name(&world, next().address()).await;
    world.anvil.mine_at(from).await;
    world.seal(1).await;
    assert_eq!(step(&world, &mut old).await, STOPPED);
    let from = name(&world, batcher().address()).await;
    world.run(&mut old).await.expect("goes on");
    world.anvil.mine_at(from).await;
    world.seal(1).await;
    world.run(&mut old).await.expect("goes on");
    assert_eq!(world.check().await, 2);
}
