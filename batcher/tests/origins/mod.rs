//! Batches in flight whose origin L1 or the sequencer takes back: they are packed again.

use std::collections::BTreeMap;

use alloy::{
    consensus::{Transaction as _, TxEnvelope},
    eips::Encodable2718 as _,
};
use alloy_primitives::{B256, Bytes};
use serde_json::json;
use turnpike_batcher::{
    BatchPoster, CrashPlan, CrashPoint, DataMode, PlannedCrash, StepOutcome, WaitReason,
};

use crate::{
    fixture::{GWEI, PostingWorld},
    in_flight::{finish, post},
};

/// A world whose L1 holds so many batches, each in a block of its own.
async fn world_with(batches: u64) -> (PostingWorld, BatchPoster) {
    world_that_crashes(batches, CrashPlan::default()).await
}

async fn world_that_crashes(batches: u64, faults: CrashPlan) -> (PostingWorld, BatchPoster) {
    let mut world = PostingWorld::new(DataMode::Calldata).await;
    let mut poster = world.poster(faults).await;
    for _ in 0..batches {
        world.seal(1).await;
        world.run(&mut poster).await.expect("posts");
    }
    (world, poster)
}

/// Seals a block on an entry and sends its batch, so often.
async fn post_on(world: &mut PostingWorld, poster: &mut BatchPoster, entry: usize, times: u64) {
    for _ in 0..times {
        world.seal_on(entry, 1).await;
        let outcome = world.step_once(poster).await.expect("posts");
        assert!(matches!(outcome, StepOutcome::Sent { .. }), "{outcome:?}");
    }
}

/// The sequencer takes its blocks from `first_block` on back. The poster reads L1 once more before it
/// gives up the batches that hold them.
async fn rewind(world: &mut PostingWorld, poster: &mut BatchPoster, first_block: u64) {
    world.rewind(first_block).await;
    let outcome = world.step_once(poster).await.expect("looks");
    assert_eq!(outcome, StepOutcome::Waits(WaitReason::Journal));
}

/// Contents of the recorded batches from this number on.
async fn recorded(poster: &BatchPoster, first: u64) -> Vec<B256> {
    let batches = poster.outbox().unconfirmed_batches().await.expect("reads");
    batches.iter().filter(|batch| batch.number >= first).map(|batch| batch.content).collect()
}

/// Contents of the batches on L1.
async fn on_l1(world: &PostingWorld) -> Vec<B256> {
    let view = world.view().await;
    view.batches().iter().map(|at| view.entries()[*at].content).collect()
}

/// Bids of the transactions that were signed with each nonce, in order.
fn bids(signed: &[TxEnvelope]) -> BTreeMap<u64, Vec<u128>> {
    let mut bids = BTreeMap::<_, Vec<_>>::new();
    for tx in signed {
        bids.entry(tx.nonce()).or_default().push(tx.max_fee_per_gas());
    }
    bids
}

#[tokio::test(flavor = "multi_thread")]
async fn reorg_that_drops_the_origin_packs_all_batches_on_it_again() {
    let (mut world, mut poster) = world_with(1).await;
    post(&mut world, &mut poster, 5).await.expect("posts");
    let old = recorded(&poster, 2).await;
    assert_eq!(old.len(), 5);
    world.anvil.reorg(1).await;
    assert_eq!(world.view().await.entries().len(), 1, "the origin is gone");
    let outcome = world.step_once(&mut poster).await.expect("looks");
    assert_eq!(outcome, StepOutcome::Waits(WaitReason::Journal), "the blocks do not hold");
    assert!(recorded(&poster, 2).await.is_empty(), "no batch on it is left");
    // The sequencer takes its blocks back, and seals others on the entry before.
    world.rewind(2).await;
    post(&mut world, &mut poster, 5).await.expect("posts");
    let again = recorded(&poster, 2).await;
    let bids = bids(&world.signed(&poster).await);
    for nonce in 1..=5 {
        let bids = &bids[&nonce];
        assert!(bids.len() == 2 && bids[1] > bids[0], "nonce {nonce}: {bids:?}");
    }
    assert_eq!(finish(&world, &mut poster).await, 6);
    assert_eq!(on_l1(&world).await[1..], again);
    assert!(old.iter().all(|content| !again.contains(content)));
}

#[tokio::test(flavor = "multi_thread")]
async fn reorg_that_changes_the_origin_packs_all_batches_on_it_again() {
    let (mut world, mut poster) = world_with(1).await;
    post(&mut world, &mut poster, 5).await.expect("posts");
    let old = recorded(&poster, 2).await;
    let before = world.view().await.entries()[1];
    world.anvil.reorg(1).await;
    // L1 includes the origin again, at another time.
    world.step_once(&mut poster).await.expect("broadcasts it again");
    world.anvil.mine().await;
    let after = world.view().await.entries()[1];
    assert!(after.content == before.content && after.acc != before.acc);
    assert_eq!(world.view().await.entries().len(), 2, "nothing else landed");
    let outcome = world.step_once(&mut poster).await.expect("looks");
    assert!(matches!(outcome, StepOutcome::Waits(reason) if reason.is_trouble()), "{outcome:?}");
    assert!(recorded(&poster, 2).await.is_empty(), "no batch on it is left");
    world.rewind(2).await;
    world.seal(1).await;
    world.run(&mut poster).await.expect("goes on");
    post(&mut world, &mut poster, 4).await.expect("posts");
    assert_eq!(finish(&world, &mut poster).await, 6);
    assert!(on_l1(&world).await.iter().all(|content| !old.contains(content)));
}

#[tokio::test(flavor = "multi_thread")]
async fn reorg_that_drops_an_origin_keeps_the_batches_on_earlier_ones() {
    let (mut world, mut poster) = world_with(2).await;
    post_on(&mut world, &mut poster, 1, 2).await;
    post_on(&mut world, &mut poster, 2, 3).await;
    let old = recorded(&poster, 2).await;
    assert_eq!(old.len(), 6);
    world.anvil.reorg(1).await;
    assert_eq!(world.view().await.entries().len(), 2);
    world.step_once(&mut poster).await.expect("looks");
    assert_eq!(recorded(&poster, 2).await, old[..3], "the second batch, and two behind it");
    world.rewind(5).await;
    post_on(&mut world, &mut poster, 1, 3).await;
    assert_eq!(finish(&world, &mut poster).await, 7);
    let landed = on_l1(&world).await;
    assert_eq!(landed[1..4], old[..3]);
    assert!(landed[4..].iter().all(|content| !old.contains(content)));
}

/// L1 is at half the largest age of the first entry. Three batches on it wait for a lower price. The
/// second entry is much younger, so that the time that a test takes does not matter.
async fn world_at_half_the_origin_age(faults: CrashPlan) -> (PostingWorld, BatchPoster) {
    let (mut world, mut poster) = world_that_crashes(0, faults).await;
    let half_age = world.genesis.config.origin_age_max / 2;
    let origin = world.view().await.entries()[0].entry;
    world.anvil.mine_at(origin.l1_time + half_age / 2).await;
    world.seal(1).await;
    world.run(&mut poster).await.expect("posts");
    world.anvil.set_base_fee(GWEI).await;
    world.anvil.mine().await;
    post_on(&mut world, &mut poster, 0, 3).await;
    world.anvil.set_base_fee(30 * GWEI).await;
    world.anvil.mine_at(origin.l1_time + half_age).await;
    assert_eq!(world.view().await.entries().len(), 2, "none landed");
    world.anvil.set_base_fee(GWEI).await;
    (world, poster)
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_whose_blocks_took_another_origin_are_replaced_with_higher_bids() {
    let (mut world, mut poster) = world_at_half_the_origin_age(CrashPlan::default()).await;
    let old = recorded(&poster, 2).await;
    // The sequencer seals others on the newest entry.
    rewind(&mut world, &mut poster, 2).await;
    post_on(&mut world, &mut poster, 1, 3).await;
    let again = recorded(&poster, 2).await;
    assert!(again.len() == 3 && again.iter().all(|content| !old.contains(content)));
    let bids = bids(&world.signed(&poster).await);
    assert_eq!(bids.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3], "no other nonce");
    for nonce in 1..=3 {
        let bids = &bids[&nonce];
        assert!(bids.len() >= 2 && bids.is_sorted_by(|a, b| a < b), "nonce {nonce}: {bids:?}");
    }
    assert_eq!(finish(&world, &mut poster).await, 4);
    assert_eq!(on_l1(&world).await[1..], again);
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_batches_after_a_change_of_origin_leave_no_block_behind() {
    let (mut world, mut poster) = world_at_half_the_origin_age(CrashPlan::default()).await;
    let old = recorded(&poster, 2).await;
    rewind(&mut world, &mut poster, 2).await;
    // One batch takes the place of three.
    world.seal_on(1, 3).await;
    world.step_once(&mut poster).await.expect("replaces");
    world.run(&mut poster).await.expect("goes on");
    // The old ones behind it revert, and the poster waits a little.
    world.steps(&mut poster, 4).await.expect("looks");
    post(&mut world, &mut poster, 2).await.expect("posts");
    assert_eq!(finish(&world, &mut poster).await, 4);
    assert!(on_l1(&world).await.iter().all(|content| !old.contains(content)));
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_batch_that_lands_after_all_is_not_posted_twice() {
    let (mut world, mut poster) = world_at_half_the_origin_age(CrashPlan::default()).await;
    let (old, blocks) = (world.signed(&poster).await, world.blocks().to_vec());
    rewind(&mut world, &mut poster, 2).await;
    post_on(&mut world, &mut poster, 1, 3).await;
    // L1 includes the first of the replaced transactions.
    world.anvil.empty_pool().await;
    let raw = Bytes::from(old[1].encoded_2718());
    world.anvil.request("eth_sendRawTransaction", json!([raw])).await;
    world.anvil.mine().await;
    assert_eq!(world.view().await.entries().len(), 3);
    let outcome = world.step_once(&mut poster).await.expect("looks");
    assert_eq!(outcome, StepOutcome::Waits(WaitReason::Journal));
    // The sequencer takes L1's block, and runs the others again on top of it.
    world.rewind(2).await;
    world.append(blocks[1].clone()).await;
    world.seal_on(1, 2).await;
    assert_eq!(finish(&world, &mut poster).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_while_batches_are_replaced_posts_each_block_once() {
    let points =
        [CrashPoint::Packed, CrashPoint::Signed, CrashPoint::Recorded, CrashPoint::Broadcast];
    for point in points {
        // The fifth batch is the first that replaces another one.
        let (mut world, mut dying) =
            world_at_half_the_origin_age(CrashPlan::crash_at(point, 4)).await;
        rewind(&mut world, &mut dying, 2).await;
        world.seal_on(1, 1).await;
        let error = world.step_once(&mut dying).await.expect_err("crashes");
        let planned = error.chain().find_map(|cause| cause.downcast_ref::<PlannedCrash>());
        assert_eq!(planned, Some(&PlannedCrash(point)), "{error:#}");
        drop(dying);
        world.seal_on(1, 1).await;
        let mut poster = world.poster(CrashPlan::default()).await;
        world.step_once(&mut poster).await.expect("goes on");
        world.seal_on(1, 1).await;
        let nonces = bids(&world.signed(&poster).await);
        assert!(nonces.keys().all(|nonce| *nonce < 4), "{point:?}: the same nonces");
        finish(&world, &mut poster).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_could_land_on_too_old_an_origin_are_taken_back() {
    let (mut world, mut poster) = world_with(0).await;
    world.anvil.set_base_fee(GWEI).await;
    world.anvil.mine().await;
    post_on(&mut world, &mut poster, 0, 3).await;
    let origin = world.view().await.entries()[0].entry;
    let age_max = world.genesis.config.origin_age_max;
    world.anvil.set_base_fee(30 * GWEI).await;
    world.anvil.mine_at(origin.l1_time + age_max / 2 + 1).await;
    let outcome = world.step_once(&mut poster).await.expect("looks");
    assert_eq!(outcome, StepOutcome::Waits(WaitReason::Origin));
    assert_eq!(
        recorded(&poster, 1).await.len(),
        1,
        "the first is never too old on the newest entry"
    );
    // The price falls when the others would be.
    world.anvil.set_base_fee(GWEI).await;
    world.anvil.mine_at(origin.l1_time + age_max + 1).await;
    assert_eq!(world.view().await.entries().len(), 2, "the others were cancelled");
    // The sequencer seals their transactions again, on the newest entry.
    world.rewind(2).await;
    world.seal_on(1, 2).await;
    assert_eq!(finish(&world, &mut poster).await, 2);
}
