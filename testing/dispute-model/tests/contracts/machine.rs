//! A made-up machine: the states of a block's run, true ones and false ones.

use alloy::{
    primitives::{B256, Bytes, keccak256},
    sol_types::SolValue as _,
};
use turnpike_protocol::History;

use crate::l1::{halted_with, state_of};

/// Steps after which a block's run has halted.
const HALTED_AT: u64 = 5_000;

/// A run on a block: true up to a step, and with other states from it on.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    block: B256,
    /// The root that the run ends with.
    root: B256,
    /// From which step on it is false, and how.
    lie: Option<(u64, B256)>,
}

impl Run {
    /// The true run on a block of a range.
    pub(crate) fn of(truth: &History, leaf: u64) -> Self {
        let root = truth.leaf(leaf);
        Self { block: keccak256((truth.root(), leaf).abi_encode()), root, lie: None }
    }

    /// The run that is false from a step on, at least 2, and ends with `root`.
    pub(crate) fn with_lie(self, from: u64, salt: B256, root: B256) -> Self {
        Self { lie: Some((from, salt)), root, ..self }
    }

    /// The state after so many steps, at least 1.
    pub(crate) fn state_at(&self, step: u64) -> Bytes {
        if step >= HALTED_AT {
            return halted_with(self.root);
        }
        let seed = match self.lie {
            Some((from, salt)) if step >= from => salt,
            _ => self.block,
        };
        state_of(keccak256((seed, step).abi_encode()))
    }

    /// Its hash.
    pub(crate) fn hash_at(&self, step: u64) -> B256 {
        keccak256(self.state_at(step))
    }
}
