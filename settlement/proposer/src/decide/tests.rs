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
        let config =
            ChainConfig { challenge_window: 100, output_entries_max: 4, ..Genesis::dev().config };
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

    fn look(&self) -> Look<'_> {
        Look {
            config: &self.config,
            interval: 10,
            own: OWN,
            l1_time: self.l1_time,
            entries: &self.entries,
            derived: &self.derived,
            outputs: &self.outputs,
        }
    }

    fn decide(&self) -> Option<Action> {
        self.look().decide()
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
fn what_is_right_is_built_on_though_it_is_challenged() {
    for challenged in [OWN, OTHER] {
        let mut scene = Scene::new(3);
        scene.add(0, 1, challenged, OutputStatus::Challenged, 900);
        assert_eq!(scene.decide(), propose(1, 3));
        scene.add(1, 2, OWN, OutputStatus::Challenged, 980);
        assert_eq!(scene.decide(), propose(2, 3));
        assert_eq!(scene.look().own(OutputStatus::Challenged).last(), Some(&2));
    }
}

#[test]
fn nothing_is_built_on_a_wrong_output_whoever_proposed_it() {
    let mut scene = Scene::new(3);
    for (entry, status) in [(2, OutputStatus::Challenged), (3, OutputStatus::Proposed)] {
        let wrong = scene.add(0, entry, OWN, status, 900);
        (wrong.output, wrong.claim) = (root(0x66), B256::repeat_byte(0x66));
    }
    assert_eq!(scene.decide(), propose(0, 3));
}

#[test]
fn nothing_is_built_on_what_is_before_a_final_output() {
    let mut scene = Scene::new(5);
    scene.add(0, 2, OTHER, OutputStatus::Proposed, 950);
    scene.add(0, 3, OTHER, OutputStatus::Proposed, 950);
    scene.outputs[2].output = root(0x66);
    assert_eq!(scene.decide(), propose(1, 5));
    scene.outputs[2].status = OutputStatus::Final;
    assert_eq!(scene.decide(), None, "L1 would refuse it");
    // An output next to the final one does as well, if it is not before it.
    scene.add(0, 3, OTHER, OutputStatus::Proposed, 950);
    assert_eq!(scene.decide(), propose(3, 5));
}

#[test]
fn nothing_is_proposed_before_what_is_final_is_derived() {
    let mut scene = Scene::new(5);
    scene.add(0, 4, OTHER, OutputStatus::Final, 800);
    let derived = scene.derived.clone();
    scene.derived.truncate(4);
    assert_eq!(scene.decide(), None);
    scene.derived = derived;
    assert_eq!(scene.decide(), propose(1, 5));
}

#[test]
fn after_a_rejection_it_goes_on_from_the_parent_and_makes_no_claim_twice() {
    let mut scene = Scene::new(3);
    scene.add(0, 1, OWN, OutputStatus::Proposed, 950);
    scene.add(1, 3, OWN, OutputStatus::Challenged, 980);
    scene.add(2, 3, OTHER, OutputStatus::Proposed, 980);
    assert_eq!(scene.decide(), None, "all is claimed");
    scene.outputs[2].status = OutputStatus::Rejected;
    assert_eq!(scene.look().own(OutputStatus::Rejected), [2]);
    assert_eq!(scene.decide(), propose(1, 2), "the only entry that is not spoken for");
    scene.add(1, 2, OWN, OutputStatus::Rejected, 980);
    assert_eq!(scene.decide(), None);
    // Nothing is lost: what comes next is claimed instead.
    let mut scene = Scene::new(4);
    scene.add(0, 3, OWN, OutputStatus::Rejected, 980);
    assert_eq!(scene.decide(), propose(0, 4));
}

#[test]
fn another_branch_holds_up_nothing() {
    let mut scene = Scene::new(3);
    scene.add(0, 1, OTHER, OutputStatus::Challenged, 800);
    scene.add(0, 2, OWN, OutputStatus::Proposed, 810);
    scene.add(1, 3, OWN, OutputStatus::Challenged, 810);
    assert_eq!(scene.decide(), Some(Action::Finalize(2)));
    scene.outputs[2].status = OutputStatus::Final;
    // The parent's challenge is open, so it cannot be final yet.
    scene.outputs[3].status = OutputStatus::Proposed;
    assert_eq!(scene.decide(), None);
    scene.outputs[1].status = OutputStatus::Proposed;
    assert_eq!(scene.decide(), Some(Action::Finalize(1)));
}

#[test]
fn bonds_come_back_from_what_falls_with_a_rejected_output() {
    let mut scene = Scene::new(4);
    scene.l1_time = 1_000;
    scene.add(0, 1, OTHER, OutputStatus::Rejected, 800);
    scene.add(1, 2, OTHER, OutputStatus::Proposed, 800);
    scene.add(2, 3, OWN, OutputStatus::Proposed, 901);
    scene.add(1, 4, OTHER, OutputStatus::Proposed, 800);
    scene.add(0, 4, OTHER, OutputStatus::Proposed, 990);
    assert_eq!(scene.decide(), Some(Action::Void(2)), "ours is built on it");
    scene.outputs[2].status = OutputStatus::Void;
    assert_eq!(scene.decide(), None, "its window is open, and the other is nobody's of ours");
    scene.l1_time = 1_001;
    assert_eq!(scene.decide(), Some(Action::Void(3)));
    scene.outputs[3].status = OutputStatus::Challenged;
    assert_eq!(scene.decide(), None);
    scene.outputs[3].status = OutputStatus::Void;
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
