//! Blocks that L1 gives: they are run whole, and are durable before anybody hears of them.

use alloy_primitives::Bytes;
use turnpike_executor::{BlockOutcome, Chain};
use turnpike_protocol::predeploys::MESSAGE_PASSER;
use turnpike_state::AccountProof;
use turnpike_storage::{
    BlockOpening, BlockPart, BlockTimes, JournalEntry, JournalTx, SealedBlock, SealedEntry,
    SliceEntry, StoredTimes,
};

use crate::{replay::outcomes, sealed::sealed_block, tracker::DerivedBlock};

/// One that has run.
pub(crate) struct ExecutedDerivedBlock {
    opening: BlockOpening,
    transactions: Vec<JournalTx>,
    pub(crate) outcome: BlockOutcome,
    passer_proof: AccountProof,
}

impl ExecutedDerivedBlock {
    /// Rows of the journal that it takes.
    pub(crate) const ROWS: usize = 2;

    /// The two rows that stand for it. What is skipped stays in them: the block is what L1 holds.
    pub(crate) fn entries(&self) -> [JournalEntry; Self::ROWS] {
        let (outcome, part) = (&self.outcome, self.part());
        let number = outcome.header.number;
        let (hash, state_root) = (outcome.hash(), outcome.header.state_root);
        [
            JournalEntry::Slice(SliceEntry { part: Some(part), ..SliceEntry::default() }),
            JournalEntry::Sealed(SealedEntry { number, hash, state_root }),
        ]
    }

    /// What the index keeps of it; `row` is the first of its rows, which were written at `at_ms`.
    pub(crate) fn sealed(&self, row: u64, at_ms: u64) -> SealedBlock {
        let mut parts = BlockTimes::default();
        parts.push(at_ms, &self.part(), &[]);
        let times = StoredTimes { sealed_ms: Some(at_ms), parts };
        let proof = self.passer_proof.clone();
        sealed_block(&self.outcome, self.opening.origin, row..row + 1, proof, times)
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

/// Runs the blocks that L1 gives.
pub(crate) fn run(
    chain: &mut Chain,
    blocks: Vec<DerivedBlock>,
) -> anyhow::Result<Vec<ExecutedDerivedBlock>> {
    let run = |DerivedBlock { input, queued }| {
        let outcome = chain.execute(&input)?;
        let transactions = input.transactions.iter().map(|tx| JournalTx {
            raw: Bytes::from(tx.encoded()),
            // One whose signature is bad is skipped, whoever it says it is from.
            sender: tx.signer().unwrap_or_default(),
        });
        let (timestamp, origin) = (input.timestamp, input.origin);
        Ok(ExecutedDerivedBlock {
            opening: BlockOpening { timestamp, origin, deposits: queued },
            transactions: transactions.collect(),
            passer_proof: chain.state().proof(&MESSAGE_PASSER, &[]),
            outcome,
        })
    };
    blocks.into_iter().map(run).collect()
}
