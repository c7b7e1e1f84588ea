//! Packs a batch, checks it, records it, and hands it to the tx manager.
//!
//! # Durability
//!
//! A batch is recorded in the outbox before a transaction for it is signed. Derivation runs over a
//! batch before it is recorded: a batch that derivation would drop is never posted.

use alloy_primitives::B256;
use tracing::{error, info, warn};
use turnpike_l1::{Append, AppendCall};
use turnpike_protocol::{DataKind, Effort, Entry, blob_data_bytes};
use turnpike_storage::OutboxBatch;
use turnpike_tx_manager::{Deferral, SendOutcome, SignedTx, TxCandidate, TxType};

use crate::{
    BatchPoster, CrashPoint, DataMode, PackError, PackedBatch, StepOutcome, WaitReason,
    backlog::size, decide::BatcherView, fees::DataSize, follow::matching, outbox::BatchPurpose,
    pack, poster::of_tx_manager,
};

/// Most transactions in a batch that is compressed thoroughly. Larger batches are compressed fast.
const THOROUGH_TRANSACTIONS_MAX: usize = 2_000;

impl BatchPoster {
    /// Packs a batch, records it, and has a transaction for it sent.
    pub(crate) async fn post(&mut self, inputs: &BatcherView) -> anyhow::Result<StepOutcome> {
        // A transaction in flight has lost its place in the inbox: the new one takes its nonce.
        let replaced = self.tx_manager.nonces().first_open();
        let (nonce, kind) = replaced.map(|(nonce, sent)| (nonce, kind_of(&sent.tx))).unzip();
        let (batch, call) = match self.prepare(inputs, kind).await? {
            Ok(prepared) => prepared,
            Err(wait) => return Ok(StepOutcome::Waits(wait)),
        };
        self.faults.pass(CrashPoint::Packed)?;
        self.outbox.record_batch(&batch).await?;
        let candidate = TxCandidate {
            purpose: BatchPurpose::of(&batch),
            call: call.to(self.view.client().deployment().inbox),
            sidecar: call.sidecar,
            deadline: inputs.backlog.deadline(),
        };
        let outcome = match nonce {
            Some(nonce) => self.tx_manager.replace(nonce, candidate).await,
            None => self.tx_manager.send(candidate).await,
        };
        let l1_transaction = match outcome.map_err(of_tx_manager)? {
            SendOutcome::Sent(hash) => hash,
            SendOutcome::Rejected(_) => return Ok(StepOutcome::Waits(WaitReason::Rejected)),
            SendOutcome::Deferred(deferral) => return Ok(StepOutcome::Waits(deferral.into())),
        };
        self.faults.pass(CrashPoint::Broadcast)?;
        info!(
            entry = batch.entry,
            first_block = batch.first_block,
            last_block = batch.last_block,
            bytes = batch.data_bytes,
            kind = ?batch.kind,
            %l1_transaction,
            "batch posted"
        );
        Ok(StepOutcome::Sent { entry: batch.entry, l1_transaction })
    }

    /// A batch of the journal's next blocks, checked by deriving it as every verifier will.
    async fn prepare(
        &mut self,
        inputs: &BatcherView,
        kind: Option<DataKind>,
    ) -> anyhow::Result<Result<(OutboxBatch, AppendCall), WaitReason>> {
        let latest = inputs.l1_time.saturating_add(self.config.time_drift_max);
        let records = self.backlog.records();
        let count = records.iter().take_while(|record| record.timestamp <= latest).count();
        if count == 0 {
            return Ok(Err(WaitReason::Clock));
        }
        let (packed, kind) = match self.pack(inputs, count, kind) {
            Ok(Some(packed)) => packed,
            Ok(None) => return Ok(Err(WaitReason::Rejected)),
            // A reorg dropped a forced entry, and the sequencer has not noticed yet.
            Err(error) if matches!(error.downcast_ref(), Some(PackError::Forced(_))) => {
                return Ok(Err(WaitReason::Journal));
            }
            Err(error) => return Err(error),
        };
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
        let call = self.calls.append(&append).await?;
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
        Ok(Ok((batch, call)))
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

fn kind_of(tx: &SignedTx) -> DataKind {
    match tx.tx_type() {
        TxType::Blobs => DataKind::Blobs,
        TxType::Call => DataKind::Calldata,
    }
}

impl From<Deferral> for WaitReason {
    fn from(deferral: Deferral) -> Self {
        match deferral {
            Deferral::Busy | Deferral::Queue => Self::InFlight,
            Deferral::Foreign => Self::Foreign,
            Deferral::Funds => Self::Funds,
            Deferral::Price => Self::Price,
        }
    }
}
