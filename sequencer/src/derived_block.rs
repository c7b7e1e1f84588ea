//! Blocks derived from L1, and blocks that run again on top of them: executed as a whole and durable
//! before anything is published.

use alloy_primitives::{B256, Bytes, keccak256};
use turnpike_executor::{BlockOutcome, Chain};
use turnpike_protocol::{SignedTx, predeploys::MESSAGE_PASSER};
use turnpike_state::AccountProof;
use turnpike_storage::{
    BlockOpening, BlockPart, BlockTimes, JournalEntry, JournalTx, SealedBlock, SealedEntry,
    SliceEntry, StoredTimes,
};

use crate::{
    backlog::Backlog, builder::bytes_in_block, replay::outcomes, sealed::sealed_block,
    tracker::DerivedBlock,
};

/// A derived block after its execution.
pub(crate) struct ExecutedDerivedBlock {
    opening: BlockOpening,
    transactions: Vec<JournalTx>,
    /// When each transaction was received, in Unix milliseconds. Empty if that is unknown.
    received_ms: Vec<u64>,
    pub(crate) outcome: BlockOutcome,
    passer_proof: AccountProof,
}

impl ExecutedDerivedBlock {
    /// Number of journal rows that a derived block takes.
    pub(crate) const ROWS: usize = 2;

    /// The block's journal rows. Skipped transactions stay in them, because the inbox holds them.
    pub(crate) fn entries(&self) -> [JournalEntry; Self::ROWS] {
        let (outcome, part) = (&self.outcome, self.part());
        let number = outcome.header.number;
        let (hash, state_root) = (outcome.hash(), outcome.header.state_root);
        [
            JournalEntry::Slice(SliceEntry {
                part: Some(part),
                received_ms: self.received_ms.clone(),
                ..SliceEntry::default()
            }),
            JournalEntry::Sealed(SealedEntry { number, hash, state_root }),
        ]
    }

    /// The block's index record. `row` is the first of its journal rows, written at `at_ms`.
    pub(crate) fn sealed(&self, row: u64, at_ms: u64) -> SealedBlock {
        let mut parts = BlockTimes::default();
        parts.push(at_ms, self.part().outcomes.len(), &self.received_ms);
        let times = StoredTimes { sealed_ms: Some(at_ms), parts };
        let proof = self.passer_proof.clone();
        sealed_block(&self.outcome, self.opening.origin, row..row + 1, proof, times)
    }

    /// Sets when the transactions were received. A block that skips some has no such times, because
    /// its receipts are at other positions than its transactions.
    pub(crate) fn set_received(&mut self, received_ms: impl Fn(&B256) -> u64) {
        if self.outcome.skipped.is_empty() {
            let hashes = self.transactions.iter().map(|tx| keccak256(&tx.raw));
            self.received_ms = hashes.map(|hash| received_ms(&hash)).collect();
        }
    }

    /// Adds the block to the backlog.
    pub(crate) fn push_to(&self, backlog: &mut Backlog) {
        let bytes = self.transactions.iter().map(|tx| bytes_in_block(&tx.raw)).sum();
        backlog.push(self.outcome.header.number, self.opening.time_ms, bytes);
    }

    fn part(&self) -> BlockPart {
        BlockPart {
            block: self.outcome.header.number,
            opening: Some(self.opening.clone()),
            transactions: self.transactions.clone(),
            outcomes: outcomes(&self.outcome),
            is_last: true,
        }
    }
}

/// Executes derived blocks.
pub(crate) fn execute_derived(
    chain: &mut Chain,
    blocks: Vec<DerivedBlock<SignedTx>>,
) -> anyhow::Result<Vec<ExecutedDerivedBlock>> {
    let run = |DerivedBlock { input, queued }| {
        let outcome = chain.execute(&input)?;
        let transactions = input.transactions.iter().map(|tx| JournalTx {
            raw: Bytes::from(tx.encoded()),
            // Execution skips a transaction with a bad signature, so its sender does not matter.
            sender: tx.signer().unwrap_or_default(),
        });
        let (time_ms, origin) = (input.time_ms, input.origin);
        Ok(ExecutedDerivedBlock {
            opening: BlockOpening { time_ms, origin, deposits: queued },
            transactions: transactions.collect(),
            received_ms: Vec::new(),
            passer_proof: chain.state().proof(&MESSAGE_PASSER, &[]),
            outcome,
        })
    };
    blocks.into_iter().map(run).collect()
}
