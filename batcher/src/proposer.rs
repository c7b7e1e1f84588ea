use std::sync::Arc;

use alloy_primitives::{B256, Bytes};
use anyhow::Context as _;
use tracing::{info, warn};
use turnpike_l1::{L1Sender, L1View, OutputStatus, ProposedOutput, is_undisputed};
use turnpike_protocol::{ChainConfig, OutputRoot};
use turnpike_storage::Database;

/// Proposes what the sequencer's blocks came to, and finalizes what nobody challenged.
#[derive(Debug)]
pub(crate) struct Proposer {
    config: ChainConfig,
    sender: L1Sender,
    journal: Arc<Database>,
    interval: u64,
    in_flight: Option<B256>,
    is_disputed: bool,
}

impl Proposer {
    pub(crate) const fn new(
        config: ChainConfig,
        sender: L1Sender,
        journal: Arc<Database>,
        interval: u64,
    ) -> Self {
        Self { config, sender, journal, interval, in_flight: None, is_disputed: false }
    }

    /// Finalizes the next output that can be, or proposes one if it is time. `last_blocks` are the entries' last
    /// blocks.
    pub(crate) async fn step(&mut self, view: &L1View, last_blocks: &[u64]) -> anyhow::Result<()> {
        if let Some(hash) = self.in_flight {
            match self.sender.receipt(hash).await? {
                // Until the view has read its block, what it did would be done again.
                Some(receipt) if receipt.block_number > view.last_read() => return Ok(()),
                Some(receipt) => {
                    if !receipt.status() {
                        warn!(l1_transaction = %hash, "transaction failed on L1");
                    }
                }
                None if self.sender.is_known(hash).await? => return Ok(()),
                None => warn!(l1_transaction = %hash, "L1 has lost a transaction"),
            }
            self.in_flight = None;
        }
        let Some(head) = view.head() else { return Ok(()) };
        if let Some(output) = self.finalizable(view.outputs(), head.time) {
            let index = output.index;
            let tx = self.sender.prepare_finalize(index).await?;
            self.sender.broadcast(&tx).await?;
            self.in_flight = Some(tx.hash);
            info!(output = index, l1_transaction = %tx.hash, "output is being finalized");
            return Ok(());
        }
        self.propose(view, last_blocks, head.time).await
    }

    /// The first of our outputs whose window is over and whose parent is final.
    fn finalizable<'a>(
        &self,
        outputs: &'a [ProposedOutput],
        l1_time: u64,
    ) -> Option<&'a ProposedOutput> {
        outputs.iter().find(|output| {
            output.proposer == self.sender.address()
                && output.status == OutputStatus::Proposed
                && l1_time >= output.proposed_at.saturating_add(self.config.challenge_window)
                && output.parent_in(outputs).is_some_and(|p| p.status == OutputStatus::Final)
        })
    }

    async fn propose(
        &mut self,
        view: &L1View,
        last_blocks: &[u64],
        l1_time: u64,
    ) -> anyhow::Result<()> {
        let outputs = view.outputs();
        let disputed = outputs.iter().find(|output| {
            output.proposer == self.sender.address() && output.status == OutputStatus::Challenged
        });
        if let Some(output) = disputed {
            if !self.is_disputed {
                warn!(
                    output = output.index,
                    "our output is challenged: no more are proposed until it is settled"
                );
            }
            self.is_disputed = true;
            return Ok(());
        }
        let Some(parent) = self.best_parent(outputs, last_blocks).await? else { return Ok(()) };
        let newest = (last_blocks.len() as u64).saturating_sub(1);
        let entry = newest.min(parent.entry + self.config.output_entries_max);
        if entry <= parent.entry || l1_time < parent.proposed_at.saturating_add(self.interval) {
            return Ok(());
        }
        let block = last_blocks[usize::try_from(entry)?];
        let (output, header) = self.output_after(block).await?;
        let acc = view.entries()[usize::try_from(entry)?].acc;
        let bond = self.config.proposer_bond;
        let tx = self.sender.prepare_propose(parent, entry, acc, &output, header, bond).await?;
        self.sender.broadcast(&tx).await?;
        self.in_flight = Some(tx.hash);
        info!(entry, block, root = %output.hash(), l1_transaction = %tx.hash, "output proposed");
        Ok(())
    }

    /// The newest output that says what our blocks say and stands on undisputed ground.
    async fn best_parent<'a>(
        &self,
        outputs: &'a [ProposedOutput],
        last_blocks: &[u64],
    ) -> anyhow::Result<Option<&'a ProposedOutput>> {
        for output in outputs.iter().rev() {
            if output.index == 0 {
                return Ok(Some(output));
            }
            let Some(block) = last_blocks.get(usize::try_from(output.entry)?) else { continue };
            if is_undisputed(outputs, output) && self.output_after(*block).await?.0 == output.output
            {
                return Ok(Some(output));
            }
        }
        Ok(None)
    }

    async fn output_after(&self, block: u64) -> anyhow::Result<(OutputRoot, Bytes)> {
        let record = self.journal.block(block).await?;
        let record = record.with_context(|| format!("block {block} is not in the journal"))?;
        Ok((record.output(), alloy_rlp::encode(&record.header).into()))
    }
}
