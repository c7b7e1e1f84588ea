mod news;
mod reorganise;
mod sealed;
#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use alloy_primitives::{Address, B256};
use anyhow::Context as _;
use tokio::{
    sync::{oneshot, watch},
    task::block_in_place,
};
use tracing::{debug, info, info_span, warn};
use turnpike_executor::Chain;
use turnpike_protocol::Genesis;
use turnpike_storage::Database;

use crate::{
    BlockExecution, PooledTx, Refusal, SequencerConfig, Shared,
    admission::{CheckedTx, check_state, check_stateless},
    backlog::Backlog,
    builder::{self, BlockPlan, BuiltBlock},
    checkpoints::Checkpoints,
    restore::Replayed,
    shared::Submission,
};

use self::reorganise::Step;
pub(crate) use self::sealed::sealed_block;

/// Arrival of a chain's first transaction. What is taken back from blocks waits before all others: there is room for it.
const ARRIVAL_FIRST: u64 = 1 << 62;

type Reply = oneshot::Sender<Vec<Result<B256, Refusal>>>;

/// What the sequencer does at each event. The only writer of chain, pool and database.
#[derive(Debug)]
pub(crate) struct Driver {
    config: SequencerConfig,
    genesis: Genesis,
    shared: Arc<Shared>,
    head: watch::Sender<u64>,
    /// Deposits that blocks hold: so many of the queue's first.
    deposits_consumed: u64,
    /// Sealed blocks that L1 does not hold yet.
    backlog: Backlog,
    checkpoints: Checkpoints,
    /// Transactions that have arrived so far.
    arrivals: u64,
    sealed_at: Instant,
    has_lied: bool,
    /// Whether L1 may have dropped what blocks were made from that it does not hold: then none is sealed.
    is_in_doubt: bool,
    /// No other block up to this one can become the last of an entry.
    proofs_settled: u64,
    /// Where a test has a reorganisation stop.
    stop_after: Option<Step>,
}

impl Driver {
    pub(crate) fn new(
        config: SequencerConfig,
        genesis: Genesis,
        shared: Arc<Shared>,
        head: watch::Sender<u64>,
        replayed: Replayed,
        checkpoints: Checkpoints,
    ) -> Self {
        Self {
            config,
            genesis,
            shared,
            head,
            deposits_consumed: replayed.deposits,
            backlog: replayed.backlog,
            checkpoints,
            arrivals: ARRIVAL_FIRST,
            sealed_at: Instant::now(),
            has_lied: false,
            is_in_doubt: true,
            proofs_settled: 0,
            stop_after: None,
        }
    }

    pub(crate) const fn config(&self) -> &SequencerConfig {
        &self.config
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn database(&self) -> &Arc<Database> {
        &self.shared.database
    }

    pub(crate) fn head(&self) -> u64 {
        *self.head.borrow()
    }

    /// Takes up what was acknowledged before the last stop. Only what can never be included is refused; what lacks funds or
    /// fees for now waits.
    pub(crate) async fn take_pending(&mut self) -> anyhow::Result<()> {
        let mut refused = Vec::new();
        {
            let chain = self.shared.chain.read().await;
            let mut pool = self.shared.pool.write().await;
            for (arrival, raw) in self.shared.database.pending().await? {
                self.arrivals = self.arrivals.max(arrival + 1);
                let hash = alloy_primitives::keccak256(&raw);
                let added = check_stateless(chain.config(), raw).and_then(|tx| {
                    let account = chain.state().account(&tx.sender).unwrap_or_default();
                    pool.restore(pooled(tx, arrival), account.nonce)
                });
                if let Err(refusal) = added {
                    refused.push((hash, refusal.to_string()));
                }
            }
        }
        self.shared.database.refuse(&refused).await?;
        Ok(())
    }

    /// Answers requests: what fits the pool is made durable, then acknowledged, all of it in one commit.
    pub(crate) async fn admit(&mut self, group: Vec<Submission>) -> anyhow::Result<()> {
        let mut answers: Vec<(Reply, Vec<Result<B256, Refusal>>)> = Vec::new();
        let mut accepted = Vec::new();
        let mut replaced = Vec::new();
        {
            let chain = self.shared.chain.read().await;
            let mut pool = self.shared.pool.write().await;
            let origin = self.shared.settlement.read().await.origin;
            for Submission { txs, reply } in group {
                let mut results = Vec::with_capacity(txs.len());
                for tx in txs {
                    let (hash, raw) = (tx.tx.hash(), tx.raw.clone());
                    let arrival = self.arrivals;
                    let added = check_state(&chain, origin.as_ref(), &tx)
                        .and_then(|nonce| pool.add(pooled(tx, arrival), nonce));
                    results.push(added.map(|old| {
                        self.arrivals += 1;
                        accepted.push((arrival, hash, raw));
                        replaced.extend(old.map(|old| {
                            (old.tx.hash(), format!("replaced by {hash} with a higher fee"))
                        }));
                        hash
                    }));
                }
                answers.push((reply, results));
            }
        }
        if !accepted.is_empty() {
            let written = self.shared.database.accept(&accepted, &replaced).await;
            written.context("cannot record accepted transactions")?;
        }
        for (reply, results) in answers {
            // A client that went away has its answer in the pool.
            let _ = reply.send(results);
        }
        Ok(())
    }

    /// Seals a block if there is anything to put into one, or if it has been quiet for long.
    pub(crate) async fn produce(&mut self) -> anyhow::Result<()> {
        let quiet = self.sealed_at.elapsed() >= self.config.heartbeat;
        let queued = self.shared.settlement.read().await.deposits.len() as u64;
        let waiting = queued > self.deposits_consumed || self.shared.pool.read().await.has_ready();
        if !quiet && !waiting {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        // Held until the block is durable: nobody sees a pool without its transactions and a state without its changes.
        let mut chain = shared.chain.write().await;
        let Some(plan) = self.plan(&chain).await else { return Ok(()) };
        let mut built = {
            let mut pool = shared.pool.write().await;
            // Whatever is logged on the way names the block.
            let span = info_span!("block", number = chain.head().header.number + 1);
            block_in_place(|| span.in_scope(|| builder::build(&chain, &mut pool, plan)))?
        };
        let nothing = built.included.is_empty() && built.plan.deposits.is_empty();
        if nothing && !quiet {
            // Only transactions that were refused, or that wait for a lower base fee.
            return self.settle_refused(&chain, &built.refused).await;
        }
        if self.config.lie && !self.has_lied && !built.included.is_empty() {
            built.executed.falsify();
            self.has_lied = true;
            warn!("demonstration: this block's state is false");
        }
        self.commit(&mut chain, built).await
    }

    /// What the next block starts from; `None` while L1 is too far behind to allow one.
    async fn plan(&self, chain: &Chain) -> Option<BlockPlan> {
        if self.is_in_doubt {
            return None;
        }
        let config = &self.shared.config;
        let waiting = self.backlog.entries(config);
        if waiting >= self.config.backlog_entries_max {
            debug!(entries = waiting, "L1 is behind: no block is sealed until it has caught up");
            return None;
        }
        let settlement = self.shared.settlement.read().await;
        let (origin, l1) = settlement.origin.zip(settlement.l1)?;
        let parent = chain.head().parent.timestamp;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let drift = config.time_drift_max;
        let timestamp = builder::timestamp(now, parent, &origin, l1.time, drift);
        if timestamp > l1.time.saturating_add(drift) {
            debug!(timestamp, l1_time = l1.time, "L1's clock is behind the chain's: waiting");
            return None;
        }
        let count = usize::try_from(config.entry_deposits_max).unwrap_or(usize::MAX);
        let consumed = usize::try_from(self.deposits_consumed).unwrap_or(usize::MAX);
        let queue = settlement.deposits.get(consumed..).unwrap_or_default();
        let deposits = queue.iter().take(count).cloned().collect();
        Some(BlockPlan { timestamp, origin, deposits })
    }

    /// Makes a block the chain's head: state, journal and look-ups, pool, and then everybody may see it.
    async fn commit(&mut self, chain: &mut Chain, built: BuiltBlock) -> anyhow::Result<()> {
        let BuiltBlock { plan, executed, slices, included, refused } = built;
        let outcome = block_in_place(|| chain.seal(executed, &plan.origin));
        let transactions = included.into_iter().map(|tx| tx.raw).collect();
        let sealed = sealed_block(chain, &outcome, plan.origin, plan.deposits, transactions);
        let written = self.shared.database.append_block(&sealed, &reasons(&refused)).await;
        written.context("cannot append a block to the journal")?;

        let record = sealed.record;
        self.deposits_consumed += record.deposits.len() as u64;
        self.backlog.push(&record);
        // Nonces move with transactions, but also with deposits, delegations and creations.
        let changed = outcome.diff.accounts.iter().map(|change| change.address);
        self.settle_nonces(chain, changed.chain(refused.iter().map(|(tx, _)| tx.sender))).await?;
        self.sealed_at = Instant::now();
        let execution = BlockExecution::new(record.number, &slices);
        *self.shared.last_execution.write().await = Some(execution);
        self.head.send_replace(record.number);
        info!(
            block = record.number,
            hash = %record.hash,
            transactions = outcome.transactions.len(),
            refused = refused.len(),
            gas_used = outcome.header.gas_used,
            "block sealed"
        );
        self.checkpoints.push(chain, outcome).await;
        Ok(())
    }

    /// Ends: what the next start can use is written.
    pub(crate) async fn finish(self) {
        self.checkpoints.finish().await;
    }

    async fn settle_refused(
        &self,
        chain: &Chain,
        refused: &[(PooledTx, String)],
    ) -> anyhow::Result<()> {
        if refused.is_empty() {
            return Ok(());
        }
        self.shared.database.refuse(&reasons(refused)).await?;
        self.settle_nonces(chain, refused.iter().map(|(tx, _)| tx.sender)).await
    }

    /// Tells the pool where accounts' nonces stand now.
    async fn settle_nonces(
        &self,
        chain: &Chain,
        accounts: impl Iterator<Item = Address>,
    ) -> anyhow::Result<()> {
        let mut stale = Vec::new();
        {
            let mut pool = self.shared.pool.write().await;
            for address in accounts {
                let nonce = chain.state().account(&address).unwrap_or_default().nonce;
                for tx in pool.set_nonce(address, nonce) {
                    let next = Refusal::NonceTooLow { next: nonce, nonce: tx.tx.nonce() };
                    stale.push((tx.tx.hash(), next.to_string()));
                }
            }
        }
        if !stale.is_empty() {
            self.shared.database.refuse(&stale).await?;
        }
        Ok(())
    }
}

fn reasons(refused: &[(PooledTx, String)]) -> Vec<(B256, String)> {
    refused.iter().map(|(tx, reason)| (tx.tx.hash(), reason.clone())).collect()
}

fn pooled(tx: CheckedTx, arrival: u64) -> PooledTx {
    let CheckedTx { tx, raw, sender } = tx;
    PooledTx { tx, raw, sender, arrival }
}
