//! What subscribers receive during reorgs.

use std::sync::Arc;

use alloy_primitives::{B256, keccak256};
use turnpike_storage::{BlockKey, BlockQuery, IndexBatch, IndexRewind};

use super::{
    TestRng, random_step_of,
    test_sequencer::{LOGGER, TestSequencer},
};
use crate::notifications::{
    EventCursor, HeadEvent, LogNotification, MissedEvents, PendingTx, logs_in,
};

/// A subscriber that rebuilds the chain from its notifications.
struct TestSubscriber {
    heads: EventCursor<HeadEvent>,
    logs: EventCursor<HeadEvent>,
    /// Number of the block before the first.
    base: u64,
    /// Hashes of the blocks.
    chain: Vec<B256>,
    /// Topics of their logs, each with its block.
    topics: Vec<(B256, B256)>,
}

impl TestSubscriber {
    async fn new(sequencer: &TestSequencer) -> Self {
        let handles = sequencer.handles();
        let heads = handles.notifications.heads(&handles.chain).await.expect("reads");
        let logs = handles.notifications.heads(&handles.chain).await.expect("reads");
        Self { heads, logs, base: sequencer.head(), chain: Vec::new(), topics: Vec::new() }
    }

    /// Applies the new notifications. Every block builds on the one before, and only the newest is
    /// removed.
    async fn apply_notifications(&mut self, sequencer: &TestSequencer) {
        let handles = sequencer.handles();
        handles.notifications.catch_up(&handles.chain).await.expect("reads");
        while let Some(event) = self.heads.take().expect("in time") {
            match &*event {
                HeadEvent::Added(block) => {
                    self.chain.push(block.hash);
                    assert_eq!(block.number, self.base + self.chain.len() as u64);
                }
                HeadEvent::Removed(block) => {
                    assert_eq!(block.number, self.base + self.chain.len() as u64);
                    assert_eq!(self.chain.pop(), Some(block.hash));
                }
                HeadEvent::Lost => panic!("all blocks are known"),
            }
        }
        let mut notified = Vec::new();
        // One log at a time. The next call continues.
        loop {
            let before = notified.len();
            let show = |log: &LogNotification, is_removed| {
                let log = log.log.clone();
                notified.push((log.topics()[0], log.block_hash.expect("sealed"), is_removed));
            };
            self.logs.logs(1, |log| log.log.address() == LOGGER, show).expect("in time");
            if notified.len() == before {
                break;
            }
        }
        for (topic, block, is_removed) in notified {
            if is_removed {
                assert_eq!(self.topics.pop(), Some((topic, block)), "the newest goes first");
            } else {
                self.topics.push((topic, block));
            }
        }
    }

    /// Asserts that the notifications match the index.
    async fn check(&self, sequencer: &TestSequencer) {
        let database = &sequencer.handles().chain.database;
        let (mut hashes, mut topics) = (Vec::new(), Vec::new());
        for block in database.blocks(self.base + 1, u64::MAX >> 1).await.expect("reads") {
            let hash = block.header.hash_slow();
            hashes.push(hash);
            let logs = logs_in(&block, |log| log.address == LOGGER).expect("decodes");
            topics.extend(logs.iter().map(|log| (log.topics()[0], hash)));
            let query = BlockQuery::new([vec![BlockKey::address(&LOGGER)]]);
            let number = block.header.number;
            let found = database.blocks_with(number, number, &query).await.expect("reads");
            assert_eq!(found.is_empty(), logs.is_empty(), "the index knows block {number}");
        }
        assert_eq!(self.chain, hashes);
        assert_eq!(self.topics, topics);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_receive_removed_and_added_blocks() {
    let mut sequencer = TestSequencer::new().await;
    sequencer.sync().await.expect("follows");
    let mut subscriber = TestSubscriber::new(&sequencer).await;
    for n in 1..=3u8 {
        sequencer.log(0, B256::repeat_byte(n)).await;
        sequencer.log(1, B256::repeat_byte(0x10 + n)).await;
        sequencer.build(1).await;
    }
    subscriber.apply_notifications(&sequencer).await;
    subscriber.check(&sequencer).await;
    let before = subscriber.chain.clone();
    assert_eq!((before.len(), subscriber.topics.len()), (3, 6));
    sequencer.l1.deposit(sequencer.users[2].address());
    assert!(sequencer.l1.force(1));
    sequencer.sync().await.expect("follows");
    subscriber.apply_notifications(&sequencer).await;
    subscriber.check(&sequencer).await;
    assert_eq!(subscriber.chain.len(), 4, "the forced block and three that ran again");
    assert_eq!(subscriber.topics.len(), 6);
    assert!(!before.contains(&subscriber.chain[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriber_receives_removal_of_earlier_blocks() {
    let mut sequencer = TestSequencer::new().await;
    sequencer.sync().await.expect("follows");
    for n in 1..=2u8 {
        sequencer.log(0, B256::repeat_byte(n)).await;
        sequencer.build(1).await;
    }
    let mut late = TestSubscriber::new(&sequencer).await;
    sequencer.l1.deposit(sequencer.users[2].address());
    assert!(sequencer.l1.force(1));
    sequencer.sync().await.expect("follows");
    let handles = Arc::clone(sequencer.handles());
    handles.notifications.catch_up(&handles.chain).await.expect("reads");
    let mut notified = Vec::new();
    let show = |log: &LogNotification, is_removed| notified.push((log.log.topics()[0], is_removed));
    late.logs.logs(10, |_| true, show).expect("they are known");
    let removed = |n| (B256::repeat_byte(n), true);
    assert_eq!(notified[..2], [removed(2), removed(1)], "the newest goes first");
    assert_eq!(notified[2..], [1, 2].map(|n| (B256::repeat_byte(n), false)), "they ran again");
    let blocks = late.heads.blocks(10).expect("in time");
    assert_eq!(blocks.iter().map(|block| block.number).collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriber_gets_missed_error_for_unknown_blocks() {
    let mut sequencer = TestSequencer::new().await;
    sequencer.sync().await.expect("follows");
    sequencer.log(0, B256::ZERO).await;
    sequencer.build(1).await;
    let mut late = TestSubscriber::new(&sequencer).await;
    let handles = Arc::clone(sequencer.handles());
    let to = handles.chain.database.indexed_to().await.expect("reads");
    let rewind = IndexRewind { first_block: 1, reason: String::new(), reorged: Vec::new() };
    let batch = IndexBatch { to, rewind: Some(rewind), ..IndexBatch::default() };
    // The head tracker is not told before the rewind.
    handles.chain.database.index(&batch).await.expect("indexes");
    handles.notifications.catch_up(&handles.chain).await.expect("reads");
    assert_eq!(late.logs.logs(10, |_| true, |_, _| {}), Err(MissedEvents::Lost));
    assert!(late.heads.blocks(10).expect("heads are never missed").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn accepted_transactions_are_reported_once() {
    let mut sequencer = TestSequencer::new().await;
    sequencer.sync().await.expect("follows");
    let before_subscribing = sequencer.send(0).await;
    let mut reader = sequencer.handles().notifications.pending();
    let mut sent = Vec::new();
    for user in [0, 1, 0] {
        sent.push(sequencer.send(user).await);
    }
    // A known transaction is accepted again and not reported.
    let again = sequencer.transfer(1, 0, 0);
    assert!(sequencer.submit(&again).await);
    // This transaction waits behind a nonce gap.
    let early = sequencer.transfer(2, 5, 0);
    assert!(sequencer.submit(&early).await);
    sent.push(early.hash());
    sequencer.build(2).await;
    let mut notified = Vec::<PendingTx>::new();
    reader.transactions(2, |tx| notified.push(tx.clone())).expect("in time");
    assert_eq!(notified.len(), 2, "no more than requested");
    reader.transactions(100, |tx| notified.push(tx.clone())).expect("in time");
    let hashes: Vec<_> = notified.iter().map(|tx| tx.hash).collect();
    assert_eq!(hashes, sent);
    assert!(!hashes.contains(&before_subscribing));
    for PendingTx { hash, signed } in &notified {
        let (raw, _) = signed.as_ref().expect("was here");
        assert_eq!(keccak256(raw), *hash);
    }
}

/// After any random timeline, a subscriber's chain is the node's chain.
#[tokio::test(flavor = "multi_thread")]
async fn subscriber_chain_matches_after_random_timelines() {
    let seeds = if std::env::var_os("TURNPIKE_LONG").is_some() { 500 } else { 10 };
    for seed in 1..=seeds {
        let mut rng = TestRng(0x9e37_79b9_7f4a_7c15u64.wrapping_mul(seed));
        let mut sequencer = TestSequencer::new().await;
        sequencer.sync().await.expect("follows");
        let mut subscriber = TestSubscriber::new(&sequencer).await;
        for step in 0..40u8 {
            if rng.roll(2) == 0 {
                let user = rng.index(sequencer.users.len());
                sequencer.log(user, keccak256([step])).await;
            }
            random_step_of(&mut sequencer, &mut rng, 11).await;
            if rng.roll(3) == 0 {
                subscriber.apply_notifications(&sequencer).await;
            }
        }
        sequencer.sync().await.expect("follows");
        subscriber.apply_notifications(&sequencer).await;
        subscriber.check(&sequencer).await;
    }
}
