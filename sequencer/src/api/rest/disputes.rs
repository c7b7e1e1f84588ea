use axum::{
    Json,
    extract::{Path, RawQuery, State},
};
use serde_json::{Value, json};
use turnpike_l1::{
    Bisection, Challenge, ChallengeStatus, DisputedOutput, Game, GameEnd, GameStatus, Move, Phase,
    Side,
};
use turnpike_protocol::ChainConfig;

use super::{Answer, Api, parse_index, query::Page};
use crate::{Settlement, api::problem::Problem};

/// `GET /v1/disputes?before=&limit=`: challenges of outputs and their games, newest first, without the moves.
pub(in crate::api) async fn disputes(
    State(shared): Api,
    RawQuery(query): RawQuery,
) -> Answer<Json<Value>> {
    let page = Page::parse(query.as_deref())?;
    let settlement = shared.settlement.read().await;
    let scene = Scene { settlement: &settlement, config: &shared.config };
    let challenges = settlement.disputes.challenges();
    let places = page.places(challenges.len());
    let disputes: Vec<_> = places.map(|at| scene.summary(&challenges[at])).collect();
    Ok(Json(json!({ "disputes": disputes })))
}

/// `GET /v1/disputes/{challenge}`: a challenge and its games, move by move.
pub(in crate::api) async fn dispute(
    State(shared): Api,
    Path(challenge): Path<String>,
) -> Answer<Json<Value>> {
    let index = parse_index(&challenge, "a challenge")?;
    let settlement = shared.settlement.read().await;
    let challenge = settlement.disputes.challenge(index);
    let challenge =
        challenge.ok_or_else(|| Problem::not_found(format!("challenge {index} is unknown")))?;
    let scene = Scene { settlement: &settlement, config: &shared.config };
    Ok(Json(scene.whole(challenge)))
}

/// What disputes are seen in.
#[derive(Clone, Copy, Debug)]
struct Scene<'a> {
    settlement: &'a Settlement,
    config: &'a ChainConfig,
}

impl Scene<'_> {
    fn summary(&self, challenge: &Challenge) -> Value {
        let games = self.settlement.disputes.games_of(challenge.index);
        let games: Vec<_> = games.map(|game| self.game(challenge, game)).collect();
        self.challenge(challenge, games)
    }

    /// The same with all moves.
    fn whole(&self, challenge: &Challenge) -> Value {
        let games = self.settlement.disputes.games_of(challenge.index).map(|game| {
            let mut answer = self.game(challenge, game);
            // The challenge's opening comes before: the defender moves first.
            let sides = [Side::Defender, Side::Challenger].into_iter().cycle();
            let moves = game.moves.iter().zip(sides);
            answer["moves"] =
                moves.map(|(made, side)| self.move_of(challenge, made, side)).collect();
            answer
        });
        let mut answer = self.challenge(challenge, games.collect());
        answer["opening"] = self.move_of(challenge, &challenge.opening, Side::Challenger);
        answer
    }

    fn challenge(&self, challenge: &Challenge, games: Vec<Value>) -> Value {
        let is_playable = self.is_playable(challenge);
        let defence_ends_at = challenge.started_at.saturating_add(self.config.game_clock);
        json!({
            "challenge": challenge.index,
            "output": challenge.output,
            "challenger": challenge.challenger,
            "state": match challenge.status {
                ChallengeStatus::Open => "open",
                ChallengeStatus::Won => "won",
                ChallengeStatus::Failed => "failed",
                ChallengeStatus::Moot => "moot",
            },
            "playable": is_playable,
            "startedAt": challenge.started_at,
            "defenceEndsAt": defence_ends_at,
            "secondsToDefend": self.seconds_to(defence_ends_at).filter(|_| is_playable),
            "l1Transaction": challenge.opening.l1_transaction,
            "games": games,
        })
    }

    fn game(&self, challenge: &Challenge, game: &Game) -> Value {
        let is_playable = self.is_playable(challenge);
        let deadline = game.ends_at().filter(|_| is_playable);
        let newest = game.newest(challenge);
        let mut answer = self.range(challenge, &newest.bisection);
        let more = json!({
            "game": game.index,
            "defender": game.defender,
            "state": match game.status {
                GameStatus::ToMove(_) => "open",
                GameStatus::Won(Side::Challenger) => "challengerWon",
                GameStatus::Won(Side::Defender) => "defenderWon",
                GameStatus::Returned => "returned",
            },
            "toMove": game.status.to_move().filter(|_| is_playable),
            "deadline": deadline,
            "secondsLeft": deadline.and_then(|deadline| self.seconds_to(deadline)),
            "challengerClock": game.challenger_clock,
            "defenderClock": game.defender_clock,
            "rounds": 1 + game.moves.len(),
            "end": game.end.map(end),
        });
        merge(&mut answer, more);
        answer
    }

    fn move_of(&self, challenge: &Challenge, made: &Move, side: Side) -> Value {
        let mut answer = self.range(challenge, &made.bisection);
        let more = json!({
            "side": side,
            "at": made.at,
            "l1Transaction": made.l1_transaction,
            "bisectionHash": made.hash,
        });
        merge(&mut answer, more);
        answer
    }

    /// What a bisection is about: blocks after the parent output, or steps of the machine on one of them.
    fn range(&self, challenge: &Challenge, bisection: &Bisection) -> Value {
        let block = match bisection.phase {
            Phase::Blocks => None,
            Phase::Machine => self.block(challenge, bisection.block),
        };
        json!({
            "phase": bisection.phase,
            "first": bisection.first,
            "last": bisection.last,
            "block": block,
        })
    }

    /// The block between a position and the next: its entry, and its number if the entry has so many.
    fn block(&self, challenge: &Challenge, position: u64) -> Option<Value> {
        let outputs = &self.settlement.outputs;
        let per_entry = self.config.entry_blocks_max;
        let output = DisputedOutput::of(outputs, challenge.output, per_entry)?;
        let (entry, index) = output.block_at(position);
        let at = usize::try_from(entry).ok().and_then(|entry| entry.checked_sub(1));
        let number = at.and_then(|at| self.settlement.posted.get(at)).and_then(|range| {
            range.first_block.checked_add(index).filter(|number| *number <= range.last_block)
        });
        Some(json!({ "entry": entry, "index": index, "number": number }))
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

/// Puts the members of one object into another.
fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}
