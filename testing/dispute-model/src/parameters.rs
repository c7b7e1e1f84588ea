//! The sizes, times and amounts that a deployment fixes.

/// What a deployment fixes. Times are in seconds, amounts in thousandths of an ether.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// W: rivals may be proposed for this long after a parent's first child.
    pub window_s: u64,
    /// A: what a side may use up in a match.
    pub clock_s: u64,
    /// G: least time for a move, however little the clock has.
    pub increment_s: u64,
    /// I: from an output to its children.
    pub interval_s: u64,
    /// How long no output must have become final before an escape.
    pub escape_s: u64,
    /// g: members of a group, at most; a power of two.
    pub group_size: u64,
    /// B: paid for a commitment.
    pub bond: u64,
    /// S: paid by an account that plays about blocks, once in a tournament.
    pub stake: u64,
    /// Entries of an output, at most.
    pub entries_max: u64,
    /// Blocks of an entry, at most.
    pub blocks_max: u64,
    /// Levels that a reveal shows.
    pub reveal_width: u32,
    /// Moves of a game before its proof, the accusation not included.
    pub game_moves: u32,
}

impl Parameters {
    /// The sizes of production.
    pub const PRODUCTION: Self = Self {
        window_s: 7 * 86_400,
        clock_s: 7 * 43_200,
        increment_s: 1_800,
        interval_s: 43_200,
        escape_s: 60 * 86_400,
        group_size: 128,
        bond: 2_000,
        stake: 4_000,
        entries_max: 1 << 20,
        blocks_max: 256,
        reveal_width: turnpike_protocol::REVEAL_WIDTH,
        game_moves: 7,
    };

    /// The depths at which nodes of a history of this depth are revealed.
    pub fn reveal_depths(&self, depth: u32) -> impl Iterator<Item = u32> + use<> {
        (0..depth).step_by(self.reveal_width as usize)
    }

    /// How many levels the reveal of a node at `at` shows.
    pub fn width_at(&self, at: u32, depth: u32) -> u32 {
        self.reveal_width.min(depth - at)
    }
}
