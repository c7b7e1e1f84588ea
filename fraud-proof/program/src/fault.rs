//! Why the program ends without an output root, and the exit code that says so.

use alloy_primitives::B256;

/// Why the program has no output root. No fault occurs on true preimages of an entry that L1 holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The oracle lacks a key's preimage. In the machine, the step stops instead.
    #[error("nothing is behind key {0}")]
    Missing(B256),
    /// A preimage is longer than the rules allow.
    #[error("{found} bytes are behind key {key}, allowed are {max}")]
    TooLong {
        /// The key.
        key: B256,
        /// Length of its preimage in bytes.
        found: u64,
        /// Allowed length in bytes.
        max: usize,
    },
    /// A preimage does not have the format that its place requires.
    #[error("the bytes behind key {key} are no {expected}")]
    Malformed {
        /// The key.
        key: B256,
        /// The expected format.
        expected: &'static str,
    },
    /// Derivation refused its arguments.
    #[error("derivation refused the entry")]
    Derive,
    /// Execution lacks a part of the state.
    #[error("execution lacked a part of the state")]
    Execute,
}

impl Fault {
    /// The program's exit code. 0 is success, and 101 is a panic.
    pub const fn exit_code(&self) -> u64 {
        match self {
            Self::Missing(_) => 2,
            Self::TooLong { .. } => 3,
            Self::Malformed { .. } => 4,
            Self::Derive => 5,
            Self::Execute => 6,
        }
    }
}
