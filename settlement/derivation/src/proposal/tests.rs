use alloy_primitives::U256;
use turnpike_protocol::{DataKind, Entry, Genesis};

use super::*;

const OWN: Address = Address::repeat_byte(1);
const OTHER: Address = Address::repeat_byte(2);

/// A chain at L1 time 1,000.
struct TestChain {
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

impl TestChain {
    /// A chain with `entries` entries after entry 0.
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
                origin_acc: B256::ZERO,
                offchain_time: 0,
            },
            acc: B256::repeat_byte(0x80 | index),
            content: B256::ZERO,
            l1_transaction: B256::ZERO,
        };
        let mut chain = Self {
            config,
            entries: (0..=entries).map(posted).collect(),
            derived: (0..=entries).map(root).collect(),
            outputs: Vec::new(),
            l1_time: 1_000,
        };
        chain.add(0, 0, OTHER, OutputStatus::Final, 0);
        chain
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
            l2_block: entry as u64,
            proposer,
            proposed_at,
            status,
            ..ProposedOutput::genesis(output)
        });
        self.outputs.last_mut().expect("just pushed")
    }

    fn view(&self) -> ProposerView<'_> {
        ProposerView {
            config: &self.config,
            interval: 10,
            own: OWN,
            l1_time: self.l1_time,
            entries: &self.entries,
            derived: &self.derived,
            outputs: &self.outputs,
        }
    }

    fn next_action(&self) -> Option<ProposerAction> {
        self.view().next_action()
    }
}

const fn propose(parent: usize, entry: usize) -> Option<ProposerAction> {
    Some(ProposerAction::Propose { parent, entry })
}

#[test]
fn newest_entry_is_proposed_after_the_interval() {
    assert_eq!(TestChain::new(0).next_action(), None);
    let mut chain = TestChain::new(3);
    assert_eq!(chain.next_action(), propose(0, 3));
    chain.add(0, 2, OWN, OutputStatus::Proposed, 995);
    assert_eq!(chain.next_action(), None, "too soon");
    chain.l1_time = 1_005;
    assert_eq!(chain.next_action(), propose(1, 3));
}

#[test]
fn surplus_entries_are_proposed_without_waiting() {
    let mut chain = TestChain::new(9);
    assert_eq!(chain.next_action(), propose(0, 4));
    chain.add(0, 4, OWN, OutputStatus::Proposed, 1_000);
    assert_eq!(chain.next_action(), propose(1, 8), "at once");
    chain.add(1, 8, OWN, OutputStatus::Proposed, 1_000);
    assert_eq!(chain.next_action(), None);
}

#[test]
fn correct_output_of_another_proposer_becomes_the_parent() {
    let mut chain = TestChain::new(3);
    chain.add(0, 2, OTHER, OutputStatus::Proposed, 990);
    assert_eq!(chain.next_action(), propose(1, 3));
    chain.add(0, 3, OTHER, OutputStatus::Proposed, 990).output = root(0x66);
    chain.outputs[2].claim = B256::repeat_byte(0x77);
    assert_eq!(chain.next_action(), propose(1, 3), "the parent is not the wrong output");
    // A correct output with a wrong parent never becomes final.
    chain.add(2, 3, OTHER, OutputStatus::Proposed, 990);
    assert_eq!(chain.next_action(), propose(1, 3));
}

#[test]
fn challenged_correct_output_stays_a_parent() {
    for challenged in [OWN, OTHER] {
        let mut chain = TestChain::new(3);
        chain.add(0, 1, challenged, OutputStatus::Challenged, 900);
        assert_eq!(chain.next_action(), propose(1, 3));
        chain.add(1, 2, OWN, OutputStatus::Challenged, 980);
        assert_eq!(chain.next_action(), propose(2, 3));
        assert_eq!(chain.view().own(OutputStatus::Challenged).last(), Some(&2));
    }
}

#[test]
fn own_wrong_output_never_becomes_a_parent() {
    let mut chain = TestChain::new(3);
    for (entry, status) in [(2, OutputStatus::Challenged), (3, OutputStatus::Proposed)] {
        let wrong = chain.add(0, entry, OWN, status, 900);
        (wrong.output, wrong.claim) = (root(0x66), B256::repeat_byte(0x66));
    }
    assert_eq!(chain.next_action(), propose(0, 3));
}

#[test]
fn output_below_the_final_one_never_becomes_a_parent() {
    let mut chain = TestChain::new(5);
    chain.add(0, 2, OTHER, OutputStatus::Proposed, 950);
    chain.add(0, 3, OTHER, OutputStatus::Proposed, 950);
    chain.outputs[2].output = root(0x66);
    assert_eq!(chain.next_action(), propose(1, 5));
    chain.outputs[2].status = OutputStatus::Final;
    assert_eq!(chain.next_action(), None, "L1 would refuse it");
    // Another output at the final one's entry is a valid parent.
    chain.add(0, 3, OTHER, OutputStatus::Proposed, 950);
    assert_eq!(chain.next_action(), propose(3, 5));
}

#[test]
fn nothing_is_proposed_before_the_final_entry_is_derived() {
    let mut chain = TestChain::new(5);
    chain.add(0, 4, OTHER, OutputStatus::Final, 800);
    let derived = chain.derived.clone();
    chain.derived.truncate(4);
    assert_eq!(chain.next_action(), None);
    chain.derived = derived;
    assert_eq!(chain.next_action(), propose(1, 5));
}

#[test]
fn rejected_claim_is_never_repeated() {
    let mut chain = TestChain::new(3);
    chain.add(0, 1, OWN, OutputStatus::Proposed, 950);
    chain.add(1, 3, OWN, OutputStatus::Challenged, 980);
    chain.add(2, 3, OTHER, OutputStatus::Proposed, 980);
    assert_eq!(chain.next_action(), None, "every entry has a claim");
    chain.outputs[2].status = OutputStatus::Rejected;
    assert_eq!(chain.view().own(OutputStatus::Rejected), [2]);
    assert_eq!(chain.next_action(), propose(1, 2), "the only entry without a claim");
    chain.add(1, 2, OWN, OutputStatus::Rejected, 980);
    assert_eq!(chain.next_action(), None);
    // The next entry is claimed instead.
    let mut chain = TestChain::new(4);
    chain.add(0, 3, OWN, OutputStatus::Rejected, 980);
    assert_eq!(chain.next_action(), propose(0, 4));
}

#[test]
fn challenge_on_another_branch_does_not_delay() {
    let mut chain = TestChain::new(3);
    chain.add(0, 1, OTHER, OutputStatus::Challenged, 800);
    chain.add(0, 2, OWN, OutputStatus::Proposed, 810);
    chain.add(1, 3, OWN, OutputStatus::Challenged, 810);
    assert_eq!(chain.next_action(), Some(ProposerAction::Finalize(2)));
    chain.outputs[2].status = OutputStatus::Final;
    // The parent's challenge is open, so it cannot be final yet.
    chain.outputs[3].status = OutputStatus::Proposed;
    assert_eq!(chain.next_action(), None);
    chain.outputs[1].status = OutputStatus::Proposed;
    assert_eq!(chain.next_action(), Some(ProposerAction::Finalize(1)));
}

#[test]
fn outputs_on_a_rejected_one_are_voided_in_order() {
    let mut chain = TestChain::new(4);
    chain.l1_time = 1_000;
    chain.add(0, 1, OTHER, OutputStatus::Rejected, 800);
    chain.add(1, 2, OTHER, OutputStatus::Proposed, 800);
    chain.add(2, 3, OWN, OutputStatus::Proposed, 901);
    chain.add(1, 4, OTHER, OutputStatus::Proposed, 800);
    chain.add(0, 4, OTHER, OutputStatus::Proposed, 990);
    assert_eq!(chain.next_action(), Some(ProposerAction::Void(2)), "an own output is built on it");
    chain.outputs[2].status = OutputStatus::Void;
    assert_eq!(
        chain.next_action(),
        None,
        "its window is open, and no own output is built on the other"
    );
    chain.l1_time = 1_001;
    assert_eq!(chain.next_action(), Some(ProposerAction::Void(3)));
    chain.outputs[3].status = OutputStatus::Challenged;
    assert_eq!(chain.next_action(), None);
    chain.outputs[3].status = OutputStatus::Void;
    assert_eq!(chain.next_action(), None);
}

#[test]
fn own_output_is_finalized_first() {
    let mut chain = TestChain::new(3);
    chain.add(0, 1, OTHER, OutputStatus::Proposed, 800);
    chain.add(0, 2, OWN, OutputStatus::Proposed, 850);
    chain.add(2, 3, OWN, OutputStatus::Proposed, 850);
    assert_eq!(chain.next_action(), Some(ProposerAction::Finalize(2)));
    chain.outputs[2].status = OutputStatus::Final;
    assert_eq!(chain.next_action(), Some(ProposerAction::Finalize(3)));
    chain.outputs[3].status = OutputStatus::Final;
    assert_eq!(chain.next_action(), Some(ProposerAction::Finalize(1)));
    // A wrong output is not finalized although it is unchallenged.
    chain.outputs[1].output = root(0x66);
    assert_eq!(chain.next_action(), None);
}

#[test]
fn open_challenge_window_delays_finalization() {
    let mut chain = TestChain::new(1);
    chain.add(0, 1, OWN, OutputStatus::Proposed, 901);
    assert_eq!(chain.next_action(), None);
    chain.l1_time = 1_001;
    assert_eq!(chain.next_action(), Some(ProposerAction::Finalize(1)));
}
