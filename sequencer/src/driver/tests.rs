//! Reorgs: L1 holds other blocks than the sequencer, or drops its newest blocks.

mod l1;
mod notifications;
mod order;
mod rerun;
pub(crate) mod test_sequencer;
mod waiting;

use turnpike_executor::RECENT_STATES;

use self::test_sequencer::TestSequencer;
use super::ReorgStep;

/// When an included transaction was received, in Unix milliseconds.
async fn received_at(sequencer: &TestSequencer, hash: &alloy_primitives::B256) -> u64 {
    let database = &sequencer.handles().chain.database;
    let place = database.transaction(hash).await.expect("reads").expect("in a block");
    let times = database.block_times(place.block).await.expect("reads");
    assert!(times.sealed_ms.is_some());
    let times = times.parts.of(place.position);
    assert!(times.preconfirmed_ms >= times.received_ms);
    times.received_ms.expect("is known")
}

#[tokio::test(flavor = "multi_thread")]
async fn forced_entry_replaces_unposted_blocks() {
    let mut sequencer = TestSequencer::new().await;
    sequencer.sync().await.expect("follows");
    sequencer.send(0).await;
    sequencer.build(1).await;
    assert!(sequencer.post(10).await);
    sequencer.sync().await.expect("follows");
    let sent = [sequencer.send(0).await, sequencer.send(1).await, sequencer.send(0).await];
    sequencer.build(2).await;
    let mut received = Vec::new();
    for hash in &sent {
        received.push(received_at(&sequencer, hash).await);
    }
    sequencer.l1.deposit(sequencer.users[2].address());
    assert!(sequencer.l1.force(1));
    sequencer.sync().await.expect("follows");
    sequencer.check().await;
    assert_eq!(sequencer.head(), 4, "a posted block, the forced one, and two that ran again");
    let database = std::sync::Arc::clone(&sequencer.handles().chain.database);
    for (at, hash) in sent.iter().enumerate() {
        let from = database.reorged_from(hash).await.expect("reads").expect("was rewound");
        assert_eq!((from.block, from.reason.as_str()), (2, "forced: inbox entry 2 was forced"));
        let place = database.transaction(hash).await.expect("reads").expect("in a block");
        assert_eq!((place.block, place.position), (3, at));
        assert_eq!(received_at(&sequencer, hash).await, received[at], "it was received once");
    }
    assert!(sequencer.post(10).await);
    sequencer.sync().await.expect("follows");
    sequencer.check().await;
    assert_eq!(sequencer.handles().settlement.read().await.safe(), 4);
    assert_eq!(database.reorg_count().await.expect("reads"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn rewound_transactions_that_cannot_be_included_are_refused() {
    let mut sequencer = TestSequencer::new().await;
    sequencer.sync().await.expect("follows");
    let lost = sequencer.send(0).await;
    let next = sequencer.send(0).await;
    let same = sequencer.send(1).await;
    sequencer.build(1).await;
    let foreign = sequencer.transfer(0, 0, 9);
    let own = sequencer.transfer(1, 0, 0);
    sequencer.l1.post_foreign(vec![foreign.clone(), own]);
    sequencer.sync().await.expect("follows");
    sequencer.check().await;
    let database = &sequencer.handles().chain.database;
    let reason = database.refusal(&lost).await.expect("reads").expect("refused");
    assert!(reason.contains("skipped") && reason.contains("inbox entry 1"), "{reason}");
    let place = database.transaction(&next).await.expect("reads").expect("ran again");
    assert_eq!((place.block, place.position), (2, 0));
    assert!(database.transaction(&foreign.hash()).await.expect("reads").is_some());
    let place = database.transaction(&same).await.expect("reads").expect("L1 holds it");
    assert_eq!((place.block, place.position), (1, 2));
    let from = database.reorged_from(&same).await.expect("reads").expect("moved");
    assert_eq!(from.block, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn reorg_below_kept_states_executes_the_journal_again() {
    let mut sequencer = TestSequencer::new().await;
    sequencer.sync().await.expect("follows");
    sequencer.send(0).await;
    sequencer.build(1).await;
    assert!(sequencer.post(10).await);
    sequencer.sync().await.expect("follows");
    let unposted = RECENT_STATES.blocks_max as u64 + 10;
    for _ in 0..unposted {
        sequencer.send(1).await;
        sequencer.build(1).await;
    }
    assert!(sequencer.handles().chain.read().await.oldest_state() > 2);
    sequencer.l1.deposit(sequencer.users[0].address());
    assert!(sequencer.l1.force(1));
    for step in [ReorgStep::Rewound, ReorgStep::Executed, ReorgStep::Journaled] {
        assert!(sequencer.sync_until(step).await.is_err(), "stops after {step:?}");
        sequencer.restart().await;
    }
    sequencer.sync().await.expect("follows");
    sequencer.check().await;
    assert_eq!(sequencer.head(), 2 + unposted);
    sequencer.build(2).await;
    sequencer.check().await;
    sequencer.restart().await;
    sequencer.sync().await.expect("follows");
    sequencer.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_between_reorg_steps_loses_nothing() {
    for step in [ReorgStep::Rewound, ReorgStep::Executed, ReorgStep::Journaled] {
        let mut sequencer = TestSequencer::new().await;
        sequencer.sync().await.expect("follows");
        let sent = [sequencer.send(0).await, sequencer.send(1).await];
        sequencer.build(2).await;
        sequencer.l1.deposit(sequencer.users[2].address());
        assert!(sequencer.l1.force(1));
        assert!(sequencer.sync_until(step).await.is_err(), "stops after {step:?}");
        sequencer.restart().await;
        sequencer.sync().await.expect("follows");
        sequencer.check().await;
        assert_eq!(sequencer.head(), 3, "the forced block and two that ran again");
        for (position, hash) in sent.into_iter().enumerate() {
            let database = &sequencer.handles().chain.database;
            let place = database.transaction(&hash).await.expect("reads").expect("in a block");
            assert_eq!((place.block, place.position), (2, position), "after {step:?}");
            received_at(&sequencer, &hash).await;
        }
        assert_eq!(sequencer.handles().chain.database.reorg_count().await.expect("reads"), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_reorg_removes_dropped_data_from_unposted_blocks() {
    let mut sequencer = TestSequencer::new().await;
    sequencer.sync().await.expect("follows");
    sequencer.send(0).await;
    sequencer.build(1).await;
    assert!(sequencer.post(10).await);
    sequencer.l1.deposit(sequencer.users[2].address());
    sequencer.sync().await.expect("follows");
    let sent = sequencer.send(1).await;
    // These blocks hold the deposit and have the posted entry as their origin.
    sequencer.build(2).await;
    assert_eq!(sequencer.deposits_consumed(), 1);
    sequencer.l1.reorg(1);
    sequencer.sync().await.expect("follows");
    sequencer.check().await;
    assert_eq!((sequencer.head(), sequencer.deposits_consumed()), (1, 0), "the deposit is gone");
    sequencer.build(1).await;
    sequencer.l1.reorg(1);
    sequencer.sync().await.expect("follows");
    sequencer.check().await;
    assert_eq!(sequencer.handles().settlement.read().await.safe(), 0);
    assert_eq!(
        sequencer.head(),
        1,
        "blocks on the dropped entry are rewound, and the entry's block can be posted again"
    );
    sequencer.build(1).await;
    assert!(sequencer.handles().chain.database.transaction(&sent).await.expect("reads").is_some());
    assert!(sequencer.post(10).await);
    sequencer.sync().await.expect("follows");
    sequencer.check().await;
    assert!(sequencer.handles().settlement.read().await.safe() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_database_catches_up_with_l1() {
    let mut sequencer = TestSequencer::new().await;
    sequencer.sync().await.expect("follows");
    for round in 0..3 {
        sequencer.send(round).await;
        sequencer.build(2).await;
        assert!(sequencer.post(10).await);
        sequencer.l1.deposit(sequencer.users[round].address());
        if round == 1 {
            assert!(sequencer.l1.force(1));
        }
        sequencer.sync().await.expect("follows");
    }
    let head = sequencer.handles().chain.read().await.head().clone();
    sequencer.restart_empty().await;
    assert_eq!(sequencer.head(), 0);
    sequencer.sync().await.expect("follows");
    sequencer.check().await;
    assert_eq!(*sequencer.handles().chain.read().await.head(), head);
    assert_eq!(
        sequencer.handles().chain.database.reorg_count().await.expect("reads"),
        0,
        "nothing was rewound"
    );
    sequencer.send(0).await;
    sequencer.build(1).await;
    sequencer.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pending_transaction_included_by_l1_is_not_refused() {
    let mut sequencer = TestSequencer::new().await;
    sequencer.sync().await.expect("follows");
    // The transaction waits behind a nonce gap, which L1 fills.
    let waits = sequencer.transfer(0, 1, 0);
    assert!(sequencer.submit(&waits).await);
    let handles = std::sync::Arc::clone(sequencer.handles());
    let mut wait = Box::pin(handles.transactions.wait_preconfirmed(waits.hash()));
    assert!(futures_util::poll!(&mut wait).is_pending());
    sequencer.l1.post_foreign(vec![sequencer.transfer(0, 0, 9), waits.clone()]);
    sequencer.sync().await.expect("follows");
    sequencer.check().await;
    assert_eq!(handles.transactions.refusal(&waits.hash()).await.expect("reads"), None);
    let place = handles.chain.database.transaction(&waits.hash()).await.expect("reads");
    assert_eq!(place.map(|place| (place.block, place.position)), Some((1, 2)));
    let preconfirmation = wait.await.expect("is answered");
    assert_eq!(
        (preconfirmation.block, preconfirmation.index, preconfirmation.hash()),
        (1, 2, waits.hash())
    );
    sequencer.restart().await;
    let refusal = sequencer.handles().transactions.refusal(&waits.hash()).await.expect("reads");
    assert_eq!(refusal, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_block_uses_an_origin_older_than_a_forced_entry() {
    let mut sequencer = TestSequencer::new().await;
    sequencer.sync().await.expect("follows");
    assert!(sequencer.handles().settlement.read().await.origin.is_some());
    sequencer.l1.deposit(sequencer.users[2].address());
    assert!(sequencer.l1.force(1));
    // The producer resumes before the driver does.
    assert!(sequencer.sync_until(ReorgStep::Journaled).await.is_err());
    assert_eq!(sequencer.handles().settlement.read().await.origin, None);
}

/// A small seeded generator.
struct TestRng(u64);

impl TestRng {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn index(&mut self, sides: usize) -> usize {
        usize::try_from(self.roll(sides as u64)).expect("small")
    }
}

/// After any random timeline, the chain is what L1 gives and then the node's own blocks, and no
/// acknowledged transaction is lost.
#[tokio::test(flavor = "multi_thread")]
async fn random_timelines_follow_l1_and_lose_nothing() {
    let seeds = if std::env::var_os("TURNPIKE_LONG").is_some() { 1_000 } else { 20 };
    for seed in 1..=seeds {
        let mut rng = TestRng(0x9e37_79b9_7f4a_7c15u64.wrapping_mul(seed));
        let mut sequencer = TestSequencer::new().await;
        sequencer.sync().await.expect("follows");
        for _ in 0..40 {
            random_step(&mut sequencer, &mut rng).await;
        }
        sequencer.sync().await.expect("follows");
        sequencer.check().await;
    }
}

async fn random_step(sequencer: &mut TestSequencer, rng: &mut TestRng) {
    random_step_of(sequencer, rng, 14).await;
}

/// Performs one of the first `kinds` random steps. The eleventh and later ones restart the node.
async fn random_step_of(sequencer: &mut TestSequencer, rng: &mut TestRng, kinds: u64) {
    let user = rng.index(sequencer.users.len());
    match rng.roll(kinds) {
        0..=3 => {
            sequencer.send(user).await;
        }
        4 | 5 => sequencer.build(1 + rng.index(3)).await,
        6 => {
            sequencer.post(1 + u32::try_from(rng.roll(4)).expect("small")).await;
        }
        7 => {
            sequencer.l1.force(2);
        }
        8 => {
            // Transactions of another batcher: the pool's own, others, and ones that are skipped.
            let nonce = sequencer.next_nonce(user).await.saturating_sub(rng.roll(3));
            let other = sequencer.transfer(user, nonce, rng.roll(2));
            sequencer.l1.post_foreign(vec![other]);
        }
        9 => sequencer.l1.deposit(sequencer.users[user].address()),
        10 => sequencer.l1.reorg(1 + rng.index(4)),
        11 => {
            sequencer.restart().await;
            sequencer.sync().await.expect("follows");
        }
        12 => {
            let step =
                [ReorgStep::Rewound, ReorgStep::Executed, ReorgStep::Journaled][rng.index(3)];
            if sequencer.sync_until(step).await.is_err() {
                sequencer.restart().await;
                sequencer.sync().await.expect("follows");
            }
        }
        _ => {
            sequencer.sync().await.expect("follows");
            sequencer.check().await;
        }
    }
}
