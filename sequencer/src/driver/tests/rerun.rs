//! Unposted blocks run again on top of entries that the sequencer did not expect.

use std::time::{SystemTime, UNIX_EPOCH};

use alloy_primitives::{B256, keccak256};
use turnpike_storage::SealedInput;

use super::{ReorgStep, test_sequencer::TestSequencer};

const SECONDS_PER_L1_BLOCK: u64 = 12;

/// A sequencer whose L1 has begun just now, so that blocks have times of their own, and which has
/// one posted block.
async fn sequencer() -> TestSequencer {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let mut sequencer = TestSequencer::with_genesis_at(now.as_secs()).await;
    sequencer.sync().await.expect("follows");
    sequencer.send(0).await;
    sequencer.build(1).await;
    assert!(sequencer.post(1).await);
    sequencer.sync().await.expect("follows");
    sequencer
}

/// Makes three unposted blocks, with two deposits and five transactions.
async fn make_unposted(sequencer: &mut TestSequencer) -> Vec<SealedInput> {
    let first = sequencer.head() + 1;
    for round in 0..3 {
        sequencer.send(0).await;
        if round < 2 {
            sequencer.send(1).await;
            sequencer.l1.deposit(sequencer.users[round].address());
            sequencer.sync().await.expect("follows");
        }
        sequencer.build(1).await;
    }
    let unposted = sequencer.journal(first).await;
    assert_eq!(unposted.len(), 3);
    unposted
}

/// Asserts that the newest blocks are what a batch of `old` derives on top of L1's newest entry.
/// `old` are unposted blocks from before a reorg, after a block of time `parent_ms`.
async fn check_derives(sequencer: &TestSequencer, parent_ms: u64, old: &[SealedInput]) {
    let first = sequencer.handles().settlement.read().await.safe() + 1;
    let journal = sequencer.journal(first).await;
    let derived = sequencer.l1.derive_batch(parent_ms, old);
    assert_eq!(journal.len(), derived.len());
    for (record, block) in journal.iter().zip(&derived) {
        assert!(record.is_block(block), "{record:?} is not {block:?}");
    }
    for (record, old) in journal.iter().zip(old) {
        assert_eq!(record.transactions, old.transactions);
    }
}

async fn time_of(sequencer: &TestSequencer, block: u64) -> u64 {
    sequencer.journal(block).await[0].time_ms
}

fn deposits_of(records: &[SealedInput]) -> Vec<Vec<u64>> {
    let indexes =
        |record: &SealedInput| record.deposits.iter().map(|queued| queued.deposit.index).collect();
    records.iter().map(indexes).collect()
}

async fn reorgs(sequencer: &TestSequencer) -> u64 {
    sequencer.handles().chain.database.reorg_count().await.expect("reads")
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_on_forced_entry_are_what_their_batch_derives() {
    let mut sequencer = sequencer().await;
    let parent_ms = time_of(&sequencer, 1).await;
    let old = make_unposted(&mut sequencer).await;
    assert_eq!(deposits_of(&old).concat(), [0, 1]);
    assert!(sequencer.l1.force(1));
    sequencer.sync().await.expect("follows");
    sequencer.check().await;
    assert_eq!(sequencer.head(), 5);
    assert!(time_of(&sequencer, 2).await > parent_ms, "the forced block moves the time on");
    assert_eq!(deposits_of(&sequencer.journal(2).await).concat(), [0, 1]);
    check_derives(&sequencer, parent_ms, &old).await;
    // L1 takes them without another reorg.
    assert!(sequencer.post(10).await);
    sequencer.sync().await.expect("follows");
    sequencer.check().await;
    assert_eq!((sequencer.head(), reorgs(&sequencer).await), (5, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_on_two_forced_entries_are_what_their_batch_derives() {
    let mut sequencer = sequencer().await;
    let parent_ms = time_of(&sequencer, 1).await;
    let old = make_unposted(&mut sequencer).await;
    for count in 1..=2 {
        assert!(sequencer.l1.force(1));
        sequencer.sync().await.expect("follows");
        sequencer.check().await;
        assert_eq!((sequencer.head(), reorgs(&sequencer).await), (4 + count, count));
        check_derives(&sequencer, parent_ms, &old).await;
    }
    let journal = sequencer.journal(1).await;
    assert_eq!(deposits_of(&journal)[1..], [vec![0], vec![1], vec![], vec![], vec![]]);
    assert_eq!(journal[3].origin, journal[2].origin, "the later entry's, which is newer");
    assert!(journal[3].origin.entry > old[0].origin.entry);
    assert!(sequencer.post(10).await);
    sequencer.sync().await.expect("follows");
    sequencer.check().await;
    assert_eq!(reorgs(&sequencer).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn transaction_that_becomes_invalid_is_skipped_and_refused() {
    for step in [None, Some(ReorgStep::Executed), Some(ReorgStep::Journaled)] {
        let mut sequencer = sequencer().await;
        let parent_ms = time_of(&sequencer, 1).await;
        let invalid = sequencer.send(0).await;
        let valid = sequencer.send(1).await;
        sequencer.build(1).await;
        let later = sequencer.send(0).await;
        sequencer.build(1).await;
        let old = sequencer.journal(2).await;
        // The deposit takes the nonce of the first transaction.
        let user = sequencer.users[0].address();
        sequencer.l1.deposit_from(user, user);
        assert!(sequencer.l1.force(1));
        if let Some(step) = step {
            assert!(sequencer.sync_until(step).await.is_err());
            sequencer.restart().await;
        }
        sequencer.sync().await.expect("follows");
        sequencer.check().await;
        check_derives(&sequencer, parent_ms, &old).await;
        let place = |hash: B256| {
            let database = &sequencer.handles().chain.database;
            async move {
                let place = database.transaction(&hash).await.expect("reads");
                place.map(|place| (place.block, place.position))
            }
        };
        assert_eq!(place(invalid).await, None);
        assert_eq!(place(valid).await, Some((3, 0)));
        assert_eq!(place(later).await, Some((4, 0)));
        let transactions = &sequencer.handles().transactions;
        assert!(transactions.waiting(&invalid).is_none());
        let reason = transactions.refusal(&invalid).await.expect("reads").expect("refused");
        assert!(reason.contains("skipped") && reason.contains("was forced"), "{reason}");
        let database = &sequencer.handles().chain.database;
        for hash in [invalid, valid, later] {
            let from = database.reorged_from(&hash).await.expect("reads").expect("changed");
            assert!(from.reason.contains("forced"), "{}", from.reason);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_block_runs_again() {
    let mut sequencer = sequencer().await;
    let complete = sequencer.send(0).await;
    sequencer.build(1).await;
    let open = [sequencer.send(1).await, sequencer.send(0).await];
    sequencer.l1.deposit(sequencer.users[2].address());
    assert!(sequencer.l1.force(1));
    sequencer.sync().await.expect("follows");
    sequencer.check().await;
    assert_eq!(sequencer.head(), 4, "posted, forced, complete, open");
    let database = &sequencer.handles().chain.database;
    let expected = [(complete, (3, 0)), (open[0], (4, 0)), (open[1], (4, 1))];
    for (hash, expected) in expected {
        let place = database.transaction(&hash).await.expect("reads").expect("in a block");
        assert_eq!((place.block, place.position), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_reorg_returns_transactions_to_the_pool() {
    let mut sequencer = sequencer().await;
    let sent = sequencer.send(1).await;
    sequencer.build(1).await;
    // The posted entry was the block's origin.
    sequencer.l1.reorg(1);
    sequencer.sync().await.expect("follows");
    sequencer.check().await;
    assert_eq!(sequencer.head(), 1);
    assert!(sequencer.handles().transactions.waiting(&sent).is_some());
}

/// L1 blocks in half of the age that an origin may have.
fn half_of_origin_age(sequencer: &TestSequencer) -> u64 {
    sequencer.genesis.config.origin_age_max / 2 / SECONDS_PER_L1_BLOCK
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_on_an_old_origin_run_again_on_the_newest_one() {
    let mut sequencer = sequencer().await;
    let old = make_unposted(&mut sequencer).await;
    // Only the first of them lands. The others are on the origin before.
    assert!(sequencer.post(1).await);
    let passed = sequencer.l1.time() - old[1].origin.l1_time;
    let half = half_of_origin_age(&sequencer);
    sequencer.l1.mine(half - passed / SECONDS_PER_L1_BLOCK);
    sequencer.sync().await.expect("follows");
    assert_eq!((sequencer.head(), reorgs(&sequencer).await), (4, 0));
    sequencer.l1.mine(1);
    sequencer.sync().await.expect("follows");
    sequencer.check().await;
    assert_eq!((sequencer.head(), reorgs(&sequencer).await), (4, 1));
    let newest = sequencer.journal(3).await[0].origin;
    assert_eq!(newest.entry, old[0].origin.entry + 1);
    let on_newest = old[1..].iter().map(|block| SealedInput { origin: newest, ..block.clone() });
    check_derives(&sequencer, old[0].time_ms, &on_newest.collect::<Vec<_>>()).await;
    let database = &sequencer.handles().chain.database;
    let moved = keccak256(&old[1].transactions[0]);
    let from = database.reorged_from(&moved).await.expect("reads").expect("moved");
    assert!(from.reason.starts_with("old-origin: "), "{}", from.reason);
    // The age of the newest entry does not count, however long no batch lands.
    sequencer.l1.mine(3 * half);
    sequencer.sync().await.expect("follows");
    assert_eq!(reorgs(&sequencer).await, 1);
    assert!(sequencer.post(10).await);
    sequencer.sync().await.expect("follows");
    sequencer.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_of_a_batch_that_lands_after_all_do_not_run_again() {
    let mut sequencer = sequencer().await;
    let old = make_unposted(&mut sequencer).await;
    assert!(sequencer.post(1).await);
    sequencer.l1.mine(half_of_origin_age(&sequencer) + 1);
    sequencer.sync().await.expect("follows");
    assert_eq!((sequencer.head(), reorgs(&sequencer).await), (4, 1), "two are on a newer origin");
    assert!(sequencer.l1.post_records(&old[1..2]));
    sequencer.sync().await.expect("follows");
    sequencer.check().await;
    assert_eq!(sequencer.head(), 4, "only the last one runs again");
    let origin = sequencer.journal(4).await[0].origin;
    assert_eq!(origin.entry, old[1].origin.entry + 2, "the batch's entry, which is the newest");
    check_derives(&sequencer, old[1].time_ms, &[SealedInput { origin, ..old[2].clone() }]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_block_joins_others_on_an_old_origin() {
    let mut sequencer = sequencer().await;
    sequencer.send(0).await;
    sequencer.build(1).await;
    sequencer.l1.mine(half_of_origin_age(&sequencer) + 1);
    sequencer.sync().await.expect("follows");
    let waits = sequencer.send(0).await;
    sequencer.build(1).await;
    assert_eq!(sequencer.head(), 2, "the age of the origin counts for a second batch");
    assert!(sequencer.handles().transactions.waiting(&waits).is_some());
    assert!(sequencer.post(1).await);
    sequencer.l1.mine(half_of_origin_age(&sequencer) + 1);
    sequencer.sync().await.expect("follows");
    sequencer.build(1).await;
    assert_eq!(sequencer.head(), 3, "the first block after the newest entry is never too late");
    sequencer.check().await;
}
