//! L1's pools refuse blob and ordinary transactions of one account side by side: a change of type
//! waits until none is pending.

use std::{collections::BTreeSet, time::Duration};

use alloy::consensus::{Transaction as _, TxEnvelope};
use serde_json::json;
use turnpike_batcher::{BatchPoster, CrashPlan, DataMode, StepOutcome, WaitReason};

use crate::{
    fixture::{PostingWorld, batcher},
    in_flight::{finish, post},
};

const CALLDATA: &str = "0x2";
const BLOBS: &str = "0x3";

/// How often a test looks for a transaction in the pool.
const LOOKS_MAX: usize = 400;

/// EIP-2718 types of the batcher's transactions in the pool.
async fn pool_types(world: &PostingWorld) -> BTreeSet<String> {
    let pool = world.anvil.request("txpool_content", json!([])).await;
    let address = batcher().address().to_string();
    let of_account = |part: &str| {
        let accounts = pool[part].as_object().expect("accounts").iter();
        let own = accounts.filter(|(account, _)| account.eq_ignore_ascii_case(&address));
        let txs = own.flat_map(|(_, txs)| txs.as_object().expect("by nonce").values());
        txs.map(|tx| tx["type"].as_str().expect("a type").to_owned()).collect::<Vec<_>>()
    };
    of_account("pending").into_iter().chain(of_account("queued")).collect()
}

async fn assert_pool(world: &PostingWorld, tx_type: &str) {
    assert_eq!(pool_types(world).await, BTreeSet::from([tx_type.to_owned()]));
}

/// The same batcher with another configuration.
async fn reopen(world: &mut PostingWorld, poster: BatchPoster, data: DataMode) -> BatchPoster {
    poster.close().await;
    drop(poster);
    world.posting.data = data;
    world.poster(CrashPlan::default()).await
}

/// A new block waits for the transactions of the other type.
async fn assert_waits(world: &PostingWorld, poster: &mut BatchPoster, pending: &str) {
    for _ in 0..2 {
        let outcome = world.step_once(poster).await.expect("looks");
        assert_eq!(outcome, StepOutcome::Waits(WaitReason::InFlight));
        assert_pool(world, pending).await;
    }
}

/// The pool was empty, and holds a transaction of this type now.
async fn assert_sends(world: &PostingWorld, poster: &mut BatchPoster, tx_type: &str) {
    world.step_once(poster).await.expect("posts");
    // A busy L1 may take blobs only after it has failed to answer in time.
    for _ in 0..LOOKS_MAX {
        if world.anvil.has_pending().await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_pool(world, tx_type).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn change_of_type_waits_until_nothing_is_pending() {
    let mut world = PostingWorld::new(DataMode::Calldata).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    post(&mut world, &mut poster, 2).await.expect("posts");
    assert_pool(&world, CALLDATA).await;
    let mut poster = reopen(&mut world, poster, DataMode::Blobs).await;
    world.seal(1).await;
    assert_waits(&world, &mut poster, CALLDATA).await;
    world.anvil.mine().await;
    assert_sends(&world, &mut poster, BLOBS).await;
    let mut poster = reopen(&mut world, poster, DataMode::Calldata).await;
    world.seal(1).await;
    assert_waits(&world, &mut poster, BLOBS).await;
    world.anvil.mine().await;
    assert_sends(&world, &mut poster, CALLDATA).await;
    // A block too large for calldata.
    world.seal_large(120_000).await;
    assert_waits(&world, &mut poster, CALLDATA).await;
    world.anvil.mine().await;
    assert_sends(&world, &mut poster, BLOBS).await;
    world.anvil.mine().await;
    // A reorg makes transactions of both types pending: one after the other is sent again.
    world.step_once(&mut poster).await.expect("looks");
    world.anvil.reorg(2).await;
    world.anvil.empty_pool().await;
    world.step_once(&mut poster).await.expect("sends again");
    assert_pool(&world, CALLDATA).await;
    world.anvil.mine().await;
    world.step_once(&mut poster).await.expect("sends again");
    assert_pool(&world, BLOBS).await;
    assert_eq!(finish(&world, &mut poster).await, 5, "none is packed again");
    let blobs = |tx: &TxEnvelope| tx.blob_versioned_hashes().map_or(0, <[_]>::len);
    let signed = world.signed(&poster).await;
    let by_nonce = signed.iter().map(|tx| (tx.nonce(), blobs(tx))).collect::<BTreeSet<_>>();
    assert_eq!(by_nonce, BTreeSet::from([(0, 0), (1, 0), (2, 1), (3, 0), (4, 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn transaction_that_nobody_wants_does_not_block_the_other_type() {
    let mut world = PostingWorld::new(DataMode::Calldata).await;
    let mut poster = world.poster(CrashPlan::default()).await;
    post(&mut world, &mut poster, 1).await.expect("posts");
    assert_pool(&world, CALLDATA).await;
    // The journal is rewritten with a block too large for calldata, and the pool has lost the
    // transaction of the old one.
    world.anvil.empty_pool().await;
    world.rewind(1).await;
    world.seal_large(120_000).await;
    assert_eq!(finish(&world, &mut poster).await, 1);
    assert_eq!(world.anvil.nonce(batcher().address()).await, 2, "the first nonce was cancelled");
}
