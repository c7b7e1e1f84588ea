use alloy_primitives::{Address, B256};
use axum::{
    Json,
    extract::{RawQuery, State},
};
use serde::Serialize;
use serde_json::{Value, json};
use turnpike_l1::{
    Bisection, Challenge, ChallengeStatus, DisputedOutput, Game, GameEnd, GameMove, GameStatus,
    Phase, Side,
};
use turnpike_protocol::ChainConfig;
use utoipa::ToSchema;

use super::{Answer, Api, Name, parse_index, query::Page};
use crate::{
    openapi::{AddressText, Hash, Malformed, Missing},
    problem::Problem,
};
use turnpike_sequencer::Settlement;

/// How a challenge stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum ChallengeState {
    Open,
    /// The output is rejected.
    Won,
    Failed,
    /// The output fell with another.
    Moot,
}

/// How a game stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum GameState {
    Open,
    ChallengerWon,
    DefenderWon,
    /// The bonds went back.
    Returned,
}

/// Challenges of outputs, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Disputes {
    disputes: Vec<Dispute>,
}

/// A challenge of an output, and its games. Times are L1's, in Unix seconds.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Dispute {
    /// Its index.
    challenge: u64,
    /// The output that it is of.
    output: u64,
    #[schema(value_type = AddressText)]
    challenger: Address,
    state: ChallengeState,
    /// Whether moves can still be made.
    playable: bool,
    started_at: u64,
    /// From then on nobody can take up the defence any more.
    defence_ends_at: u64,
    seconds_to_defend: Option<u64>,
    #[schema(value_type = Hash)]
    l1_transaction: B256,
    games: Vec<GameAnswer>,
    /// The challenger's first bisection; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    opening: Option<MoveAnswer>,
}

/// What a bisection is about: blocks after the parent output, or steps of the machine on one of them.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Disputed {
    /// What positions count: `blocks` or `machine` steps.
    #[schema(value_type = String)]
    phase: Phase,
    first: u64,
    last: u64,
    /// The block whose steps it is about.
    #[schema(inline)]
    block: Option<DisputedBlock>,
}

/// A block that is disputed.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct DisputedBlock {
    entry: u64,
    /// Its place in the entry.
    index: u64,
    /// Its number; null where the entry has fewer blocks.
    number: Option<u64>,
}

/// A game against one defender.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct GameAnswer {
    #[serde(flatten)]
    disputed: Disputed,
    /// Its index.
    game: u64,
    #[schema(value_type = AddressText)]
    defender: Address,
    state: GameState,
    /// `challenger` or `defender`; null if nobody can move.
    #[schema(value_type = Option<String>)]
    to_move: Option<Side>,
    /// When the clock of the one who has to move is over.
    deadline: Option<u64>,
    seconds_left: Option<u64>,
    /// Seconds that the challenger has left.
    challenger_clock: u64,
    /// Seconds that the defender has left.
    defender_clock: u64,
    /// Bisections that were made, the opening counted.
    rounds: usize,
    /// What ended it: `by` is `proof`, with what was `claimed` and what the `state` is, or `clock`.
    #[schema(value_type = Option<Object>)]
    end: Option<Value>,
    /// All moves; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    moves: Option<Vec<MoveAnswer>>,
}

/// A move: a bisection.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MoveAnswer {
    #[serde(flatten)]
    disputed: Disputed,
    /// `challenger` or `defender`.
    #[schema(value_type = String)]
    side: Side,
    at: u64,
    #[schema(value_type = Hash)]
    l1_transaction: B256,
    #[schema(value_type = Hash)]
    bisection_hash: B256,
}

/// Challenges of outputs, newest first
#[utoipa::path(
    get,
    path = "/v1/disputes",
    tag = "Settlement",
    params(Page),
    responses((status = 200, description = "Challenges and their games, without the moves", body = Disputes), Malformed),
)]
pub(crate) async fn disputes(
    State(shared): Api,
    RawQuery(query): RawQuery,
) -> Answer<Json<Disputes>> {
    let page = Page::parse(query.as_deref())?;
    let settlement = shared.settlement.read().await;
    let scene = Scene { settlement: &settlement, config: &shared.chain.config };
    let challenges = settlement.disputes.challenges();
    let places = page.places(challenges.len());
    let disputes = places.map(|at| scene.summary(&challenges[at])).collect();
    Ok(Json(Disputes { disputes }))
}

/// A challenge, move by move
#[utoipa::path(
    get,
    path = "/v1/disputes/{challenge}",
    tag = "Settlement",
    params(("challenge" = u64, Path, description = "Index of the challenge", example = 0)),
    responses((status = 200, description = "The challenge and its games", body = Dispute), Malformed, Missing),
)]
pub(crate) async fn dispute(State(shared): Api, name: Name) -> Answer<Json<Dispute>> {
    let index = parse_index(&name.0, "a challenge")?;
    let settlement = shared.settlement.read().await;
    let challenge = settlement.disputes.challenge(index);
    let challenge =
        challenge.ok_or_else(|| Problem::not_found(format!("challenge {index} is unknown")))?;
    let scene = Scene { settlement: &settlement, config: &shared.chain.config };
    Ok(Json(scene.whole(challenge)))
}

/// What disputes are seen in.
#[derive(Clone, Copy, Debug)]
struct Scene<'a> {
    settlement: &'a Settlement,
    config: &'a ChainConfig,
}

impl Scene<'_> {
    fn summary(&self, challenge: &Challenge) -> Dispute {
        let games = self.settlement.disputes.games_of(challenge.index);
        let games = games.map(|game| self.game(challenge, game)).collect();
        self.challenge(challenge, games)
    }

    /// The same with all moves.
    fn whole(&self, challenge: &Challenge) -> Dispute {
        let games = self.settlement.disputes.games_of(challenge.index).map(|game| {
            let mut answer = self.game(challenge, game);
            // The challenge's opening comes before: the defender moves first.
            let sides = [Side::Defender, Side::Challenger].into_iter().cycle();
            let moves = game.moves.iter().zip(sides);
            answer.moves =
                Some(moves.map(|(made, side)| self.move_of(challenge, made, side)).collect());
            answer
        });
        let mut answer = self.challenge(challenge, games.collect());
        answer.opening = Some(self.move_of(challenge, &challenge.opening, Side::Challenger));
        answer
    }

    fn challenge(&self, challenge: &Challenge, games: Vec<GameAnswer>) -> Dispute {
        let playable = self.is_playable(challenge);
        let defence_ends_at = challenge.started_at.saturating_add(self.config.game_clock);
        Dispute {
            challenge: challenge.index,
            output: challenge.output,
            challenger: challenge.challenger,
            state: match challenge.status {
                ChallengeStatus::Open => ChallengeState::Open,
                ChallengeStatus::Won => ChallengeState::Won,
                ChallengeStatus::Failed => ChallengeState::Failed,
                ChallengeStatus::Moot => ChallengeState::Moot,
            },
            playable,
            started_at: challenge.started_at,
            defence_ends_at,
            seconds_to_defend: self.seconds_to(defence_ends_at).filter(|_| playable),
            l1_transaction: challenge.opening.l1_transaction,
            games,
            opening: None,
        }
    }

    fn game(&self, challenge: &Challenge, game: &Game) -> GameAnswer {
        let is_playable = self.is_playable(challenge);
        let deadline = game.ends_at().filter(|_| is_playable);
        let newest = game.newest(challenge);
        GameAnswer {
            disputed: self.disputed(challenge, &newest.bisection),
            game: game.index,
            defender: game.defender,
            state: match game.status {
                GameStatus::ToMove(_) => GameState::Open,
                GameStatus::Won(Side::Challenger) => GameState::ChallengerWon,
                GameStatus::Won(Side::Defender) => GameState::DefenderWon,
                GameStatus::Returned => GameState::Returned,
            },
            to_move: game.status.to_move().filter(|_| is_playable),
            deadline,
            seconds_left: deadline.and_then(|deadline| self.seconds_to(deadline)),
            challenger_clock: game.challenger_clock,
            defender_clock: game.defender_clock,
            rounds: 1 + game.moves.len(),
            end: game.end.map(end),
            moves: None,
        }
    }

    fn move_of(&self, challenge: &Challenge, made: &GameMove, side: Side) -> MoveAnswer {
        MoveAnswer {
            disputed: self.disputed(challenge, &made.bisection),
            side,
            at: made.at,
            l1_transaction: made.l1_transaction,
            bisection_hash: made.hash,
        }
    }

    fn disputed(&self, challenge: &Challenge, bisection: &Bisection) -> Disputed {
        let block = match bisection.phase {
            Phase::Blocks => None,
            Phase::Machine => self.block(challenge, bisection.block),
        };
        let Bisection { phase, first, last, .. } = *bisection;
        Disputed { phase, first, last, block }
    }

    /// The block between a position and the next: its entry, and its number if the entry has so many.
    fn block(&self, challenge: &Challenge, position: u64) -> Option<DisputedBlock> {
        let outputs = &self.settlement.outputs;
        let per_entry = self.config.entry_blocks_max;
        let output = DisputedOutput::of(outputs, challenge.output, per_entry)?;
        let (entry, index) = output.block_at(position);
        let at = usize::try_from(entry).ok().and_then(|entry| entry.checked_sub(1));
        let number = at.and_then(|at| self.settlement.posted.get(at)).and_then(|range| {
            range.first_block.checked_add(index).filter(|number| *number <= range.last_block)
        });
        Some(DisputedBlock { entry, index, number })
    }

    fn is_playable(&self, challenge: &Challenge) -> bool {
        self.settlement.disputes.is_playable(challenge, &self.settlement.outputs)
    }

    fn seconds_to(&self, time: u64) -> Option<u64> {
        self.settlement.l1.map(|l1| time.saturating_sub(l1.time))
    }
}

fn end(end: GameEnd) -> Value {
    match end {
        GameEnd::StepProven { claimed, state } => {
            json!({ "by": "proof", "claimed": claimed, "state": state })
        }
        GameEnd::TimedOut => json!({ "by": "clock" }),
    }
}
