//! Twelve batches in flight: whatever happens to their transactions, each content lands once.

use alloy::{consensus::Transaction, eips::Encodable2718 as _};
use alloy_primitives::{Address, B256, Bytes, U256};
use serde_json::json;
use turnpike_batcher::{
    BatchPoster, CrashPlan, CrashPoint, DataMode, PlannedCrash, StepOutcome, WaitReason,
};

use crate::{
    Pool,
    fixture::{GWEI, PostingWorld, account, batcher},
};

const TWELVE: u64 = 12;

/// Seals and sends a batch, so often.
pub(crate) async fn post(
    world: &mut PostingWorld,
    poster: &mut BatchPoster,
    times: u64,
) -> anyhow::Result<()> {
    for _ in 0..times {
        world.seal(1).await;
        let before = world.signed(poster).await.len();
        // It may have sent one and be asked again, if L1 does not answer in time.
        let outcome = world.step_once(poster).await?;
        assert_eq!(world.signed(poster).await.len(), before + 1, "{outcome:?}");
    }
    Ok(())
}

/// A world with room for twelve transactions in flight.
async fn world(data: DataMode) -> PostingWorld {
    let mut world = PostingWorld::new(data).await;
    world.posting.in_flight_max = 12;
    world
}

/// Posts what is left, waits until nothing more can land, and checks that each batch landed once.
/// Returns how many batches are on L1.
pub(crate) async fn finish(world: &PostingWorld, poster: &mut BatchPoster) -> usize {
    world.run(poster).await.expect("goes on");
    world.steps(poster, 3).await.expect("looks");
    let entries = world.check().await;
    world.check_contents(poster).await;
    entries
}

/// The twelve newest transactions, by nonce.
async fn twelve(world: &PostingWorld, poster: &BatchPoster) -> Vec<(u64, B256)> {
    let signed = world.signed(poster).await;
    let newest = signed.iter().map(|tx| (tx.nonce(), *tx.tx_hash()));
    newest.skip(signed.len() - 12).collect()
}

async fn drop_from_pool(world: &PostingWorld, l1_transaction: B256) {
    world.anvil.request("anvil_dropTransaction", json!([l1_transaction])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirteenth_transaction_waits_for_twelve_in_flight() {
    let mut world = world(DataMode::Calldata).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    post(&mut world, &mut poster, TWELVE).await.expect("posts");
    world.seal(1).await;
    let outcome = world.step_once(&mut poster).await.expect("looks");
    assert_eq!(outcome, StepOutcome::Waits(WaitReason::InFlight));
    world.anvil.mine().await;
    let view = world.view().await;
    assert_eq!(view.entries().len(), 1 + 12, "one L1 block holds all of them");
    assert_eq!(finish(&world, &mut poster).await, 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_the_pool_dropped_land_once() {
    let mut world = world(DataMode::Calldata).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    let mut posted = 0;
    for dropped in [&[0][..], &[11], &[3, 4, 9], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]] {
        post(&mut world, &mut poster, TWELVE).await.expect("posts");
        let sent = twelve(&world, &poster).await;
        for at in dropped {
            drop_from_pool(&world, sent[*at].1).await;
        }
        posted += 12;
        assert_eq!(finish(&world, &mut poster).await, posted, "{dropped:?}: none is packed again");
        let nonce = world.anvil.nonce(batcher().address()).await;
        assert_eq!(nonce, posted as u64, "{dropped:?}: each nonce holds a batch");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_whose_nonces_foreign_transactions_took_land_once() {
    let mut world = world(DataMode::Calldata).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    let key = batcher().address();
    let mut posted = 0;
    // A transfer, or one that only cancels the nonce.
    for (taken, to) in [(0, account(0).address()), (5, key), (11, account(0).address())] {
        post(&mut world, &mut poster, TWELVE).await.expect("posts");
        let (nonce, lost) = twelve(&world, &poster).await[taken];
        replace_in_pool(&world, to, nonce).await;
        world.anvil.mine().await;
        assert!(!world.anvil.has(lost).await);
        posted += 12;
        assert_eq!(finish(&world, &mut poster).await, posted, "{taken}: none is packed again");
    }
}

/// Replaces a transaction of the batcher's key in the pool.
async fn replace_in_pool(world: &PostingWorld, to: Address, nonce: u64) {
    let tx = json!({
        "from": batcher().address(), "to": to, "nonce": U256::from(nonce),
        "maxFeePerGas": U256::from(500 * GWEI), "maxPriorityFeePerGas": U256::from(50 * GWEI),
    });
    world.anvil.request("eth_sendTransaction", json!([tx])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_included_with_bids_that_were_replaced_land_once() {
    let mut world = world(DataMode::Calldata).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    world.anvil.set_base_fee(GWEI).await;
    world.anvil.mine().await;
    post(&mut world, &mut poster, TWELVE).await.expect("posts");
    let first = world.signed(&poster).await;
    for _ in 0..world.posting.bump_blocks {
        world.anvil.set_base_fee(30 * GWEI).await;
        world.anvil.mine().await;
    }
    world.step_once(&mut poster).await.expect("bids more");
    let bids = world.signed(&poster).await;
    let replaced = bids[first.len()..].iter().map(Transaction::nonce).collect::<Vec<_>>();
    assert!(replaced.contains(&0), "{replaced:?}");
    // L1 includes the first bids, which the poster has replaced.
    world.anvil.empty_pool().await;
    world.anvil.set_base_fee(GWEI).await;
    for tx in &first {
        let raw = Bytes::from(tx.encoded_2718());
        world.anvil.request("eth_sendRawTransaction", json!([raw])).await;
    }
    world.anvil.mine().await;
    assert_eq!(world.view().await.entries().len(), 1 + 12);
    assert_eq!(finish(&world, &mut poster).await, 12);
    assert_eq!(world.signed(&poster).await.len(), bids.len(), "nothing more was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_reorgs_dropped_land_once() {
    let mut world = world(DataMode::Calldata).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    let mut posted = 0;
    for (included, depth, is_known) in [(12, 1, true), (12, 3, false), (5, 2, true), (5, 1, false)]
    {
        post(&mut world, &mut poster, TWELVE).await.expect("posts");
        let sent = twelve(&world, &poster).await;
        for (_, l1_transaction) in &sent[included..] {
            drop_from_pool(&world, *l1_transaction).await;
        }
        for _ in 0..depth {
            world.anvil.mine().await;
        }
        assert_eq!(world.view().await.entries().len(), 1 + posted + included);
        if is_known {
            world.step_once(&mut poster).await.expect("looks");
        }
        world.anvil.reorg(depth).await;
        assert_eq!(world.view().await.entries().len(), 1 + posted);
        posted += 12;
        let case = (included, depth, is_known);
        assert_eq!(finish(&world, &mut poster).await, posted, "{case:?}: none is packed again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_another_fork_includes_land_once() {
    let mut world = world(DataMode::Calldata).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    post(&mut world, &mut poster, TWELVE).await.expect("posts");
    let signed = world.signed(&poster).await;
    world.anvil.mine().await;
    world.step_once(&mut poster).await.expect("counts them");
    // The other fork has the first seven, in a later block, and the rest not at all.
    world.anvil.request("anvil_rollback", json!([1])).await;
    world.anvil.empty_pool().await;
    world.anvil.mine().await;
    for tx in &signed[..7] {
        let raw = Bytes::from(tx.encoded_2718());
        world.anvil.request("eth_sendRawTransaction", json!([raw])).await;
    }
    world.anvil.mine().await;
    assert_eq!(world.view().await.entries().len(), 1 + 7);
    assert_eq!(finish(&world, &mut poster).await, 12, "none is packed again");
}

/// Crashes with several batches in flight at every step, and resumes with a new poster.
async fn crash_with_twelve_everywhere(pool: Pool) {
    let mut world = world(DataMode::Calldata).await;
    // The thirteenth signature is that of a higher bid for the first.
    let bids = [(CrashPoint::Signed, 12), (CrashPoint::Recorded, 12)];
    for (point, passes) in CrashPoint::ALL.map(|point| (point, 7)).into_iter().chain(bids) {
        world.anvil.set_base_fee(GWEI).await;
        world.anvil.mine().await;
        let mut dying = world.poster(CrashPlan::crash_at(point, passes)).await;
        let mut died = post(&mut world, &mut dying, TWELVE).await;
        if died.is_ok() && passes == 12 {
            world.anvil.set_base_fee(30 * GWEI).await;
        }
        if died.is_ok() {
            died = world.run(&mut dying).await;
        }
        if died.is_ok() {
            died = world.steps(&mut dying, 6).await.map(drop);
        }
        let Err(error) = died else { panic!("no crash at {point:?}") };
        let planned = error.chain().find_map(|cause| cause.downcast_ref::<PlannedCrash>());
        assert_eq!(planned, Some(&PlannedCrash(point)), "{error:#}");
        drop(dying);
        if pool == Pool::Lost {
            world.anvil.empty_pool().await;
        }
        let mut poster = world.poster(CrashPlan::default()).await;
        finish(&world, &mut poster).await;
        poster.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_with_twelve_in_flight_posts_each_batch_once() {
    crash_with_twelve_everywhere(Pool::Kept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_with_twelve_in_flight_posts_each_batch_once_with_a_lost_pool() {
    crash_with_twelve_everywhere(Pool::Lost).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_in_flight_survive_foreign_nonces_reorgs_and_a_crash() {
    let mut world = world(DataMode::Blobs).await;
    let mut dying = world.poster(CrashPlan::crash_at(CrashPoint::Counted, 1)).await;
    post(&mut world, &mut dying, 4).await.expect("posts");
    let signed = world.signed(&dying).await;
    // The first two are included, the third is lost and the fourth reverts.
    drop_from_pool(&world, *signed[2].tx_hash()).await;
    let key = batcher().address();
    world.anvil.send(key, key, 2).await;
    world.anvil.mine().await;
    world.step_once(&mut dying).await.expect_err("crashes");
    drop(dying);
    world.anvil.reorg(1).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    assert_eq!(finish(&world, &mut poster).await, 4, "none is packed again");
}
