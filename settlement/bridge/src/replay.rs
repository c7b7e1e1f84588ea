//! The chain derived and executed from L1, to find transactions and prove withdrawals without an L2
//! node.

use std::collections::BTreeSet;

use alloy_primitives::B256;
use tokio::task::block_in_place;
use turnpike_derivation::{Derivation, EntryReader, FollowError, NextEntry};
use turnpike_executor::{BlockOutcome, Chain};
use turnpike_l1::{L1Client, L1View, ProposedOutput, is_undisputed};
use turnpike_protocol::{DepositHint, Genesis, Withdrawal, predeploys::MESSAGE_PASSER};
use turnpike_state::HistoryLimits;

use crate::{BridgeError, SentDeposit, WithdrawalProof, Withdrawn};

/// Only the newest state is read.
const STATES: HistoryLimits = HistoryLimits { blocks_max: 1, items_max: 0 };

/// The chain derived from L1 and executed here, entry by entry, without an L2 node.
///
/// Needs the multi-threaded runtime: executing blocks occupies a thread for a while.
#[derive(Debug)]
pub struct Replay {
    view: L1View,
    reader: EntryReader,
    derivation: Derivation,
    chain: Chain,
}

impl Replay {
    /// The chain at its genesis block, with all entries that L1 holds now.
    ///
    /// `confirmations`: L1 blocks on top of an L1 block before it is read.
    pub async fn new(
        client: L1Client,
        genesis: &Genesis,
        confirmations: u64,
    ) -> Result<Self, BridgeError> {
        let chain = block_in_place(|| Chain::from_genesis_with(genesis, STATES));
        let genesis_output = chain.head().output;
        client.check_genesis(genesis, &genesis_output).await?;
        let mut view = L1View::new(client, confirmations, genesis_output);
        view.advance().await?;
        let derivation = Derivation::new(genesis.config.clone(), chain.head().parent);
        Ok(Self { view, reader: EntryReader::default(), derivation, chain })
    }

    /// The hashes that a deposit's L2 transaction can have; only the sequencer's if the deposit is
    /// not read yet.
    pub(crate) fn l2_hashes(&self, deposit: &SentDeposit) -> Result<Vec<B256>, BridgeError> {
        let queued = self.view.deposits().iter().find(|queued| {
            let SentDeposit { l1_block_hash, log_index, .. } = *deposit;
            queued.hint == Some(DepositHint { l1_block_hash, log_index })
        });
        match queued {
            Some(queued) => Ok(deposit.l2_hashes(queued.deposit.index)?.into()),
            None => Ok(vec![deposit.l2_hash()?]),
        }
    }

    /// Reads new L1 blocks. Fails after a reorg of entries that were executed.
    pub(crate) async fn refresh(&mut self) -> Result<(), BridgeError> {
        let reorg = self.view.advance().await?.reorg;
        if reorg.is_some_and(|reorg| reorg.entries < self.derivation.next_entry()) {
            let what = "an L1 reorg dropped derived entries: try again";
            return Err(BridgeError::Inconsistent(what.to_owned()));
        }
        Ok(())
    }

    /// Executes entries until one holds a transaction with one of these hashes; `None` if L1 does
    /// not hold it. Calls `progress` with each executed entry and the last entry. Fails if the
    /// transaction failed or sent no message to L1.
    pub(crate) async fn find(
        &mut self,
        hashes: &[B256],
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Option<Withdrawn>, BridgeError> {
        while let Some(blocks) = self.run_entry().await? {
            progress(self.derivation.next_entry() - 1, self.last_entry());
            for block in &blocks {
                if let Some(found) = find_in(block, hashes)? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// Executes entries until an undisputed output on L1 agrees with the chain, and proves the
    /// withdrawal on it: the output's index and the proof. Call it after [`Self::find`]. Outputs
    /// that cover the withdrawal and disagree are skipped.
    pub(crate) async fn prove(
        &mut self,
        l2_block: u64,
        withdrawal: &Withdrawal,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<(u64, WithdrawalProof), BridgeError> {
        let mut disagreeing = BTreeSet::new();
        loop {
            let entry = self.derivation.next_entry() - 1;
            let output = self.chain.head().output;
            for claimed in self.outputs_after(entry) {
                if claimed.output == output {
                    let nodes = self.nodes(withdrawal);
                    return Ok((claimed.index, WithdrawalProof::new(output, withdrawal, nodes)?));
                }
                disagreeing.insert(claimed.index);
            }
            if self.run_entry().await?.is_none() {
                break;
            }
            progress(entry + 1, self.last_entry());
        }
        let disagreeing: Vec<_> = disagreeing.into_iter().collect();
        Err(if disagreeing.is_empty() {
            BridgeError::NotYetProvable { block: l2_block, estimated_seconds: None }
        } else {
            BridgeError::NoTrueOutput { disagreeing }
        })
    }

    /// Undisputed outputs after an entry.
    fn outputs_after(&self, entry: u64) -> impl Iterator<Item = &ProposedOutput> {
        let outputs = self.view.outputs();
        let after = outputs.iter().filter(move |output| output.index > 0 && output.entry == entry);
        after.filter(|output| is_undisputed(outputs, output))
    }

    /// The withdrawal's storage proof in the newest state.
    fn nodes(&self, withdrawal: &Withdrawal) -> Vec<alloy_primitives::Bytes> {
        let proof = self.chain.state().proof(&MESSAGE_PASSER, &[withdrawal.slot().into()]);
        proof.storage.into_iter().next().map(|slot| slot.proof).unwrap_or_default()
    }

    fn last_entry(&self) -> u64 {
        (self.view.entries().len() as u64).saturating_sub(1)
    }

    /// Derives and executes the next entry, if L1 has one.
    async fn run_entry(&mut self) -> Result<Option<Vec<BlockOutcome>>, BridgeError> {
        let next = match self.reader.next(&self.view, &self.derivation).await {
            Ok(next) => next,
            Err(FollowError::L1(error)) => return Err(error.into()),
            Err(FollowError::Derivation(error)) => return Err(error.into()),
            Err(error) => return Err(BridgeError::Inconsistent(error.to_string())),
        };
        let Some((_, recovered)) = next.map(NextEntry::into_parts) else { return Ok(None) };
        self.derivation.accept(&recovered)?;
        block_in_place(|| {
            let run = recovered.blocks.iter().map(|input| {
                self.chain.execute(input).map_err(|error| BridgeError::Execution {
                    block: input.number,
                    reason: error.to_string(),
                })
            });
            run.collect::<Result<_, _>>()
        })
        .map(Some)
    }
}

fn find_in(block: &BlockOutcome, hashes: &[B256]) -> Result<Option<Withdrawn>, BridgeError> {
    let mut executed = block.transactions.iter();
    let found = executed.find(|executed| hashes.contains(&executed.envelope().tx_hash()));
    let Some(executed) = found else { return Ok(None) };
    let (transaction, receipt) = (executed.envelope().tx_hash(), &executed.receipt.envelope);
    if !receipt.status() {
        return Err(BridgeError::WithdrawalFailed(transaction));
    }
    Withdrawn::from_logs(transaction, block.header.number, receipt.logs()).map(Some)
}
