use alloy_primitives::B256;
use anyhow::anyhow;
use tracing::{error, info, warn};
use turnpike_l1::{Append, AppendCall, L1Error};
use turnpike_protocol::{DataKind, Effort, Entry, blob_data_bytes};
use turnpike_storage::{Attempt, OutboxBatch};
use turnpike_tx_manager::{FeePolicy, Fees, SignedTx, TxType, Urgency};

use crate::{
    DataMode, Looked, PackError, Packed, Poster, Step, Wait,
    backlog::size,
    decide::{BatchSource, Look, Send},
    fees::DataSize,
    follow::matching,
    pack,
};

/// Transactions up to which a batch is worth more effort: there is time for it when there is little to post.
const THOROUGH_TRANSACTIONS_MAX: usize = 2_000;

/// A batch that is not recorded yet, as L1 takes it.
struct Prepared {
    batch: OutboxBatch,
    call: AppendCall,
    fees: Fees,
}

impl Poster {
    /// Hands L1 the newest transaction of a batch once more, byte for byte; if it would fail by now, another one in its
    /// place.
    pub(crate) async fn rebroadcast(
        &mut self,
        look: &Look,
        batch: OutboxBatch,
    ) -> anyhow::Result<Looked> {
        let newest = self.outbox.newest_attempt(batch.entry).await?;
        let Some(newest) = newest else { return Ok(Looked::Waits(Wait::Nothing)) };
        let call = self.call_of(&batch)?;
        if let Err(error) = self.estimate(&call).await {
            return self.repack(look, error).await;
        }
        self.metrics.rebroadcasts.increment(1);
        info!(entry = batch.entry, l1_transaction = %newest.l1_transaction, "L1 is told again of a batch");
        self.broadcast(&newest, &call).await
    }

    /// Signs a transaction for a new batch or for the recorded one, records it, and hands it to L1.
    pub(crate) async fn send(
        &mut self,
        look: &Look,
        send: Send,
        recorded: Option<OutboxBatch>,
    ) -> anyhow::Result<Looked> {
        let is_new = send.batch == BatchSource::New;
        let prepared = match recorded.filter(|_| !is_new) {
            Some(batch) => self.prepare_again(look, &send, batch)?,
            None => self.prepare(look, &send).await?,
        };
        let Prepared { batch, call, fees } = match prepared {
            Ok(prepared) => prepared,
            Err(wait) => return Ok(Looked::Waits(wait)),
        };
        let gas = match self.estimate(&call).await {
            Ok(gas) => gas,
            Err(error) if is_new => return self.rejected(&batch, error),
            Err(error) => return self.repack(look, error).await,
        };
        let gas_limit = FeePolicy::default().gas_limit(gas);
        let worst = fees.worst_cost(gas_limit, call.blobs());
        if worst > look.account.balance {
            if self.said_wait() != Some(Wait::Funds) {
                warn!(
                    account = %self.sender.address(), balance = %look.account.balance, needed = %worst,
                    "the batcher's account cannot pay for a batch: send it ether"
                );
            }
            return Ok(Looked::Waits(Wait::Funds));
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
            l1_block: look.l1_block,
            raw: signed.raw,
        };
        if is_new {
            self.faults.pass(Step::Packed)?;
            self.outbox.record_batch(&batch, &attempt).await?;
            self.faults.pass(Step::Recorded)?;
        } else {
            self.faults.pass(Step::Replacing)?;
            self.outbox.record_attempt(&attempt).await?;
            self.faults.pass(Step::Replaced)?;
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

    async fn broadcast(&mut self, attempt: &Attempt, call: &AppendCall) -> anyhow::Result<Looked> {
        let &Attempt { entry, l1_transaction, .. } = attempt;
        let signed = SignedTx::decode(attempt.raw.clone(), self.sender.address());
        let foreign = || anyhow!("another account has signed transaction {l1_transaction}");
        let signed = signed.ok_or_else(foreign)?;
        match self.sender.broadcast(&signed, call.sidecar.as_deref()).await {
            Ok(()) => {}
            Err(L1Error::Rejected(reason)) => {
                self.metrics.refusals.increment(1);
                self.refused = Some(l1_transaction);
                warn!(entry, %l1_transaction, reason, "L1 did not take a transaction");
                return Ok(Looked::Waits(Wait::Rejected));
            }
            Err(error) => return Err(error.into()),
        }
        self.faults.pass(Step::Broadcast)?;
        Ok(Looked::Sent { entry, l1_transaction })
    }

    /// The recorded batch would fail by now: another one takes its place in the pool.
    async fn repack(&mut self, look: &Look, error: L1Error) -> anyhow::Result<Looked> {
        let L1Error::Rejected(reason) = error else { return Err(error.into()) };
        info!(reason, "the recorded batch would fail: another one is packed");
        let send = match self.core.replace(look) {
            Ok(send) => send,
            Err(wait) => return Ok(Looked::Waits(wait)),
        };
        Box::pin(self.send(look, send, None)).await
    }

    fn rejected(&self, batch: &OutboxBatch, error: L1Error) -> anyhow::Result<Looked> {
        let L1Error::Rejected(reason) = error else { return Err(error.into()) };
        if self.said_wait() != Some(Wait::Rejected) {
            warn!(entry = batch.entry, reason, "L1 would refuse the batch: it is not sent");
        }
        Ok(Looked::Waits(Wait::Rejected))
    }

    /// The recorded batch with a new offer.
    fn prepare_again(
        &mut self,
        look: &Look,
        send: &Send,
        batch: OutboxBatch,
    ) -> anyhow::Result<Result<Prepared, Wait>> {
        let fees = bid(look, send, batch.kind);
        let Some(fees) = fees else { return Ok(Err(Wait::Price)) };
        let call = self.call_of(&batch)?;
        Ok(Ok(Prepared { batch, call, fees }))
    }

    /// A batch of the journal's next blocks, checked by deriving it as everybody else will.
    async fn prepare(
        &mut self,
        look: &Look,
        send: &Send,
    ) -> anyhow::Result<Result<Prepared, Wait>> {
        let latest = look.l1_time.saturating_add(self.config.time_drift_max);
        let records = self.backlog.records();
        let count = records.iter().take_while(|record| record.timestamp <= latest).count();
        if count == 0 {
            return Ok(Err(Wait::Clock));
        }
        let (packed, kind) = match self.pack(look, count, send.kind) {
            Ok(Some(packed)) => packed,
            Ok(None) => return Ok(Err(Wait::Rejected)),
            // L1 has dropped a forced entry, and the sequencer has not noticed yet.
            Err(error) if matches!(error.downcast_ref(), Some(PackError::Forced(_))) => {
                return Ok(Err(Wait::Journal));
            }
            Err(error) => return Err(error),
        };
        let fees = bid(look, send, kind);
        let Some(fees) = fees else { return Ok(Err(Wait::Price)) };
        let Some(previous) = self.view.entries().last().copied() else {
            return Ok(Err(Wait::Inclusion));
        };
        let deposit_count = previous.entry.deposit_count + packed.deposits;
        let Some(deposit_acc) = self.view.deposit_acc(deposit_count) else {
            return Ok(Err(Wait::Journal));
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
            l1_time: look.l1_time,
            origin: packed.origin,
            ..previous.entry
        };
        let Some(last_hash) = self.preview(entry, &call).await? else {
            return Ok(Err(Wait::Rejected));
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
        Ok(Ok(Prepared { batch, call, fees }))
    }

    /// Packs of the first `count` blocks as many as fit, into the cheaper kind unless one is given. `None` if not even one
    /// does.
    fn pack(
        &mut self,
        look: &Look,
        count: usize,
        kind: Option<DataKind>,
    ) -> anyhow::Result<Option<(Packed, DataKind)>> {
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
                // A block too large for calldata may fit blobs, but blobs replace nothing but blobs.
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
        let chosen = self.choose_kind(look, DataSize::of(&packed.data));
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
    fn fill(&self, count: usize, bytes_max: usize) -> Result<Option<Packed>, PackError> {
        let records = &self.backlog.records()[..count];
        let transactions: usize = records.iter().map(|record| record.transactions.len()).sum();
        let effort = match transactions {
            0..=THOROUGH_TRANSACTIONS_MAX => Effort::Thorough,
            _ => Effort::Fast,
        };
        tokio::task::block_in_place(|| pack(&self.config, records, bytes_max, effort))
    }

    /// Derives an entry as everybody else will. L2 hash of its last block if its blocks are the journal's.
    async fn preview(&self, entry: Entry, call: &AppendCall) -> anyhow::Result<Option<B256>> {
        let source = self.view.source_of(entry, call.payload.clone())?;
        let derivation = self.follower.derivation();
        let derived = tokio::task::block_in_place(|| derivation.preview(&source))?;
        let first = derived.blocks.first().map_or(0, |block| block.number);
        if let Some(fault) = derived.fault {
            error!(first_block = first, %fault, "blocks cannot be posted: derivation would drop them");
            return Ok(None);
        }
        let hash = matching(&self.journal, first, &derived.blocks).await?;
        if hash.is_none() {
            warn!(first_block = first, "the journal has changed while a batch was made of it");
        }
        Ok(hash)
    }
}

/// The bid for a batch of this kind, if it is within the limits.
fn bid(look: &Look, send: &Send, kind: DataKind) -> Option<Fees> {
    let tx_type = match kind {
        DataKind::Blobs => TxType::Blobs,
        DataKind::None | DataKind::Calldata => TxType::Call,
    };
    Fees::bid(&look.prices, tx_type, send.replaced.as_ref(), &send.limits, Urgency::Normal)
}
