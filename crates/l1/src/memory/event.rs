use alloy_primitives::{Address, B256, Bytes};
use turnpike_protocol::OutputRoot;

use crate::Answer;

/// What happens in a block.
#[derive(Clone, Debug)]
pub enum L1Event {
    /// Somebody deposits.
    Deposit {
        /// The sender on L2.
        from: Address,
        /// The recipient on L2.
        to: Address,
        /// What the portal packs: mint, value, gas, creation, data.
        opaque_data: Bytes,
    },
    /// The batcher appends calldata.
    Calldata {
        /// The data.
        data: Bytes,
        /// Deposits that the entry consumes.
        deposits: u64,
        /// The entry whose L1 attributes it names.
        origin: u64,
    },
    /// The batcher appends blobs.
    Blobs {
        /// Whole blobs, one after the other.
        data: Bytes,
        /// Deposits that the entry consumes.
        deposits: u64,
        /// The entry whose L1 attributes it names.
        origin: u64,
    },
    /// Somebody forces an entry.
    Forced {
        /// Deposits that the entry consumes.
        deposits: u64,
    },
    /// Somebody proposes an output.
    Output {
        /// Index of its parent.
        parent: u64,
        /// Entry after which it claims to hold.
        entry: u64,
        /// The claimed root's preimage, but for the block hash, which is the header's.
        output: OutputRoot,
        /// RLP of the claimed header.
        header: Bytes,
        /// Number of the claimed block.
        l2_block: u64,
    },
    /// The output with this index becomes final.
    Finalized(u64),
    /// The bond of the output with this index is returned: what it is built on was rejected.
    Voided(u64),
    /// Somebody challenges an output.
    Challenged {
        /// Index of the output.
        output: u64,
        /// Who challenges it.
        challenger: Address,
        /// What they claim on the way to it.
        claims: Vec<B256>,
    },
    /// Somebody defends an output.
    Defended {
        /// The challenge.
        challenge: u64,
        /// Who defends.
        defender: Address,
        /// Their answer to the challenge's claims.
        answer: Answer,
    },
    /// The side that has to move does.
    Moved {
        /// The game.
        game: u64,
        /// The answer to the other side's claims.
        answer: Answer,
    },
    /// The side that has to move shows what a single step comes to, and wins.
    Proven {
        /// The game.
        game: u64,
        /// Of the other side's segments, the one that is a single step.
        segment: u64,
        /// What it comes to.
        state: B256,
    },
    /// Somebody ends the game with this number for its clock, which nobody looks at.
    TimedOut(u64),
    /// Somebody resolves the challenge with this number, whether or not it could still be defended.
    Resolved(u64),
    /// Somebody returns the bond of the game with this number, whose challenge is over.
    Returned(u64),
}
