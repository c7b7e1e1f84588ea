//! What a proposer does next: pure.

use alloy_primitives::{Address, B256};
use turnpike_l1::{OutputStatus, PostedEntry, ProposedOutput};
use turnpike_protocol::{ChainConfig, OutputRoot, output_claim};

/// What a proposer sees.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The chain's parameters.
    pub config: &'a ChainConfig,
    /// L1 seconds between an output and the next.
    pub interval: u64,
    /// The proposer's account.
    pub own: Address,
    /// Timestamp of L1's newest block.
    pub l1_time: u64,
    /// The inbox, by index.
    pub entries: &'a [PostedEntry],
    /// What the chain came to after each entry, by index.
    pub derived: &'a [OutputRoot],
    /// All outputs, by index.
    pub outputs: &'a [ProposedOutput],
}

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Finalizes the output with this index.
    Finalize(u64),
    /// Has the bond of the output with this index returned, which is built on a rejected one.
    Void(u64),
    /// Proposes what the chain came to after an entry.
    Propose {
        /// Index of the output to stand on.
        parent: usize,
        /// The entry.
        entry: usize,
    },
}

impl Look<'_> {
    /// What is to be done now, if anything is.
    pub fn decide(&self) -> Option<Action> {
        let sound = self.sound();
        self.finalizable(&sound)
            .map(Action::Finalize)
            .or_else(|| self.propose(&sound))
            .or_else(|| self.voidable().map(Action::Void))
    }

    /// Our outputs that stand like this.
    pub fn own(&self, status: OutputStatus) -> Vec<u64> {
        let is_own =
            |output: &&ProposedOutput| output.proposer == self.own && output.status == status;
        self.outputs.iter().filter(is_own).map(|output| output.index).collect()
    }

    /// Which outputs are right, and stand on none that was rejected. Those that are challenged do not fall by that: if
    /// nobody built on them, whoever challenges could stop the chain.
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

    /// An output whose window is over and whose parent is final: ours, or else somebody's.
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

    /// An output that falls with a rejected one, whose window is over: ours, or one that ours is built on, whose bond has
    /// to be returned before.
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

    fn propose(&self, sound: &[bool]) -> Option<Action> {
        // The latest that is right; the first of those that say the same.
        let sound = self.outputs.iter().zip(sound).filter(|(_, sound)| **sound);
        let parent = sound.map(|(output, _)| output).rev().max_by_key(|output| output.entry)?;
        // L1 lets nobody build on less. Whoever sees no more has still to derive what is final, or it is wrong.
        if parent.entry < self.final_entry() {
            return None;
        }
        let newest = (self.derived.len().min(self.entries.len()) as u64).checked_sub(1)?;
        let furthest = parent.entry.saturating_add(self.config.output_entries_max);
        // What does not fit into one output is caught up with at once.
        let is_time = self.l1_time >= parent.proposed_at.saturating_add(self.interval);
        if newest <= furthest && !is_time {
            return None;
        }
        // A claim is made once. One that was rejected cannot be made again, but that of another entry can.
        let mut entries = (parent.entry + 1..=newest.min(furthest)).rev().filter_map(at);
        let entry = entries.find(|entry| !self.is_claimed(parent, *entry))?;
        Some(Action::Propose { parent: at(parent.index)?, entry })
    }

    /// The latest entry of a final output.
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
