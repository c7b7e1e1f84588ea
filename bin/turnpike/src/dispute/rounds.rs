//! A challenge and its games, round by round.

use std::fmt;

use alloy_primitives::{Address, B256, U256};
use serde::Serialize;
use turnpike_l1::{Challenge, DisputedOutput, Game, Move, Phase, Side};

use super::{
    board::{ChallengeRow, Records},
    words::{self, Range},
};
use crate::bridge::ether;

/// A challenge, and of its games all or one.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Story {
    #[serde(flatten)]
    pub(super) row: ChallengeRow,
    /// What the output claims.
    pub(super) claimed_root: B256,
    /// What both sides start from: the parent output's root.
    pub(super) parent_root: B256,
    /// Wei that the challenger puts up, and each defender.
    pub(super) game_bond: U256,
    /// Wei that the proposer has put up.
    pub(super) proposer_bond: U256,
    pub(super) opening: Round,
    pub(super) ended: Option<Receipt>,
    pub(super) plays: Vec<Played>,
}

/// A game's moves.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Played {
    pub(super) game: u64,
    /// Seconds that the challenger has left, as of the last move.
    pub(super) challenger_clock: u64,
    /// Seconds that the defender has left, as of the last move.
    pub(super) defender_clock: u64,
    /// The first is 2: 1 is the challenge's opening.
    pub(super) rounds: Vec<Round>,
    pub(super) ended: Option<Receipt>,
}

/// A bisection on L1.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Round {
    pub(super) round: usize,
    pub(super) side: Side,
    pub(super) by: Address,
    #[serde(flatten)]
    pub(super) receipt: Receipt,
    pub(super) range: Range,
    pub(super) claims: Vec<B256>,
}

/// An L1 transaction.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Receipt {
    /// L1 time, in seconds.
    pub(super) at: u64,
    pub(super) l1_transaction: B256,
    /// What it took, if L1 still tells.
    pub(super) gas: Option<u64>,
}

impl Story {
    /// A challenge, with all of its games or with one.
    pub(super) fn new(records: &Records<'_>, challenge: &Challenge, only: Option<u64>) -> Self {
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
            ended: challenge.ended.map(Receipt::from),
            plays: games.map(|game| Played::new(&output, challenge, game)).collect(),
        }
    }

    /// Every L1 transaction that it names.
    pub(super) fn receipts_mut(&mut self) -> impl Iterator<Item = &mut Receipt> {
        let Self { opening, ended, plays, .. } = self;
        let of_games = plays.iter_mut().flat_map(|Played { rounds, ended, .. }| {
            rounds.iter_mut().map(|round| &mut round.receipt).chain(ended)
        });
        std::iter::once(&mut opening.receipt).chain(of_games).chain(ended)
    }
}

impl Played {
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
            ended: game.ended.map(Receipt::from),
        }
    }
}

impl Round {
    fn new(
        output: &DisputedOutput,
        round: usize,
        (side, by): (Side, Address),
        made: &Move,
    ) -> Self {
        Self {
            round,
            side,
            by,
            receipt: Receipt { at: made.at, l1_transaction: made.l1_transaction, gas: None },
            range: Range::new(output, &made.bisection),
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

impl From<turnpike_l1::Ended> for Receipt {
    fn from(ended: turnpike_l1::Ended) -> Self {
        Self { at: ended.at, l1_transaction: ended.l1_transaction, gas: None }
    }
}

impl Receipt {
    fn gas_text(&self) -> String {
        self.gas.map_or_else(|| "-".to_owned(), turnpike_game::prove::grouped)
    }

    fn write_end(&self, f: &mut fmt::Formatter<'_>, what: &str, started_at: u64) -> fmt::Result {
        write!(f, "\n        {what:<10}  {:>6}", since(self.at, started_at))?;
        write!(f, "  {:>9}  {}", self.gas_text(), self.l1_transaction)
    }
}

fn since(at: u64, started_at: u64) -> String {
    format!("+{} s", at.saturating_sub(started_at))
}

impl fmt::Display for Story {
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
                let Played { challenger_clock, defender_clock, .. } = played;
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
