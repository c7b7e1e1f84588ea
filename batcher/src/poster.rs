use std::sync::Arc;

use alloy::{providers::Provider as _, signers::local::PrivateKeySigner};
use alloy_primitives::{B256, U256};
use tracing::{info, warn};
use turnpike_l1::{Append, AppendCall, L1Client, L1Error, L1View};
use turnpike_protocol::{ChainConfig, DataKind, Genesis, OutputRoot, Parent, blob_data_bytes};
use turnpike_storage::{Attempt, Database, OutboxBatch};
use turnpike_tx_manager::{AccountClient, Fees, GasPrices};

use crate::{
    DataMode, Faults, PostingConfig, Wait,
    backlog::{Backlog, size},
    decide::{BacklogView, Decision, Fate, InFlight, Look, Posting, slot},
    fees::{DataSize, blobs_cost, calldata_cost},
    follow::Follower,
    kind::KindChoice,
    metrics::{BatcherMetrics, gwei},
};

/// Wei in an ether.
const ETHER: f64 = 1e18;

/// Posts the journal's blocks to the inbox, in order, each once.
///
/// One look: read L1, derive what is new, settle what became of batches, decide, act. Whatever is sent is recorded before, so
/// that a poster on the same outbox goes on wherever this one stopped.
#[derive(Debug)]
pub struct Poster {
    pub(crate) config: ChainConfig,
    pub(crate) posting: PostingConfig,
    pub(crate) sender: AccountClient,
    /// L1 up to its newest block: the next entry stands on what was included last.
    pub(crate) view: L1View,
    pub(crate) journal: Arc<Database>,
    pub(crate) outbox: Database,
    pub(crate) follower: Follower,
    pub(crate) backlog: Backlog,
    pub(crate) core: Posting,
    pub(crate) kind: KindChoice,
    pub(crate) faults: Faults,
    pub(crate) metrics: BatcherMetrics,
    /// The newest batch as L1 takes it, by the hash of its data: commitments are not computed twice.
    pub(crate) call: Option<(B256, AppendCall)>,
    /// The newest transaction that L1 did not take.
    pub(crate) refused: Option<B256>,
    /// Bytes of a batch in a thousand of its blocks.
    pub(crate) packed_permille: u64,
    /// The first deposit that waits, and the L1 time at which it was made.
    deposit_time: Option<(u64, u64)>,
    /// Why nothing could be sent, and what has to change before it is tried again.
    stalled: Option<(Circumstances, Wait)>,
    said: Option<Wait>,
}

/// What a stalled batch waits to see changed.
type Circumstances = (u64, GasPrices, U256, u64);

/// What came of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// Nothing was sent.
    Waits(Wait),
    /// A transaction was handed to L1.
    Sent {
        /// Entry that it is meant to append.
        entry: u64,
        /// Its hash.
        l1_transaction: B256,
    },
}

impl Poster {
    /// A poster that goes on where the outbox says. `genesis_output` is the output root after the genesis block.
    pub fn new(
        genesis: &Genesis,
        genesis_output: OutputRoot,
        posting: PostingConfig,
        client: L1Client,
        key: PrivateKeySigner,
        journal: Arc<Database>,
        outbox: Database,
    ) -> Self {
        let config = genesis.config.clone();
        let parent = Parent { number: 0, timestamp: genesis.timestamp, origin: None };
        Self {
            sender: AccountClient::new(&client, key),
            view: L1View::new(client, 0, genesis_output),
            journal,
            outbox,
            follower: Follower::new(config.clone(), parent),
            backlog: Backlog::default(),
            kind: KindChoice::new(posting.switch_margin_percent, posting.switch_blocks),
            core: Posting::new(posting.clone()),
            faults: Faults::default(),
            metrics: BatcherMetrics::new(),
            call: None,
            refused: None,
            packed_permille: 1_000,
            deposit_time: None,
            stalled: None,
            said: None,
            posting,
            config,
        }
    }

    /// The same, but it dies where it is told to.
    #[must_use]
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Last block of each entry that L1 holds, entry 0 included, as far as the journal holds them.
    pub fn last_blocks(&self) -> Vec<u64> {
        self.follower.last_blocks()
    }

    /// What was recorded about batches.
    pub const fn outbox(&self) -> &Database {
        &self.outbox
    }

    /// Lets the last transaction finish and closes the outbox.
    pub async fn close(&self) {
        self.outbox.close().await;
    }

    /// Looks at L1 and the journal and sends what is due. `now` is the time, in seconds.
    pub async fn look(&mut self, now: u64) -> anyhow::Result<Looked> {
        if self.view.advance().await?.reorg.is_some() {
            self.metrics.reorgs.increment(1);
        }
        let in_step = self.follow().await?;
        self.settle().await?;
        let looked = match self.observe(now, in_step).await? {
            Some((look, batch)) => self.act(&look, batch).await?,
            // Not even the first entry is there to be read.
            None => Looked::Waits(Wait::Inclusion),
        };
        self.tell(looked);
        Ok(looked)
    }

    async fn act(&mut self, look: &Look, batch: Option<OutboxBatch>) -> anyhow::Result<Looked> {
        let circumstances = (look.l1_block, look.prices, look.account.balance, self.backlog.head());
        if let Some((before, wait)) = self.stalled
            && before == circumstances
        {
            return Ok(Looked::Waits(wait));
        }
        self.stalled = None;
        let looked = match (self.core.decide(look), batch) {
            (Decision::Wait(wait), _) => {
                self.look_at_kinds(look);
                return Ok(Looked::Waits(wait));
            }
            (Decision::Rebroadcast, Some(batch)) => self.rebroadcast(look, batch).await?,
            (Decision::Send(send), batch) => self.send(look, send, batch).await?,
            (Decision::Rebroadcast, None) => Looked::Waits(Wait::Nothing),
        };
        if let Looked::Waits(wait) = looked {
            self.stalled = Some((circumstances, wait));
        }
        Ok(looked)
    }

    /// Gathers what the decision depends on, with the recorded batch of the next entry.
    async fn observe(
        &mut self,
        now: u64,
        is_journal_in_step: bool,
    ) -> anyhow::Result<Option<(Look, Option<OutboxBatch>)>> {
        let (Some(head), Some(tip)) = (self.view.head(), self.view.entries().last().copied())
        else {
            return Ok(None);
        };
        let account = self.sender.account().await?;
        let prices = self.sender.prices().await?;
        self.metrics.balance.set(f64::from(account.balance) / ETHER);
        self.metrics.base_fee.set(gwei(prices.base_fee));
        self.metrics.blob_base_fee.set(gwei(prices.blob_base_fee));
        let first = self.follower.head().number + 1;
        self.backlog.refresh(&self.journal, &self.config, first).await?;

        let next = tip.entry.index + 1;
        let batch = self.outbox.batch(next).await?.filter(|batch| !batch.data.is_empty());
        let attempts = self.outbox.attempts().await?;
        let in_flight = match &batch {
            Some(batch) => {
                let is_valid = is_journal_in_step
                    && batch.previous_acc == tip.acc
                    && batch.first_block == first
                    && self.view.deposit_acc(batch.deposit_count) == Some(batch.deposit_acc)
                    && self.journal.block_hash(batch.last_block).await? == Some(batch.last_hash);
                self.in_flight(is_valid, next, &attempts, account.nonce).await?
            }
            None => None,
        };
        let at_nonce = attempts.iter().filter(|attempt| attempt.nonce == account.nonce);
        let look = Look {
            l1_block: head.number,
            l1_time: head.time,
            now,
            prices,
            account,
            is_journal_in_step,
            slot: slot(at_nonce.map(|attempt| (fees_of(attempt), attempt.kind))),
            backlog: self.backlog_view(next, tip.entry.deposit_count, batch.as_ref()).await?,
            in_flight,
        };
        let oldest = (look.backlog.blocks > 0).then_some(look.backlog.oldest);
        let age = oldest.map_or(0, |oldest| now.max(head.time).saturating_sub(oldest));
        self.metrics.backlog_age.set(age as f64);
        let sent = look.in_flight.as_ref().map_or(head.number, |in_flight| in_flight.l1_block);
        self.metrics.in_flight.set(head.number.saturating_sub(sent) as f64);
        Ok(Some((look, batch)))
    }

    /// What became of the recorded batch of entry `next`.
    async fn in_flight(
        &self,
        is_valid: bool,
        next: u64,
        attempts: &[Attempt],
        nonce: u64,
    ) -> anyhow::Result<Option<InFlight>> {
        let own: Vec<&Attempt> = attempts.iter().filter(|attempt| attempt.entry == next).collect();
        let Some(newest) = own.last() else { return Ok(None) };
        let fate = if newest.nonce < nonce {
            let mut fate = Fate::Displaced;
            for attempt in own.iter().rev() {
                if let Some(receipt) = self.sender.receipt(attempt.l1_transaction).await? {
                    fate = if receipt.status() { Fate::Included } else { Fate::Reverted };
                    break;
                }
            }
            fate
        } else if self.sender.is_known(newest.l1_transaction).await? {
            Fate::Waiting
        } else if self.refused == Some(newest.l1_transaction) {
            Fate::Refused
        } else {
            Fate::Unknown
        };
        let l1_transaction = newest.l1_transaction;
        if fate == Fate::Reverted && self.core.failed() != Some(l1_transaction) {
            self.metrics.reverts.increment(1);
            warn!(entry = next, %l1_transaction, "a batch failed on L1: it will be tried again later");
        }
        Ok(Some(InFlight {
            is_valid,
            l1_transaction,
            nonce: newest.nonce,
            l1_block: newest.l1_block,
            fate,
        }))
    }

    async fn backlog_view(
        &mut self,
        next: u64,
        consumed: u64,
        batch: Option<&OutboxBatch>,
    ) -> anyhow::Result<BacklogView> {
        let config = &self.config;
        let records = self.backlog.records();
        let waiting = self.backlog.head().saturating_sub(self.follower.head().number);
        self.metrics.backlog_blocks.set(waiting as f64);
        let Some(first) = records.first() else { return Ok(BacklogView::default()) };
        // A batch has one origin.
        let group = records.iter().take_while(|record| record.origin.entry == first.origin.entry);
        let (mut blocks, mut bytes, mut deposits) = (0u64, 0u64, 0u64);
        for record in group {
            blocks += 1;
            bytes += size(record) as u64;
            deposits += record.deposits.len() as u64;
        }
        self.metrics.backlog_bytes.set(bytes as f64);
        let is_full = blocks >= config.entry_blocks_max
            || bytes >= config.entry_inflated_bytes_max
            || deposits >= config.entry_deposits_max
            || bytes.saturating_mul(self.packed_permille) / 1_000 >= self.target_bytes();
        let holds_deposits = records.iter().any(|record| !record.deposits.is_empty())
            || batch.is_some_and(|batch| batch.deposit_count > consumed);
        let view = BacklogView {
            blocks,
            oldest: first.timestamp,
            is_full,
            origin_lag: next.saturating_sub(first.origin.entry),
            origin_lag_max: config.origin_lag_max,
            deposit_time: None,
            force_window: config.force_window,
        };
        let deposit_time =
            if holds_deposits { self.time_of_deposit(consumed).await? } else { None };
        Ok(BacklogView { deposit_time, ..view })
    }

    /// Bytes that make a batch worth posting.
    fn target_bytes(&self) -> u64 {
        let blobs = self.posting.target_blobs.clamp(1, self.config.entry_blobs_max);
        let in_blobs = blob_data_bytes(usize::try_from(blobs).unwrap_or(usize::MAX)) as u64;
        match (self.posting.data, self.kind.current()) {
            (DataMode::Calldata, _) | (DataMode::Auto, Some(DataKind::Calldata)) => {
                in_blobs.min(self.config.entry_bytes_max)
            }
            _ => in_blobs,
        }
    }

    /// L1 time at which a deposit was made, in seconds; none for one that is not there.
    async fn time_of_deposit(&mut self, index: u64) -> anyhow::Result<Option<u64>> {
        let at = usize::try_from(index)?;
        let Some(queued) = self.view.deposits().get(at) else { return Ok(None) };
        if let Some((known, time)) = self.deposit_time
            && known == index
        {
            return Ok(Some(time));
        }
        let number = queued.deposit.l1_block_number;
        let provider = self.view.client().provider();
        let block = provider.get_block_by_number(number.into()).await.map_err(L1Error::from)?;
        let time = block.map(|block| block.header.timestamp);
        self.deposit_time = time.map(|time| (index, time));
        Ok(time)
    }

    /// Takes note of prices at a block at which nothing is sent, as if the blocks that wait were.
    fn look_at_kinds(&mut self, look: &Look) {
        if look.backlog.blocks == 0 || self.posting.data != DataMode::Auto {
            return;
        }
        let blocks = usize::try_from(look.backlog.blocks).unwrap_or(usize::MAX);
        let bytes: usize = self.backlog.records().iter().take(blocks).map(size).sum();
        let permille = usize::try_from(self.packed_permille).unwrap_or(1_000);
        self.choose_kind(
            look,
            DataSize { bytes: bytes.saturating_mul(permille) / 1_000, zeros: 0 },
        );
    }

    /// The kind that so much data goes into.
    pub(crate) fn choose_kind(&mut self, look: &Look, size: DataSize) -> DataKind {
        let calldata = calldata_cost(&look.prices, size, self.config.entry_bytes_max);
        let blobs = blobs_cost(&look.prices, size, self.config.entry_blobs_max);
        let before = self.kind.current();
        let kind = self.kind.look(look.l1_block, calldata, blobs);
        if before.is_some_and(|before| before != kind) {
            info!(?kind, %calldata, %blobs, "data goes where it is cheaper now");
        }
        kind
    }

    /// A recorded batch as L1 takes it.
    pub(crate) fn call_of(&mut self, batch: &OutboxBatch) -> anyhow::Result<AppendCall> {
        let append = Append {
            previous_acc: batch.previous_acc,
            deposit_count: batch.deposit_count,
            deposit_acc: batch.deposit_acc,
            origin: batch.origin,
            kind: batch.kind,
            data: batch.data.clone(),
        };
        self.call(&append, Some(batch.data_hash))
    }

    /// An entry as L1 takes it. The newest is kept.
    pub(crate) fn call(
        &mut self,
        append: &Append,
        data_hash: Option<B256>,
    ) -> anyhow::Result<AppendCall> {
        if let Some((_, call)) = self.call.as_ref().filter(|(hash, _)| Some(*hash) == data_hash) {
            return Ok(append.call_like(call)?);
        }
        let call = tokio::task::block_in_place(|| append.call())?;
        self.call = Some((call.data_hash, call.clone()));
        Ok(call)
    }

    /// Why nothing was sent at the last look.
    pub(crate) const fn said_wait(&self) -> Option<Wait> {
        self.said
    }

    /// Says once why nothing is sent.
    fn tell(&mut self, looked: Looked) {
        let wait = match looked {
            Looked::Waits(wait) => {
                self.metrics.waited(wait);
                Some(wait)
            }
            Looked::Sent { .. } => None,
        };
        let before = std::mem::replace(&mut self.said, wait);
        if before == wait {
            return;
        }
        if let Some(wait) = wait.filter(|wait| wait.is_trouble()) {
            let head = self.backlog.head();
            let posted = self.follower.head().number;
            warn!(reason = wait.name(), head, posted, "nothing is posted for now");
        } else if before.is_some_and(Wait::is_trouble) {
            info!("posting goes on");
        }
    }
}

/// What a transaction pays, at most.
pub(crate) fn fees_of(attempt: &Attempt) -> Fees {
    Fees {
        max_fee_per_gas: attempt.max_fee_per_gas.into(),
        max_priority_fee_per_gas: attempt.max_priority_fee_per_gas.into(),
        max_fee_per_blob_gas: attempt.max_fee_per_blob_gas.into(),
    }
}
