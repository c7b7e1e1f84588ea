//! What the node knows from L1: entries and their blocks, deposits, outputs and disputes.
//!
//! # State
//!
//! In memory. The driver replaces it under one lock after each L1 event, so readers get a
//! consistent view.
//!
//! # Recovery
//!
//! A start reads everything from L1 again.

use std::{sync::Arc, time::Instant};

use alloy_primitives::B256;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, watch};
use turnpike_l1::{Disputes, L1Head, OutputStatus, ProposedOutput};
use turnpike_protocol::{Entry, Origin, OutputRoot, QueuedDeposit};

/// The settlement, shared by its readers and the driver, which writes it.
#[derive(Debug)]
pub struct SettlementView {
    settlement: RwLock<Settlement>,
    changed: watch::Receiver<u64>,
}

impl SettlementView {
    /// An empty settlement, and the sender that counts its changes.
    pub(crate) fn new() -> (Self, watch::Sender<u64>) {
        let (sender, changed) = watch::channel(0);
        (Self { settlement: RwLock::default(), changed }, sender)
    }

    /// The settlement, for reading.
    pub async fn read(&self) -> RwLockReadGuard<'_, Settlement> {
        self.settlement.read().await
    }

    /// The settlement, for reading outside the runtime's threads.
    pub fn blocking_read(&self) -> RwLockReadGuard<'_, Settlement> {
        self.settlement.blocking_read()
    }

    /// The settlement, for changes by the part that follows L1.
    pub async fn write(&self) -> RwLockWriteGuard<'_, Settlement> {
        self.settlement.write().await
    }

    /// Counts the settlement's changes.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.clone()
    }
}

/// The blocks of an inbox entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostedRange {
    /// The entry.
    pub entry: Entry,
    /// Its first block.
    pub first_block: u64,
    /// Its last block.
    pub last_block: u64,
    /// The preimage of the output root after its last block.
    pub output: OutputRoot,
    /// The L1 transaction that appended it.
    pub l1_transaction: B256,
    /// Bytes of its data on L1: calldata, or whole blobs.
    pub bytes: u64,
    /// Transactions in its blocks, without deposits.
    pub transactions: u64,
    /// Why derivation dropped its batch.
    pub fault: Option<String>,
}

/// What the node knows from L1.
#[derive(Clone, Debug, Default)]
pub struct Settlement {
    /// L1's head at its last answer.
    pub l1: Option<L1Head>,
    /// The error of the last poll, if it failed.
    pub l1_error: Option<String>,
    /// When L1 last answered.
    pub l1_seen_at: Option<Instant>,
    /// The origin of the next block: the newest entry when it was chosen.
    pub origin: Option<Origin>,
    /// The inbox's own entry, number 0.
    pub first_entry: Option<Entry>,
    /// All deposits of the queue.
    pub deposits: Vec<QueuedDeposit>,
    /// The blocks of each later entry, in order.
    pub posted: Vec<PostedRange>,
    /// Outputs, by index.
    pub outputs: Vec<ProposedOutput>,
    /// Indexes of the outputs that agree with this chain and whose ancestors do.
    pub agreed: Vec<usize>,
    /// Indexes of the agreeing outputs that stand: neither they nor their ancestors are challenged
    /// or rejected.
    pub standing: Vec<usize>,
    /// Challenges of outputs and their games.
    pub disputes: Arc<Disputes>,
}

impl Settlement {
    /// The entry with this index.
    pub fn entry(&self, index: u64) -> Option<&Entry> {
        match usize::try_from(index).ok()?.checked_sub(1) {
            Some(at) => self.posted.get(at).map(|range| &range.entry),
            None => self.first_entry.as_ref(),
        }
    }

    /// The newest entry.
    pub fn newest_entry(&self) -> Option<&Entry> {
        self.posted.last().map(|range| &range.entry).or(self.first_entry.as_ref())
    }

    /// Number of the queue's deposits that entries have consumed.
    pub fn deposits_consumed(&self) -> u64 {
        self.newest_entry().map_or(0, |entry| entry.deposit_count)
    }

    /// Takes the newest entry as the origin once the present one is `step` seconds old at this time
    /// of L1. A batch has one origin, so each change of it ends a batch.
    pub(crate) fn advance_origin(&mut self, l1_time: u64, step: u64) {
        let is_young = |origin: &Origin| l1_time < origin.l1_time.saturating_add(step);
        if !self.origin.as_ref().is_some_and(is_young) {
            self.origin = self.newest_entry().map(Origin::from);
        }
    }

    /// Removes what L1 dropped. `entries`, entry 0 included, and `deposits` remain.
    pub fn rewind(&mut self, entries: u64, deposits: u64) {
        let at_most = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        self.posted.truncate(at_most(entries.saturating_sub(1)));
        self.deposits.truncate(at_most(deposits));
        self.origin = None;
        self.agree();
    }

    /// Finds the outputs that agree with this chain, and those that stand.
    pub fn agree(&mut self) {
        // By index. The genesis output agrees and stands.
        let (mut agreed, mut standing) = (vec![true], vec![true]);
        for output in self.outputs.iter().skip(1) {
            let parent = usize::try_from(output.parent).unwrap_or(usize::MAX);
            let of_parent = |all: &[bool]| all.get(parent).copied().unwrap_or(false);
            let agrees = of_parent(&agreed) && self.agrees(output);
            let stands = match output.status {
                OutputStatus::Final => true,
                OutputStatus::Proposed => of_parent(&standing),
                OutputStatus::Challenged | OutputStatus::Rejected | OutputStatus::Void => false,
            };
            agreed.push(agrees);
            standing.push(stands && agrees);
        }
        let places = |all: Vec<bool>| (1..all.len()).filter(|at| all[*at]).collect();
        (self.agreed, self.standing) = (places(agreed), places(standing));
    }

    fn agrees(&self, output: &ProposedOutput) -> bool {
        let at = usize::try_from(output.entry).ok().and_then(|entry| entry.checked_sub(1));
        at.and_then(|at| self.posted.get(at)).is_some_and(|range| range.output == output.output)
    }

    /// The safe head.
    pub fn safe(&self) -> u64 {
        self.posted.last().map_or(0, |range| range.last_block)
    }

    /// The finalized head.
    pub fn finalized(&self) -> u64 {
        let Some(final_l1) = self.l1.and_then(|l1| l1.finalized) else { return 0 };
        let is_final = |range: &&PostedRange| range.entry.l1_block_number <= final_l1;
        self.posted.iter().rev().find(is_final).map_or(0, |range| range.last_block)
    }

    /// The entry that holds a block.
    pub fn posted(&self, block: u64) -> Option<&PostedRange> {
        let at = self.posted.partition_point(|range| range.last_block < block);
        self.posted.get(at).filter(|range| range.first_block <= block)
    }

    /// The output that covers a block: the first standing one at or after it.
    pub fn output(&self, block: u64) -> Option<&ProposedOutput> {
        let mut standing = self.standing.iter().filter_map(|index| self.outputs.get(*index));
        standing.find(|output| output.l2_block >= block)
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::U256;
    use turnpike_protocol::DataKind;

    use super::*;

    fn root(seed: u8) -> OutputRoot {
        let word = B256::repeat_byte(seed);
        OutputRoot { state_root: word, message_passer_storage_root: word, block_hash: word }
    }

    fn posted(index: u8) -> PostedRange {
        let entry = Entry {
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
        };
        PostedRange {
            entry,
            first_block: index.into(),
            last_block: index.into(),
            output: root(index),
            l1_transaction: B256::ZERO,
            bytes: 0,
            transactions: 0,
            fault: None,
        }
    }

    fn output(parent: u64, entry: u8, seed: u8, status: OutputStatus) -> ProposedOutput {
        let (entry, l2_block) = (entry.into(), entry.into());
        ProposedOutput { parent, entry, l2_block, status, ..ProposedOutput::genesis(root(seed)) }
    }

    #[test]
    fn origin_stays_for_the_step() {
        let entry_at = |index: u8, l1_time| PostedRange {
            entry: Entry { l1_time, ..posted(index).entry },
            ..posted(index)
        };
        let mut settlement = Settlement { posted: vec![entry_at(1, 100)], ..Settlement::default() };
        let origin_at = |settlement: &mut Settlement, l1_time, step| {
            settlement.advance_origin(l1_time, step);
            settlement.origin.map(|origin| origin.entry)
        };
        assert_eq!(origin_at(&mut settlement, 100, 12), Some(1));
        settlement.posted.push(entry_at(2, 101));
        assert_eq!(origin_at(&mut settlement, 111, 12), Some(1), "eleven seconds");
        // L1's clock decides, not the newest entry's time: the origin of a quiet chain moves, too.
        assert_eq!(origin_at(&mut settlement, 112, 12), Some(2), "twelve seconds");
        settlement.posted.push(entry_at(3, 112));
        assert_eq!(origin_at(&mut settlement, 112, 0), Some(3), "no step");
        settlement.posted.push(entry_at(4, 113));
        settlement.rewind(3, 0);
        assert_eq!(origin_at(&mut settlement, 113, 12), Some(2), "the newest that L1 has");
    }

    #[test]
    fn challenged_output_agrees_but_covers_no_block() {
        use OutputStatus::{Challenged, Final, Proposed, Rejected, Void};
        let mut settlement = Settlement {
            posted: (1..=4).map(posted).collect(),
            outputs: vec![
                output(0, 0, 0, Final),
                output(0, 1, 1, Final),
                output(1, 2, 2, Challenged),
                output(2, 3, 3, Proposed),
                output(1, 2, 0x66, Rejected),
                output(4, 3, 3, Void),
                output(1, 4, 4, Proposed),
                output(6, 5, 5, Proposed),
            ],
            ..Settlement::default()
        };
        settlement.agree();
        assert_eq!(
            settlement.agreed,
            [1, 2, 3, 6],
            "neither outputs on a wrong one nor outputs beyond the posted entries"
        );
        assert_eq!(settlement.standing, [1, 6]);
        let entry_of = |block| settlement.output(block).map(|output| output.entry);
        assert_eq!([1, 2, 3, 4, 5].map(entry_of), [Some(1), Some(4), Some(4), Some(4), None]);
    }
}
