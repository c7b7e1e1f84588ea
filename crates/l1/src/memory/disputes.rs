//! The `Dispute` contract in [`MemoryL1`](super::MemoryL1).

use alloy_primitives::{Address, B256, U256};

use super::builder::{BlockBuilder, at};
use crate::{
    Bisection, BisectionAnswer, Challenge, ChallengeStatus, Dispute, DisputedOutput, EndedAt, Game,
    GameEnd, GameMove, GameStatus, OutputStatus, Phase, Rollup, Segment, Side,
};

/// A fixed hash in place of the machine's first state.
const INITIAL_STATE: B256 = B256::repeat_byte(0x11);

/// Models the `Dispute` contract without checks of final states and clocks.
impl BlockBuilder {
    pub(super) fn challenge(&mut self, output: u64, challenger: Address, claims: &[B256]) {
        let outputs = &self.block.contracts.outputs;
        let disputed = DisputedOutput::of(outputs, output, self.config.blocks_per_entry_max());
        let segment = disputed.expect("an output that can be challenged").segment();
        let status = outputs[at(output)].status;
        let is_open = matches!(status, OutputStatus::Proposed | OutputStatus::Challenged);
        assert!(is_open, "a decided output cannot be challenged");
        let claim = self.set_status(output, OutputStatus::Challenged);
        let open_challenges = self.open_challenges(output) + 1;
        self.log(
            self.deployment.rollup,
            &Rollup::OutputChallenged {
                index: U256::from(output),
                claim,
                openChallenges: open_challenges,
            },
        );
        let opening = self.made(&segment, claims);
        let challenge = Challenge {
            index: self.block.contracts.challenges.len() as u64,
            output,
            challenger,
            started_at: self.block.header.time,
            opening,
            status: ChallengeStatus::Open,
            ended: None,
        };
        let event = Dispute::ChallengeOpened {
            challenge: U256::from(challenge.index),
            output: U256::from(output),
            challenger,
            bisectionHash: challenge.opening.hash,
            bisection: (&challenge.opening.bisection).into(),
        };
        self.block.contracts.challenges.push(challenge);
        self.log(self.deployment.dispute, &event);
    }

    pub(super) fn defend(&mut self, challenge: u64, defender: Address, answer: &BisectionAnswer) {
        self.assert_playable(challenge);
        let index = self.block.contracts.games.len() as u64;
        self.block.contracts.games.push(Game {
            index,
            challenge,
            defender,
            moves: Vec::new(),
            status: GameStatus::ToMove(Side::Defender),
            challenger_clock: self.config.game_clock,
            defender_clock: self.config.game_clock,
            end: None,
            ended: None,
        });
        let (game, challenge) = (U256::from(index), U256::from(challenge));
        self.log(self.deployment.dispute, &Dispute::GameOpened { game, challenge, defender });
        self.play(index, answer);
    }

    /// The side that moves next answers.
    pub(super) fn play(&mut self, index: u64, answer: &BisectionAnswer) {
        let game = self.open_game(index);
        let made = self.made(&self.segment(&game, answer.segment), &answer.claims);
        let mover = game.status.to_move().expect("invariant: it is open");
        let moved_at = match game.moves.last() {
            Some(newest) => newest.at,
            None => self.block.contracts.challenges[at(game.challenge)].started_at,
        };
        let elapsed = self.block.header.time - moved_at;
        let increment = self.config.game_increment;
        let left = |clock: u64| clock.saturating_sub(elapsed).max(increment);
        let game = &mut self.block.contracts.games[at(index)];
        match mover {
            Side::Challenger => game.challenger_clock = left(game.challenger_clock),
            Side::Defender => game.defender_clock = left(game.defender_clock),
        }
        game.status = GameStatus::ToMove(mover.other());
        let seconds = |clock: u64| clock.try_into().expect("the clock fits its type");
        let event = Dispute::Moved {
            game: U256::from(index),
            bisectionHash: made.hash,
            status: game_status(game.status),
            challengerClock: seconds(game.challenger_clock),
            defenderClock: seconds(game.defender_clock),
            bisection: (&made.bisection).into(),
        };
        game.moves.push(made);
        self.log(self.deployment.dispute, &event);
    }

    pub(super) fn prove(&mut self, index: u64, segment: u64, state: B256) {
        let game = self.open_game(index);
        let step = self.segment(&game, segment);
        assert_eq!(
            (step.phase, step.length()),
            (Phase::Machine, 1),
            "only a single step can be proven"
        );
        assert_ne!(state, step.end, "a correct step cannot be proven wrong");
        let end = GameEnd::StepProven { claimed: step.end, state };
        self.block.contracts.games[at(index)].end = Some(end);
        let event = Dispute::StepProven { game: U256::from(index), claimed: step.end, state };
        self.log(self.deployment.dispute, &event);
        self.end(index, game.status.to_move().expect("invariant: it is open"));
    }

    pub(super) fn time_out(&mut self, index: u64) {
        let game = self.open_game(index);
        self.block.contracts.games[at(index)].end = Some(GameEnd::TimedOut);
        self.log(self.deployment.dispute, &Dispute::TimedOut { game: U256::from(index) });
        self.end(index, game.status.to_move().expect("invariant: it is open").other());
    }

    pub(super) fn resolve(&mut self, index: u64) {
        let contracts = &self.block.contracts;
        let challenge = &contracts.challenges[at(index)];
        assert_eq!(
            challenge.status,
            ChallengeStatus::Open,
            "a resolved challenge cannot be resolved again"
        );
        let output = challenge.output;
        if contracts.outputs[at(output)].status == OutputStatus::Rejected {
            self.end_challenge(index, ChallengeStatus::Moot);
            return;
        }
        let mut games = contracts.games.iter().filter(|game| game.challenge == index);
        assert!(
            games.all(|game| game.status.to_move().is_none()),
            "every game of the challenge must be over"
        );
        self.end_challenge(index, ChallengeStatus::Won);
        let claim = self.set_status(output, OutputStatus::Rejected);
        let event = Rollup::OutputRejected { index: U256::from(output), claim };
        self.log(self.deployment.rollup, &event);
    }

    pub(super) fn return_bond(&mut self, index: u64) {
        let game = &self.block.contracts.games[at(index)];
        assert!(game.status.to_move().is_some(), "a returned bond cannot be returned again");
        assert!(!self.is_playable(game.challenge), "the game can still be played");
        self.end_game(index, GameStatus::Returned);
    }

    fn end(&mut self, game: u64, winner: Side) {
        self.end_game(game, GameStatus::Won(winner));
        if winner == Side::Challenger {
            return;
        }
        let challenge = self.block.contracts.games[at(game)].challenge;
        self.end_challenge(challenge, ChallengeStatus::Failed);
        let output = self.block.contracts.challenges[at(challenge)].output;
        let open_challenges = self.open_challenges(output);
        let is_open = open_challenges != 0;
        let status = if is_open { OutputStatus::Challenged } else { OutputStatus::Proposed };
        let claim = self.set_status(output, status);
        self.log(
            self.deployment.rollup,
            &Rollup::OutputUpheld {
                index: U256::from(output),
                claim,
                openChallenges: open_challenges,
            },
        );
    }

    fn end_game(&mut self, index: u64, status: GameStatus) {
        let ended = Some(self.ended());
        let game = &mut self.block.contracts.games[at(index)];
        (game.status, game.ended) = (status, ended);
        let (game, status) = (U256::from(index), game_status(status));
        self.log(self.deployment.dispute, &Dispute::GameEnded { game, status });
    }

    fn end_challenge(&mut self, index: u64, status: ChallengeStatus) {
        let ended = Some(self.ended());
        let challenge = &mut self.block.contracts.challenges[at(index)];
        (challenge.status, challenge.ended) = (status, ended);
        let (challenge, status) = (U256::from(index), challenge_status(status));
        self.log(self.deployment.dispute, &Dispute::ChallengeEnded { challenge, status });
    }

    /// Records an end at the next log.
    fn ended(&self) -> EndedAt {
        EndedAt { at: self.block.header.time, l1_transaction: self.transaction() }
    }

    /// The next move: claims within a segment.
    fn made(&self, segment: &Segment, claims: &[B256]) -> GameMove {
        assert!(
            segment.phase == Phase::Blocks || segment.length() > 1,
            "a single step must be proven, not divided"
        );
        let bisection = segment.divided(claims.to_vec(), INITIAL_STATE);
        assert_eq!(claims.len(), bisection.positions().count(), "one claim for each segment");
        let hash = bisection.hash();
        GameMove { bisection, hash, at: self.block.header.time, l1_transaction: self.transaction() }
    }

    /// A segment of a game's newest move.
    fn segment(&self, game: &Game, segment: u64) -> Segment {
        let challenge = &self.block.contracts.challenges[at(game.challenge)];
        let newest: &Bisection = &game.newest(challenge).bisection;
        newest.segment(segment).expect("the segment exists")
    }

    fn open_game(&self, index: u64) -> Game {
        let game = self.block.contracts.games[at(index)].clone();
        assert!(game.status.to_move().is_some(), "the game is over");
        self.assert_playable(game.challenge);
        game
    }

    fn assert_playable(&self, challenge: u64) {
        assert!(self.is_playable(challenge), "the challenge is decided");
    }

    fn is_playable(&self, challenge: u64) -> bool {
        let contracts = &self.block.contracts;
        let Challenge { status, output, .. } = contracts.challenges[at(challenge)];
        status == ChallengeStatus::Open
            && contracts.outputs[at(output)].status != OutputStatus::Rejected
    }

    fn open_challenges(&self, output: u64) -> u64 {
        let challenges = self.block.contracts.challenges.iter();
        let is_open = |challenge: &&Challenge| {
            challenge.output == output && challenge.status == ChallengeStatus::Open
        };
        challenges.filter(is_open).count() as u64
    }
}

const fn game_status(status: GameStatus) -> u8 {
    match status {
        GameStatus::ToMove(Side::Challenger) => 1,
        GameStatus::ToMove(Side::Defender) => 2,
        GameStatus::Won(Side::Challenger) => 3,
        GameStatus::Won(Side::Defender) => 4,
        GameStatus::Returned => 5,
    }
}

const fn challenge_status(status: ChallengeStatus) -> u8 {
    match status {
        ChallengeStatus::Open => 1,
        ChallengeStatus::Won => 2,
        ChallengeStatus::Failed => 3,
        ChallengeStatus::Moot => 4,
    }
}
