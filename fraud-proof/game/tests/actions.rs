//! The actions that a player can take, case by case.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, Bytes, keccak256};
use turnpike_game::{Action, PlayerView, ScheduledAction};
use turnpike_l1::{
    Bisection, BisectionAnswer, DisputedOutput, L1View, Segment,
    memory::{L1Event, MemoryL1},
};
use turnpike_protocol::{ChainConfig, Genesis, OutputRoot};

const OWN: Address = Address::repeat_byte(1);
const OTHER: Address = Address::repeat_byte(2);
const OUTPUT: u64 = 1;

/// An L1 with one output on the genesis output, and the player's view of it.
struct Table {
    l1: MemoryL1,
    view: L1View<MemoryL1>,
    config: ChainConfig,
    wrong: BTreeSet<u64>,
    right: BTreeSet<u64>,
}

const fn genesis_output() -> OutputRoot {
    OutputRoot {
        state_root: B256::repeat_byte(1),
        message_passer_storage_root: B256::repeat_byte(2),
        block_hash: B256::repeat_byte(3),
    }
}

fn claims_in(segment: &Segment, seed: u8) -> Vec<B256> {
    let divided = segment.divided(Vec::new(), B256::ZERO);
    divided.positions().map(|position| keccak256([seed, position.to_le_bytes()[0]])).collect()
}

impl Table {
    async fn new() -> Self {
        let mut genesis = Genesis::dev();
        genesis.config.challenge_window = 100;
        let l1 = MemoryL1::new(&genesis, &genesis_output());
        let view = L1View::new(l1.clone(), 0, genesis_output());
        let (wrong, right) = (BTreeSet::new(), BTreeSet::new());
        let mut table = Self { l1, view, config: genesis.config, wrong, right };
        let data = Bytes::from_static(b"a batch");
        table.mine(L1Event::Calldata { data, deposits: 0, origin: 0 }).await;
        let header = Bytes::from_static(b"a header");
        let output = OutputRoot { block_hash: keccak256(&header), ..genesis_output() };
        table.mine(L1Event::Output { parent: 0, entry: 1, output, header, l2_block: 1 }).await;
        table
    }

    /// A table with a wrong output.
    async fn wrong() -> Self {
        Self { wrong: BTreeSet::from([OUTPUT]), ..Self::new().await }
    }

    /// A table with a right output.
    async fn right() -> Self {
        Self { right: BTreeSet::from([OUTPUT]), ..Self::new().await }
    }

    /// Mines a block with this event. Returns its timestamp.
    async fn mine(&mut self, event: L1Event) -> u64 {
        self.l1.mine(&[event]);
        self.view.advance().await.expect("L1 is stable").head.time
    }

    async fn challenge(&mut self, challenger: Address) -> u64 {
        let outputs = self.view.outputs();
        let disputed = DisputedOutput::of(outputs, OUTPUT, self.config.blocks_per_entry_max());
        let claims = claims_in(&disputed.expect("the output exists").segment(), 7);
        self.mine(L1Event::Challenged { output: OUTPUT, challenger, claims }).await
    }

    fn answer(answered: &Bisection, seed: u8) -> BisectionAnswer {
        let claims = claims_in(&answered.segment(0).expect("a bisection has segments"), seed);
        BisectionAnswer { segment: 0, claims, final_state: Bytes::new() }
    }

    async fn defend(&mut self, challenge: u64, defender: Address) -> u64 {
        let opening =
            &self.view.disputes().challenge(challenge).expect("the challenge exists").opening;
        let answer = Self::answer(&opening.bisection, 8);
        self.mine(L1Event::Defended { challenge, defender, answer }).await
    }

    async fn reply(&mut self, game: u64) -> u64 {
        let disputes = self.view.disputes();
        let played = disputes.game(game).expect("the game exists");
        let challenge = disputes.challenge(played.challenge).expect("the challenge exists");
        let answer = Self::answer(&played.newest(challenge).bisection, 9);
        self.mine(L1Event::Moved { game, answer }).await
    }

    /// Actions with their deadlines at L1 time `l1_time`.
    fn actions(&self, l1_time: u64) -> Vec<(Action, u64)> {
        let view = PlayerView {
            own: OWN,
            l1_time,
            config: &self.config,
            outputs: self.view.outputs(),
            disputes: self.view.disputes(),
            to_challenge: &self.wrong,
            to_defend: &self.right,
        };
        view.actions()
            .into_iter()
            .map(|ScheduledAction { deadline, action }| (action, deadline))
            .collect()
    }
}

const CHALLENGE: Action = Action::Challenge { output: OUTPUT };
const NEVER: u64 = u64::MAX;

#[tokio::test]
async fn wrong_output_is_challenged_while_its_window_is_open() {
    let table = Table::wrong().await;
    let proposed_at = table.view.outputs()[1].proposed_at;
    let last = proposed_at + 99;
    assert_eq!(table.actions(proposed_at), [(CHALLENGE, last)]);
    assert_eq!(table.actions(last - 1), [(CHALLENGE, last)]);
    assert_eq!(table.actions(last), [], "a challenge in the next block would be too late");
}

#[tokio::test]
async fn unjudged_output_needs_no_action() {
    let mut table = Table::new().await;
    let now = table.challenge(OTHER).await;
    assert_eq!(table.actions(now), []);
}

#[tokio::test]
async fn wrong_output_is_challenged_once_despite_other_challenges() {
    let mut table = Table::wrong().await;
    let now = table.challenge(OTHER).await;
    assert_eq!(table.actions(now).first().map(|(action, _)| *action), Some(CHALLENGE));
    let now = table.challenge(OWN).await;
    assert_eq!(table.actions(now), []);
}

#[tokio::test]
async fn challenge_lost_by_the_clock_is_repeated() {
    let mut table = Table::wrong().await;
    table.challenge(OWN).await;
    table.defend(0, OTHER).await;
    let now = table.mine(L1Event::TimedOut(0)).await;
    assert_eq!(table.actions(now).first().map(|(action, _)| *action), Some(CHALLENGE));
}

#[tokio::test]
async fn won_challenge_is_resolved_after_the_time_to_defend() {
    let mut table = Table::wrong().await;
    let now = table.challenge(OWN).await;
    let resolve = Action::Resolve { challenge: 0 };
    assert_eq!(table.actions(now + 60), []);
    assert_eq!(table.actions(now + 61), [(resolve, NEVER)]);
    table.defend(0, OTHER).await;
    let actions = table.actions(now + 61);
    assert!(actions.iter().all(|(action, _)| *action != resolve), "a game is open: {actions:?}");
    table.reply(0).await;
    table.mine(L1Event::TimedOut(0)).await;
    assert_eq!(table.actions(now + 61), [(resolve, NEVER)]);
    let now = table.mine(L1Event::Resolved(0)).await;
    assert_eq!(table.actions(now), []);
}

#[tokio::test]
async fn moot_challenge_is_resolved_for_its_bond() {
    let mut table = Table::wrong().await;
    table.challenge(OTHER).await;
    let now = table.challenge(OWN).await;
    table.mine(L1Event::Resolved(0)).await;
    assert_eq!(table.actions(now), [(Action::Resolve { challenge: 1 }, NEVER)]);
}

#[tokio::test]
async fn right_output_is_defended_once_per_challenge() {
    let mut table = Table::right().await;
    let (first, second) = (Action::Defend { challenge: 0 }, Action::Defend { challenge: 1 });
    let start = table.challenge(OTHER).await;
    let later = table.challenge(OTHER).await;
    assert_eq!(table.actions(later), [(first, start + 60), (second, later + 60)]);
    table.defend(0, OTHER).await;
    assert_eq!(
        table.actions(later).len(),
        2,
        "each challenge is defended, as another defender may lose on purpose"
    );
    table.defend(0, OWN).await;
    assert_eq!(table.actions(later), [(second, later + 60)]);
    assert_eq!(table.actions(later + 59), [(second, later + 60)]);
    let too_late = table.actions(later + 60);
    assert!(too_late.iter().all(|(action, _)| *action != second), "{too_late:?}");
}

#[tokio::test]
async fn own_challenge_is_never_defended() {
    let mut table = Table::right().await;
    let now = table.challenge(OWN).await;
    assert_eq!(table.actions(now), []);
}

#[tokio::test]
async fn mover_moves_and_other_side_times_out() {
    let mut table = Table::right().await;
    table.challenge(OTHER).await;
    let now = table.defend(0, OWN).await;
    let time_out = Action::TimeOut { game: 0 };
    // The challenger's clock is full.
    assert_eq!(table.actions(now), []);
    assert_eq!(table.actions(now + 60), []);
    assert_eq!(table.actions(now + 61), [(time_out, NEVER)]);
    // The defender's clock has lost the 12 seconds until the defence.
    let now = table.reply(0).await;
    let by = now + 48;
    assert_eq!(table.actions(now), [(Action::Move { game: 0 }, by)]);
    assert_eq!(table.actions(by - 1), [(Action::Move { game: 0 }, by)]);
    assert_eq!(table.actions(by), [], "the move would be too late");
    let now = table.reply(0).await;
    assert_eq!(table.actions(now), [], "the other side moves next");
}

#[tokio::test]
async fn games_of_other_accounts_need_no_action() {
    let mut table = Table::new().await;
    table.challenge(OTHER).await;
    let now = table.defend(0, Address::repeat_byte(3)).await;
    assert_eq!(table.actions(now), []);
    assert_eq!(table.actions(now + 1_000), []);
}

#[tokio::test]
async fn bond_of_game_decided_elsewhere_is_returned() {
    let mut table = Table::right().await;
    table.challenge(OTHER).await;
    table.defend(0, OTHER).await;
    let now = table.defend(0, OWN).await;
    // The challenger's clock runs out in the other defender's game, which decides this game as
    // well.
    table.mine(L1Event::TimedOut(0)).await;
    assert_eq!(table.actions(now), [(Action::ReturnBond { game: 1 }, NEVER)]);
    table.mine(L1Event::Returned(1)).await;
    assert_eq!(table.actions(now), []);
}

#[tokio::test]
async fn earliest_deadline_comes_first() {
    let mut table = Table::right().await;
    table.challenge(OTHER).await;
    table.defend(0, OWN).await;
    let replied = table.reply(0).await;
    let challenged = table.challenge(OTHER).await;
    let (game, challenge) = (Action::Move { game: 0 }, Action::Defend { challenge: 1 });
    assert_eq!(table.actions(challenged), [(game, replied + 48), (challenge, challenged + 60)]);
}
