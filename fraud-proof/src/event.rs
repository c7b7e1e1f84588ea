use std::fmt;

use alloy_primitives::B256;
use serde::Serialize;

use crate::Verdict;

/// What a challenger has to say.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "event")]
pub enum Event {
    /// An output was judged. Each is, once, in the order of their indexes; again after a reorg that it did not survive.
    Output {
        /// Its index.
        index: u64,
        /// Entry after which it claims to hold.
        entry: u64,
        /// L2 block after which it claims to hold.
        block: u64,
        /// What it is.
        #[serde(flatten)]
        verdict: Verdict,
    },
    /// L1 has dropped blocks that were read. What was said of outputs that were in them is void.
    Reorg {
        /// The last L1 block that is still there.
        block: u64,
        /// Outputs that are still there, the genesis output included.
        outputs: u64,
    },
    /// A challenge is on L1.
    Challenged {
        /// Index of the output.
        index: u64,
        /// The L1 transaction.
        l1_transaction: B256,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output { index, entry, block, verdict } => {
                write!(f, "output {index} (entry {entry}, block {block}): ")?;
                match verdict {
                    Verdict::Unknown => write!(f, "not derived yet"),
                    Verdict::Ok => write!(f, "ok"),
                    Verdict::Wrong { divergence } => write!(f, "WRONG\n  {divergence}"),
                }
            }
            Self::Reorg { block, outputs } => {
                write!(f, "L1 has reorganised after block {block}: {outputs} outputs are left")
            }
            Self::Challenged { index, l1_transaction } => {
                write!(f, "output {index}: challenged, L1 transaction {l1_transaction}")
            }
        }
    }
}

/// What a challenger has seen and done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Outputs that are right.
    pub ok: u64,
    /// Outputs that are wrong.
    pub wrong: u64,
    /// Challenges that this challenger brought onto L1.
    pub challenged: u64,
}
