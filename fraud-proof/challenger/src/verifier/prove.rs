//! What the proof program needs of the derived chain: output roots, local inputs and statements.

use alloy_primitives::B256;
use turnpike_derivation::{Follower, RecoveredEntry};
use turnpike_game::prove::{ProveError, Statement};
use turnpike_l1::PostedEntry;
use turnpike_protocol::{EntryData, LocalInputs};
use turnpike_state::HistoryLimits;

use super::Verifier;

impl Verifier {
    /// The output root after `blocks` blocks of an entry, or after its last; `None` if the entry is
    /// not derived.
    pub fn root_after(&self, entry: u64, blocks: u64) -> Option<B256> {
        let last = self.entry(entry)?.last_block;
        let before = match entry.checked_sub(1) {
            Some(before) => self.entry(before)?.last_block,
            None => 0,
        };
        let block = before.saturating_add(blocks).min(last);
        Some(self.block(block)?.output_root)
    }

    /// The local inputs of the proof of block `index`, from 0, of an entry; `None` if the entry is
    /// not derived.
    pub fn local_inputs(&self, entry: u64, index: u64) -> Option<LocalInputs> {
        let output_root = self.root_after(entry, index)?;
        let posted = self.follower.derivation().entry(entry)?.posted;
        let genesis = self.block(0)?;
        Some(LocalInputs {
            chain_config: self.follower.chain().config().hash(genesis.hash),
            output_root,
            inbox_acc: posted.acc,
            block_index: index,
            data_missing: false,
        })
    }

    /// A follower of its own whose next entry is `entry` or an earlier one. It keeps no states.
    pub(crate) fn copy_before(&self, entry: u64) -> Follower {
        self.follower.copy_before(entry, HistoryLimits { blocks_max: 1, items_max: 0 })
    }

    /// States what there is to prove of block `index` of the next entry. Runs the entry and rewinds
    /// it again. For an earlier entry, [`rewind`](Self::rewind) first.
    pub fn statement(
        &mut self,
        entries: &[PostedEntry],
        data: &EntryData<'_>,
        index: u64,
    ) -> Result<Statement, ProveError> {
        let next = self.next_entry();
        let statement = Statement::of_next_entry(&mut self.follower, entries, data, index);
        self.rewind(next);
        statement
    }

    /// Like [`Self::statement`], of an entry whose signers were recovered from `data`.
    pub(crate) fn statement_of(
        &mut self,
        entries: &[PostedEntry],
        data: &EntryData<'_>,
        recovered: RecoveredEntry,
        index: u64,
    ) -> Result<Statement, ProveError> {
        let (next, follower) = (self.next_entry(), &mut self.follower);
        let statement = Statement::of_recovered(follower, entries, data, recovered, index);
        self.rewind(next);
        statement
    }
}
