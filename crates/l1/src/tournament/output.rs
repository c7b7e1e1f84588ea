//! Outputs as children of their parents.

use alloy_primitives::{Address, B256, Bytes, U256};
use turnpike_protocol::{History, OutputRoot};

/// What a deployment fixes of tournaments. Times are in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TournamentSizes {
    /// Rivals may be proposed for this long after a parent's first child.
    pub challenge_window: u64,
    /// What a side of a match may use up.
    pub game_clock: u64,
    /// Least time for a move, however little the clock has.
    pub game_increment: u64,
    /// Members of a group, at most; a power of two.
    pub group_size: u64,
    /// Blocks of an entry, at most.
    pub blocks_per_entry_max: u64,
}

/// A tournament: the children of one output in one generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TournamentId {
    /// The generation.
    pub generation: u64,
    /// Index of the parent.
    pub parent: u64,
}

impl From<U256> for TournamentId {
    fn from(id: U256) -> Self {
        let parent = (id & U256::from(u64::MAX)).to();
        Self { generation: (id >> 64_u32).saturating_to(), parent }
    }
}

impl From<TournamentId> for U256 {
    fn from(id: TournamentId) -> Self {
        Self::from(id.generation) << 64_u32 | Self::from(id.parent)
    }
}

/// What an output has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ChildStatus {
    /// It may still become final.
    Standing,
    /// It is final.
    Final,
    /// It lost a match.
    Rejected,
    /// Its parent fell, or its generation is over.
    Void,
}

/// An output, and its place among its parent's children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// Index in the `Rollup` contract.
    pub index: u64,
    /// The tournament of its parent's children.
    pub tournament: TournamentId,
    /// Hash of all that it claims.
    pub claim: B256,
    /// Root of the range's history.
    pub history: B256,
    /// Last entry of the range.
    pub entry: u64,
    /// Preimage of the claimed output root.
    pub output: OutputRoot,
    /// RLP of the claimed L2 header; empty for output 0.
    pub header: Bytes,
    /// Number of the claimed L2 block.
    pub l2_block: u64,
    /// Account of the proposer.
    pub proposer: Address,
    /// L1 timestamp of the proposal, in seconds.
    pub proposed_at: u64,
    /// Which child of its parent it is, from 0.
    pub seat: u64,
    /// Round of the tournament, from 0.
    pub round: u64,
    /// L1 timestamp at which it joined the round, in seconds.
    pub since: u64,
    /// What its clock had left then, in seconds.
    pub left: u64,
    /// What L1 stores. An output of an older generation is void before L1 stores that; see
    /// [`Tournaments::status`](super::Tournaments::status).
    pub recorded: ChildStatus,
}

/// The children of one output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tournament {
    /// L1 timestamp of the first child, in seconds.
    pub first_at: u64,
    /// Blocks of the range: as many as its entries may have.
    pub positions: u64,
    /// Indexes of the children, by seat.
    pub children: Vec<u64>,
    /// The child that won.
    pub winner: Option<u64>,
}

impl Tournament {
    /// Depth of the children's histories.
    pub const fn depth(&self) -> u32 {
        turnpike_protocol::history_depth(self.positions)
    }

    /// Whether a history is of this range.
    pub const fn covers(&self, history: &History) -> bool {
        history.positions() == self.positions
    }
}

/// The first reveal of a node's children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reveal {
    /// Account that showed them.
    pub by: Address,
    /// L1 timestamp, in seconds.
    pub at: u64,
    /// The nodes, a power of two.
    pub children: Vec<B256>,
}
