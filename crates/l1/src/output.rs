//! Outputs as the `Rollup` contract holds them.

use alloy_primitives::{Address, B256, Bytes};
use turnpike_protocol::OutputRoot;

/// Status of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputStatus {
    /// The challenge window is open, or it has ended and the output is not finalized yet.
    Proposed,
    /// The output is challenged and undecided.
    Challenged,
    /// The output is final.
    Final,
    /// A challenger won against the output.
    Rejected,
    /// The parent or an earlier ancestor was rejected, and the bond was returned.
    Void,
}

/// A proposed output and its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposedOutput {
    /// Index in the `Rollup` contract.
    pub index: u64,
    /// Hash of the output's assertion.
    pub claim: B256,
    /// Index of the parent output.
    pub parent: u64,
    /// Entry after which the claimed root holds.
    pub entry: u64,
    /// Preimage of the claimed root.
    pub output: OutputRoot,
    /// RLP of the claimed L2 header; empty for the genesis output.
    pub header: Bytes,
    /// Number of the claimed L2 block.
    pub l2_block: u64,
    /// Account of the proposer.
    pub proposer: Address,
    /// L1 timestamp of the proposal, in seconds.
    pub proposed_at: u64,
    /// L1 transaction that proposed the output.
    pub l1_transaction: B256,
    /// Status.
    pub status: OutputStatus,
}

impl ProposedOutput {
    /// The output that the `Rollup` contract was deployed with. Its claim, which follows from inbox
    /// entry 0, is left zero.
    pub const fn genesis(output: OutputRoot) -> Self {
        Self {
            index: 0,
            claim: B256::ZERO,
            parent: 0,
            entry: 0,
            output,
            header: Bytes::new(),
            l2_block: 0,
            proposer: Address::ZERO,
            proposed_at: 0,
            l1_transaction: B256::ZERO,
            status: OutputStatus::Final,
        }
    }

    /// The parent; `None` for the genesis output.
    pub fn parent_in<'a>(&self, outputs: &'a [Self]) -> Option<&'a Self> {
        let parent = usize::try_from(self.parent).ok().and_then(|at| outputs.get(at));
        parent.filter(|parent| parent.index < self.index)
    }
}

/// Whether neither an output nor any of its ancestors is challenged, rejected or void.
pub fn is_undisputed(outputs: &[ProposedOutput], output: &ProposedOutput) -> bool {
    let mut output = output;
    loop {
        match output.status {
            OutputStatus::Challenged | OutputStatus::Rejected | OutputStatus::Void => return false,
            OutputStatus::Final => return true,
            OutputStatus::Proposed => {}
        }
        match output.parent_in(outputs) {
            Some(parent) => output = parent,
            None => return true,
        }
    }
}
