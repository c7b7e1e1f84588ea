use alloy_primitives::B256;

/// Why there is no output root. None of these can happen to what L1 and the agreed root lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The oracle has nothing behind a key. The machine stops there instead.
    #[error("nothing is behind key {0}")]
    Missing(B256),
    /// There are more bytes behind a key than the rules allow.
    #[error("{found} bytes are behind key {key}, allowed are {max}")]
    TooLong {
        /// The key.
        key: B256,
        /// Bytes behind it.
        found: u64,
        /// Bytes allowed.
        max: usize,
    },
    /// The bytes behind a key are not what the key stands for where it was found.
    #[error("the bytes behind key {key} are no {expected}")]
    Malformed {
        /// The key.
        key: B256,
        /// What was expected.
        expected: &'static str,
    },
    /// Derivation refused its arguments.
    #[error("derivation refused the entry")]
    Derive,
    /// Execution lacked what it reads.
    #[error("execution lacked a part of the state")]
    Execute,
}

impl Fault {
    /// The code that the program exits with. 0 is success; panics have 101.
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
