//! Events that a test puts into a block.

use alloy_primitives::{Address, B256, Bytes};
use turnpike_protocol::OutputRoot;

use crate::BisectionAnswer;

/// An event in a block.
#[derive(Clone, Debug)]
pub enum L1Event {
    /// A deposit.
    Deposit {
        /// The sender on L2.
        from: Address,
        /// The recipient on L2.
        to: Address,
        /// Mint, value, gas limit, creation flag and data, as the portal packs them.
        opaque_data: Bytes,
    },
    /// The batcher appends calldata.
    Calldata {
        /// The data.
        data: Bytes,
        /// Deposits that the entry consumes.
        deposits: u64,
        /// Origin of the entry.
        origin: u64,
    },
    /// The batcher appends blobs.
    Blobs {
        /// Concatenated whole blobs.
        data: Bytes,
        /// Deposits that the entry consumes.
        deposits: u64,
        /// Origin of the entry.
        origin: u64,
    },
    /// A forced inclusion.
    Forced {
        /// Deposits that the entry consumes.
        deposits: u64,
    },
    /// A proposal of an output.
    Output {
        /// Index of its parent.
        parent: u64,
        /// Entry after which the claimed root holds.
        entry: u64,
        /// Preimage of the claimed root; its block hash is replaced by the header's.
        output: OutputRoot,
        /// RLP of the claimed header.
        header: Bytes,
        /// Number of the claimed block.
        l2_block: u64,
    },
    /// The output with this index becomes final.
    Finalized(u64),
    /// The bond of the output with this index is returned, because an ancestor was rejected.
    Voided(u64),
    /// A challenge of an output.
    Challenged {
        /// Index of the output.
        output: u64,
        /// The challenger.
        challenger: Address,
        /// The challenger's claims.
        claims: Vec<B256>,
    },
    /// A defender answers a challenge.
    Defended {
        /// The challenge.
        challenge: u64,
        /// The defender.
        defender: Address,
        /// Answer to the challenger's claims.
        answer: BisectionAnswer,
    },
    /// The side to move answers the other side's claims.
    Moved {
        /// The game.
        game: u64,
        /// Answer to the other side's claims.
        answer: BisectionAnswer,
    },
    /// The side to move proves a single step and wins.
    Proven {
        /// The game.
        game: u64,
        /// Index of a segment of one step in the other side's bisection.
        segment: u64,
        /// State hash after the step.
        state: B256,
    },
    /// The game with this number times out, whatever its clock says.
    TimedOut(u64),
    /// The challenge with this number is resolved, even if it could still be defended.
    Resolved(u64),
    /// The bond of the game with this number is returned, because its challenge is over.
    Returned(u64),
}
