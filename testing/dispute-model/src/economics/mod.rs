//! What disputes cost and how long they take: the sizes of production, a simulation of tournaments,
//! and the tables that follow.
//!
//! Gas is what the contracts take ([`GasTable`]); times are simulated and compared with the bound.

mod simulation;
mod tables;

pub use simulation::{Ended, Entrant, Player, Simulation};
pub use tables::{ComputeRow, CostRow, DelayRow, PriceBounds, compute_rows, cost_rows, delay_rows};

use crate::Parameters;

/// Seconds of an hour.
pub const HOUR: u64 = 3_600;
/// Seconds of a day.
pub const DAY: u64 = 24 * HOUR;

/// Sizes that decide about time and cost, beside [`Parameters`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The contracts' parameters.
    pub parameters: Parameters,
    /// Reveals of a side in a match, at most.
    pub reveals: u64,
    /// Moves after an accusation, at most, with the one that proves a step.
    pub moves: u64,
    /// What an honest account takes for a move, on L1 included, in seconds.
    pub honest_move_s: u64,
    /// Steps that the machine takes for an accused block.
    pub trace_steps: u64,
    /// Steps of the machine in a second.
    pub steps_per_s: u64,
}

impl Sizes {
    /// Production: histories of depth 28, 2^40 steps for a block, and accused blocks of 2^37 steps,
    /// which no lawful block reaches.
    pub const PRODUCTION: Self = Self {
        parameters: Parameters::PRODUCTION,
        reveals: 5,
        moves: 8,
        honest_move_s: 600,
        trace_steps: 1 << 37,
        steps_per_s: 300_000_000,
    };

    /// Rounds of a tournament against so many rivals.
    pub fn rounds(&self, rivals: u64) -> u64 {
        let size = self.parameters.group_size;
        (1..).find(|round| size.saturating_pow(*round) > rivals).map_or(1, u64::from)
    }

    /// Rivals that the true child meets, of so many.
    pub fn met(&self, rivals: u64) -> u64 {
        let size = self.parameters.group_size;
        rivals.min(size - 1) + (rivals + 1).div_ceil(size).min(size) - 1
    }

    /// Increments and honest moves that an honest side's match takes beyond its clocks: mu.
    const fn honest_round_s(&self) -> u64 {
        let rival = self.reveals + 1 + self.moves / 2;
        rival * self.parameters.increment_s + (self.reveals + self.moves) * self.honest_move_s
    }

    /// Increments that a match between rivals takes beyond its clocks.
    const fn rivals_round_s(&self) -> u64 {
        (self.reveals + 1 + self.moves) * self.parameters.increment_s
    }

    /// Seconds beyond the window after which a tournament against so many rivals is over, at most.
    pub fn delay_max_s(&self, rivals: u64) -> u64 {
        let rounds = self.rounds(rivals);
        let round = self.honest_round_s().max(self.rivals_round_s());
        rounds * round + 2 * self.parameters.clock_s * (rounds - 1)
    }

    /// Seconds of a whole run on an accused block.
    pub const fn trace_s(&self) -> u64 {
        self.trace_steps / self.steps_per_s
    }
}

/// Gas of L1's calls over the longest range, as `contracts/test/v2/DisputeV2Gas.t.sol` measures it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GasTable {
    /// `propose`.
    pub propose: u64,
    /// `reveal` of 64 nodes.
    pub reveal: u64,
    /// `accuse`.
    pub accuse: u64,
    /// `answer`.
    pub answer: u64,
    /// `move`.
    pub move_: u64,
    /// `prove` of a step that reads nothing dear.
    pub prove: u64,
    /// What the dearest step takes besides: a pairing that fails, loaded into the oracle.
    pub dearest_load: u64,
    /// `timeOutGame`.
    pub time_out_game: u64,
    /// `settleMatch` or `settleAccusation`.
    pub settle: u64,
    /// `promote`.
    pub promote: u64,
}

impl GasTable {
    /// What the contracts take.
    pub const MEASURED: Self = Self {
        propose: 281_000,
        reveal: 133_000,
        accuse: 484_000,
        answer: 284_000,
        move_: 121_000,
        prove: 240_000,
        dearest_load: 13_100_000,
        time_out_game: 181_000,
        settle: 195_000,
        promote: 58_000,
    };

    /// What an honest account pays for a rival, but for games: its reveals at another block, an
    /// accusation, and the end.
    const fn rival(&self, sizes: &Sizes) -> u64 {
        (sizes.reveals - 1) * self.reveal + self.accuse + self.settle
    }

    /// What it pays for a stake: a game as the accuser, and one as a defender.
    const fn stake(&self, sizes: &Sizes) -> u64 {
        let moves = (sizes.moves / 2 - 1) * self.move_;
        (moves + self.prove) + (self.answer + moves + self.time_out_game)
    }
}
