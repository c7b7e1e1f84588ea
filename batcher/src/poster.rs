//! The batcher's driver: observes L1 and the journal, asks the rules, and acts.
//!
//! # State
//!
//! Follower, backlog and packing hints, all of which can be rebuilt; the outbox holds the rest.
//!
//! # Recovery
//!
//! A batch and its transactions are in the outbox before they are broadcast. A new poster on the
//! same outbox finds the status of each and goes on, so that each block is posted exactly once.

use std::sync::Arc;

use alloy::{providers::Provider as _, signers::local::PrivateKeySigner};
use alloy_primitives::{B256, U256};
use tracing::{info, warn};
use turnpike_l1::{Append, AppendCall, L1Client, L1Error, L1View};
use turnpike_protocol::{ChainConfig, DataKind, Genesis, OutputRoot, Parent, blob_data_bytes};
use turnpike_storage::{Attempt, Database, OutboxBatch};
use turnpike_tx_manager::{AccountClient, Fees, GasPrices};

use crate::{
    CrashPlan, DataMode, PostingConfig, WaitReason,
    backlog::{Backlog, size},
    data_kind::DataKindChoice,
    decide::{
        BacklogView, BatchTxStatus, BatcherView, PendingBatch, PostingDecision, PostingRules,
        nonce_bids,
    },
    fees::{DataSize, blobs_cost, calldata_cost},
    follow::Follower,
    metrics::{BatcherMetrics, gwei},
};

/// Wei in an ether.
const ETHER: f64 = 1e18;

/// Posts the journal's blocks to the inbox, in order, each once.
///
/// A step reads L1, derives new entries, records inclusions, decides, and acts.
#[derive(Debug)]
pub struct BatchPoster {
    pub(crate) config: ChainConfig,
    pub(crate) posting: PostingConfig,
    pub(crate) sender: AccountClient,
    /// L1 up to its newest block, without confirmations: the next entry builds on the newest one.
    pub(crate) view: L1View,
    pub(crate) journal: Arc<Database>,
    pub(crate) outbox: Database,
    pub(crate) follower: Follower,
    pub(crate) backlog: Backlog,
    pub(crate) rules: PostingRules,
    pub(crate) kind: DataKindChoice,
    pub(crate) faults: CrashPlan,
    pub(crate) metrics: BatcherMetrics,
    /// The newest batch's call by the hash of its data, so that commitments are computed once.
    pub(crate) call: Option<(B256, AppendCall)>,
    /// The newest transaction that the pool refused.
    pub(crate) refused: Option<B256>,
    /// Compressed bytes per thousand bytes of blocks, of the newest batch.
    pub(crate) packed_permille: u64,
    /// The oldest queued deposit and its L1 time.
    deposit_time: Option<(u64, u64)>,
    /// Conditions under which sending failed, and why. It is tried again once they change.
    stalled: Option<(StallConditions, WaitReason)>,
    said: Option<WaitReason>,
}

/// L1 block, prices, balance and journal head.
type StallConditions = (u64, GasPrices, U256, u64);

/// Result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// Nothing was sent.
    Waits(WaitReason),
    /// A transaction was broadcast.
    Sent {
        /// Entry that it appends.
        entry: u64,
        /// Its hash.
        l1_transaction: B256,
    },
}

impl BatchPoster {
    /// A poster that resumes from the outbox. `genesis_output` is the output root of the genesis
    /// block.
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
            kind: DataKindChoice::new(posting.switch_margin_percent, posting.switch_blocks),
            rules: PostingRules::new(posting.clone()),
            faults: CrashPlan::default(),
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

    /// The same, with a planned crash.
    #[must_use]
    pub fn with_faults(mut self, faults: CrashPlan) -> Self {
        self.faults = faults;
        self
    }

    /// Last block of each inbox entry, entry 0 included, as far as the journal holds them.
    pub fn last_blocks(&self) -> Vec<u64> {
        self.follower.last_blocks()
    }

    /// The outbox.
    pub const fn outbox(&self) -> &Database {
        &self.outbox
    }

    /// Closes the outbox after its last database transaction.
    pub async fn close(&self) {
        self.outbox.close().await;
    }

    /// Reads L1 and the journal and sends what is due. `now` is the time, in seconds.
    pub async fn step(&mut self, now: u64) -> anyhow::Result<StepOutcome> {
        if self.view.advance().await?.reorg.is_some() {
            self.metrics.reorgs.increment(1);
        }
        let in_sync = self.follow().await?;
        self.record_inclusions().await?;
        let outcome = match self.observe(now, in_sync).await? {
            Some((inputs, batch)) => self.act(&inputs, batch).await?,
            // L1 does not show the first entry yet.
            None => StepOutcome::Waits(WaitReason::Inclusion),
        };
        self.report_wait(outcome);
        Ok(outcome)
    }

    async fn act(
        &mut self,
        inputs: &BatcherView,
        batch: Option<OutboxBatch>,
    ) -> anyhow::Result<StepOutcome> {
        let circumstances =
            (inputs.l1_block, inputs.prices, inputs.account.balance, self.backlog.head());
        if let Some((before, wait)) = self.stalled
            && before == circumstances
        {
            return Ok(StepOutcome::Waits(wait));
        }
        self.stalled = None;
        let outcome = match (self.rules.decide(inputs), batch) {
            (PostingDecision::Wait(wait), _) => {
                self.observe_kinds(inputs);
                return Ok(StepOutcome::Waits(wait));
            }
            (PostingDecision::Rebroadcast, Some(batch)) => self.rebroadcast(inputs, batch).await?,
            (PostingDecision::Send(send), batch) => self.send(inputs, send, batch).await?,
            (PostingDecision::Rebroadcast, None) => StepOutcome::Waits(WaitReason::Nothing),
        };
        if let StepOutcome::Waits(wait) = outcome {
            self.stalled = Some((circumstances, wait));
        }
        Ok(outcome)
    }

    /// Collects what the decision depends on, with the recorded batch of the next entry.
    async fn observe(
        &mut self,
        now: u64,
        is_journal_in_sync: bool,
    ) -> anyhow::Result<Option<(BatcherView, Option<OutboxBatch>)>> {
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
                let is_valid = is_journal_in_sync
                    && batch.previous_acc == tip.acc
                    && batch.first_block == first
                    && self.view.deposit_acc(batch.deposit_count) == Some(batch.deposit_acc)
                    && self.journal.block_hash(batch.last_block).await? == Some(batch.last_hash);
                self.in_flight(is_valid, next, &attempts, account.nonce).await?
            }
            None => None,
        };
        let at_nonce = attempts.iter().filter(|attempt| attempt.nonce == account.nonce);
        let inputs = BatcherView {
            l1_block: head.number,
            l1_time: head.time,
            now,
            prices,
            account,
            is_journal_in_sync,
            next_bids: nonce_bids(at_nonce.map(|attempt| (fees_of(attempt), attempt.kind))),
            backlog: self.backlog_view(next, tip.entry.deposit_count, batch.as_ref()).await?,
            in_flight,
        };
        let oldest = (inputs.backlog.blocks > 0).then_some(inputs.backlog.oldest);
        let age = oldest.map_or(0, |oldest| now.max(head.time).saturating_sub(oldest));
        self.metrics.backlog_age.set(age as f64);
        let sent = inputs.in_flight.as_ref().map_or(head.number, |in_flight| in_flight.l1_block);
        self.metrics.in_flight.set(head.number.saturating_sub(sent) as f64);
        Ok(Some((inputs, batch)))
    }

    /// Status of the recorded batch of entry `next`.
    async fn in_flight(
        &self,
        is_valid: bool,
        next: u64,
        attempts: &[Attempt],
        nonce: u64,
    ) -> anyhow::Result<Option<PendingBatch>> {
        let own: Vec<&Attempt> = attempts.iter().filter(|attempt| attempt.entry == next).collect();
        let Some(newest) = own.last() else { return Ok(None) };
        let status = if newest.nonce < nonce {
            let mut status = BatchTxStatus::Displaced;
            for attempt in own.iter().rev() {
                if let Some(receipt) = self.sender.receipt(attempt.l1_transaction).await? {
                    status = if receipt.status() {
                        BatchTxStatus::Included
                    } else {
                        BatchTxStatus::Reverted
                    };
                    break;
                }
            }
            status
        } else if self.sender.is_known(newest.l1_transaction).await? {
            BatchTxStatus::Pending
        } else if self.refused == Some(newest.l1_transaction) {
            BatchTxStatus::Refused
        } else {
            BatchTxStatus::Unknown
        };
        let l1_transaction = newest.l1_transaction;
        if status == BatchTxStatus::Reverted && self.rules.failed() != Some(l1_transaction) {
            self.metrics.reverts.increment(1);
            warn!(entry = next, %l1_transaction, "batch transaction reverted: will retry later");
        }
        Ok(Some(PendingBatch {
            is_valid,
            l1_transaction,
            nonce: newest.nonce,
            l1_block: newest.l1_block,
            status,
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

    /// Bytes of a batch that is large enough to be posted.
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

    /// L1 time of a deposit, in seconds; `None` if L1 does not show it.
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

    /// Observes prices at a block at which nothing is sent, for a batch of the backlog.
    fn observe_kinds(&mut self, inputs: &BatcherView) {
        if inputs.backlog.blocks == 0 || self.posting.data != DataMode::Auto {
            return;
        }
        let blocks = usize::try_from(inputs.backlog.blocks).unwrap_or(usize::MAX);
        let bytes: usize = self.backlog.records().iter().take(blocks).map(size).sum();
        let permille = usize::try_from(self.packed_permille).unwrap_or(1_000);
        self.choose_kind(
            inputs,
            DataSize { bytes: bytes.saturating_mul(permille) / 1_000, zeros: 0 },
        );
    }

    /// Data kind for this much data.
    pub(crate) fn choose_kind(&mut self, inputs: &BatcherView, size: DataSize) -> DataKind {
        let calldata = calldata_cost(&inputs.prices, size, self.config.entry_bytes_max);
        let blobs = blobs_cost(&inputs.prices, size, self.config.entry_blobs_max);
        let before = self.kind.current();
        let kind = self.kind.observe(inputs.l1_block, calldata, blobs);
        if before.is_some_and(|before| before != kind) {
            info!(?kind, %calldata, %blobs, "switching data kind");
        }
        kind
    }

    /// The call of a recorded batch.
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

    /// The call that appends an entry. The newest is kept.
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

    /// Why nothing was sent in the last step.
    pub(crate) const fn last_wait(&self) -> Option<WaitReason> {
        self.said
    }

    /// Logs once why nothing is sent.
    fn report_wait(&mut self, outcome: StepOutcome) {
        let wait = match outcome {
            StepOutcome::Waits(wait) => {
                self.metrics.waited(wait);
                Some(wait)
            }
            StepOutcome::Sent { .. } => None,
        };
        let before = std::mem::replace(&mut self.said, wait);
        if before == wait {
            return;
        }
        if let Some(wait) = wait.filter(|wait| wait.is_trouble()) {
            let head = self.backlog.head();
            let posted = self.follower.head().number;
            warn!(reason = wait.name(), head, posted, "posting waits");
        } else if before.is_some_and(WaitReason::is_trouble) {
            info!("posting resumes");
        }
    }
}

/// Bid of a recorded transaction.
pub(crate) fn fees_of(attempt: &Attempt) -> Fees {
    Fees {
        max_fee_per_gas: attempt.max_fee_per_gas.into(),
        max_priority_fee_per_gas: attempt.max_priority_fee_per_gas.into(),
        max_fee_per_blob_gas: attempt.max_fee_per_blob_gas.into(),
    }
}
