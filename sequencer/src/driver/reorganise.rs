//! The end of the chain taken back, because L1 holds other blocks or has dropped what ours were made from.
//!
//! ```text
//! rewind state ─► run L1's blocks ─► journal, look-ups, pending list: one transaction ─► pool, heads
//! ```
//!
//! Only the database outlives a crash, and it changes at once: whoever stops before finds the old chain at the next start, and
//! L1 demands the same again; whoever stops after finds the new one.

use std::{collections::HashSet, sync::Arc};

use alloy_primitives::{B256, Bytes, keccak256};
use anyhow::{Context as _, ensure};
use tokio::task::block_in_place;
use tracing::{info, warn};
use turnpike_executor::{BlockOutcome, Chain};
use turnpike_protocol::{SignedTx, decode_transaction};
use turnpike_storage::{Reorganisation, SealedBlock};

use super::{Driver, sealed::sealed_block};
use crate::{
    PooledTx, Refusal,
    builder::{block_bytes_max, bytes_in_block},
    restore::{Restored, restore_to},
    tracker::DerivedBlock,
};

/// Blocks read at a time.
const BLOCKS_STEP: u64 = 100;

/// First byte of a deposit's encoding.
const DEPOSIT_TYPE: u8 = 0x7e;

/// What the blocks taken back held.
#[derive(Debug, Default)]
struct TakenBack {
    /// All transactions, each with its block.
    all: Vec<(B256, u64)>,
    /// Those of users, in order.
    users: Vec<PooledTx>,
    /// Deposits of the queue.
    deposits: u64,
}

/// Points at which a test can have a reorganisation stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The state was taken back.
    Rewound,
    /// L1's blocks have run.
    Run,
    /// The database has changed.
    Recorded,
}

impl Driver {
    /// Takes back all blocks from `first` on and puts `blocks` there. The transactions of those taken back wait again, as far
    /// as they can still be included.
    pub(super) async fn reorganise(
        &mut self,
        first: u64,
        blocks: Vec<DerivedBlock>,
        reason: String,
    ) -> anyhow::Result<()> {
        let before = self.head();
        let taken_back = self.taken_back(first).await?;
        if before >= first {
            let transactions = taken_back.users.len();
            warn!(first, last = before, transactions, reason, "blocks are taken back");
        }
        let shared = Arc::clone(&self.shared);
        if shared.chain.read().await.oldest_state() >= first {
            self.rebuild(first - 1).await?;
        }
        // Held until everything fits together again.
        let mut chain = shared.chain.write().await;
        ensure!(block_in_place(|| chain.rewind(first - 1)), "block {} is unknown", first - 1);
        self.checkpoints.rewind(first - 1);
        self.passed(Step::Rewound)?;
        let (outcomes, sealed) = block_in_place(|| run(&mut chain, blocks))?;
        self.passed(Step::Run)?;

        let consumed: usize = sealed.iter().map(|sealed| sealed.record.deposits.len()).sum();
        let (change, waiting) = self.change(&chain, first, reason, &taken_back, sealed).await?;
        shared.database.reorganise(&change).await.context("cannot replace the journal's end")?;
        self.passed(Step::Recorded)?;

        self.deposits_consumed -= taken_back.deposits;
        self.deposits_consumed += consumed as u64;
        self.backlog.truncate(first);
        for outcome in outcomes {
            self.checkpoints.push(&chain, outcome).await;
        }
        self.settle_pool(&chain, waiting).await?;
        let head = chain.head().header.number;
        self.head.send_replace(head);
        info!(first, head, pending = change.pending.len(), "the chain is as L1 has it");
        Ok(())
    }

    /// What blocks from `first` on hold.
    async fn taken_back(&self, first: u64) -> anyhow::Result<TakenBack> {
        let (mut found, head) = (TakenBack::default(), self.head());
        let mut next = first;
        while next <= head {
            let last = head.min(next + BLOCKS_STEP - 1);
            for block in self.shared.database.blocks(next, last).await? {
                for receipt in block.receipts {
                    let (raw, sender) = (receipt.transaction, receipt.sender);
                    found.all.push((keccak256(&raw), block.header.number));
                    if raw.first() != Some(&DEPOSIT_TYPE) {
                        let tx = SignedTx::new_unchecked(decode_transaction(&raw)?, sender);
                        found.users.push(PooledTx { tx, raw, sender, arrival: 0 });
                    }
                }
            }
            let count = u32::try_from(last - next + 1)?;
            let records = self.shared.database.journal(next, count).await?;
            found.deposits +=
                records.iter().map(|record| record.deposits.len() as u64).sum::<u64>();
            next = last + 1;
        }
        Ok(found)
    }

    /// Has the journal run again up to `block`, whose state is not kept any more, and makes that the chain.
    async fn rebuild(&mut self, block: u64) -> anyhow::Result<()> {
        info!(block, "the state is not kept any more: the journal is run again");
        self.checkpoints.stop().await;
        let database = Arc::clone(&self.shared.database);
        let genesis = Chain::from_genesis(&self.genesis);
        let (directory, execution) = (self.config.checkpoints(), self.config.execution);
        let restored = restore_to(genesis, &database, &directory, execution, block).await?;
        let Restored { chain, checkpoints, .. } = restored;
        *self.shared.chain.write().await = chain;
        self.checkpoints = checkpoints;
        Ok(())
    }

    /// What the database is to take over, and the transactions that the pool gets back. `chain` is the new one.
    async fn change(
        &mut self,
        chain: &Chain,
        first: u64,
        reason: String,
        taken_back: &TakenBack,
        blocks: Vec<SealedBlock>,
    ) -> anyhow::Result<(Reorganisation, Vec<PooledTx>)> {
        let included: HashSet<_> = blocks.iter().flat_map(|sealed| &sealed.hashes).collect();
        let (mut waiting, mut refused) = (Vec::new(), Vec::new());
        for tx in &taken_back.users {
            let hash = tx.tx.hash();
            if included.contains(&hash) {
                continue;
            }
            match check_again(chain, tx) {
                Ok(()) => waiting.push(tx.clone()),
                Err(refusal) => refused.push((hash, format!("{refusal}, after {reason}"))),
            }
        }
        // They come before all that wait now, in the order that they had.
        let oldest = self.shared.database.oldest_pending().await?.unwrap_or(self.arrivals);
        for (tx, arrival) in waiting.iter_mut().zip(oldest - taken_back.users.len() as u64..) {
            tx.arrival = arrival;
        }
        let pending = waiting.iter().map(|tx| (tx.arrival, tx.tx.hash(), tx.raw.clone())).collect();
        let reverted = taken_back.all.clone();
        let change =
            Reorganisation { first_block: first, reason, reverted, blocks, pending, refused };
        Ok((change, waiting))
    }

    /// Tells the pool where nonces stand, and gives it back what waits again.
    async fn settle_pool(&mut self, chain: &Chain, waiting: Vec<PooledTx>) -> anyhow::Result<()> {
        let senders = self.shared.pool.read().await.senders();
        self.settle_nonces(chain, senders.into_iter()).await?;
        let mut refused = Vec::new();
        {
            let mut pool = self.shared.pool.write().await;
            for tx in waiting {
                let (hash, nonce) = (tx.tx.hash(), chain.state().account(&tx.sender));
                if let Err(refusal) = pool.restore(tx, nonce.unwrap_or_default().nonce) {
                    refused.push((hash, refusal.to_string()));
                }
            }
        }
        Ok(self.shared.database.refuse(&refused).await?)
    }

    fn passed(&self, step: Step) -> anyhow::Result<()> {
        ensure!(self.stop_after != Some(step), "stopped after {step:?}");
        Ok(())
    }
}

/// Whether a transaction that was in a block can be in one again.
fn check_again(chain: &Chain, tx: &PooledTx) -> Result<(), Refusal> {
    let limit = block_bytes_max(chain.config());
    if bytes_in_block(&tx.raw) > limit {
        return Err(Refusal::Oversized { size: tx.raw.len(), limit });
    }
    let (next, nonce) =
        (chain.state().account(&tx.sender).unwrap_or_default().nonce, tx.tx.nonce());
    if nonce < next {
        return Err(Refusal::NonceTooLow { next, nonce });
    }
    Ok(())
}

/// Runs the blocks that L1 gives, and seals them.
fn run(
    chain: &mut Chain,
    blocks: Vec<DerivedBlock>,
) -> anyhow::Result<(Vec<BlockOutcome>, Vec<SealedBlock>)> {
    let mut outcomes = Vec::with_capacity(blocks.len());
    let mut sealed = Vec::with_capacity(blocks.len());
    for DerivedBlock { input, queued } in blocks {
        let outcome = chain.execute(&input)?;
        // What is skipped stays in the journal: the block is what L1 holds.
        let transactions = input.transactions.iter().map(|tx| Bytes::from(tx.encoded())).collect();
        sealed.push(sealed_block(chain, &outcome, input.origin, queued, transactions));
        outcomes.push(outcome);
    }
    Ok((outcomes, sealed))
}
