//! The batcher's driver: observes L1 and the journal, asks the rules, and acts.
//!
//! # State
//!
//! Follower, backlog and packing hints, all of which can be rebuilt; the outbox holds the rest.
//!
//! # Recovery
//!
//! A batch and its transactions are in the outbox before they are broadcast. The tx manager of a
//! new poster on the same outbox finds the status of each, so that each block is posted exactly
//! once.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use alloy::{providers::Provider as _, signers::local::PrivateKeySigner};
use alloy_primitives::B256;
use tracing::{info, warn};
use turnpike_l1::{L1Client, L1Error, L1View};
use turnpike_protocol::{ChainConfig, DataKind, Genesis, OutputRoot, Parent, blob_data_bytes};
use turnpike_storage::Database;
use turnpike_tx_manager::{
    AccountClient, FeePolicy, ForeignPolicy, TxEvent, TxManager, TxManagerConfig, TxManagerError,
    TxType,
};

use crate::{
    CrashPlan, DataMode, PostingConfig, WaitReason,
    backlog::{Backlog, size},
    data_kind::DataKindChoice,
    decide::{BacklogView, BatcherView, PostingRules},
    fees::{DataSize, blobs_cost, calldata_cost},
    follow::Follower,
    items::ItemCache,
    metrics::{BatcherMetrics, gwei},
    outbox::{BatchPurpose, BatchStore, BatcherTxManager},
    plan::{BATCHES_OF_CALL_MAX, ChainEnd, Draft, Plan},
    rotation::{KeyStatus, KeyTerm},
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
    pub(crate) tx_manager: BatcherTxManager,
    /// L1 up to its newest block, without confirmations: the next entry builds on the newest one.
    pub(crate) view: L1View,
    pub(crate) journal: Arc<Database>,
    pub(crate) outbox: Arc<Database>,
    pub(crate) follower: Follower,
    pub(crate) backlog: Backlog,
    pub(crate) rules: PostingRules,
    pub(crate) kind: DataKindChoice,
    pub(crate) faults: CrashPlan,
    pub(crate) metrics: BatcherMetrics,
    pub(crate) items: ItemCache,
    /// Batches whose blobs are being committed to, in order.
    pub(crate) drafts: VecDeque<Draft>,
    /// Compressed bytes per thousand bytes of blocks, of the newest batch.
    pub(crate) packed_permille: u64,
    /// Until when the inbox takes the account's batches, as of the L1 block with this hash.
    term: KeyTerm,
    term_read_at: B256,
    /// The oldest queued deposit and its L1 time.
    deposit_time: Option<(u64, u64)>,
    /// Whether the journal did not hold a recorded batch, and L1 may say why when it is read again.
    pub(crate) reads_l1_again: bool,
    /// Conditions under which sending failed, and why. It is tried again once they change.
    stalled: Option<(StallConditions, WaitReason)>,
    said: Option<WaitReason>,
}

/// Hash of the newest L1 block, and the journal's head.
type StallConditions = (B256, u64);

/// What a poster reads and writes.
#[derive(Debug)]
pub struct Databases {
    /// The sequencer's database.
    pub journal: Arc<Database>,
    /// The batcher's own.
    pub outbox: Arc<Database>,
}

/// Result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// No batch was sent.
    Waits(WaitReason),
    /// Transactions for new batches were signed.
    Sent {
        /// The newest batch.
        batch: u64,
        /// Hash of the transaction that appends it.
        l1_transaction: B256,
    },
}

impl StepOutcome {
    /// Whether transactions for new batches were signed.
    pub const fn is_sent(&self) -> bool {
        matches!(self, Self::Sent { .. })
    }
}

impl BatchPoster {
    /// A poster that resumes from the outbox. `genesis_output` is the output root of the genesis
    /// block. Outside of tests, `faults` is empty.
    pub async fn open(
        genesis: &Genesis,
        genesis_output: OutputRoot,
        posting: PostingConfig,
        client: L1Client,
        key: PrivateKeySigner,
        databases: Databases,
        faults: CrashPlan,
    ) -> anyhow::Result<Self> {
        let Databases { journal, outbox } = databases;
        let config = genesis.config.clone();
        let parent = Parent { number: 0, time_ms: genesis.timestamp_ms(), origin: None };
        let items = ItemCache::default();
        let store = BatchStore::new(Arc::clone(&outbox), items.clone(), faults.clone());
        let account = AccountClient::new(&client, key);
        let tx_manager = TxManager::open(account, store, sending(&posting)).await?;
        Ok(Self {
            tx_manager,
            view: L1View::new(client, 0, genesis_output),
            follower: Follower::new(
                config.clone(),
                parent,
                Arc::clone(&journal),
                Arc::clone(&outbox),
            ),
            journal,
            outbox,
            backlog: Backlog::default(),
            kind: DataKindChoice::new(posting.switch_margin_percent, posting.switch_blocks),
            rules: PostingRules::new(posting.clone()),
            faults,
            metrics: BatcherMetrics::new(),
            items,
            drafts: VecDeque::new(),
            packed_permille: 1_000,
            term: KeyTerm::UNLIMITED,
            term_read_at: B256::ZERO,
            deposit_time: None,
            reads_l1_again: false,
            stalled: None,
            said: None,
            posting,
            config,
        })
    }

    /// Last block of each inbox entry, entry 0 included, as far as the journal holds them.
    pub fn last_blocks(&self) -> Vec<u64> {
        self.follower.last_blocks()
    }

    /// The outbox.
    pub fn outbox(&self) -> &Database {
        &self.outbox
    }

    /// Closes the outbox after its last database transaction.
    pub async fn close(&self) {
        self.outbox.close().await;
    }

    /// Reads L1 and the journal and sends what is due. `now` is the time, in seconds.
    pub async fn step(&mut self, now: u64) -> anyhow::Result<StepOutcome> {
        if let Some(reorg) = self.view.advance().await?.reorg {
            self.metrics.reorgs.increment(1);
            self.tx_manager.rewind(reorg.block);
        }
        let in_sync = self.follower.advance(&self.view, &self.items).await?;
        self.record_inclusions().await?;
        let outcome = match self.observe(now, in_sync).await? {
            Some((inputs, plan)) => self.act(inputs, plan).await?,
            // L1 does not show the first entry yet.
            None => StepOutcome::Waits(WaitReason::Inclusion),
        };
        self.note_transactions();
        self.report_wait(outcome);
        Ok(outcome)
    }

    /// Follows up what is in flight, and sends recorded and new batches, as many as may be in
    /// flight.
    async fn act(&mut self, mut inputs: BatcherView, plan: Plan) -> anyhow::Result<StepOutcome> {
        let wanted = self.wanted(&plan);
        let key = self.term.status(inputs.l1_time);
        if self.tx_manager.is_maintenance_due() {
            let deadline = inputs.backlog.deadline().min(self.term.deadline());
            for purpose in &wanted {
                self.tx_manager.hasten(purpose, deadline);
            }
            let none = BTreeSet::new();
            let kept = if key == KeyStatus::Stops { &none } else { &wanted };
            self.tx_manager.maintain(kept).await.map_err(of_tx_manager)?;
            if self.waits_for_origin(&plan.end) {
                self.tx_manager.cancel_unneeded(&wanted).await.map_err(of_tx_manager)?;
            }
        }
        if key != KeyStatus::Sends {
            return Ok(StepOutcome::Waits(WaitReason::Rotation));
        }
        let conditions = (self.tx_manager.observation().hash, self.backlog.head());
        if let Some((before, wait)) = self.stalled
            && before == conditions
        {
            return Ok(StepOutcome::Waits(wait));
        }
        self.stalled = None;
        let outcome = self.send_all(&mut inputs, plan, wanted).await?;
        if let StepOutcome::Waits(wait) = outcome {
            self.observe_kinds(&inputs);
            if wait.is_trouble() && !self.reads_l1_again && !self.is_committing() {
                self.stalled = Some((conditions, wait));
            }
        }
        Ok(outcome)
    }

    /// Whether the blocks behind the recorded batches wait for a younger origin. What was sent for
    /// them before must not land.
    fn waits_for_origin(&self, planned: &ChainEnd) -> bool {
        let next = self.backlog.records().first();
        next.is_some_and(|block| self.is_outdated(block.origin.entry, &self.end(planned)))
    }

    /// What in flight appends batches of the plan.
    fn wanted(&self, plan: &Plan) -> BTreeSet<BatchPurpose> {
        let mut wanted = BTreeSet::new();
        for first in 0..plan.batches.len() {
            for last in first..plan.batches.len().min(first + BATCHES_OF_CALL_MAX) {
                let purpose = BatchPurpose::of(&plan.batches[first..=last]);
                wanted.extend(purpose.filter(|purpose| self.tx_manager.is_busy(purpose)));
            }
        }
        wanted
    }

    /// Collects what the decision depends on, with the batches that L1 does not hold yet.
    async fn observe(
        &mut self,
        now: u64,
        is_journal_in_sync: bool,
    ) -> anyhow::Result<Option<(BatcherView, Plan)>> {
        let Some(head) = self.view.head() else { return Ok(None) };
        let Some(plan) = self.plan(is_journal_in_sync).await? else { return Ok(None) };
        let is_journal_in_sync = plan.is_journal_in_sync;
        self.items.retain(&plan.batches.iter().map(|batch| batch.data_hash).collect());
        self.tx_manager.observe(&head, head.number).await?;
        self.read_term(head.hash).await?;
        self.note_transactions();
        let l1 = *self.tx_manager.observation();
        self.metrics.balance.set(f64::from(l1.balance) / ETHER);
        self.metrics.base_fee.set(gwei(l1.prices.base_fee));
        self.metrics.blob_base_fee.set(gwei(l1.prices.blob_base_fee));
        self.drop_stale_drafts(&plan.end).await?;
        let end = self.drafts.back().map_or(&plan.end, |draft| &draft.end).clone();
        let mut inputs = BatcherView {
            l1_block: head.number,
            l1_time: head.time,
            now,
            prices: l1.prices,
            is_journal_in_sync,
            is_behind_others: !self.drafts.is_empty() || !plan.batches.is_empty(),
            backlog: BacklogView::default(),
        };
        self.look_behind(&mut inputs, &end).await?;
        let oldest = (inputs.backlog.blocks > 0).then_some(inputs.backlog.oldest);
        let age = oldest.map_or(0, |oldest| now.max(head.time).saturating_sub(oldest));
        self.metrics.backlog_age.set(age as f64);
        let first_open = self.tx_manager.nonces().first_open();
        let sent = first_open.map_or(head.number, |(_, sent)| sent.l1_block);
        self.metrics.in_flight.set(head.number.saturating_sub(sent) as f64);
        Ok(Some((inputs, plan)))
    }

    /// Reads once a block until when the inbox takes the account's batches.
    async fn read_term(&mut self, head: B256) -> Result<(), L1Error> {
        // Without a key administrator the batcher never changes.
        if self.term_read_at == head || self.config.key_admin.is_zero() {
            return Ok(());
        }
        let keys = self.view.client().batcher_keys(head).await?;
        self.term = KeyTerm::of(self.tx_manager.address(), &keys, self.config.key_delay);
        self.term_read_at = head;
        Ok(())
    }

    /// Reads the blocks behind `end`, which the next batch holds.
    pub(crate) async fn look_behind(
        &mut self,
        inputs: &mut BatcherView,
        end: &ChainEnd,
    ) -> anyhow::Result<()> {
        self.backlog.refresh(&self.journal, &self.config, end.parent.number + 1).await?;
        inputs.backlog = self.backlog_view(end).await?;
        Ok(())
    }

    /// Turns the tx manager's events into metrics, and counts transactions that reverted.
    fn note_transactions(&mut self) {
        for event in self.tx_manager.take_events() {
            match event {
                TxEvent::Signed { is_replacement, .. } => {
                    self.metrics.attempts.increment(1);
                    self.metrics.replacements.increment(u64::from(is_replacement));
                }
                TxEvent::Rebroadcast => self.metrics.rebroadcasts.increment(1),
                TxEvent::Refused => self.metrics.refusals.increment(1),
                TxEvent::Included { receipt, .. } if !receipt.status() => {
                    let l1_block = self.tx_manager.observation().head;
                    if self.rules.count_revert(l1_block, receipt.transaction_hash) {
                        self.metrics.reverts.increment(1);
                    }
                }
                TxEvent::Included { .. } => {}
            }
        }
    }

    async fn backlog_view(&mut self, end: &ChainEnd) -> anyhow::Result<BacklogView> {
        let config = &self.config;
        let records = self.backlog.records();
        let waiting = self.backlog.head().saturating_sub(self.follower.head().number);
        self.metrics.backlog_blocks.set(waiting as f64);
        // Deposits that are on their way to L1 count as much as those of the backlog.
        let consumed = self.view.entries().last().map_or(0, |tip| tip.entry.deposit_count);
        let holds_deposits = end.entry.deposit_count > consumed
            || records.iter().any(|record| !record.deposits.is_empty());
        let mut view = BacklogView {
            force_window: config.force_window,
            origin_age_max: config.origin_age_max,
            ..BacklogView::default()
        };
        if let Some(first) = records.first() {
            // A batch has one origin.
            let origin = first.origin.entry;
            let group = records.iter().take_while(|record| record.origin.entry == origin);
            let (mut blocks, mut bytes, mut deposits) = (0u64, 0u64, 0u64);
            for record in group {
                blocks += 1;
                bytes += size(record) as u64;
                deposits += record.deposits.len() as u64;
            }
            self.metrics.backlog_bytes.set(bytes as f64);
            view.blocks = blocks;
            view.oldest = first.time_ms / 1_000;
            view.origin_time = first.origin.l1_time;
            view.is_closed = usize::try_from(blocks)? < records.len();
            view.is_full = blocks >= config.entry_blocks_max
                || bytes >= config.entry_inflated_bytes_max
                || deposits >= config.entry_deposits_max
                || bytes.saturating_mul(self.packed_permille) / 1_000 >= self.target_bytes();
        }
        if holds_deposits {
            view.deposit_time = self.time_of_deposit(consumed).await?;
        }
        Ok(view)
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

/// How batches are sent. From its deadline on, a batch is sent at any price.
fn sending(posting: &PostingConfig) -> TxManagerConfig {
    TxManagerConfig {
        fees: FeePolicy {
            max_fee_per_gas: posting.max_fee_per_gas,
            max_fee_per_blob_gas: posting.max_fee_per_blob_gas,
            bump_blocks: posting.bump_blocks,
            urgent_blocks: 0,
            ..FeePolicy::default()
        },
        foreign: ForeignPolicy::TakeOver { after_blocks: posting.bump_blocks },
        carries: TxType::Blobs,
    }
}

/// An error of L1 stays one, so that the next step may succeed.
pub(crate) fn of_tx_manager(error: TxManagerError) -> anyhow::Error {
    match error {
        TxManagerError::L1(error) => error.into(),
        error => error.into(),
    }
}
