//! Posting on a real L1: whatever happens, each block of the journal lands exactly once, in
//! order.
#![allow(unused_crate_dependencies)]

mod fixture;

use alloy_primitives::U256;
use fixture::{GWEI, PostingWorld, account, batcher};
use turnpike_batcher::{CrashPlan, CrashPoint, DataMode, PlannedCrash, StepOutcome, WaitReason};
use turnpike_l1::L1Error;

/// L1's pool while the poster is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pool {
    Kept,
    Lost,
}

/// Posts, crashes at `step`, and resumes with a new poster on the same database.
async fn crash(world: &mut PostingWorld, step: CrashPoint, pool: Pool) {
    world.seal(2).await;
    let mut dying = world.poster(CrashPlan::crash_at(step)).await;
    if matches!(step, CrashPoint::Replacing | CrashPoint::Replaced) {
        // The first bid is too low for the next blocks, so that it is replaced.
        world.anvil.set_base_fee(GWEI).await;
        world.anvil.mine().await;
        world.step_once(&mut dying).await.expect("posts");
        world.anvil.set_base_fee(30 * GWEI).await;
    }
    let mut died = world.run(&mut dying).await;
    if died.is_ok() {
        died = world.steps(&mut dying, 6).await.map(drop);
    }
    let Err(error) = died else { panic!("no crash at {step:?}") };
    assert_eq!(error.downcast_ref::<PlannedCrash>(), Some(&PlannedCrash(step)), "{error:#}");
    drop(dying);
    if pool == Pool::Lost {
        world.anvil.empty_pool().await;
    }
    world.seal(1).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    world.run(&mut poster).await.expect("goes on");
    world.seal(1).await;
    world.run(&mut poster).await.expect("goes on");
    world.check().await;
}

async fn crash_everywhere(data: DataMode, pool: Pool) {
    let mut world = PostingWorld::new(data).await;
    for step in CrashPoint::ALL {
        crash(&mut world, step, pool).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_at_any_step_posts_each_block_once_with_calldata() {
    crash_everywhere(DataMode::Calldata, Pool::Kept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_at_any_step_posts_each_block_once_with_blobs() {
    crash_everywhere(DataMode::Blobs, Pool::Kept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_at_any_step_posts_each_block_once_with_a_lost_pool() {
    crash_everywhere(DataMode::Auto, Pool::Lost).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gas_spike_defers_posting() {
    let mut world = PostingWorld::new(DataMode::Calldata).await;
    world.posting.max_fee_per_gas = 20 * u128::from(GWEI);
    world.seal(1).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    // A hundred times the usual base fee.
    world.anvil.set_base_fee(100 * GWEI).await;
    let before = world.anvil.nonce(batcher().address()).await;
    for _ in 0..3 {
        let outcome = world.steps(&mut poster, 1).await.expect("looks");
        assert_eq!(outcome, StepOutcome::Waits(WaitReason::Price));
    }
    assert_eq!(world.anvil.nonce(batcher().address()).await, before);
    assert_eq!(poster.outbox().attempts().await.expect("reads"), []);
    // Empty blocks lower it by an eighth each.
    world.run(&mut poster).await.expect("goes on by itself");
    world.check().await;
    let [batch] = &poster.outbox().unconfirmed_batches().await.expect("reads")[..] else {
        panic!("one batch")
    };
    let inclusion = batch.inclusion.expect("on L1");
    assert!(inclusion.gas_price <= 20 * GWEI && inclusion.gas_used > 21_000);
    assert_eq!((batch.transactions, inclusion.blob_gas_used), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_pending_in_a_gas_spike_is_replaced_within_the_limit() {
    let mut world = PostingWorld::new(DataMode::Blobs).await;
    world.seal(1).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    let first = world.step_once(&mut poster).await.expect("posts");
    world.anvil.set_base_fee(40 * GWEI).await;
    world.run(&mut poster).await.expect("goes on");
    let attempts = poster.outbox().attempts().await.expect("reads");
    assert!(attempts.len() > 1, "{first:?} was replaced");
    assert!(attempts.iter().all(|attempt| attempt.nonce == attempts[0].nonce));
    let fees: Vec<u64> = attempts.iter().map(|attempt| attempt.max_fee_per_gas).collect();
    assert!(fees.windows(2).all(|fees| fees[1] >= 2 * fees[0]), "{fees:?}");
    assert_eq!(world.check().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn unfunded_account_sends_nothing_until_funded() {
    let mut world = PostingWorld::new(DataMode::Auto).await;
    world.seal(3).await;
    let address = batcher().address();
    world.anvil.set_balance(address, U256::from(GWEI)).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    for _ in 0..5 {
        let outcome = world.steps(&mut poster, 1).await.expect("looks");
        assert_eq!(outcome, StepOutcome::Waits(WaitReason::Funds));
    }
    assert_eq!(poster.outbox().attempts().await.expect("reads"), []);
    world.anvil.set_balance(address, U256::from(GWEI) * U256::from(GWEI)).await;
    world.run(&mut poster).await.expect("goes on by itself");
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_l1_pauses_posting() {
    let mut world = PostingWorld::new(DataMode::Calldata).await;
    world.seal(1).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    world.step_once(&mut poster).await.expect("posts");
    world.seal(2).await;
    world.anvil.pause();
    let error = poster.step(world.now).await.expect_err("L1 is down");
    let error = error.downcast_ref::<L1Error>().expect("L1's");
    assert!(error.is_retryable(), "{error}");
    world.anvil.resume();
    world.run(&mut poster).await.expect("goes on by itself");
    assert_eq!(world.check().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn reorged_batch_is_posted_again() {
    let mut world = PostingWorld::new(DataMode::Calldata).await;
    world.seal(2).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    world.run(&mut poster).await.expect("posts");
    for depth in [1, 2, 3] {
        world.steps(&mut poster, 3).await.expect("looks");
        world.anvil.reorg(depth + 2).await;
        world.run(&mut poster).await.expect("goes on");
        assert_eq!(world.check().await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_transactions_of_the_key_do_no_harm() {
    let mut world = PostingWorld::new(DataMode::Auto).await;
    let (key, other) = (batcher().address(), account(0).address());
    world.seal(1).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    // A foreign transaction is sent with the key, and another one while a batch waits to be
    // broadcast again.
    let nonce = world.anvil.nonce(key).await;
    world.anvil.send(key, other, nonce).await;
    let outcome = world.step_once(&mut poster).await.expect("looks");
    assert_eq!(outcome, StepOutcome::Waits(WaitReason::Foreign));
    world.anvil.mine().await;
    world.run(&mut poster).await.expect("posts");
    world.seal(1).await;
    world.step_once(&mut poster).await.expect("posts");
    let attempts = poster.outbox().attempts().await.expect("reads");
    let l1_transaction = attempts.last().expect("sent").l1_transaction;
    world.anvil.empty_pool().await;
    assert!(!world.anvil.has(l1_transaction).await);
    let nonce = world.anvil.nonce(key).await;
    world.anvil.send(key, other, nonce).await;
    world.anvil.mine().await;
    world.run(&mut poster).await.expect("gets over it");
    assert_eq!(world.check().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_database_posts_nothing_twice() {
    let mut world = PostingWorld::new(DataMode::Auto).await;
    world.seal(2).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    world.run(&mut poster).await.expect("posts");
    world.seal(1).await;
    world.step_once(&mut poster).await.expect("sends");
    poster.close().await;
    drop(poster);
    world.lose_outbox();
    let mut poster = world.poster(CrashPlan::default()).await;
    world.run(&mut poster).await.expect("goes on");
    assert_eq!(world.check().await, 2);
}
