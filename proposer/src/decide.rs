//! What a proposer does next: pure.

use alloy_primitives::{Address, B256};
use turnpike_l1::{OutputStatus, PostedEntry, ProposedOutput};
use turnpike_protocol::{ChainConfig, OutputRoot, output_claim};

/// What a proposer sees.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look<'a> {
    pub(crate) config: &'a ChainConfig,
    /// L1 seconds between an output and the next.
    pub(crate) interval: u64,
    /// The proposer's account.
    pub(crate) own: Address,
    /// Timestamp of L1's newest block.
    pub(crate) l1_time: u64,
    /// The inbox, by index.
    pub(crate) entries: &'a [PostedEntry],
    /// What the chain came to after each entry, by index.
    pub(crate) derived: &'a [OutputRoot],
    /// All outputs, by index.
    pub(crate) outputs: &'a [ProposedOutput],
}

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Finalizes the output with this index.
    Finalize(u64),
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
    pub(crate) fn decide(&self) -> Option<Action> {
        let sound = self.sound();
        self.finalizable(&sound).map(Action::Finalize).or_else(|| self.propose(&sound))
    }

    /// Our own output that is challenged: until that is settled no bond more is put up.
    pub(crate) fn disputed(&self) -> Option<u64> {
        let is_disputed = |output: &&ProposedOutput| {
            output.proposer == self.own && output.status == OutputStatus::Challenged
        };
        self.outputs.iter().find(is_disputed).map(|output| output.index)
    }

    /// Which outputs are right and undisputed, down to one that is final.
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
                && self.l1_time >= output.proposed_at.saturating_add(self.config.challenge_window)
                && output
                    .parent_in(self.outputs)
                    .is_some_and(|parent| parent.status == OutputStatus::Final)
        };
        let due =
            || self.outputs.iter().zip(sound).filter(|(output, sound)| **sound && is_due(output));
        let own = due().find(|(output, _)| output.proposer == self.own);
        own.or_else(|| due().next()).map(|(output, _)| output.index)
    }

    fn propose(&self, sound: &[bool]) -> Option<Action> {
        if self.disputed().is_some() {
            return None;
        }
        // The latest that is right; the first of those that say the same.
        let sound = self.outputs.iter().zip(sound).filter(|(_, sound)| **sound);
        let parent = sound.map(|(output, _)| output).rev().max_by_key(|output| output.entry)?;
        let newest = (self.derived.len().min(self.entries.len()) as u64).checked_sub(1)?;
        let furthest = parent.entry.saturating_add(self.config.output_entries_max);
        // What does not fit into one output is caught up with at once.
        let is_time = self.l1_time >= parent.proposed_at.saturating_add(self.interval);
        if newest <= furthest && !is_time {
            return None;
        }
        // A claim is made once. One that is disputed cannot be made again, but that of another entry can.
        let mut entries = (parent.entry + 1..=newest.min(furthest)).rev().filter_map(at);
        let entry = entries.find(|entry| !self.is_claimed(parent, *entry))?;
        Some(Action::Propose { parent: at(parent.index)?, entry })
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
mod tests {
    use alloy_primitives::{Bytes, U256};
    use turnpike_protocol::{DataKind, Entry, Genesis};

    use super::*;

    const OWN: Address = Address::repeat_byte(1);
    const OTHER: Address = Address::repeat_byte(2);

    /// A chain of so many entries after entry 0, at L1 time 1,000.
    struct Scene {
        config: ChainConfig,
        entries: Vec<PostedEntry>,
        derived: Vec<OutputRoot>,
        outputs: Vec<ProposedOutput>,
        l1_time: u64,
    }

    fn root(seed: u8) -> OutputRoot {
        let word = B256::repeat_byte(seed);
        OutputRoot { state_root: word, message_passer_storage_root: word, block_hash: word }
    }

    impl Scene {
        fn new(entries: u8) -> Self {
            let config = ChainConfig {
                challenge_window: 100,
                output_entries_max: 4,
                ..Genesis::dev().config
            };
            let posted = |index: u8| PostedEntry {
                entry: Entry {
                    index: index.into(),
                    data_kind: DataKind::None,
                    data_hash: B256::ZERO,
                    deposit_acc: B256::ZERO,
                    deposit_count: 0,
                    l1_block_number: 1,
                    l1_time: 1,
                    l1_base_fee: U256::ZERO,
                    l1_blob_base_fee: U256::ZERO,
                    l1_parent_hash: B256::ZERO,
                    origin: 0,
                },
                acc: B256::repeat_byte(0x80 | index),
                l1_transaction: B256::ZERO,
            };
            let mut scene = Self {
                config,
                entries: (0..=entries).map(posted).collect(),
                derived: (0..=entries).map(root).collect(),
                outputs: Vec::new(),
                l1_time: 1_000,
            };
            scene.add(0, 0, OTHER, OutputStatus::Final, 0);
            scene
        }

        fn add(
            &mut self,
            parent: usize,
            entry: usize,
            proposer: Address,
            status: OutputStatus,
            proposed_at: u64,
        ) -> &mut ProposedOutput {
            let below = self.outputs.get(parent).map_or(B256::ZERO, |output| output.claim);
            let output = self.derived[entry];
            let claim = output_claim(below, entry as u64, self.entries[entry].acc, output.hash());
            let index = self.outputs.len() as u64;
            self.outputs.push(ProposedOutput {
                index,
                claim,
                parent: parent as u64,
                entry: entry as u64,
                output,
                header: Bytes::new(),
                l2_block: entry as u64,
                proposer,
                proposed_at,
                l1_transaction: B256::ZERO,
                status,
            });
            self.outputs.last_mut().expect("just pushed")
        }

        fn decide(&self) -> Option<Action> {
            Look {
                config: &self.config,
                interval: 10,
                own: OWN,
                l1_time: self.l1_time,
                entries: &self.entries,
                derived: &self.derived,
                outputs: &self.outputs,
            }
            .decide()
        }
    }

    const fn propose(parent: usize, entry: usize) -> Option<Action> {
        Some(Action::Propose { parent, entry })
    }

    #[test]
    fn what_is_new_is_proposed_once_it_is_time() {
        assert_eq!(Scene::new(0).decide(), None);
        let mut scene = Scene::new(3);
        assert_eq!(scene.decide(), propose(0, 3));
        scene.add(0, 2, OWN, OutputStatus::Proposed, 995);
        assert_eq!(scene.decide(), None, "too soon");
        scene.l1_time = 1_005;
        assert_eq!(scene.decide(), propose(1, 3));
    }

    #[test]
    fn what_does_not_fit_into_one_output_is_caught_up_with() {
        let mut scene = Scene::new(9);
        assert_eq!(scene.decide(), propose(0, 4));
        scene.add(0, 4, OWN, OutputStatus::Proposed, 1_000);
        assert_eq!(scene.decide(), propose(1, 8), "at once");
        scene.add(1, 8, OWN, OutputStatus::Proposed, 1_000);
        assert_eq!(scene.decide(), None);
    }

    #[test]
    fn somebody_elses_output_is_built_on_if_it_is_right() {
        let mut scene = Scene::new(3);
        scene.add(0, 2, OTHER, OutputStatus::Proposed, 990);
        assert_eq!(scene.decide(), propose(1, 3));
        scene.add(0, 3, OTHER, OutputStatus::Proposed, 990).output = root(0x66);
        scene.outputs[2].claim = B256::repeat_byte(0x77);
        assert_eq!(scene.decide(), propose(1, 3), "not on what is wrong");
        // What is right but stands on what is wrong goes down with it.
        scene.add(2, 3, OTHER, OutputStatus::Proposed, 990);
        assert_eq!(scene.decide(), propose(1, 3));
    }

    #[test]
    fn nothing_is_built_on_what_is_disputed_and_no_claim_is_made_twice() {
        let mut scene = Scene::new(3);
        scene.add(0, 2, OTHER, OutputStatus::Challenged, 990);
        scene.add(1, 3, OTHER, OutputStatus::Proposed, 990);
        assert_eq!(scene.decide(), propose(0, 3));
        scene.add(0, 3, OTHER, OutputStatus::Challenged, 990);
        assert_eq!(scene.decide(), propose(0, 1), "the only entry that is not spoken for");
        scene.add(0, 1, OTHER, OutputStatus::Challenged, 990);
        assert_eq!(scene.decide(), None);
    }

    #[test]
    fn no_bond_more_is_put_up_while_ours_is_disputed() {
        let mut scene = Scene::new(3);
        scene.add(0, 1, OWN, OutputStatus::Proposed, 800);
        scene.add(1, 2, OWN, OutputStatus::Challenged, 990);
        assert_eq!(scene.decide(), Some(Action::Finalize(1)));
        scene.outputs[1].status = OutputStatus::Final;
        assert_eq!(scene.decide(), None);
    }

    #[test]
    fn what_is_due_is_finalized_ours_first() {
        let mut scene = Scene::new(3);
        scene.add(0, 1, OTHER, OutputStatus::Proposed, 800);
        scene.add(0, 2, OWN, OutputStatus::Proposed, 850);
        scene.add(2, 3, OWN, OutputStatus::Proposed, 850);
        assert_eq!(scene.decide(), Some(Action::Finalize(2)));
        scene.outputs[2].status = OutputStatus::Final;
        assert_eq!(scene.decide(), Some(Action::Finalize(3)));
        scene.outputs[3].status = OutputStatus::Final;
        assert_eq!(scene.decide(), Some(Action::Finalize(1)));
        // Not what is wrong, though nobody has challenged it.
        scene.outputs[1].output = root(0x66);
        assert_eq!(scene.decide(), None);
    }

    #[test]
    fn an_open_window_is_waited_for() {
        let mut scene = Scene::new(1);
        scene.add(0, 1, OWN, OutputStatus::Proposed, 901);
        assert_eq!(scene.decide(), None);
        scene.l1_time = 1_001;
        assert_eq!(scene.decide(), Some(Action::Finalize(1)));
    }
}
