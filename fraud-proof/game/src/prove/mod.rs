//! The host's side of a proof: what the program reads of a block, and the program run on it, here
//! and in the machine.
//!
//! ```text
//! L1 ─► Node ─► Statement: position, output root, witness ─► native run ─► what was read ─► machine run ─► Proof
//! ```
//!
//! A [`Statement`] says what the node makes of a block, and [`witness()`] puts together all that
//! the program may read of L1 and of the state before. Running the program natively computes what
//! precompiles answer and leaves the smallest witness; the machine runs on that. Three output
//! roots, and all must be the same.

mod proof;
mod recorder;
mod report;
mod run;
mod statement;
mod witness;

use std::convert::Infallible;

use turnpike_derivation::{DerivationError, FollowError};
use turnpike_executor::ExecutionError;
use turnpike_l1::Severity;

pub use proof::{PreimagesSize, Proof, WitnessSize};
pub use recorder::RecordingOracle;
pub use report::{ProofReport, RunOutcome, grouped};
pub(crate) use run::output_root;
pub use run::{MachineFault, MachineRun, NativeRun, run_machine, run_native};
pub use statement::{BlockPosition, StatedBlock, Statement, position_of, statement_at};
pub use turnpike_vm::{MEMORY_BYTES, STEPS_MAX};
pub use witness::{InboxData, witness};

/// The program that proofs are about, for the machine.
pub const PROGRAM: &[u8] = include_bytes!("../../../guest/program.elf");

/// Why there is nothing to prove.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError {
    /// The block is no entry's.
    #[error("block 0 is the genesis block: no inbox entry derives it")]
    GenesisBlock,
    /// The block is not on L1.
    #[error("block {block} is not on L1 yet: the last one there is {head}")]
    BlockNotOnL1 {
        /// The block.
        block: u64,
        /// The last block on L1.
        head: u64,
    },
    /// Entry 0 has no blocks.
    #[error("inbox entry 0 is the contract's own: no block derives from it")]
    FirstEntry,
    /// The entry is not on L1.
    #[error("inbox entry {entry} is not on L1 yet: the last one there is {newest}")]
    EntryNotOnL1 {
        /// The entry.
        entry: u64,
        /// The last entry on L1.
        newest: u64,
    },
    /// No entry of the chain can have so many blocks.
    #[error("an entry has at most {blocks_max} blocks, and its block {index} was asked for")]
    Index {
        /// The block's place in the entry.
        index: u64,
        /// Blocks that an entry may have.
        blocks_max: u64,
    },
    /// An entry that others refer to was not given.
    #[error("inbox entry {0} is missing")]
    EntryMissing(u64),
    /// L1 cannot be followed.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// An entry was not taken.
    #[error(transparent)]
    Derivation(#[from] DerivationError),
    /// The executor gave up.
    #[error(transparent)]
    Execution(#[from] ExecutionError<Infallible>),
}

impl ProveError {
    /// What the error asks of whoever meets it.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Follow(error) => error.severity(),
            _ => Severity::Critical,
        }
    }
}
