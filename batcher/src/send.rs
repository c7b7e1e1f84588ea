//! Packs batches, checks them, records them, and hands them to the tx manager.
//!
//! ```text
//! backlog ─► pack ─► preview ─► draft: blobs are committed to ─► outbox ─► tx manager
//!            (a step)           (KZG's threads, a few ahead)     (a later step)
//! ```
//!
//! # Durability
//!
//! A batch is recorded in the outbox before a transaction for it is signed. Derivation runs over a
//! batch before it is recorded: a batch that derivation would drop is never posted.

use std::collections::{BTreeSet, VecDeque};

use alloy::rpc::types::state::{AccountOverride, StateOverride};
use alloy_primitives::{B256, U256};
use tracing::{error, info, warn};
use turnpike_l1::{Append, AppendCall, AppendItem};
use turnpike_protocol::{BatchContent, DataKind, Effort, Parent, blob_data_bytes, blobs_for};
use turnpike_storage::{OutboxBatch, SealedInput};
use turnpike_tx_manager::{Deferral, GasPlan, SendOutcome, SignedTx, TxCandidate, TxType};

use crate::{
    BatchPoster, CrashPoint, DataMode, PackError, PackedBatch, StepOutcome, WaitReason,
    backlog::size,
    decide::BatcherView,
    fees::{DataSize, append_gas},
    follow::matching,
    items::make_item,
    outbox::BatchPurpose,
    pack,
    plan::{BATCHES_OF_CALL_MAX, ChainEnd, Draft, DraftItem, Plan},
    poster::of_tx_manager,
};

/// Most transactions in a batch that is compressed thoroughly. Larger batches are compressed fast.
const THOROUGH_TRANSACTIONS_MAX: usize = 2_000;

/// Most bytes of batches in the calldata of one transaction. L1's pools take 128 KiB.
const CALLDATA_BYTES_MAX: usize = 120_000;

/// Most batches whose blobs are committed to at once: the next are prepared while one is sent, and
/// the blobs of all keep KZG's threads busy.
const DRAFTS_MAX: usize = 4;

/// Storage slot of the inbox's `content`.
const CONTENT_SLOT: B256 = B256::with_last_byte(2);

/// Recorded batches that follow one another and fit one transaction.
type Group = Vec<(OutboxBatch, AppendItem)>;

impl BatchPoster {
    /// Sends recorded batches without a transaction, then new ones that are due.
    pub(crate) async fn send_all(
        &mut self,
        inputs: &mut BatcherView,
        plan: Plan,
        mut wanted: BTreeSet<BatchPurpose>,
    ) -> anyhow::Result<StepOutcome> {
        let Plan { batches, mut end, .. } = plan;
        let is_unsent =
            |batch: &OutboxBatch| !wanted.iter().any(|purpose| purpose.holds(batch.number));
        let mut unsent = batches.into_iter().filter(is_unsent).collect::<VecDeque<_>>();
        let mut sent = None;
        let wait = loop {
            if wanted.len() >= self.posting.in_flight_max {
                break WaitReason::InFlight;
            }
            if !inputs.is_journal_in_sync {
                break WaitReason::Journal;
            }
            let in_flight = wanted.iter().map(BatchPurpose::count).sum();
            let room = u64::from(self.config.entries_per_l1_block_max).saturating_sub(in_flight);
            if room == 0 {
                break WaitReason::InFlight;
            }
            let mut group = self.load_group(&mut unsent, room).await?;
            if group.is_empty() {
                let mut wait = WaitReason::Committing;
                // What is ready does not wait for more.
                if self.drafts.is_empty() || self.is_committing() {
                    wait = self.draft_due(inputs, &end, &wanted).await?;
                }
                match self.drafts_of_call(room) {
                    0 => break wait,
                    count if self.are_computed(count) => {
                        group = self.record_drafts(&mut end, count).await?;
                    }
                    _ => break WaitReason::Committing,
                }
            }
            let (purpose, outcome) = self.send(inputs, &group, &wanted).await?;
            match outcome {
                SendOutcome::Sent(l1_transaction) => {
                    self.faults.pass(CrashPoint::Broadcast)?;
                    wanted.insert(purpose);
                    sent = Some(StepOutcome::Sent { batch: purpose.last, l1_transaction });
                }
                SendOutcome::Rejected(_) => break WaitReason::Rejected,
                SendOutcome::Deferred(deferral) => break deferral.into(),
            }
        };
        Ok(sent.unwrap_or_else(|| StepOutcome::Waits(self.reason(wait, &wanted))))
    }

    /// The first of these recorded batches that fit one transaction, `room` at most.
    async fn load_group(
        &self,
        unsent: &mut VecDeque<OutboxBatch>,
        room: u64,
    ) -> anyhow::Result<Group> {
        let count = self.count_of_call(unsent.iter(), room);
        let mut group = Vec::with_capacity(count);
        for batch in unsent.drain(..count) {
            let Some(whole) = self.outbox.batch(batch.number).await? else { break };
            let item = self.items.item(&whole).await?;
            group.push((whole, item));
        }
        Ok(group)
    }

    /// Whether [`Self::wait_for_commitments`] has something to wait for.
    pub fn is_committing(&self) -> bool {
        !self.are_computed(self.drafts_of_call(u64::MAX))
    }

    /// Waits until the commitments of the next transaction's batches are computed. The next step
    /// sends them.
    pub async fn wait_for_commitments(&mut self) {
        let count = self.drafts_of_call(u64::MAX);
        for draft in self.drafts.iter_mut().take(count) {
            draft.item.wait().await;
        }
    }

    /// Number of first drafts that one transaction takes, `room` at most.
    fn drafts_of_call(&self, room: u64) -> usize {
        self.count_of_call(self.drafts.iter().map(|draft| &draft.batch), room)
    }

    fn are_computed(&self, count: usize) -> bool {
        self.drafts.iter().take(count).all(|draft| draft.item.is_computed())
    }

    /// Why nothing is sent, if the rules say `wait`.
    fn reason(&self, wait: WaitReason, wanted: &BTreeSet<BatchPurpose>) -> WaitReason {
        let mut unpaid = wanted.iter().filter_map(|purpose| self.tx_manager.unpaid(purpose));
        match (unpaid.next(), wait) {
            (_, WaitReason::Committing | WaitReason::Origin) => wait,
            (Some(deferral), _) => deferral.into(),
            (None, WaitReason::Nothing) if !wanted.is_empty() => WaitReason::InFlight,
            (None, wait) => wait,
        }
    }

    /// Number of first batches that one transaction takes, `room` at most.
    fn count_of_call<'a>(
        &self,
        batches: impl Iterator<Item = &'a OutboxBatch>,
        room: u64,
    ) -> usize {
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        count_of_call(batches.take(room), self.config.entry_blobs_max)
    }

    /// Has a transaction sent for recorded batches that follow one another.
    async fn send(
        &mut self,
        inputs: &BatcherView,
        group: &Group,
        wanted: &BTreeSet<BatchPurpose>,
    ) -> anyhow::Result<(BatchPurpose, SendOutcome)> {
        let (batches, items): (Vec<_>, Vec<_>) = group.iter().cloned().unzip();
        let purpose = BatchPurpose::of(&batches).expect("invariant: a group has a batch");
        let content_before = batches[0].content_before;
        let call = AppendCall::new(content_before, &items);
        let inbox = self.view.client().deployment().inbox;
        let slot = [(CONTENT_SLOT, content_before)].into_iter().collect();
        let account = AccountOverride { state_diff: Some(slot), ..AccountOverride::default() };
        let overrides = StateOverride::from_iter([(inbox, account)]);
        let gas =
            GasPlan { limit: append_gas(items.len(), call.input()), overrides: Some(overrides) };
        let candidate = TxCandidate {
            purpose,
            call: call.to(inbox),
            sidecar: call.sidecar,
            deadline: inputs.backlog.deadline(),
            gas,
            reserve: U256::ZERO,
        };
        let outcome = match self.tx_manager.nonces().first_unneeded(wanted) {
            Some(nonce) => self.tx_manager.replace(nonce, candidate).await,
            None => self.tx_manager.send(candidate).await,
        };
        let outcome = outcome.map_err(of_tx_manager)?;
        if let SendOutcome::Sent(l1_transaction) = outcome {
            for batch in &batches {
                info!(
                    batch = batch.number,
                    first_block = batch.first_block,
                    last_block = batch.last_block,
                    bytes = batch.data_bytes,
                    kind = ?batch.kind,
                    %l1_transaction,
                    "batch posted"
                );
            }
        }
        Ok((purpose, outcome))
    }

    /// Packs batches that are due, and has their commitments computed. Returns why there are not
    /// more.
    async fn draft_due(
        &mut self,
        inputs: &mut BatcherView,
        planned: &ChainEnd,
        wanted: &BTreeSet<BatchPurpose>,
    ) -> anyhow::Result<WaitReason> {
        while self.drafts.len() < DRAFTS_MAX {
            let is_behind_another = inputs.backlog.is_closed && !self.drafts.is_empty();
            if let Err(wait) = self.rules.check(inputs)
                && !(is_behind_another && wait == WaitReason::Filling)
            {
                return Ok(wait);
            }
            let end = self.end(planned);
            match self.draft(inputs, &end, wanted).await? {
                Ok(draft) => {
                    self.drafts.push_back(draft);
                    inputs.is_behind_others = true;
                }
                Err(wait) => return Ok(wait),
            }
            let end = self.end(planned);
            self.look_behind(inputs, &end).await?;
        }
        Ok(WaitReason::InFlight)
    }

    /// What the next batch builds on.
    pub(crate) fn end(&self, planned: &ChainEnd) -> ChainEnd {
        self.drafts.back().map_or(planned, |draft| &draft.end).clone()
    }

    /// A batch of the journal's next blocks, checked by deriving it as every verifier will.
    async fn draft(
        &mut self,
        inputs: &BatcherView,
        end: &ChainEnd,
        wanted: &BTreeSet<BatchPurpose>,
    ) -> anyhow::Result<Result<Draft, WaitReason>> {
        let latest = inputs.l1_time.saturating_add(self.config.time_drift_max);
        let is_early = |time_ms: u64| time_ms / 1_000 <= latest;
        let records = self.backlog.records();
        let count = records.iter().take_while(|record| is_early(record.time_ms)).count();
        if count == 0 {
            return Ok(Err(WaitReason::Clock));
        }
        if self.is_outdated(records[0].origin.entry, end) {
            return Ok(Err(WaitReason::Origin));
        }
        let first_open = self.tx_manager.nonces().first_open();
        // All in flight are of one type. Another one waits for those that are about to land.
        let in_flight = first_open.map(|(_, sent)| kind_of(&sent.tx));
        let pending = in_flight.filter(|_| !wanted.is_empty());
        if pending.zip(self.preferred_kind()).is_some_and(|(pending, next)| pending != next) {
            return Ok(Err(WaitReason::InFlight));
        }
        let kind = in_flight.or_else(|| self.drafts.back().map(|draft| draft.batch.kind));
        let mut packed = self.pack(inputs, end, count, kind);
        if pending.is_none() && in_flight == Some(DataKind::Calldata) && matches!(packed, Ok(None))
        {
            // A block too large for calldata waits in blobs until what nobody wants is used up.
            packed = self.pack(inputs, end, count, Some(DataKind::Blobs));
        }
        let (packed, kind) = match packed {
            Ok(Some(packed)) => packed,
            // A block that is too large for calldata goes into blobs.
            Ok(None) if pending == Some(DataKind::Calldata) => {
                return Ok(Err(WaitReason::InFlight));
            }
            Ok(None) => return Ok(Err(WaitReason::Rejected)),
            // A reorg dropped a forced entry, and the sequencer has not noticed yet.
            Err(error) if matches!(error.downcast_ref(), Some(PackError::Forced(_))) => {
                return Ok(Err(WaitReason::Journal));
            }
            Err(error) => return Err(error),
        };
        let deposit_count = end.entry.deposit_count + packed.deposits;
        let deposit_acc = self.view.deposit_acc(deposit_count);
        let origin_acc = self.view.acc(packed.origin);
        let Some((deposit_acc, origin_acc)) = deposit_acc.zip(origin_acc) else {
            return Ok(Err(WaitReason::Journal));
        };
        let origin = packed.origin;
        let data = packed.data.clone();
        let append = Append { deposit_count, deposit_acc, origin, origin_acc, kind, data };
        let content = BatchContent {
            data_kind: kind,
            data_hash: B256::ZERO,
            deposit_count,
            deposit_acc,
            origin,
            origin_acc,
        };
        let Some(last_hash) = self.check(end, &content, &packed).await? else {
            return Ok(Err(WaitReason::Rejected));
        };
        let held = usize::try_from(packed.last_block - packed.first_block + 1)?;
        let records = &self.backlog.records()[..held];
        let raw = records.iter().map(size).sum::<usize>().max(1);
        let transactions = records.iter().map(|record| record.transactions.len() as u64).sum();
        self.packed_permille = (packed.data.len() as u64 * 1_000 / raw as u64).clamp(1, 1_000);
        let batch = OutboxBatch {
            number: end.number + 1,
            content_before: B256::ZERO,
            content: B256::ZERO,
            first_block: packed.first_block,
            last_block: packed.last_block,
            last_time_ms: packed.last_time_ms,
            last_hash,
            transactions,
            origin,
            origin_acc,
            deposit_count,
            deposit_acc,
            kind,
            data_hash: B256::ZERO,
            data_bytes: packed.data.len() as u64,
            data: packed.data,
            confirmed: false,
            inclusion: None,
        };
        let entry = end.next_entry(&content, inputs.l1_time);
        let parent = Parent {
            number: batch.last_block,
            time_ms: batch.last_time_ms,
            origin: Some(entry.origin),
        };
        let end = end.after(B256::ZERO, entry, parent, last_hash);
        let item = DraftItem::compute(make_item(append));
        Ok(Ok(Draft { batch, end, item }))
    }

    /// L2 hash of the last block of a batch, if every verifier derives the journal's blocks from it.
    async fn check(
        &self,
        end: &ChainEnd,
        content: &BatchContent,
        packed: &PackedBatch,
    ) -> anyhow::Result<Option<B256>> {
        let first_block = packed.first_block;
        let Some(derived) = self.preview(end, content, &packed.data)? else { return Ok(None) };
        if let Some(fault) = derived.fault {
            error!(first_block, %fault, "cannot post blocks: derivation would drop them");
            return Ok(None);
        }
        let hash = matching(&self.journal, &derived.blocks).await?;
        // The blocks may be in place and those before them not, where the journal has others.
        let is_behind = match end.hash {
            Some(_) => self.journal.block_hash(end.parent.number).await? == end.hash,
            None => true,
        };
        if hash.is_none() || !is_behind {
            warn!(first_block, "the journal was rewound while a batch was packed");
        }
        Ok(hash.filter(|_| is_behind))
    }

    /// Takes the first drafts, whose commitments are computed, and records them. `end` moves behind
    /// them.
    async fn record_drafts(&mut self, end: &mut ChainEnd, count: usize) -> anyhow::Result<Group> {
        let mut group = Vec::with_capacity(count);
        for _ in 0..count {
            let Some(Draft { mut batch, end: after, item }) = self.drafts.pop_front() else {
                break;
            };
            let item = item.finish().await?;
            self.items.keep(item.clone());
            batch.content_before = end.content;
            batch.data_hash = item.content.data_hash;
            batch.content = item.content.extend(end.content);
            self.faults.pass(CrashPoint::Packed)?;
            self.outbox.record_batch(&batch).await?;
            *end = ChainEnd { content: batch.content, ..after };
            group.push((batch, item));
        }
        Ok(group)
    }

    /// Drops drafts that do not follow the plan, L1 and the journal any more.
    pub(crate) async fn drop_stale_drafts(&mut self, end: &ChainEnd) -> anyhow::Result<()> {
        let (mut before, mut is_stale) = (end, false);
        for Draft { batch, end, .. } in &self.drafts {
            is_stale |= batch.number != before.number + 1
                || batch.first_block != before.parent.number + 1
                || self.is_outdated(batch.origin, before)
                || self.view.acc(batch.origin) != Some(batch.origin_acc)
                || self.view.deposit_acc(batch.deposit_count) != Some(batch.deposit_acc)
                || self.journal.block_hash(batch.last_block).await? != Some(batch.last_hash);
            before = end;
        }
        if is_stale {
            self.drafts.clear();
        }
        Ok(())
    }

    /// The data kind that new batches are meant to have; `None` if no price was observed yet.
    const fn preferred_kind(&self) -> Option<DataKind> {
        match self.posting.data {
            DataMode::Auto => self.kind.current(),
            DataMode::Calldata => Some(DataKind::Calldata),
            DataMode::Blobs => Some(DataKind::Blobs),
        }
    }

    /// Packs as many of the first `count` blocks as fit, for the given data kind or else the
    /// cheaper one. `None` if not even one block fits.
    fn pack(
        &mut self,
        inputs: &BatcherView,
        end: &ChainEnd,
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
            match self.fill(end, count, calldata_max) {
                Ok(packed) => return Ok(packed.map(|packed| (packed, DataKind::Calldata))),
                // A block too large for calldata may fit blobs, but blobs only replace blobs.
                Err(PackError::BlockTooLarge { .. }) if replaced.is_none() => {}
                Err(PackError::BlockTooLarge { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        let packed = match self.fill(end, count, blob_data_bytes(blobs)) {
            Ok(Some(packed)) => packed,
            Ok(None) => return Ok(None),
            Err(error @ PackError::BlockTooLarge { .. }) => {
                error!(%error, "a block fits no entry");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        if kind.is_some() {
            let packed = self.fill_blobs(inputs, end, count, packed);
            return Ok(Some((packed, DataKind::Blobs)));
        }
        let chosen = self.choose_kind(inputs, DataSize::of(&packed.data));
        if chosen == DataKind::Calldata && packed.data.len() > calldata_max {
            match self.fill(end, count, calldata_max) {
                Ok(packed) => return Ok(packed.map(|packed| (packed, DataKind::Calldata))),
                Err(PackError::BlockTooLarge { .. }) => return Ok(Some((packed, DataKind::Blobs))),
                Err(error) => return Err(error.into()),
            }
        }
        if chosen == DataKind::Calldata {
            return Ok(Some((packed, chosen)));
        }
        Ok(Some((self.fill_blobs(inputs, end, count, packed), chosen)))
    }

    /// Leaves the newest blocks to the next batch if that fills blobs better and nothing makes them
    /// due: the costs of a blob do not depend on its content.
    fn fill_blobs(
        &self,
        inputs: &BatcherView,
        end: &ChainEnd,
        count: usize,
        packed: PackedBatch,
    ) -> PackedBatch {
        let records = self.backlog.records();
        let newest = records.last().filter(|newest| newest.number == packed.last_block);
        let may_wait = |block: &SealedInput| self.rules.may_wait(inputs, block.time_ms / 1_000);
        let blobs = blobs_for(packed.data.len());
        if blobs < 2 || !newest.is_some_and(may_wait) {
            return packed;
        }
        let Ok(Some(fewer)) = self.fill(end, count, blob_data_bytes(blobs - 1)) else {
            return packed;
        };
        let mut left = records.iter().skip_while(|record| record.number <= fewer.last_block);
        let is_fuller = fewer.data.len() * blobs > packed.data.len() * (blobs - 1);
        if is_fuller && left.next().is_some_and(may_wait) {
            return fewer;
        }
        packed
    }

    /// Packs as many of the first `count` blocks as fit.
    fn fill(
        &self,
        end: &ChainEnd,
        count: usize,
        bytes_max: usize,
    ) -> Result<Option<PackedBatch>, PackError> {
        let records = &self.backlog.records()[..count];
        let transactions: usize = records.iter().map(|record| record.transactions.len()).sum();
        let effort = match transactions {
            0..=THOROUGH_TRANSACTIONS_MAX => Effort::Thorough,
            _ => Effort::Fast,
        };
        let (parent_ms, first_deposit) = (end.parent.time_ms, end.entry.deposit_count);
        tokio::task::block_in_place(|| {
            pack(&self.config, parent_ms, first_deposit, records, bytes_max, effort)
        })
    }
}

/// Number of first batches that one transaction takes. They have to follow one another: those
/// between may be on their way already.
fn count_of_call<'a>(batches: impl Iterator<Item = &'a OutboxBatch>, blobs_max: u64) -> usize {
    let (mut before, mut blobs, mut calldata) = (None::<&OutboxBatch>, 0, 0);
    let fits = |batch: &&'a OutboxBatch| {
        let bytes = usize::try_from(batch.data_bytes).unwrap_or(usize::MAX);
        match batch.kind {
            DataKind::Blobs => blobs += blobs_for(bytes) as u64,
            DataKind::None | DataKind::Calldata => calldata += bytes,
        }
        let is_within = blobs <= blobs_max && calldata <= CALLDATA_BYTES_MAX;
        let before = before.replace(batch);
        before.is_none_or(|before| {
            is_within && before.kind == batch.kind && before.number + 1 == batch.number
        })
    };
    batches.take(BATCHES_OF_CALL_MAX).take_while(fits).count()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items;

    fn batch(number: u64, kind: DataKind, data_bytes: u64) -> OutboxBatch {
        OutboxBatch { number, kind, data_bytes, ..items::tests::batch(b"") }
    }

    #[test]
    fn a_call_takes_batches_of_one_kind_that_follow_one_another_and_fit() {
        let bytes = |blobs: usize| blob_data_bytes(blobs) as u64;
        let (blobs, calldata) = (DataKind::Blobs, DataKind::Calldata);
        let count = |batches: &[(u64, DataKind, u64)]| {
            let batches: Vec<_> = batches.iter().map(|it| batch(it.0, it.1, it.2)).collect();
            count_of_call(batches.iter(), 6)
        };
        assert_eq!(count(&[]), 0);
        assert_eq!(count(&[(5, blobs, bytes(2)), (6, blobs, bytes(3)), (7, blobs, bytes(1))]), 3);
        assert_eq!(count(&[(5, blobs, bytes(2)), (6, blobs, bytes(4) + 1), (7, blobs, 1)]), 1);
        assert_eq!(count(&[(5, blobs, bytes(9))]), 1, "the first is always taken");
        assert_eq!(count(&[(5, blobs, 1), (6, calldata, 1)]), 1);
        assert_eq!(count(&[(5, blobs, 1), (8, blobs, 1)]), 1, "6 and 7 are on their way");
        assert_eq!(count(&[(5, calldata, 60_000), (6, calldata, 60_000)]), 2);
        assert_eq!(count(&[(5, calldata, 60_000), (6, calldata, 60_001)]), 1);
        let many: Vec<_> = (1..=9).map(|number| (number, calldata, 1)).collect();
        assert_eq!(count(&many), BATCHES_OF_CALL_MAX);
    }
}
