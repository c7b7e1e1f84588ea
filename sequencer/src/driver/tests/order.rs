//! The order of transactions outlives restarts and reorgs.

use alloy::signers::SignerSync as _;
use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{B256, TxKind};
use turnpike_protocol::SignedTx;

use super::TestSequencer;

/// Submits two transactions of each user while no block is made, in the order of the tips. A slice
/// has room for four of them. Returns the hashes of each user's first.
async fn fill(sequencer: &mut TestSequencer, tips: [u128; 3]) -> Vec<B256> {
    sequencer.handles().control.pause().await.expect("runs");
    let mut sent = Vec::new();
    for (user, tip) in tips.into_iter().chain(tips).enumerate() {
        let user = user % tips.len();
        let tx = TxEip1559 {
            chain_id: sequencer.genesis.config.chain_id,
            nonce: sequencer.next_nonce(user).await,
            gas_limit: sequencer.genesis.config.transaction_gas_limit_max(),
            max_fee_per_gas: 10_000_000_000,
            max_priority_fee_per_gas: tip,
            to: TxKind::Call(sequencer.users[user].address()),
            ..TxEip1559::default()
        };
        let signature = sequencer.users[user].sign_hash_sync(&tx.signature_hash()).expect("signs");
        let tx = SignedTx::recover(tx.into_signed(signature).into());
        assert!(sequencer.submit(&tx).await);
        sent.push(tx.hash());
    }
    sequencer.handles().control.resume().await.expect("runs");
    sent.truncate(tips.len());
    sent
}

/// Block and position of each transaction.
async fn places(sequencer: &TestSequencer, sent: &[B256]) -> Vec<(u64, usize)> {
    let database = &sequencer.handles().chain.database;
    let mut places = Vec::new();
    for hash in sent {
        let place = database.transaction(hash).await.expect("reads").expect("in a block");
        places.push((place.block, place.position));
    }
    places
}

#[tokio::test(flavor = "multi_thread")]
async fn order_by_tip_survives_restarts_and_reruns() {
    let mut sequencer = TestSequencer::new().await;
    sequencer.sync().await.expect("follows");
    let sent = fill(&mut sequencer, [1, 5, 3]).await;
    let promised = sequencer.handles().transactions.wait_preconfirmed(sent[0]).await;
    assert_eq!(promised.expect("runs").index, 3, "it pays least");
    // The restart completes the open block from the journal.
    sequencer.restart().await;
    sequencer.sync().await.expect("follows");
    sequencer.build(1).await;
    assert_eq!(places(&sequencer, &sent).await, [(1, 3), (1, 1), (1, 2)]);
    sequencer.check().await;
    // So does an entry that comes before it.
    sequencer.l1.deposit(sequencer.users[2].address());
    assert!(sequencer.l1.force(1));
    sequencer.sync().await.expect("follows");
    let again = places(&sequencer, &sent).await;
    assert!(again[1] < again[2] && again[2] < again[0], "{again:?}");
    sequencer.check().await;
}
