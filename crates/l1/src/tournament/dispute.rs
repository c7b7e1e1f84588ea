//! Stakes, accusations and games about single blocks.

use alloy_primitives::{Address, B256, Bytes};

use super::{Bisection, TournamentId};

/// What a stake has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum StakeStatus {
    /// Its account may accuse and answer.
    Standing,
    /// Its account lost a game.
    Fallen,
    /// It was given back.
    Returned,
}

/// An account's stake in a tournament.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stake {
    /// What it has come to.
    pub status: StakeStatus,
    /// Games of the account that are not over.
    pub open_games: u64,
}

/// An account says that a block comes to y's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accusation {
    /// Its number.
    pub index: u64,
    /// The accuser.
    pub accuser: Address,
    /// L1 timestamp, in seconds.
    pub at: u64,
    /// The tournament.
    pub tournament: TournamentId,
    /// The accused output, and the one with the later seat that accuses it.
    pub rivals: [u64; 2],
    /// The output roots after the block by x and y.
    pub roots: [B256; 2],
    /// The first claims about the machine's run.
    pub bisection: Bisection,
    /// The machine's encoded last state, which gives y's root.
    pub final_state: Bytes,
    /// Whether somebody struck it, because its accuser fell.
    pub is_struck: bool,
}

/// A side of a game.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Player {
    /// Claims that the block comes to y's root.
    Accuser,
    /// Claims that it comes to x's.
    Defender,
}

/// Status of a game.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase", tag = "status", content = "player")]
pub enum GameStatus {
    /// This side moves next.
    ToMove(Player),
    /// This side won.
    Won(Player),
    /// One of its accounts fell in another game.
    Closed,
}

/// A game: an accuser against one defender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Game {
    /// Its number.
    pub index: u64,
    /// Number of the accusation.
    pub accusation: u64,
    /// The defender.
    pub defender: Address,
    /// Status.
    pub status: GameStatus,
    /// Seconds that accuser and defender have left, as of the last move.
    pub clocks: [u64; 2],
    /// L1 timestamp of the last move, in seconds.
    pub moved_at: u64,
    /// The moves, the answer first.
    pub moves: Vec<Bisection>,
}

impl GameStatus {
    /// The side that moves next; `None` if the game is over.
    pub const fn to_move(self) -> Option<Player> {
        match self {
            Self::ToMove(player) => Some(player),
            _ => None,
        }
    }
}

impl Game {
    /// The bisection to answer.
    pub fn newest<'a>(&'a self, accusation: &'a Accusation) -> &'a Bisection {
        self.moves.last().unwrap_or(&accusation.bisection)
    }
}
