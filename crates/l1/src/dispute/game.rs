//! Games: one challenger against one defender.

use alloy_primitives::{Address, B256};

use super::{Challenge, EndedAt, GameMove};

/// A side of a game.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    /// Claims that the output is wrong.
    Challenger,
    /// Claims that the output is right.
    Defender,
}

/// Status of a game.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase", tag = "status", content = "side")]
pub enum GameStatus {
    /// This side moves next.
    ToMove(Side),
    /// This side won.
    Won(Side),
    /// Another game decided its challenge, and the bond was returned.
    Returned,
}

/// How a game ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase", tag = "end")]
pub enum GameEnd {
    /// L1 executed the disputed step.
    StepProven {
        /// Claimed state hash.
        claimed: B256,
        /// State hash that L1 computed.
        state: B256,
    },
    /// A clock ran out.
    TimedOut,
}

/// A game: one challenger against one defender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Game {
    /// Number of the game.
    pub index: u64,
    /// Number of its challenge.
    pub challenge: u64,
    /// Account of the defender.
    pub defender: Address,
    /// Moves after the challenge's opening. The defender moves first.
    pub moves: Vec<GameMove>,
    /// Status.
    pub status: GameStatus,
    /// Seconds on the challenger's clock after the last move.
    pub challenger_clock: u64,
    /// Seconds on the defender's clock after the last move.
    pub defender_clock: u64,
    /// How the game ended, if it was played to its end.
    pub end: Option<GameEnd>,
    /// Where on L1 the game ended; `None` if it is open.
    pub ended: Option<EndedAt>,
}

impl Side {
    /// The other side.
    pub const fn other(self) -> Self {
        match self {
            Self::Challenger => Self::Defender,
            Self::Defender => Self::Challenger,
        }
    }
}

impl GameStatus {
    /// The side that moves next; `None` if the game is over.
    pub const fn to_move(self) -> Option<Side> {
        match self {
            Self::ToMove(side) => Some(side),
            _ => None,
        }
    }
}

impl Game {
    /// The newest move. If the game goes on, the other side answers it.
    pub fn newest<'a>(&'a self, challenge: &'a Challenge) -> &'a GameMove {
        self.moves.last().unwrap_or(&challenge.opening)
    }

    /// L1 timestamp, in seconds, when the next side's clock runs out; `None` if the game is over.
    pub fn ends_at(&self) -> Option<u64> {
        let clock = match self.status.to_move()? {
            Side::Challenger => self.challenger_clock,
            Side::Defender => self.defender_clock,
        };
        self.moves.last().map(|newest| newest.at.saturating_add(clock))
    }

    /// Sets the clocks of challenger and defender. Returns their previous values.
    pub(super) const fn set_clocks(&mut self, [challenger, defender]: [u64; 2]) -> [u64; 2] {
        let before = [self.challenger_clock, self.defender_clock];
        (self.challenger_clock, self.defender_clock) = (challenger, defender);
        before
    }
}
