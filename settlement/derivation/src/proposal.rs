//! Decides which output a proposer proposes, finalizes or voids next.
//!
//! The decision is pure: it depends on L1's outputs and entries, the derived outputs and L1's time.
//! It is in this crate because proposer and challenger both make it, and neither may depend on the
//! other.

use alloy_primitives::{Address, B256};
use turnpike_l1::{OutputStatus, PostedEntry, ProposedOutput};
use turnpike_protocol::{ChainConfig, OutputRoot, output_claim};

/// The inputs of a proposer's decision.
#[derive(Clone, Copy, Debug)]
pub struct ProposerView<'a> {
    /// The chain's parameters.
    pub config: &'a ChainConfig,
    /// L1 seconds between two outputs.
    pub interval: u64,
    /// The proposer's account.
    pub own: Address,
    /// Timestamp of L1's newest block.
    pub l1_time: u64,
    /// Inbox entries, by index.
    pub entries: &'a [PostedEntry],
    /// Derived outputs, by entry index.
    pub derived: &'a [OutputRoot],
    /// All outputs, by index.
    pub outputs: &'a [ProposedOutput],
}

/// A transaction that a proposer sends next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProposerAction {
    /// Finalizes the output with this index.
    Finalize(u64),
    /// Voids the output with this index, which is built on a rejected one, and so returns its bond.
    Void(u64),
    /// Proposes the derived output after an entry.
    Propose {
        /// Index of the parent output.
        parent: usize,
        /// Index of the entry.
        entry: usize,
    },
}

impl ProposerView<'_> {
    /// The next action, if there is one.
    pub fn next_action(&self) -> Option<ProposerAction> {
        let sound = self.sound();
        self.finalizable(&sound)
            .map(ProposerAction::Finalize)
            .or_else(|| self.propose(&sound))
            .or_else(|| self.voidable().map(ProposerAction::Void))
    }

    /// Indexes of the proposer's own outputs with this status.
    pub fn own(&self, status: OutputStatus) -> Vec<u64> {
        let is_own =
            |output: &&ProposedOutput| output.proposer == self.own && output.status == status;
        self.outputs.iter().filter(is_own).map(|output| output.index).collect()
    }

    /// For each output, whether it equals the derived one and has no rejected ancestor. A
    /// challenged output counts too, because otherwise a challenge alone could stop the chain.
    fn sound(&self) -> Vec<bool> {
        let mut sound = Vec::with_capacity(self.outputs.len());
        for output in self.outputs {
            let derived = at(output.entry).and_then(|at| self.derived.get(at));
            let stands = match (output.status, output.parent_in(self.outputs)) {
                (OutputStatus::Rejected | OutputStatus::Void, _) => false,
                (OutputStatus::Final, _) | (_, None) => true,
                (OutputStatus::Proposed | OutputStatus::Challenged, Some(parent)) => {
                    at(parent.index).is_some_and(|at| sound[at])
                }
            };
            sound.push(stands && derived == Some(&output.output));
        }
        sound
    }

    /// The index of an output whose challenge window is over and whose parent is final. The
    /// proposer's own outputs come first.
    fn finalizable(&self, sound: &[bool]) -> Option<u64> {
        let is_due = |output: &ProposedOutput| {
            output.status == OutputStatus::Proposed
                && self.is_window_over(output)
                && output
                    .parent_in(self.outputs)
                    .is_some_and(|parent| parent.status == OutputStatus::Final)
        };
        let due =
            || self.outputs.iter().zip(sound).filter(|(output, sound)| **sound && is_due(output));
        let own = due().find(|(output, _)| output.proposer == self.own);
        own.or_else(|| due().next()).map(|(output, _)| output.index)
    }

    /// The index of an output that is built on a rejected one and whose challenge window is over.
    /// It is the proposer's own output, or an ancestor of one, which must be voided first.
    fn voidable(&self) -> Option<u64> {
        let mut holds_ours = vec![false; self.outputs.len()];
        let mut found = None;
        for (index, output) in self.outputs.iter().enumerate().rev() {
            let is_ours = output.proposer == self.own || holds_ours[index];
            let parent = output
                .parent_in(self.outputs)
                .filter(|_| is_ours && output.status == OutputStatus::Proposed);
            let Some(parent) = parent else { continue };
            if let Some(below) = at(parent.index) {
                holds_ours[below] = true;
            }
            let falls = matches!(parent.status, OutputStatus::Rejected | OutputStatus::Void);
            if falls && self.is_window_over(output) {
                found = Some(output.index);
            }
        }
        found
    }

    const fn is_window_over(&self, output: &ProposedOutput) -> bool {
        self.l1_time >= output.proposed_at.saturating_add(self.config.challenge_window)
    }

    fn propose(&self, sound: &[bool]) -> Option<ProposerAction> {
        // The parent is the correct output with the latest entry, and of several with that entry
        // the first.
        let sound = self.outputs.iter().zip(sound).filter(|(_, sound)| **sound);
        let parent = sound.map(|(output, _)| output).rev().max_by_key(|output| output.entry)?;
        // L1 refuses a parent below the final output. A proposer without a later one has not
        // derived the final entry yet, or derives another chain.
        if parent.entry < self.final_entry() {
            return None;
        }
        let newest = (self.derived.len().min(self.entries.len()) as u64).checked_sub(1)?;
        let furthest = parent.entry.saturating_add(self.config.output_entries_max);
        // With more entries than one output may span, propose without waiting for the interval.
        let is_time = self.l1_time >= parent.proposed_at.saturating_add(self.interval);
        if newest <= furthest && !is_time {
            return None;
        }
        // L1 accepts each claim once. A rejected claim cannot be repeated, but another entry's
        // claim can be made.
        let mut entries = (parent.entry + 1..=newest.min(furthest)).rev().filter_map(at);
        let entry = entries.find(|entry| !self.is_claimed(parent, *entry))?;
        Some(ProposerAction::Propose { parent: at(parent.index)?, entry })
    }

    /// The latest entry with a final output.
    fn final_entry(&self) -> u64 {
        let finals = self.outputs.iter().filter(|output| output.status == OutputStatus::Final);
        finals.map(|output| output.entry).max().unwrap_or_default()
    }

    fn is_claimed(&self, parent: &ProposedOutput, entry: usize) -> bool {
        let PostedEntry { entry: posted, acc, .. } = &self.entries[entry];
        let claim: B256 =
            output_claim(parent.claim, posted.index, *acc, self.derived[entry].hash());
        self.outputs.iter().any(|output| output.claim == claim)
    }
}

fn at(index: u64) -> Option<usize> {
    usize::try_from(index).ok()
}

#[cfg(test)]
mod tests;
