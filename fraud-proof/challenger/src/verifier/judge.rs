//! Judges an output and finds where a wrong one leaves the derived chain.

use std::collections::BTreeSet;

use alloy_primitives::Address;
use turnpike_l1::ProposedOutput;
use turnpike_protocol::state_root_prefix;

use super::{BatchDivergence, DerivedEntry, Verdict, Verifier};
use crate::{Divergence, Evidence, FirstBlock, difference::compare};

/// Maximum number of touched accounts in a report.
const TOUCHED_MAX: usize = 256;

impl Verifier {
    /// Judges `output`. `outputs` are all outputs, by index: they name its ancestors.
    pub fn judge(&self, output: &ProposedOutput, outputs: &[ProposedOutput]) -> Verdict {
        let Some(derived) = self.entry(output.entry) else { return Verdict::Unknown };
        if self.is_genesis(output) {
            return Verdict::Ok;
        }
        let differences = compare(output, &derived.output, &derived.header);
        if differences.is_empty() {
            return Verdict::Ok;
        }
        let true_block = self.true_block(output, outputs);
        let first_block = self.first_block(output, derived, true_block);
        let in_header = differences.iter().filter(|it| it.part.starts_with("header"));
        let state_only = in_header.map(|it| it.part.as_str()).eq(["header.stateRoot"]);
        let divergence = Divergence {
            output: output.index,
            entry: output.entry,
            claimed_block: output.l2_block,
            derived_block: derived.last_block,
            true_block,
            claimed_root: output.output.hash(),
            derived_root: derived.output.hash(),
            claimed_hash: output.output.block_hash,
            differences,
            state_only,
            first_block,
            touched: first_block.exact().map(|block| self.touched(block)).unwrap_or_default(),
            findings: None,
        };
        Verdict::Wrong { divergence: Box::new(divergence) }
    }

    /// Whether `output` is the genesis output, which has no header: the contract was deployed with
    /// its root.
    fn is_genesis(&self, output: &ProposedOutput) -> bool {
        output.index == 0 && output.entry == 0 && output.output == self.genesis_output()
    }

    /// Last block of the nearest right ancestor of `output`.
    fn true_block(&self, output: &ProposedOutput, outputs: &[ProposedOutput]) -> u64 {
        self.true_entry(output, outputs).map_or(0, |(_, derived)| derived.last_block)
    }

    /// Entry of the nearest right ancestor of `output`, if there is one.
    pub(super) fn true_entry(
        &self,
        output: &ProposedOutput,
        outputs: &[ProposedOutput],
    ) -> Option<(u64, &DerivedEntry)> {
        let mut below = output;
        loop {
            let parent = usize::try_from(below.parent).ok().and_then(|at| outputs.get(at))?;
            // A parent is always older, so the loop ends.
            if parent.index >= below.index {
                return None;
            }
            match self.entry(parent.entry) {
                Some(derived) if derived.output == parent.output => {
                    return Some((parent.entry, derived));
                }
                _ => below = parent,
            }
        }
    }

    fn first_block(
        &self,
        output: &ProposedOutput,
        derived: &DerivedEntry,
        true_block: u64,
    ) -> FirstBlock {
        let (first, last) = (true_block + 1, derived.last_block);
        // The posted state roots describe the claimed chain only if the last one matches the claim.
        if derived.claimed_state_root == Some(state_root_prefix(&output.output.state_root)) {
            let entries = self.entries.iter().take(usize::try_from(output.entry).unwrap_or(0) + 1);
            let noted = entries
                .skip_while(|entry| entry.last_block <= true_block)
                .find_map(|entry| entry.first_divergence.filter(|it| it.block > true_block));
            if let Some(BatchDivergence { block, .. }) = noted {
                return FirstBlock::Exact { block, evidence: Evidence::Batch };
            }
        }
        if first >= last {
            FirstBlock::Exact { block: last, evidence: Evidence::OnlyBlock }
        } else {
            FirstBlock::Range { first, last }
        }
    }

    /// The first accounts that a block changes; none if the block is not kept.
    fn touched(&self, block: u64) -> Vec<Address> {
        let keys = self.replay(block).and_then(|replay| replay.changed_keys().ok());
        let keys = keys.unwrap_or_default();
        let addresses: BTreeSet<Address> = keys.into_iter().map(|key| key.address).collect();
        addresses.into_iter().take(TOUCHED_MAX).collect()
    }
}
