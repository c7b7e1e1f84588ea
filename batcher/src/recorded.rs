//! The recorded batches that L1 does not hold yet: which of them can still follow the inbox.
//!
//! # Rules
//!
//! A recorded batch keeps its place as long as the content before it, its origin and its deposits
//! are those of L1, its origin is young enough, and the journal holds its blocks. Nothing that
//! others do on L1 changes that, but for a reorg. If a forced entry came in between, the journal
//! holds the same blocks at another place, and the batch moves with them. The sequencer may have
//! read that entry before the batcher: a batch that the journal does not hold is forgotten only if
//! L1, read again, does not explain it.

use alloy_primitives::B256;
use tracing::{info, warn};
use turnpike_protocol::{
    BatchContent, DataKind, Derived, EntryData, Parent, blobs_for, blobs_hash, calldata_hash,
    derive, pack_blobs,
};
use turnpike_storage::OutboxBatch;

use crate::{
    BatchPoster,
    follow::matching,
    plan::{ChainEnd, Plan, content_of},
};

impl BatchPoster {
    /// The recorded batches that can still follow the inbox. Forgets the others, but keeps all that
    /// may be right while the journal and the inbox differ. `None` if L1 shows no entry yet.
    pub(crate) async fn plan(
        &mut self,
        mut is_journal_in_sync: bool,
    ) -> anyhow::Result<Option<Plan>> {
        let reads_again = std::mem::take(&mut self.reads_l1_again);
        let Some(tip) = self.view.entries().last().copied() else { return Ok(None) };
        let l1_time = self.view.head().map_or(0, |head| head.time);
        let mut end = ChainEnd {
            number: self.view.batches().len() as u64,
            content: tip.content,
            entry: tip.entry,
            parent: self.follower.head(),
            hash: self.follower.head_hash(),
        };
        let mut batches = Vec::new();
        for mut batch in self.outbox.unconfirmed_batches().await? {
            if batch.number <= end.number {
                continue;
            }
            let follows = batch.number == end.number + 1
                && batch.content_before == end.content
                && !self.is_outdated(batch.origin, &end)
                && self.view.acc(batch.origin) == Some(batch.origin_acc)
                && self.view.deposit_acc(batch.deposit_count) == Some(batch.deposit_acc);
            let is_held =
                !follows || !is_journal_in_sync || self.find_blocks(&mut batch, &end).await?;
            if !is_held && !reads_again {
                info!(batch = batch.number, "the journal was rewound: reading L1 again");
                self.reads_l1_again = true;
                is_journal_in_sync = false;
            } else if !(follows && is_held) {
                warn!(
                    batch = batch.number,
                    "batch cannot follow L1 and the journal: packing again"
                );
                self.outbox.forget_batches(batch.number).await?;
                break;
            }
            let entry = end.next_entry(&content_of(&batch), l1_time);
            let parent = Parent {
                number: batch.last_block,
                time_ms: batch.last_time_ms,
                origin: Some(entry.origin),
            };
            end = end.after(batch.content, entry, parent, batch.last_hash);
            batches.push(batch);
        }
        Ok(Some(Plan { batches, end, is_journal_in_sync }))
    }

    /// Whether a batch on this origin might be too old for derivation once L1 includes it behind
    /// `end`: it has half of the largest age to land. As in derivation, a batch right behind the
    /// newest entry is never too old on that entry, nor on the one before it if that one is forced.
    pub(crate) fn is_outdated(&self, origin: u64, end: &ChainEnd) -> bool {
        let entries = self.view.entries();
        let on = usize::try_from(origin).ok().and_then(|at| entries.get(at));
        let (Some(on), Some(newest), Some(head)) = (on, entries.last(), self.view.head()) else {
            return false;
        };
        let is_next = end.number == self.view.batches().len() as u64;
        let newest = newest.entry;
        let is_forced = newest.data_kind == DataKind::None;
        let recorded = origin.max(newest.origin);
        let is_newest = recorded == newest.index || (is_forced && recorded + 1 == newest.index);
        let age = head.time.saturating_sub(on.entry.l1_time);
        !(is_next && is_newest) && age > self.config.origin_age_max / 2
    }

    /// Whether the journal holds the blocks of a batch on top of `end`. Moves the batch if they are
    /// at another place than before.
    async fn find_blocks(&self, batch: &mut OutboxBatch, end: &ChainEnd) -> anyhow::Result<bool> {
        let is_in_place = batch.first_block == end.parent.number + 1;
        if is_in_place && self.journal.block_hash(batch.last_block).await? == Some(batch.last_hash)
        {
            return Ok(true);
        }
        let Some(whole) = self.outbox.batch(batch.number).await? else { return Ok(false) };
        let content = content_of(&whole);
        let Some(derived) = self.preview(end, &content, &whole.data)? else { return Ok(false) };
        let Some(last_hash) = matching(&self.journal, &derived.blocks).await? else {
            return Ok(false);
        };
        let ends = derived.blocks.first().zip(derived.blocks.last());
        let Some((first, last)) = ends else { return Ok(false) };
        info!(
            batch = batch.number,
            from = batch.first_block,
            to = first.number,
            "a batch moves with its blocks: another entry came before it"
        );
        (batch.first_block, batch.last_block) = (first.number, last.number);
        (batch.last_time_ms, batch.last_hash) = (last.time_ms, last_hash);
        self.outbox.move_batch(batch).await?;
        Ok(true)
    }

    /// The blocks that a batch derives on top of `end`, as every verifier will derive them. `None`
    /// if L1 does not hold what the batch refers to.
    pub(crate) fn preview(
        &self,
        end: &ChainEnd,
        batch: &BatchContent,
        data: &[u8],
    ) -> anyhow::Result<Option<Derived>> {
        let l1_time = self.view.head().map_or(0, |head| head.time);
        // Derivation compares commitments and does not read them: these need no KZG.
        let (data, blob_hashes, data_hash) = match batch.data_kind {
            DataKind::Blobs => {
                let hashes = vec![B256::ZERO; blobs_for(data.len())];
                let hash = blobs_hash(&hashes);
                (pack_blobs(data).unwrap_or_default(), hashes, hash)
            }
            DataKind::None | DataKind::Calldata => (data.to_vec(), Vec::new(), calldata_hash(data)),
        };
        let entry = end.next_entry(&BatchContent { data_hash, ..*batch }, l1_time);
        let at = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let origin = self.view.entries().get(at(entry.origin));
        let consumed = at(end.entry.deposit_count)..at(entry.deposit_count);
        let queued = self.view.deposits().get(consumed);
        let Some((origin, queued)) = origin.zip(queued) else { return Ok(None) };
        let deposits: Vec<_> = queued.iter().map(|queued| queued.deposit.clone()).collect();
        let source = EntryData {
            entry: &entry,
            previous: &end.entry,
            origin: &origin.entry,
            data: &data,
            blob_hashes: &blob_hashes,
            deposits: &deposits,
        };
        let derived = tokio::task::block_in_place(|| derive(&self.config, end.parent, &source));
        Ok(Some(derived?))
    }
}
