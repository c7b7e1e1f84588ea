//! A challenge and its games, round by round.

use std::fmt;

use alloy_primitives::{Address, B256, U256};
use serde::Serialize;
use turnpike_l1::{Challenge, DisputedOutput, Game, GameMove, Phase, Side, ether};

use super::{
    records::{ChallengeRow, DisputeRecords},
    words::{self, ClaimRange},
};

/// A challenge with its bisections, and all of its games or one.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChallengeTimeline {
    /// The challenge's status.
    #[serde(flatten)]
    pub row: ChallengeRow,
    /// The output root that is challenged.
    pub claimed_root: B256,
    /// The parent output's root, on which both sides agree.
    pub parent_root: B256,
    /// Bond of the challenger and of each defender, in wei.
    pub game_bond: U256,
    /// The proposer's bond, in wei.
    pub proposer_bond: U256,
    /// The challenge's first bisection.
    pub opening: Round,
    /// The L1 transaction that ended the challenge.
    pub ended: Option<MoveReceipt>,
    /// Its games.
    pub plays: Vec<GameTimeline>,
}

/// A game's moves.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GameTimeline {
    /// Number of the game.
    pub game: u64,
    /// Seconds left on the challenger's clock after the last move.
    pub challenger_clock: u64,
    /// Seconds left on the defender's clock after the last move.
    pub defender_clock: u64,
    /// Its bisections from round 2 on: round 1 is the challenge's opening.
    pub rounds: Vec<Round>,
    /// The L1 transaction that ended the game.
    pub ended: Option<MoveReceipt>,
}

/// A bisection on L1.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Round {
    /// Its number, from 1.
    pub round: usize,
    /// The side that made it.
    pub side: Side,
    /// The account that made it.
    pub by: Address,
    /// Its L1 transaction.
    #[serde(flatten)]
    pub receipt: MoveReceipt,
    /// The positions that it divides.
    pub range: ClaimRange,
    /// The claims at those positions.
    pub claims: Vec<B256>,
}

/// An L1 transaction.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MoveReceipt {
    /// L1 time, in seconds.
    pub at: u64,
    /// Its hash.
    pub l1_transaction: B256,
    /// The gas it used, if L1 still has the receipt.
    pub gas: Option<u64>,
}

impl ChallengeTimeline {
    /// A challenge, with all of its games or with one.
    pub fn new(records: &DisputeRecords<'_>, challenge: &Challenge, only: Option<u64>) -> Self {
        let output = records.output_of(challenge);
        let mut row = records.row(challenge);
        row.games.retain(|game| only.is_none_or(|only| game.game == only));
        let games = records.disputes.games_of(challenge.index);
        let games = games.filter(|game| only.is_none_or(|only| game.index == only));
        let opener = (Side::Challenger, challenge.challenger);
        Self {
            row,
            claimed_root: output.root,
            parent_root: output.parent_root,
            game_bond: records.config.game_bond,
            proposer_bond: records.config.proposer_bond,
            opening: Round::new(&output, 1, opener, &challenge.opening),
            ended: challenge.ended.map(MoveReceipt::from),
            plays: games.map(|game| GameTimeline::new(&output, challenge, game)).collect(),
        }
    }

    /// Every L1 transaction in the timeline.
    pub fn receipts_mut(&mut self) -> impl Iterator<Item = &mut MoveReceipt> {
        let Self { opening, ended, plays, .. } = self;
        let of_games = plays.iter_mut().flat_map(|GameTimeline { rounds, ended, .. }| {
            rounds.iter_mut().map(|round| &mut round.receipt).chain(ended)
        });
        std::iter::once(&mut opening.receipt).chain(of_games).chain(ended)
    }
}

impl GameTimeline {
    fn new(output: &DisputedOutput, challenge: &Challenge, game: &Game) -> Self {
        let rounds = game.moves.iter().enumerate().map(|(at, made)| {
            let mover = match at % 2 {
                0 => (Side::Defender, game.defender),
                _ => (Side::Challenger, challenge.challenger),
            };
            Round::new(output, at + 2, mover, made)
        });
        Self {
            game: game.index,
            challenger_clock: game.challenger_clock,
            defender_clock: game.defender_clock,
            rounds: rounds.collect(),
            ended: game.ended.map(MoveReceipt::from),
        }
    }
}

impl Round {
    fn new(
        output: &DisputedOutput,
        round: usize,
        (side, by): (Side, Address),
        made: &GameMove,
    ) -> Self {
        Self {
            round,
            side,
            by,
            receipt: MoveReceipt { at: made.at, l1_transaction: made.l1_transaction, gas: None },
            range: ClaimRange::new(output, &made.bisection),
            claims: made.bisection.claims.clone(),
        }
    }

    /// A line of the table; times are counted from the challenge.
    fn write(&self, f: &mut fmt::Formatter<'_>, started_at: u64) -> fmt::Result {
        let Self { round, side, receipt, range, claims, .. } = self;
        let what = match range.phase {
            Phase::Blocks => "roots",
            Phase::Machine => "states",
        };
        let (who, claimed) = (words::side(*side), words::claims(claims));
        let count = claims.len();
        write!(f, "\n    {round:>2}  {who:<10}  {:>6}", since(receipt.at, started_at))?;
        write!(f, "  {:>9}  {}", receipt.gas_text(), receipt.l1_transaction)?;
        write!(f, "\n        {}: {count} {what}, {claimed}", range.text)
    }
}

impl From<turnpike_l1::EndedAt> for MoveReceipt {
    fn from(ended: turnpike_l1::EndedAt) -> Self {
        Self { at: ended.at, l1_transaction: ended.l1_transaction, gas: None }
    }
}

impl MoveReceipt {
    fn gas_text(&self) -> String {
        self.gas.map_or_else(|| "-".to_owned(), crate::prove::grouped)
    }

    fn write_end(&self, f: &mut fmt::Formatter<'_>, what: &str, started_at: u64) -> fmt::Result {
        write!(f, "\n        {what:<10}  {:>6}", since(self.at, started_at))?;
        write!(f, "  {:>9}  {}", self.gas_text(), self.l1_transaction)
    }
}

fn since(at: u64, started_at: u64) -> String {
    format!("+{} s", at.saturating_sub(started_at))
}

impl fmt::Display for ChallengeTimeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { row, opening, .. } = self;
        let started_at = opening.receipt.at;
        let (games, challenge) = (&row.games, ChallengeRow { games: Vec::new(), ..row.clone() });
        write!(f, "{challenge}")?;
        write!(f, "\n  claims {} on top of {}", self.claimed_root, self.parent_root)?;
        write!(f, "\n  bonds: {} for each player", ether(self.game_bond))?;
        write!(f, ", {} of the proposer", ether(self.proposer_bond))?;
        write!(f, "\n    round  who      time        gas  L1 transaction")?;
        opening.write(f, started_at)?;
        for (game, played) in games.iter().zip(&self.plays) {
            write!(f, "\n  {game}")?;
            if game.mover.is_some() {
                let GameTimeline { challenger_clock, defender_clock, .. } = played;
                write!(f, "\n    clocks as of the last move: challenger {challenger_clock} s")?;
                write!(f, ", defender {defender_clock} s")?;
            }
            for round in &played.rounds {
                round.write(f, started_at)?;
            }
            if let Some(ended) = &played.ended {
                ended.write_end(f, "end", started_at)?;
            }
        }
        match &self.ended {
            Some(ended) => {
                write!(f, "\n  decided")?;
                ended.write_end(f, "end", started_at)
            }
            None => Ok(()),
        }
    }
}
