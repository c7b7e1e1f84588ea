//! Packs, checks, signs, records and broadcasts batches.
//!
//! # Durability
//!
//! A batch and each transaction for it are recorded in the outbox before the transaction is
//! broadcast. Derivation runs over a batch before it is recorded: a batch that derivation would
//! drop is never posted.

use alloy_primitives::B256;
use anyhow::anyhow;
use tracing::{error, info, warn};
use turnpike_l1::{Append, AppendCall, L1Error};
use turnpike_protocol::{DataKind, Effort, Entry, blob_data_bytes};
use turnpike_storage::{Attempt, OutboxBatch};
use turnpike_tx_manager::{FeePolicy, Fees, SignedTx, TxType, Urgency};

use crate::{
    BatchPoster, CrashPoint, DataMode, PackError, PackedBatch, StepOutcome, WaitReason,
    backlog::size,
    decide::{BatchSource, BatcherView, SendPlan},
    fees::DataSize,
    follow::matching,
    pack,
};

/// Most transactions in a batch that is compressed thoroughly. Larger batches are compressed fast.
const THOROUGH_TRANSACTIONS_MAX: usize = 2_000;

/// A batch with its call and its bid.
struct PreparedBatch {
    batch: OutboxBatch,
    call: AppendCall,
    fees: Fees,
}

impl BatchPoster {
    /// Broadcasts the newest transaction of a batch again, byte for byte, or replaces it if it
    /// would revert by now.
    pub(crate) async fn rebroadcast(
        &mut self,
        inputs: &BatcherView,
        batch: OutboxBatch,
    ) -> anyhow::Result<StepOutcome> {
        let newest = self.outbox.newest_attempt(batch.entry).await?;
        let Some(newest) = newest else { return Ok(StepOutcome::Waits(WaitReason::Nothing)) };
        let call = self.call_of(&batch)?;
        if let Err(error) = self.estimate(&call).await {
            return self.repack(inputs, error).await;
        }
        self.metrics.rebroadcasts.increment(1);
        info!(entry = batch.entry, l1_transaction = %newest.l1_transaction, "rebroadcasting batch transaction");
        self.broadcast(&newest, &call).await
    }

    /// Signs a transaction for a new batch or the recorded one, records it, and broadcasts it.
    pub(crate) async fn send(
        &mut self,
        inputs: &BatcherView,
        send: SendPlan,
        recorded: Option<OutboxBatch>,
    ) -> anyhow::Result<StepOutcome> {
        let is_new = send.batch == BatchSource::New;
        let prepared = match recorded.filter(|_| !is_new) {
            Some(batch) => self.prepare_again(inputs, &send, batch)?,
            None => self.prepare(inputs, &send).await?,
        };
        let PreparedBatch { batch, call, fees } = match prepared {
            Ok(prepared) => prepared,
            Err(wait) => return Ok(StepOutcome::Waits(wait)),
        };
        let gas = match self.estimate(&call).await {
            Ok(gas) => gas,
            Err(error) if is_new => return self.rejected(&batch, error),
            Err(error) => return self.repack(inputs, error).await,
        };
        let gas_limit = FeePolicy::default().gas_limit(gas);
        let worst = fees.worst_cost(gas_limit, call.blobs());
        if worst > inputs.account.balance {
            if self.last_wait() != Some(WaitReason::Funds) {
                warn!(
                    account = %self.sender.address(), balance = %inputs.account.balance, needed = %worst,
                    "account cannot pay for a batch: fund it"
                );
            }
            return Ok(StepOutcome::Waits(WaitReason::Funds));
        }
        let inbox = self.view.client().deployment().inbox;
        let sidecar = call.sidecar.as_deref();
        let signed = self.sender.sign(call.to(inbox), sidecar, send.nonce, gas_limit, fees)?;
        let stored = |fee: u128| u64::try_from(fee).unwrap_or(i64::MAX as u64);
        let attempt = Attempt {
            l1_transaction: signed.hash,
            entry: batch.entry,
            nonce: send.nonce,
            kind: batch.kind,
            gas_limit,
            max_fee_per_gas: stored(fees.max_fee_per_gas),
            max_priority_fee_per_gas: stored(fees.max_priority_fee_per_gas),
            max_fee_per_blob_gas: stored(fees.max_fee_per_blob_gas),
            l1_block: inputs.l1_block,
            raw: signed.raw,
        };
        if is_new {
            self.faults.pass(CrashPoint::Packed)?;
            self.outbox.record_batch(&batch, &attempt).await?;
            self.faults.pass(CrashPoint::Recorded)?;
        } else {
            self.faults.pass(CrashPoint::Replacing)?;
            self.outbox.record_attempt(&attempt).await?;
            self.faults.pass(CrashPoint::Replaced)?;
        }
        self.metrics.attempts.increment(1);
        if send.replaced.is_some() {
            self.metrics.replacements.increment(1);
        }
        info!(
            entry = batch.entry,
            first_block = batch.first_block,
            last_block = batch.last_block,
            bytes = batch.data_bytes,
            kind = ?batch.kind,
            nonce = attempt.nonce,
            max_fee_per_gas = attempt.max_fee_per_gas,
            l1_transaction = %attempt.l1_transaction,
            "batch posted"
        );
        self.broadcast(&attempt, &call).await
    }

    async fn estimate(&self, call: &AppendCall) -> Result<u64, L1Error> {
        let inbox = self.view.client().deployment().inbox;
        self.sender.estimate(&call.to(inbox), call.sidecar.as_deref()).await
    }

    async fn broadcast(
        &mut self,
        attempt: &Attempt,
        call: &AppendCall,
    ) -> anyhow::Result<StepOutcome> {
        let &Attempt { entry, l1_transaction, .. } = attempt;
        let signed = SignedTx::decode(attempt.raw.clone(), self.sender.address());
        let foreign = || anyhow!("another account has signed transaction {l1_transaction}");
        let signed = signed.ok_or_else(foreign)?;
        match self.sender.broadcast(&signed, call.sidecar.as_deref()).await {
            Ok(()) => {}
            Err(L1Error::Rejected(reason)) => {
                self.metrics.refusals.increment(1);
                self.refused = Some(l1_transaction);
                warn!(entry, %l1_transaction, reason, "pool refused transaction");
                return Ok(StepOutcome::Waits(WaitReason::Rejected));
            }
            Err(error) => return Err(error.into()),
        }
        self.faults.pass(CrashPoint::Broadcast)?;
        Ok(StepOutcome::Sent { entry, l1_transaction })
    }

    /// The recorded batch would revert by now: packs another one and replaces it in the pool.
    async fn repack(
        &mut self,
        inputs: &BatcherView,
        error: L1Error,
    ) -> anyhow::Result<StepOutcome> {
        let L1Error::Rejected(reason) = error else { return Err(error.into()) };
        info!(reason, "recorded batch would revert: packing another one");
        let send = match self.rules.replace(inputs) {
            Ok(send) => send,
            Err(wait) => return Ok(StepOutcome::Waits(wait)),
        };
        Box::pin(self.send(inputs, send, None)).await
    }

    fn rejected(&self, batch: &OutboxBatch, error: L1Error) -> anyhow::Result<StepOutcome> {
        let L1Error::Rejected(reason) = error else { return Err(error.into()) };
        if self.last_wait() != Some(WaitReason::Rejected) {
            warn!(entry = batch.entry, reason, "batch would revert: not sent");
        }
        Ok(StepOutcome::Waits(WaitReason::Rejected))
    }

    /// The recorded batch with a new bid.
    fn prepare_again(
        &mut self,
        inputs: &BatcherView,
        send: &SendPlan,
        batch: OutboxBatch,
    ) -> anyhow::Result<Result<PreparedBatch, WaitReason>> {
        let fees = bid(inputs, send, batch.kind);
        let Some(fees) = fees else { return Ok(Err(WaitReason::Price)) };
        let call = self.call_of(&batch)?;
        Ok(Ok(PreparedBatch { batch, call, fees }))
    }

    /// A batch of the journal's next blocks, checked by deriving it as every verifier will.
    async fn prepare(
        &mut self,
        inputs: &BatcherView,
        send: &SendPlan,
    ) -> anyhow::Result<Result<PreparedBatch, WaitReason>> {
        let latest = inputs.l1_time.saturating_add(self.config.time_drift_max);
        let records = self.backlog.records();
        let count = records.iter().take_while(|record| record.timestamp <= latest).count();
        if count == 0 {
            return Ok(Err(WaitReason::Clock));
        }
        let (packed, kind) = match self.pack(inputs, count, send.kind) {
            Ok(Some(packed)) => packed,
            Ok(None) => return Ok(Err(WaitReason::Rejected)),
            // A reorg dropped a forced entry, and the sequencer has not noticed yet.
            Err(error) if matches!(error.downcast_ref(), Some(PackError::Forced(_))) => {
                return Ok(Err(WaitReason::Journal));
            }
            Err(error) => return Err(error),
        };
        let fees = bid(inputs, send, kind);
        let Some(fees) = fees else { return Ok(Err(WaitReason::Price)) };
        let Some(previous) = self.view.entries().last().copied() else {
            return Ok(Err(WaitReason::Inclusion));
        };
        let deposit_count = previous.entry.deposit_count + packed.deposits;
        let Some(deposit_acc) = self.view.deposit_acc(deposit_count) else {
            return Ok(Err(WaitReason::Journal));
        };
        let append = Append {
            previous_acc: previous.acc,
            deposit_count,
            deposit_acc,
            origin: packed.origin,
            kind,
            data: packed.data.clone(),
        };
        let call = self.call(&append, None)?;
        let entry = Entry {
            index: previous.entry.index + 1,
            data_kind: kind,
            data_hash: call.data_hash,
            deposit_count,
            deposit_acc,
            l1_time: inputs.l1_time,
            origin: packed.origin,
            ..previous.entry
        };
        let Some(last_hash) = self.preview(entry, &call).await? else {
            return Ok(Err(WaitReason::Rejected));
        };
        let held = usize::try_from(packed.last_block - packed.first_block + 1)?;
        let records = &self.backlog.records()[..held];
        let raw = records.iter().map(size).sum::<usize>().max(1);
        let transactions = records.iter().map(|record| record.transactions.len() as u64).sum();
        self.packed_permille = (packed.data.len() as u64 * 1_000 / raw as u64).clamp(1, 1_000);
        let batch = OutboxBatch {
            entry: entry.index,
            previous_acc: previous.acc,
            first_block: packed.first_block,
            last_block: packed.last_block,
            last_hash,
            transactions,
            origin: packed.origin,
            deposit_count,
            deposit_acc,
            kind,
            data_hash: call.data_hash,
            data_bytes: packed.data.len() as u64,
            data: packed.data,
            confirmed: false,
            inclusion: None,
        };
        Ok(Ok(PreparedBatch { batch, call, fees }))
    }

    /// Packs as many of the first `count` blocks as fit, for the given data kind or else the
    /// cheaper one. `None` if not even one block fits.
    fn pack(
        &mut self,
        inputs: &BatcherView,
        count: usize,
        kind: Option<DataKind>,
    ) -> anyhow::Result<Option<(PackedBatch, DataKind)>> {
        let blobs = usize::try_from(self.config.entry_blobs_max).unwrap_or(usize::MAX);
        let calldata_max = usize::try_from(self.config.entry_bytes_max).unwrap_or(usize::MAX);
        let replaced = kind;
        let kind = match (kind, self.posting.data) {
            (Some(kind), _) => Some(kind),
            (None, DataMode::Auto) => None,
            (None, DataMode::Calldata) => Some(DataKind::Calldata),
            (None, DataMode::Blobs) => Some(DataKind::Blobs),
        };
        if kind == Some(DataKind::Calldata) {
            match self.fill(count, calldata_max) {
                Ok(packed) => return Ok(packed.map(|packed| (packed, DataKind::Calldata))),
                // A block too large for calldata may fit blobs, but blobs only replace blobs.
                Err(PackError::BlockTooLarge { .. }) if replaced.is_none() => {}
                Err(PackError::BlockTooLarge { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        let packed = match self.fill(count, blob_data_bytes(blobs)) {
            Ok(Some(packed)) => packed,
            Ok(None) => return Ok(None),
            Err(error @ PackError::BlockTooLarge { .. }) => {
                error!(%error, "a block fits no entry");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        if kind.is_some() {
            return Ok(Some((packed, DataKind::Blobs)));
        }
        let chosen = self.choose_kind(inputs, DataSize::of(&packed.data));
        if chosen == DataKind::Calldata && packed.data.len() > calldata_max {
            match self.fill(count, calldata_max) {
                Ok(packed) => return Ok(packed.map(|packed| (packed, DataKind::Calldata))),
                Err(PackError::BlockTooLarge { .. }) => return Ok(Some((packed, DataKind::Blobs))),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some((packed, chosen)))
    }

    /// Packs as many of the first `count` blocks as fit.
    fn fill(&self, count: usize, bytes_max: usize) -> Result<Option<PackedBatch>, PackError> {
        let records = &self.backlog.records()[..count];
        let transactions: usize = records.iter().map(|record| record.transactions.len()).sum();
        let effort = match transactions {
            0..=THOROUGH_TRANSACTIONS_MAX => Effort::Thorough,
            _ => Effort::Fast,
        };
        tokio::task::block_in_place(|| pack(&self.config, records, bytes_max, effort))
    }

    /// Derives an entry as every verifier will. L2 hash of its last block if the journal holds its
    /// blocks.
    async fn preview(&self, entry: Entry, call: &AppendCall) -> anyhow::Result<Option<B256>> {
        let source = self.view.source_of(entry, call.payload.clone())?;
        let derivation = self.follower.derivation();
        let derived = tokio::task::block_in_place(|| derivation.preview(&source))?;
        let first = derived.blocks.first().map_or(0, |block| block.number);
        if let Some(fault) = derived.fault {
            error!(first_block = first, %fault, "cannot post blocks: derivation would drop them");
            return Ok(None);
        }
        let hash = matching(&self.journal, first, &derived.blocks).await?;
        if hash.is_none() {
            warn!(first_block = first, "the journal was rewound while a batch was packed");
        }
        Ok(hash)
    }
}

/// Bid for a batch of this kind; `None` if it exceeds a limit.
fn bid(inputs: &BatcherView, send: &SendPlan, kind: DataKind) -> Option<Fees> {
    let tx_type = match kind {
        DataKind::Blobs => TxType::Blobs,
        DataKind::None | DataKind::Calldata => TxType::Call,
    };
    Fees::bid(&inputs.prices, tx_type, send.replaced.as_ref(), &send.limits, Urgency::Normal)
}
