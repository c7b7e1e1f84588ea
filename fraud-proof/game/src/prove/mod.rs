//! The host's side of a proof: states what there is to prove of a block, collects its witness, and
//! runs the proof program natively and in the machine.
//!
//! ```text
//! L1 ─► DerivedChain ─► Statement: position, output root, witness
//!                          └─► native run ─► smallest witness ─► machine run ─► Proof
//! ```
//!
//! A [`Statement`] holds the node's output root of a block, and [`witness()`] collects everything
//! that the program may read of L1 and of the state before. The native run computes precompile
//! outputs and records the smallest witness, on which the machine runs. The three output roots must
//! be equal.

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

/// The committed proof program for the machine.
pub const PROGRAM: &[u8] = include_bytes!("../../../guest/program.elf");

/// Why a statement cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError {
    /// No entry derives the genesis block.
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
    /// The index is beyond the maximum number of blocks per entry.
    #[error("an entry has at most {blocks_max} blocks, and its block {index} was asked for")]
    Index {
        /// The block's index in the entry.
        index: u64,
        /// Maximum number of blocks per entry.
        blocks_max: u64,
    },
    /// An entry that others refer to is missing.
    #[error("inbox entry {0} is missing")]
    EntryMissing(u64),
    /// L1 cannot be read.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// An entry cannot be derived.
    #[error(transparent)]
    Derivation(#[from] DerivationError),
    /// Execution failed.
    #[error(transparent)]
    Execution(#[from] ExecutionError<Infallible>),
}

impl ProveError {
    /// The error's severity.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Follow(error) => error.severity(),
            _ => Severity::Critical,
        }
    }
}
