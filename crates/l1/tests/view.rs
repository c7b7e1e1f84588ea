//! The view of an L1 that forks and of endpoints that lag. After every successful read the view
//! equals a fresh view.

mod fixture;

use alloy_primitives::{B256, Bytes};
use fixture::{calldata, challenge, deposit, disputes, genesis_output, l1, output, view_of};
use proptest::prelude::*;
use turnpike_l1::{
    Challenge, ChallengeStatus, Game, GameStatus, L1Error, L1View, OutputStatus, PostedEntry,
    ProposedOutput, Reorg, Side,
    memory::{L1Event, MemoryL1},
};
use turnpike_protocol::{QueuedDeposit, pack_blobs};

/// Number of remembered blocks, at least one for each of the latest reads.
const POINTS_MAX: usize = 1_024;

/// The content of a view.
#[derive(Clone, Debug, PartialEq)]
struct Content {
    entries: Vec<PostedEntry>,
    deposits: Vec<QueuedDeposit>,
    outputs: Vec<ProposedOutput>,
    challenges: Vec<Challenge>,
    games: Vec<Game>,
    /// Numbers of each challenge's games.
    games_of: Vec<Vec<u64>>,
    last_read: Option<u64>,
}

fn content(view: &L1View<MemoryL1>) -> Content {
    let disputes = view.disputes();
    let challenges = disputes.challenges();
    let games_of = |challenge: &Challenge| disputes.games_of(challenge.index).map(|it| it.index);
    Content {
        entries: view.entries().to_vec(),
        deposits: view.deposits().to_vec(),
        outputs: view.outputs().to_vec(),
        challenges: challenges.to_vec(),
        games: disputes.games().to_vec(),
        games_of: challenges.iter().map(|it| games_of(it).collect()).collect(),
        last_read: view.last_read(),
    }
}

/// The content of a fresh view, which must equal the contracts' records.
async fn fresh(l1: &MemoryL1) -> Content {
    let content = content(&fixture::fresh_view(l1).await);
    assert_eq!((&content.challenges, &content.games), (&l1.challenges(), &l1.games()));
    assert_eq!(content.outputs, l1.outputs());
    content
}

/// Twelve blocks with deposits, entries and outputs. One output is challenged, and two are final.
fn eventful() -> MemoryL1 {
    let l1 = l1();
    l1.mine(&[deposit(1), deposit(2)]);
    l1.mine(&[calldata(1, 1), L1Event::Forced { deposits: 1 }]);
    l1.mine(&[]);
    l1.mine(&[output(1, 0, 1)]);
    l1.mine(&[deposit(3), calldata(2, 1)]);
    l1.mine(&[output(2, 1, 2), output(3, 1, 3)]);
    l1.mine(&[L1Event::Finalized(1)]);
    let claims = vec![B256::repeat_byte(0xcc); 32];
    l1.mine(&[L1Event::Challenged { output: 3, challenger: fixture::CHALLENGER, claims }]);
    l1.mine(&[calldata(3, 0), L1Event::Finalized(2)]);
    l1.mine(&[deposit(4)]);
    l1
}

#[tokio::test]
async fn view_reads_the_contracts_records() {
    let l1 = eventful();
    l1.finalize(4);
    let mut view = view_of(&l1);
    let advance = view.advance().await.expect("read");
    assert_eq!((advance.reorg, advance.head.finalized), (None, Some(4)));
    assert_eq!((view.entries().len(), view.deposits().len(), view.outputs().len()), (5, 4, 4));
    let statuses: Vec<_> = view.outputs().iter().map(|output| output.status).collect();
    let (is_final, challenged) = (OutputStatus::Final, OutputStatus::Challenged);
    assert_eq!(statuses, [is_final, is_final, is_final, challenged]);
    let again = view.advance().await.expect("nothing new");
    assert_eq!(again, advance);
}

#[tokio::test]
async fn reorg_rewinds_to_the_newest_common_block() {
    for depth in 1..=10 {
        // Read block by block, or all blocks at once.
        for at_once in [true, false] {
            let (l1, whole) = (l1(), eventful());
            let mut view = view_of(&l1);
            for hidden in (0..if at_once { 1 } else { 11 }).rev() {
                l1.switch_to(&whole.fork());
                l1.lag(hidden, hidden);
                view.advance().await.expect("read");
            }
            let number = l1.number();
            l1.reorg(depth);
            for seed in 0..=depth {
                l1.mine(&[deposit(0x40 + u8::try_from(seed).expect("seed fits 8 bits"))]);
            }
            let reorg = view.advance().await.expect("read").reorg.expect("L1 dropped blocks");
            let common = number - depth as u64;
            assert!(reorg.block <= common, "{reorg:?}, depth {depth}");
            assert!(at_once || reorg.block == common, "{reorg:?}, depth {depth}");
            assert_eq!(content(&view), fresh(&l1).await, "depth {depth}");
            assert_eq!(view.advance().await.expect("nothing new").reorg, None);
        }
    }
}

/// Three challenges of an output: the first fails by a proof, the second is won by the clock, and
/// the third is moot.
#[tokio::test]
async fn reorg_rewinds_disputes() {
    let l1 = l1();
    l1.mine(&[calldata(1, 0), calldata(2, 0), calldata(3, 0)]);
    l1.mine(&[output(1, 0, 1), output(2, 1, 2), output(3, 2, 3)]);
    let mut view = view_of(&l1);
    view.advance().await.expect("read");
    let mut contents = vec![content(&view)];
    let mut happen = async |view: &mut L1View<MemoryL1>, event: L1Event| {
        l1.mine(&[event]);
        assert_eq!(view.advance().await.expect("read").reorg, None);
        contents.push(content(view));
    };
    for seed in 1..=3 {
        let event = challenge(&view, 1, seed);
        happen(&mut view, event).await;
    }
    for defended in [0, 0, 1, 2] {
        let event = fixture::defend(&view.disputes().challenges()[defended], 1, 7);
        happen(&mut view, event).await;
    }
    let mut moves = 0;
    while view.disputes().games()[0].end.is_none() {
        moves += 1;
        let event = fixture::play(&view, &view.disputes().games()[0], 0, 0x80 + moves);
        happen(&mut view, event).await;
    }
    assert_eq!(moves, 10, "9 bisections of machine steps and a proof");
    let event = fixture::play(&view, &view.disputes().games()[2], 7, 8);
    happen(&mut view, event).await;
    for event in [
        L1Event::Returned(1),
        L1Event::TimedOut(2),
        L1Event::Resolved(1),
        L1Event::Returned(3),
        L1Event::Voided(2),
        L1Event::Voided(3),
        L1Event::Resolved(2),
    ] {
        happen(&mut view, event).await;
    }

    let challenges = view.disputes().challenges().iter().map(|challenge| challenge.status);
    let (failed, won, moot) =
        (ChallengeStatus::Failed, ChallengeStatus::Won, ChallengeStatus::Moot);
    assert!(challenges.eq([failed, won, moot]));
    let games = view.disputes().games().iter().map(|game| game.status);
    let won = GameStatus::Won;
    let returned = GameStatus::Returned;
    assert!(games.eq([won(Side::Defender), returned, won(Side::Challenger), returned]));
    let statuses: Vec<_> = view.outputs().iter().map(|output| output.status).collect();
    let (is_final, rejected, void) =
        (OutputStatus::Final, OutputStatus::Rejected, OutputStatus::Void);
    assert_eq!(statuses, [is_final, rejected, void, void]);
    assert_eq!(content(&view), fresh(&l1).await);

    let whole = l1.fork();
    for (depth, before) in contents.iter().rev().enumerate() {
        l1.reorg(depth);
        for _ in 0..depth {
            l1.mine(&[]);
        }
        let reorg = view.advance().await.expect("read").reorg;
        assert_eq!(reorg.is_some(), depth > 0);
        let last_read = view.last_read();
        assert_eq!(content(&view), Content { last_read, ..before.clone() }, "depth {depth}");
        // Switch back to the whole chain.
        l1.switch_to(&whole);
        view.advance().await.expect("read");
        assert_eq!(content(&view), contents[contents.len() - 1], "after depth {depth}");
    }
}

#[tokio::test]
async fn reorg_reports_the_remaining_records() {
    let l1 = eventful();
    let mut view = view_of(&l1);
    view.advance().await.expect("read");
    // Drop the block of the last deposit. The blocks before it stay.
    l1.reorg(1);
    l1.mine(&[]);
    let reorg = view.advance().await.expect("read").reorg;
    assert_eq!(reorg, Some(Reorg { block: 10, entries: 5, deposits: 3, outputs: 4 }));
    // Dropping the block that changed a status restores the status.
    l1.reorg(4);
    l1.mine(&[]);
    l1.mine(&[]);
    l1.mine(&[]);
    l1.mine(&[]);
    let reorg = view.advance().await.expect("read").reorg;
    assert_eq!(reorg, Some(Reorg { block: 7, entries: 4, deposits: 3, outputs: 4 }));
    let statuses: Vec<_> = view.outputs().iter().map(|output| output.status).collect();
    let (is_final, proposed) = (OutputStatus::Final, OutputStatus::Proposed);
    assert_eq!(statuses, [is_final, proposed, proposed, proposed]);
}

#[tokio::test]
async fn deposits_get_other_source_hashes_on_another_fork() {
    let l1 = l1();
    let mut view = view_of(&l1);
    l1.mine(&[deposit(1)]);
    l1.mine(&[deposit(2)]);
    view.advance().await.expect("read");
    let before = view.deposits().to_vec();
    l1.reorg(1);
    l1.mine(&[deposit(2)]);
    l1.mine(&[]);
    let reorg = view.advance().await.expect("read").reorg.expect("L1 dropped a block");
    assert_eq!(reorg.deposits, 1);
    assert_eq!(view.deposits()[0], before[0]);
    assert_eq!(view.deposits()[1].deposit, before[1].deposit);
    assert_ne!(view.deposits()[1].hint, before[1].hint);
}

#[tokio::test]
async fn reorg_below_the_remembered_blocks_rereads_everything() {
    let l1 = l1();
    let mut view = view_of(&l1);
    l1.mine(&[calldata(1, 0)]);
    for _ in 0..POINTS_MAX + 10 {
        l1.mine(&[]);
        view.advance().await.expect("read");
    }
    l1.reorg(POINTS_MAX + 9);
    for _ in 0..POINTS_MAX + 20 {
        l1.mine(&[]);
    }
    let reorg = view.advance().await.expect("read").reorg;
    assert_eq!(reorg, Some(Reorg { block: 0, entries: 0, deposits: 0, outputs: 1 }));
    assert_eq!(content(&view), fresh(&l1).await);
}

#[tokio::test]
async fn lagging_endpoint_is_not_taken_for_a_reorg() {
    let l1 = eventful();
    let mut view = view_of(&l1);
    view.advance().await.expect("read");
    let before = content(&view);
    for (head, others) in [(3, 3), (0, 3), (11, 11), (3, 5), (12, 12)] {
        l1.lag(head, others);
        let error = view.advance().await.expect_err("behind what was read");
        assert!(matches!(error, L1Error::NotYet(_)) && error.is_retryable(), "{error}");
        assert_eq!(content(&view), before);
    }
    // New blocks that only L1's head shows.
    l1.lag(0, 1);
    l1.mine(&[calldata(7, 1), deposit(9)]);
    assert!(matches!(view.advance().await, Err(L1Error::NotYet(_))));
    l1.lag(0, 0);
    assert_eq!(view.advance().await.expect("read").reorg, None);
    assert_eq!(content(&view), fresh(&l1).await);
}

#[tokio::test]
async fn missing_log_of_a_game_is_noticed() {
    let l1 = l1();
    l1.mine(&[calldata(1, 0)]);
    l1.mine(&[output(1, 0, 1)]);
    let mut view = view_of(&l1);
    let happen = async |view: &mut L1View<MemoryL1>, event: L1Event| {
        view.advance().await.expect("read");
        let before = content(view);
        let block = l1.mine(&[event]);
        l1.leave_out_last_log(Some(block));
        for _ in 0..2 {
            let error = view.advance().await.expect_err("a log is missing");
            assert!(matches!(error, L1Error::NotYet(_)) && error.is_retryable(), "{error}");
            assert_eq!(content(view), before);
        }
        l1.leave_out_last_log(None);
        view.advance().await.expect("read");
        assert_eq!(content(view), fresh(&l1).await);
    };
    view.advance().await.expect("read");
    let event = challenge(&view, 1, 1);
    happen(&mut view, event).await;
    // The last log of a defence is its first move.
    let event = fixture::defend(&view.disputes().challenges()[0], 1, 7);
    happen(&mut view, event).await;
    for seed in 2..4 {
        let event = fixture::play(&view, &view.disputes().games()[0], 0, seed);
        happen(&mut view, event).await;
    }
}

#[tokio::test]
async fn reorg_to_a_shorter_chain_is_detected() {
    let l1 = eventful();
    let mut view = view_of(&l1);
    view.advance().await.expect("read");
    l1.reorg(4);
    l1.mine(&[deposit(7)]);
    // The new chain is shorter than the chain that was read.
    let reorg = view.advance().await.expect("read").reorg.expect("L1 dropped blocks");
    assert_eq!(reorg.block, 7);
    assert_eq!(content(&view), fresh(&l1).await);
}

#[tokio::test]
async fn confirmations_exclude_the_newest_blocks() {
    let l1 = eventful();
    let mut view = L1View::new(l1.clone(), 2, genesis_output());
    view.advance().await.expect("read");
    assert_eq!(view.last_read(), Some(l1.number() - 2));
    l1.reorg(2);
    l1.mine(&[deposit(8)]);
    l1.mine(&[]);
    assert_eq!(view.advance().await.expect("read").reorg, None);
}

#[tokio::test]
async fn fork_switch_after_any_call_is_detected() {
    for calls in 0..24 {
        let l1 = eventful();
        let mut view = view_of(&l1);
        view.advance().await.expect("read");
        let mut seen = Seen::default();
        seen.take(&view, None);
        l1.mine(&[calldata(5, 1)]);
        l1.mine(&[output(5, 2, 5)]);
        let old = l1.fork();
        l1.reorg(5);
        for seed in 0..6 {
            l1.mine(&[deposit(0x60 + seed), calldata(0x60 + seed, 0)]);
        }
        let new = l1.fork();
        l1.switch_to(&old);
        l1.switch_after(calls, new.clone());
        for _ in 0..6 {
            match view.advance().await {
                Ok(advance) => seen.take(&view, advance.reorg),
                Err(error) => assert!(error.is_retryable(), "{error} after {calls} calls"),
            }
        }
        l1.cancel_switches();
        l1.switch_to(&new);
        let reorg = view.advance().await.expect("read").reorg;
        seen.take(&view, reorg);
        assert_eq!(content(&view), fresh(&l1).await, "after {calls} calls");
        // Switch back during the next reads.
        l1.switch_after(calls, old.clone());
        for _ in 0..6 {
            if let Ok(advance) = view.advance().await {
                seen.take(&view, advance.reorg);
            }
        }
        l1.cancel_switches();
        l1.switch_to(&old);
        l1.mine(&[]);
        let reorg = view.advance().await.expect("read").reorg;
        seen.take(&view, reorg);
        assert_eq!(content(&view), fresh(&l1).await, "back after {calls} calls");
    }
}

#[tokio::test]
async fn payloads_match_the_entries_commitments() {
    let l1 = l1();
    let blobs: Bytes = pack_blobs(&[7; 140_000]).expect("data fits the blobs").into();
    l1.mine(&[
        calldata(1, 0),
        L1Event::Blobs { data: blobs.clone(), deposits: 0, origin: 0 },
        L1Event::Forced { deposits: 0 },
    ]);
    let mut view = view_of(&l1);
    view.advance().await.expect("read");
    let source = view.source(1).await.expect("served").expect("the entry exists");
    assert_eq!(source.as_data().data, [1; 9]);
    let source = view.source(2).await.expect("served").expect("the entry exists");
    assert_eq!(source.as_data().data, &blobs[..]);
    assert_eq!(source.as_data().blob_hashes.len(), 2);
    let source = view.source(3).await.expect("served").expect("the entry exists");
    assert!(source.as_data().data.is_empty());
    assert!(view.source(4).await.expect("served").is_none());
    l1.tamper(view.entries()[2].l1_transaction);
    let error = view.source(2).await.expect_err("tampered");
    assert!(error.to_string().contains("blob 0 has versioned hash"), "{error}");
}

/// What a client of a view knows if it follows the reported reorgs.
#[derive(Default)]
struct Seen {
    entries: Vec<PostedEntry>,
    deposits: Vec<QueuedDeposit>,
    outputs: Vec<B256>,
}

impl Seen {
    fn take(&mut self, view: &L1View<MemoryL1>, reorg: Option<Reorg>) {
        let at = |count: u64| usize::try_from(count).expect("index fits usize");
        if let Some(reorg) = reorg {
            self.entries.truncate(at(reorg.entries));
            self.deposits.truncate(at(reorg.deposits));
            self.outputs.truncate(at(reorg.outputs));
        }
        self.entries.extend(&view.entries()[self.entries.len()..]);
        self.deposits.extend_from_slice(&view.deposits()[self.deposits.len()..]);
        let claims: Vec<_> = view.outputs().iter().map(|output| output.claim).collect();
        // The claim of the genesis output depends on entry 0.
        let old = self.outputs.len().max(1);
        self.outputs.truncate(old);
        if self.outputs.is_empty() {
            self.outputs.push(claims[0]);
        }
        self.outputs[0] = claims[0];
        self.outputs.extend(&claims[self.outputs.len()..]);
        assert_eq!(self.entries, view.entries());
        assert_eq!(self.deposits, view.deposits());
        assert_eq!(self.outputs, claims);
    }
}

/// The next step of a random L1.
#[derive(Clone, Debug)]
enum Step {
    /// A block with this many deposits and then entries. The last entry consumes the queued
    /// deposits.
    Block {
        deposits: u8,
        entries: u8,
        output: bool,
        /// Selects one of the events that are possible for outputs.
        dispute: u8,
    },
    Reorg {
        depth: usize,
        longer: usize,
    },
    Look {
        lag: (usize, usize),
    },
    /// A reorg between two calls of one read.
    Race {
        calls: u32,
        depth: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let block = (0..3u8, 0..3u8, any::<bool>(), any::<u8>()).prop_map(
        |(deposits, entries, output, dispute)| Step::Block { deposits, entries, output, dispute },
    );
    let step = prop_oneof![
        5 => block,
        2 => (1..12usize, 0..3usize).prop_map(|(depth, longer)| Step::Reorg { depth, longer }),
        4 => Just(Step::Look { lag: (0, 0) }),
        1 => (0..4usize, 0..4usize).prop_map(|lag| Step::Look { lag }),
        2 => (0..12u32, 1..6usize).prop_map(|(calls, depth)| Step::Race { calls, depth }),
    ];
    prop::collection::vec(step, 1..60)
}

/// A random L1 and the records of its contracts.
struct Random {
    l1: MemoryL1,
    seed: u8,
}

impl Random {
    async fn block(&mut self, deposits: u8, entries: u8, output_too: bool, dispute: u8) {
        let view = fixture::fresh_view(&self.l1).await;
        let mut events = Vec::new();
        for _ in 0..deposits {
            self.seed = self.seed.wrapping_add(1);
            events.push(deposit(self.seed));
        }
        let consumed = view.entries().last().map_or(0, |posted| posted.entry.deposit_count);
        let queued = view.deposits().len() as u64 + u64::from(deposits) - consumed;
        for entry in 0..entries {
            self.seed = self.seed.wrapping_add(1);
            events.push(calldata(self.seed, if entry == 0 { queued } else { 0 }));
        }
        let entry = view.entries().len() as u64 - 1;
        let mut standing =
            view.outputs().iter().rev().filter(|output| {
                !matches!(output.status, OutputStatus::Rejected | OutputStatus::Void)
            });
        let finals = view.outputs().iter().filter(|output| output.status == OutputStatus::Final);
        let is_final = finals.map(|output| output.entry).max() == Some(entry);
        let parent =
            standing.find(|output| output.entry < entry).filter(|_| output_too && !is_final);
        if let Some(parent) = parent {
            self.seed = self.seed.wrapping_add(1);
            let header = Bytes::from([&[self.seed][..], &self.l1.number().to_be_bytes()].concat());
            let (parent, output) = (parent.index, genesis_output());
            events.push(L1Event::Output { parent, entry, output, header, l2_block: 1 });
        }
        let newest = view.outputs().last().filter(|output| output.status == OutputStatus::Proposed);
        if let (0, Some(newest)) = (dispute % 8, newest) {
            events.push(L1Event::Finalized(newest.index));
        } else {
            let seed = self.seed;
            let mut disputes = disputes(&view, seed);
            if !disputes.is_empty() {
                let chosen = usize::from(dispute) % disputes.len();
                events.push(disputes.swap_remove(chosen));
            }
        }
        self.l1.mine(&events);
    }

    async fn reorg(&mut self, depth: usize, longer: usize) {
        let depth =
            depth.min(usize::try_from(self.l1.number()).expect("block number fits usize") - 1);
        self.l1.reorg(depth);
        for _ in 0..depth + longer {
            self.seed = self.seed.wrapping_add(1);
            let seed = self.seed;
            self.block(seed % 2, seed % 3, seed.is_multiple_of(5), seed.wrapping_mul(37)).await;
        }
    }
}

async fn follows(steps: Vec<Step>) {
    let l1 = l1();
    let mut random = Random { l1: l1.clone(), seed: 0 };
    let mut view = view_of(&l1);
    let mut seen = Seen::default();
    for step in steps {
        match step {
            Step::Block { deposits, entries, output, dispute } => {
                random.block(deposits, entries, output, dispute).await;
            }
            Step::Reorg { depth, longer } => random.reorg(depth, longer).await,
            Step::Look { lag } => {
                l1.lag(lag.0, lag.1);
                match view.advance().await {
                    Ok(advance) => seen.take(&view, advance.reorg),
                    Err(error) => assert!(error.is_retryable(), "{error}"),
                }
                l1.lag(0, 0);
            }
            Step::Race { calls, depth } => {
                let old = l1.fork();
                random.reorg(depth, 1).await;
                let new = l1.fork();
                l1.switch_to(&old);
                l1.switch_after(calls, new.clone());
                match view.advance().await {
                    Ok(advance) => seen.take(&view, advance.reorg),
                    Err(error) => assert!(error.is_retryable(), "{error}"),
                }
                l1.cancel_switches();
                l1.switch_to(&new);
            }
        }
    }
    random.block(1, 1, true, 0).await;
    let reorg = view.advance().await.expect("the source is stable").reorg;
    seen.take(&view, reorg);
    assert_eq!(content(&view), fresh(&l1).await);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn view_of_any_history_equals_a_fresh_view(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(follows(steps));
    }
}
