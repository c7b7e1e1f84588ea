//! Posting on a real L1: whatever happens, each block of the journal lands exactly once, in
//! order.
#![allow(unused_crate_dependencies)]

mod fixture;
mod in_flight;
mod origins;
mod rotation;
mod types;

use alloy::consensus::Transaction;
use alloy_primitives::U256;
use fixture::{GWEI, PostingWorld, account, batcher};
use turnpike_batcher::{
    BatchPoster, CrashPlan, CrashPoint, DataMode, PlannedCrash, StepOutcome, WaitReason,
};
use turnpike_l1::{L1Client, L1Endpoints, L1Error};

/// L1's pool while the poster is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pool {
    Kept,
    Lost,
}

/// Posts, crashes at `step` after it was passed `passes` times, and resumes with a new poster on
/// the same database.
async fn crash(world: &mut PostingWorld, step: CrashPoint, passes: u32, pool: Pool) {
    world.seal(2).await;
    let mut dying = world.poster(CrashPlan::crash_at(step, passes)).await;
    if passes > 0 {
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
    let planned = error.chain().find_map(|cause| cause.downcast_ref::<PlannedCrash>());
    assert_eq!(planned, Some(&PlannedCrash(step)), "{error:#}");
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
        crash(&mut world, step, 0, pool).await;
    }
    // The second transaction replaces the first one.
    for step in [CrashPoint::Signed, CrashPoint::Recorded] {
        crash(&mut world, step, 1, pool).await;
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
async fn crash_at_any_step_posts_each_block_once_with_blobs_that_the_pool_lost() {
    crash_everywhere(DataMode::Blobs, Pool::Lost).await;
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
    assert!(world.signed(&poster).await.is_empty());
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
    let signed = world.signed(&poster).await;
    assert!(signed.len() > 1, "{first:?} was replaced");
    assert!(signed.iter().all(|tx| tx.nonce() == signed[0].nonce()));
    let fees: Vec<u128> = signed.iter().map(Transaction::max_fee_per_gas).collect();
    assert!(fees.windows(2).all(|fees| fees[1] >= 2 * fees[0]), "{fees:?}");
    assert_eq!(world.check().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn young_blocks_wait_for_others_to_fill_a_further_blob() {
    let mut world = PostingWorld::new(DataMode::Blobs).await;
    world.posting.latency_in_flight_max = 100;
    for _ in 0..3 {
        world.seal_large(60_000).await;
    }
    let mut poster = world.poster(CrashPlan::default()).await;
    world.now = world.blocks()[2].time_ms / 1_000 + 99;
    let held = async |poster: &BatchPoster| {
        let batches = poster.outbox().unconfirmed_batches().await.expect("reads");
        batches.iter().map(|batch| (batch.first_block, batch.last_block)).collect::<Vec<_>>()
    };
    world.step_once(&mut poster).await.expect("posts");
    let outcome = world.step_once(&mut poster).await.expect("looks");
    assert_eq!(outcome, StepOutcome::Waits(WaitReason::Filling));
    assert_eq!(held(&poster).await, [(1, 2)], "all three fill two blobs less than two fill one");
    world.seal_large(60_000).await;
    world.steps(&mut poster, 1).await.expect("looks");
    world.steps(&mut poster, 1).await.expect("posts once the first is on L1");
    assert_eq!(held(&poster).await, [(1, 2), (3, 4)], "what waited fills a blob with the next");
    // Blocks of the greatest age do not wait.
    for _ in 0..3 {
        world.seal_large(60_000).await;
    }
    world.now = world.blocks()[6].time_ms / 1_000 + 100;
    world.run(&mut poster).await.expect("posts");
    assert_eq!(held(&poster).await, [(1, 2), (3, 4), (5, 7)]);
    assert_eq!(world.check().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_do_not_wait_for_commitments() {
    let mut world = PostingWorld::new(DataMode::Blobs).await;
    world.seal(1).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    let outcome = poster.step(world.now).await.expect("drafts");
    assert_eq!(outcome, StepOutcome::Waits(WaitReason::Committing));
    assert!(poster.is_committing());
    // A caller may give up the wait.
    let given_up = async {
        tokio::select! { biased; () = poster.wait_for_commitments() => true, () = std::future::ready(()) => false }
    };
    assert!(!given_up.await);
    poster.wait_for_commitments().await;
    assert!(!poster.is_committing());
    let outcome = world.step_once(&mut poster).await.expect("sends");
    assert!(outcome.is_sent(), "{outcome:?}");
    world.run(&mut poster).await.expect("posts");
    assert_eq!(world.check().await, 1);
}

/// A development node attaches blobs and commitments to their transaction.
#[tokio::test(flavor = "multi_thread")]
async fn attached_blobs_equal_those_of_the_beacon_api() {
    let mut world = PostingWorld::new(DataMode::Blobs).await;
    world.seal(3).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    world.run(&mut poster).await.expect("posts");
    let beacon = Some(world.anvil.url().to_owned());
    let endpoints = L1Endpoints { beacon, ..world.anvil.url().into() };
    let client = L1Client::connect(endpoints, &world.genesis).await.expect("connects");
    let view = world.view().await;
    let posted = view.entries().last().expect("a batch");
    let payload = client.payload(posted).await.expect("read from the beacon API");
    assert_eq!(payload.blob_hashes.len(), 1);
    let attached = world.client().await.payload(posted).await.expect("read with the transaction");
    assert_eq!(attached, payload);
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
    assert!(world.signed(&poster).await.is_empty());
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
async fn batch_that_lost_its_place_gives_its_nonce_to_the_next_one() {
    for data in [DataMode::Calldata, DataMode::Blobs] {
        let mut world = PostingWorld::new(data).await;
        world.seal(1).await;
        let mut poster = world.poster(CrashPlan::default()).await;
        world.run(&mut poster).await.expect("posts");
        world.seal_on(0, 1).await;
        // The batch follows an entry that a reorg then includes at another time.
        world.step_once(&mut poster).await.expect("posts");
        world.anvil.reorg(1).await;
        world.anvil.empty_pool().await;
        world.run(&mut poster).await.expect("goes on");
        assert_eq!(world.check().await, 2);
        let nonce = world.anvil.nonce(batcher().address()).await;
        assert_eq!(nonce, 2, "each nonce holds an entry");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_in_flight_survives_a_sequencer_that_reads_a_forced_entry_first() {
    let mut world = PostingWorld::new(DataMode::Calldata).await;
    world.deposit().await;
    world.seal(2).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    world.step_once(&mut poster).await.expect("posts");
    let signed = world.signed(&poster).await;
    let (_, l1_time) = world.anvil.head().await;
    let l1_time = l1_time + world.genesis.config.force_window;
    world.rerun_behind_forced(l1_time).await;
    // The poster's L1 has no such entry yet.
    let outcome = world.step_once(&mut poster).await.expect("looks");
    assert_eq!(outcome, StepOutcome::Waits(WaitReason::Journal));
    let recorded = poster.outbox().unconfirmed_batches().await.expect("reads");
    assert_eq!(recorded.len(), 1, "the batch is still recorded");
    world.force_at(l1_time).await;
    world.run(&mut poster).await.expect("goes on");
    assert_eq!(world.check().await, 2, "the forced entry and the batch");
    assert_eq!(world.signed(&poster).await, signed, "the batch is in flight as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn deposit_about_to_be_overdue_lifts_the_price_limit() {
    let mut world = PostingWorld::new(DataMode::Calldata).await;
    world.posting.max_fee_per_gas = 20 * u128::from(GWEI);
    world.deposit().await;
    world.seal(1).await;
    world.anvil.set_base_fee(100 * GWEI).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    assert_eq!(
        world.step_once(&mut poster).await.expect("looks"),
        StepOutcome::Waits(WaitReason::Price)
    );
    let window = world.genesis.config.force_window;
    let (_, time) = world.anvil.head().await;
    world.anvil.mine_at(time + window / 4 * 3).await;
    world.anvil.set_base_fee(100 * GWEI).await;
    let outcome = world.step_once(&mut poster).await.expect("posts");
    assert!(matches!(outcome, StepOutcome::Sent { .. }), "{outcome:?}");
    world.anvil.mine().await;
    world.run(&mut poster).await.expect("goes on");
    assert_eq!(world.check().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn pending_batch_before_an_old_deposit_is_replaced_beyond_the_limit() {
    let mut world = PostingWorld::new(DataMode::Calldata).await;
    let limit = 20 * u128::from(GWEI);
    world.posting.max_fee_per_gas = limit;
    world.seal(1).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    world.step_once(&mut poster).await.expect("posts");
    world.anvil.set_base_fee(100 * GWEI).await;
    world.deposit().await;
    world.seal_on(0, 1).await;
    let (_, time) = world.anvil.head().await;
    world.anvil.set_base_fee(100 * GWEI).await;
    world.anvil.mine_at(time + world.genesis.config.force_window / 4 * 3).await;
    world.step_once(&mut poster).await.expect("replaces");
    let bids: Vec<_> = world.signed(&poster).await;
    let bids: Vec<_> = bids.iter().map(|tx| (tx.nonce(), tx.max_fee_per_gas())).collect();
    let [(first, bid), (second, higher), (third, behind)] = bids[..] else { panic!("{bids:?}") };
    assert!((second, third) == (first, first + 1), "{bids:?}");
    assert!(bid <= limit && higher > limit && behind > limit, "{bids:?}");
    world.anvil.mine().await;
    world.run(&mut poster).await.expect("goes on");
    world.check().await;
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
    let l1_transaction = *world.signed(&poster).await.last().expect("sent").tx_hash();
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

#[tokio::test(flavor = "multi_thread")]
async fn eight_transactions_are_in_flight() {
    for data in [DataMode::Calldata, DataMode::Blobs] {
        let mut world = PostingWorld::new(data).await;
        let mut poster = world.poster(CrashPlan::default()).await;
        in_flight::post(&mut world, &mut poster, 8).await.expect("posts");
        world.seal(1).await;
        let outcome = world.step_once(&mut poster).await.expect("looks");
        assert_eq!(outcome, StepOutcome::Waits(WaitReason::InFlight));
        let nonces: Vec<u64> = world.signed(&poster).await.iter().map(Transaction::nonce).collect();
        assert_eq!(nonces, (0..8).collect::<Vec<_>>());
        world.run(&mut poster).await.expect("goes on");
        assert_eq!(world.check().await, 9);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_in_flight_survive_a_lost_pool_and_a_restart() {
    let mut world = PostingWorld::new(DataMode::Auto).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    for _ in 0..5 {
        world.seal(1).await;
        world.step_once(&mut poster).await.expect("posts");
    }
    let before = world.signed(&poster).await;
    poster.close().await;
    drop(poster);
    world.anvil.empty_pool().await;
    let mut poster = world.poster(CrashPlan::default()).await;
    world.run(&mut poster).await.expect("goes on");
    assert_eq!(world.check().await, 5, "none is packed again");
    let after = world.signed(&poster).await;
    assert!(after.iter().all(|tx| before.iter().any(|sent| sent.nonce() == tx.nonce())));
}

#[tokio::test(flavor = "multi_thread")]
async fn three_entries_of_three_blobs_share_an_l1_block_while_eight_are_in_flight() {
    let mut world = PostingWorld::new(DataMode::Blobs).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    for _ in 0..3 {
        world.seal_large(2 * 130_044 + 50_000).await;
        world.step_once(&mut poster).await.expect("posts");
    }
    in_flight::post(&mut world, &mut poster, 5).await.expect("posts");
    let signed = world.signed(&poster).await;
    let blobs = signed.iter().map(|tx| tx.blob_versioned_hashes().map_or(0, <[_]>::len));
    assert_eq!(blobs.collect::<Vec<_>>(), [3, 3, 3, 1, 1, 1, 1, 1]);
    world.anvil.mine().await;
    world.run(&mut poster).await.expect("goes on");
    assert_eq!(world.check().await, 8);
    let view = world.view().await;
    let blocks = view.entries()[1..].iter().map(|posted| posted.entry.l1_block_number);
    let blocks: Vec<_> = blocks.collect();
    // An L1 block holds nine blobs.
    assert_eq!(blocks[..3], [blocks[0]; 3]);
    assert!(blocks[3] > blocks[0]);
}
