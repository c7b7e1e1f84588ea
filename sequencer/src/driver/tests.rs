//! What the chain comes to when L1 holds other blocks, or drops what it held.

mod l1;
mod listeners;
pub(crate) mod world;

use turnpike_executor::RECENT_STATES;

use self::world::World;
use super::Step;

/// When a transaction was received that a block holds, in Unix milliseconds.
async fn received_at(world: &World, hash: &alloy_primitives::B256) -> u64 {
    let database = &world.shared().database;
    let place = database.transaction(hash).await.expect("reads").expect("in a block");
    let times = database.block_times(place.block).await.expect("reads");
    assert!(times.sealed_ms.is_some());
    let times = times.parts.of(place.position);
    assert!(times.preconfirmed_ms >= times.received_ms);
    times.received_ms.expect("is known")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_entry_takes_the_place_of_unposted_blocks() {
    let mut world = World::new().await;
    world.sync().await.expect("follows");
    world.send(0).await;
    world.build(1).await;
    assert!(world.post(10).await);
    world.sync().await.expect("follows");
    let sent = [world.send(0).await, world.send(1).await, world.send(0).await];
    world.build(2).await;
    let mut received = Vec::new();
    for hash in &sent {
        received.push(received_at(&world, hash).await);
    }
    world.l1.deposit(world.users[2].address());
    assert!(world.l1.force(1));
    let before = world.head();
    world.sync().await.expect("follows");
    world.check().await;
    assert_eq!(world.head(), 2, "one own block and the forced one");
    assert!(before > 2);
    // They wait in their old order, and the chain goes on with them.
    let database = std::sync::Arc::clone(&world.shared().database);
    for hash in &sent {
        assert!(world.shared().waiting(hash).is_some());
    }
    let from = database.reverted_from(&sent[0]).await.expect("reads").expect("was taken back");
    assert_eq!((from.block, from.reason.as_str()), (2, "inbox entry 2 was forced"));
    world.build(1).await;
    for (at, hash) in sent.iter().enumerate() {
        let place = database.transaction(hash).await.expect("reads").expect("in a block");
        // The attributes of the new origin come first.
        assert_eq!((place.block, place.position), (3, at + 1));
        assert_eq!(received_at(&world, hash).await, received[at], "it was received once");
    }
    world.check().await;
    assert!(world.post(10).await);
    world.sync().await.expect("follows");
    world.check().await;
    assert_eq!(world.shared().settlement.read().await.safe(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_no_longer_be_included_is_refused_with_the_reason() {
    let mut world = World::new().await;
    world.sync().await.expect("follows");
    let lost = world.send(0).await;
    let next = world.send(0).await;
    let same = world.send(1).await;
    world.build(1).await;
    let foreign = world.transfer(0, 0, 9);
    let own = world.transfer(1, 0, 0);
    world.l1.post_foreign(vec![foreign.clone(), own]);
    world.sync().await.expect("follows");
    world.check().await;
    let database = &world.shared().database;
    let reason = database.refusal(&lost).await.expect("reads").expect("refused");
    assert!(reason.contains("nonce too low") && reason.contains("inbox entry 1"), "{reason}");
    assert!(world.shared().waiting(&next).is_some());
    assert!(database.transaction(&foreign.hash()).await.expect("reads").is_some());
    let place = database.transaction(&same).await.expect("reads").expect("L1 holds it");
    assert_eq!((place.block, place.position), (1, 2));
    let from = database.reverted_from(&same).await.expect("reads").expect("moved");
    assert_eq!(from.block, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_states_that_are_kept_the_journal_is_run_again() {
    let mut world = World::new().await;
    world.sync().await.expect("follows");
    world.send(0).await;
    world.build(1).await;
    assert!(world.post(10).await);
    world.sync().await.expect("follows");
    for _ in 0..RECENT_STATES.blocks_max + 10 {
        world.send(1).await;
        world.build(1).await;
    }
    assert!(world.shared().chain.read().await.oldest_state() > 2);
    world.l1.deposit(world.users[0].address());
    assert!(world.l1.force(1));
    for step in [Step::Rewound, Step::Run, Step::Recorded] {
        assert!(world.sync_until(step).await.is_err(), "stops after {step:?}");
        world.restart().await;
    }
    world.sync().await.expect("follows");
    world.check().await;
    assert_eq!(world.head(), 2);
    world.build(2).await;
    world.check().await;
    world.restart().await;
    world.sync().await.expect("follows");
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_between_any_two_steps_loses_nothing() {
    for step in [Step::Rewound, Step::Run, Step::Recorded] {
        let mut world = World::new().await;
        world.sync().await.expect("follows");
        let sent = [world.send(0).await, world.send(1).await];
        world.build(2).await;
        world.l1.deposit(world.users[2].address());
        assert!(world.l1.force(1));
        assert!(world.sync_until(step).await.is_err(), "stops after {step:?}");
        world.restart().await;
        world.sync().await.expect("follows");
        world.check().await;
        assert_eq!(world.head(), 1, "the forced block");
        for hash in sent {
            assert!(world.shared().waiting(&hash).is_some(), "after {step:?}");
        }
        assert_eq!(world.shared().database.reorganisations().await.expect("reads"), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_l1_drops_is_taken_out_of_unposted_blocks() {
    let mut world = World::new().await;
    world.sync().await.expect("follows");
    world.send(0).await;
    world.build(1).await;
    assert!(world.post(10).await);
    world.l1.deposit(world.users[2].address());
    world.sync().await.expect("follows");
    let sent = world.send(1).await;
    // With the deposit, on the posted entry as its origin.
    world.build(2).await;
    assert_eq!(world.deposits_consumed(), 1);
    world.l1.reorg(1);
    world.sync().await.expect("follows");
    world.check().await;
    assert_eq!((world.head(), world.deposits_consumed()), (1, 0), "the deposit is gone");
    world.build(1).await;
    world.l1.reorg(1);
    world.sync().await.expect("follows");
    world.check().await;
    assert_eq!(world.shared().settlement.read().await.safe(), 0);
    assert_eq!(world.head(), 1, "what stood on the entry is gone, its block can be posted again");
    world.build(1).await;
    assert!(world.shared().database.transaction(&sent).await.expect("reads").is_some());
    assert!(world.post(10).await);
    world.sync().await.expect("follows");
    world.check().await;
    assert!(world.shared().settlement.read().await.safe() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_is_brought_up_to_l1() {
    let mut world = World::new().await;
    world.sync().await.expect("follows");
    for round in 0..3 {
        world.send(round).await;
        world.build(2).await;
        assert!(world.post(10).await);
        world.l1.deposit(world.users[round].address());
        if round == 1 {
            assert!(world.l1.force(1));
        }
        world.sync().await.expect("follows");
    }
    let head = world.shared().chain.read().await.head().clone();
    world.restart_empty().await;
    assert_eq!(world.head(), 0);
    world.sync().await.expect("follows");
    world.check().await;
    assert_eq!(*world.shared().chain.read().await.head(), head);
    assert_eq!(
        world.shared().database.reorganisations().await.expect("reads"),
        0,
        "nothing taken back"
    );
    world.send(0).await;
    world.build(1).await;
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_and_l1_includes_is_not_refused() {
    let mut world = World::new().await;
    world.sync().await.expect("follows");
    // Behind a gap, which L1 fills.
    let waits = world.transfer(0, 1, 0);
    assert!(world.submit(&waits).await);
    let shared = std::sync::Arc::clone(world.shared());
    let mut wait = Box::pin(shared.wait_preconfirmed(waits.hash()));
    assert!(futures_util::poll!(&mut wait).is_pending());
    world.l1.post_foreign(vec![world.transfer(0, 0, 9), waits.clone()]);
    world.sync().await.expect("follows");
    world.check().await;
    assert_eq!(shared.refusal(&waits.hash()).await.expect("reads"), None);
    let place = shared.database.transaction(&waits.hash()).await.expect("reads");
    assert_eq!(place.map(|place| (place.block, place.position)), Some((1, 2)));
    let told = wait.await.expect("is told");
    assert_eq!((told.block, told.index, told.hash()), (1, 2, waits.hash()));
    world.restart().await;
    let refusal = world.shared().refusal(&waits.hash()).await.expect("reads");
    assert_eq!(refusal, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_block_begins_on_an_origin_that_a_forced_entry_has_passed() {
    let mut world = World::new().await;
    world.sync().await.expect("follows");
    assert!(world.shared().settlement.read().await.origin.is_some());
    world.l1.deposit(world.users[2].address());
    assert!(world.l1.force(1));
    // The producer goes on before the driver does.
    assert!(world.sync_until(Step::Recorded).await.is_err());
    assert_eq!(world.shared().settlement.read().await.origin, None);
}

/// Numbers that look random.
struct Dice(u64);

impl Dice {
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

/// Whatever happens, the chain is what L1 gives and then the node's own blocks, and nothing acknowledged is lost.
#[tokio::test(flavor = "multi_thread")]
async fn after_any_timeline_the_chain_is_l1s_and_nothing_is_lost() {
    let seeds = if std::env::var_os("TURNPIKE_LONG").is_some() { 1_000 } else { 20 };
    for seed in 1..=seeds {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15u64.wrapping_mul(seed));
        let mut world = World::new().await;
        world.sync().await.expect("follows");
        for _ in 0..40 {
            random_step(&mut world, &mut dice).await;
        }
        world.sync().await.expect("follows");
        world.check().await;
    }
}

async fn random_step(world: &mut World, dice: &mut Dice) {
    random_step_of(world, dice, 14).await;
}

/// One of the first `kinds` things that can happen; from the eleventh on the node starts again.
async fn random_step_of(world: &mut World, dice: &mut Dice, kinds: u64) {
    let user = dice.index(world.users.len());
    match dice.roll(kinds) {
        0..=3 => {
            world.send(user).await;
        }
        4 | 5 => world.build(1 + dice.index(3)).await,
        6 => {
            world.post(1 + u32::try_from(dice.roll(4)).expect("small")).await;
        }
        7 => {
            world.l1.force(2);
        }
        8 => {
            // Another's transactions: the same as the pool's, others, ones that are skipped.
            let nonce = world.next_nonce(user).await.saturating_sub(dice.roll(3));
            let other = world.transfer(user, nonce, dice.roll(2));
            world.l1.post_foreign(vec![other]);
        }
        9 => world.l1.deposit(world.users[user].address()),
        10 => world.l1.reorg(1 + dice.index(4)),
        11 => {
            world.restart().await;
            world.sync().await.expect("follows");
        }
        12 => {
            let step = [Step::Rewound, Step::Run, Step::Recorded][dice.index(3)];
            if world.sync_until(step).await.is_err() {
                world.restart().await;
                world.sync().await.expect("follows");
            }
        }
        _ => {
            world.sync().await.expect("follows");
            world.check().await;
        }
    }
}
