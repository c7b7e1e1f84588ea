use alloy_primitives::{Address, B256};

use super::{Bisection, Challenge};

/// Who moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    /// Says that the output is wrong.
    Challenger,
    /// Says that it is right.
    Defender,
}

/// How a game stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase", tag = "status", content = "side")]
pub enum GameStatus {
    /// This side has to move.
    ToMove(Side),
    /// This side has won.
    Won(Side),
    /// Its challenge was decided elsewhere, and the bond is returned.
    Returned,
}

/// What ended a game.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase", tag = "end")]
pub enum GameEnd {
    /// L1 ran the step in question.
    StepProven {
        /// What was claimed.
        claimed: B256,
        /// What it comes to.
        state: B256,
    },
    /// A clock ran out.
    TimedOut,
}

/// A challenger against one defender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Game {
    /// Its number.
    pub index: u64,
    /// Number of its challenge.
    pub challenge: u64,
    /// Who defends.
    pub defender: Address,
    /// The moves after the challenge's opening: first the defender's, then in turn.
    pub moves: Vec<Move>,
    /// How it stands.
    pub status: GameStatus,
    /// Seconds that the challenger has left, as of the last move.
    pub challenger_clock: u64,
    /// Seconds that the defender has left, as of the last move.
    pub defender_clock: u64,
    /// What ended it, if it was played to its end.
    pub end: Option<GameEnd>,
    /// Where on L1 it ended, if it did.
    pub ended: Option<Ended>,
}

/// Where on L1 something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// L1 time, in seconds.
    pub at: u64,
    /// The L1 transaction.
    pub l1_transaction: B256,
}

/// A bisection on L1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// What is claimed.
    pub bisection: Bisection,
    /// Its hash.
    pub hash: B256,
    /// L1 time, in seconds.
    pub at: u64,
    /// The L1 transaction.
    pub l1_transaction: B256,
}

impl Side {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Challenger => Self::Defender,
            Self::Defender => Self::Challenger,
        }
    }
}

impl GameStatus {
    /// Who has to move, if the game goes on.
    pub const fn to_move(self) -> Option<Side> {
        match self {
            Self::ToMove(side) => Some(side),
            _ => None,
        }
    }
}

impl Game {
    /// The newest move, which is to be answered if the game goes on.
    pub fn newest<'a>(&'a self, challenge: &'a Challenge) -> &'a Move {
        self.moves.last().unwrap_or(&challenge.opening)
    }

    /// Until when, in L1 seconds, whoever has to move can.
    pub fn ends_at(&self) -> Option<u64> {
        let clock = match self.status.to_move()? {
            Side::Challenger => self.challenger_clock,
            Side::Defender => self.defender_clock,
        };
        self.moves.last().map(|newest| newest.at.saturating_add(clock))
    }

    /// Sets the challenger's clock and the defender's, and returns what they were.
    pub(super) const fn set_clocks(&mut self, [challenger, defender]: [u64; 2]) -> [u64; 2] {
        let before = [self.challenger_clock, self.defender_clock];
        (self.challenger_clock, self.defender_clock) = (challenger, defender);
        before
    }
}
