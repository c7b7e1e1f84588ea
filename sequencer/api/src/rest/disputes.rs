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

use super::{Api, Name, RestResult, parse_index, query::Page};
use crate::{
    problem::Problem,
    schema::{AddressText, Hash, Malformed, Missing},
};
use turnpike_sequencer::Settlement;

/// The state of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum ChallengeState {
    Open,
    /// The output is rejected.
    Won,
    Failed,
    /// The output was rejected together with another.
    Moot,
}

/// The state of a game.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum GameState {
    Open,
    ChallengerWon,
    DefenderWon,
    /// The bonds were returned.
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
    /// The challenged output.
    output: u64,
    #[schema(value_type = AddressText)]
    challenger: Address,
    state: ChallengeState,
    /// Whether moves are still possible.
    playable: bool,
    started_at: u64,
    /// When the time to join the defence ends.
    defence_ends_at: u64,
    seconds_to_defend: Option<u64>,
    #[schema(value_type = Hash)]
    l1_transaction: B256,
    games: Vec<GameDetails>,
    /// The challenger's first bisection; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    opening: Option<MoveDetails>,
}

/// The range of a bisection: blocks after the parent output, or machine steps of one of them.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DisputedRange {
    /// The unit of positions: `blocks` or `machine` steps.
    #[schema(value_type = String)]
    phase: Phase,
    first: u64,
    last: u64,
    /// The block whose machine steps are disputed.
    #[schema(inline)]
    block: Option<DisputedBlock>,
}

/// A disputed block.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct DisputedBlock {
    entry: u64,
    /// Its index in the entry.
    index: u64,
    /// Its number. Null if the entry has fewer blocks.
    number: Option<u64>,
}

/// A game against one defender.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct GameDetails {
    #[serde(flatten)]
    disputed: DisputedRange,
    /// Its index.
    game: u64,
    #[schema(value_type = AddressText)]
    defender: Address,
    state: GameState,
    /// `challenger` or `defender`. Null if no move is possible.
    #[schema(value_type = Option<String>)]
    to_move: Option<Side>,
    /// When the clock of the side to move runs out.
    deadline: Option<u64>,
    seconds_left: Option<u64>,
    /// Seconds that the challenger has left.
    challenger_clock: u64,
    /// Seconds that the defender has left.
    defender_clock: u64,
    /// Number of bisections, the opening included.
    rounds: usize,
    /// How it ended: `by` is `proof`, with the `claimed` and the proven `state`, or `clock`.
    #[schema(value_type = Option<Object>)]
    end: Option<Value>,
    /// All moves; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    moves: Option<Vec<MoveDetails>>,
}

/// A move: a bisection.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MoveDetails {
    #[serde(flatten)]
    disputed: DisputedRange,
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
    State(context): Api,
    RawQuery(query): RawQuery,
) -> RestResult<Json<Disputes>> {
    let page = Page::parse(query.as_deref())?;
    let settlement = context.settlement.read().await;
    let view = DisputeView { settlement: &settlement, config: &context.chain.config };
    let challenges = settlement.disputes.challenges();
    let places = page.places(challenges.len());
    let disputes = places.map(|at| view.summary(&challenges[at])).collect();
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
pub(crate) async fn dispute(State(context): Api, name: Name) -> RestResult<Json<Dispute>> {
    let index = parse_index(&name.0, "a challenge")?;
    let settlement = context.settlement.read().await;
    let challenge = settlement.disputes.challenge(index);
    let challenge =
        challenge.ok_or_else(|| Problem::not_found(format!("challenge {index} is unknown")))?;
    let view = DisputeView { settlement: &settlement, config: &context.chain.config };
    Ok(Json(view.whole(challenge)))
}

/// What disputes are rendered from.
#[derive(Clone, Copy, Debug)]
struct DisputeView<'a> {
    settlement: &'a Settlement,
    config: &'a ChainConfig,
}

impl DisputeView<'_> {
    fn summary(&self, challenge: &Challenge) -> Dispute {
        let games = self.settlement.disputes.games_of(challenge.index);
        let games = games.map(|game| self.game(challenge, game)).collect();
        self.challenge(challenge, games)
    }

    /// A dispute with all moves.
    fn whole(&self, challenge: &Challenge) -> Dispute {
        let games = self.settlement.disputes.games_of(challenge.index).map(|game| {
            let mut answer = self.game(challenge, game);
            // The opening is the challenger's: the defender moves next.
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

    fn challenge(&self, challenge: &Challenge, games: Vec<GameDetails>) -> Dispute {
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

    fn game(&self, challenge: &Challenge, game: &Game) -> GameDetails {
        let is_playable = self.is_playable(challenge);
        let deadline = game.ends_at().filter(|_| is_playable);
        let newest = game.newest(challenge);
        GameDetails {
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

    fn move_of(&self, challenge: &Challenge, made: &GameMove, side: Side) -> MoveDetails {
        MoveDetails {
            disputed: self.disputed(challenge, &made.bisection),
            side,
            at: made.at,
            l1_transaction: made.l1_transaction,
            bisection_hash: made.hash,
        }
    }

    fn disputed(&self, challenge: &Challenge, bisection: &Bisection) -> DisputedRange {
        let block = match bisection.phase {
            Phase::Blocks => None,
            Phase::Machine => self.block(challenge, bisection.block),
        };
        let Bisection { phase, first, last, .. } = *bisection;
        DisputedRange { phase, first, last, block }
    }

    /// The block between a position and the next.
    fn block(&self, challenge: &Challenge, position: u64) -> Option<DisputedBlock> {
        let outputs = &self.settlement.outputs;
        let per_entry = self.config.blocks_per_entry_max();
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
