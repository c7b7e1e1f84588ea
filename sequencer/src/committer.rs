//! The committer: the journal's only writer while blocks are produced. It persists outcomes before
//! it publishes them.
//!
//! ```text
//! producer, sealer ─► queue ─► append (one transaction, one sync) ─► publish ─► replies
//! ```
//!
//! # Job
//!
//! It appends the rows of all waiting commits in one transaction and then publishes them in order:
//! preconfirmation cache, notifications, replies to clients, the sealer.
//!
//! # Durability
//!
//! Nothing is published before its row is durable. If an append fails, the committer publishes
//! nothing of it, sends the reason to every waiting client and ends the node. The node accepts
//! nothing after that.
//!
//! # Limits
//!
//! `COMMITS_WAITING_MAX` commits wait for the append under way. They share the next one. With more,
//! the producer blocks.

use std::{ops::Range, sync::Arc};

use alloy_primitives::B256;
use anyhow::{Context as _, ensure};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::debug;
use turnpike_storage::{BlockTimes, JournalEntry, unix_milliseconds};

use crate::{
    Accepted, NodeHandles, Preconfirmation, Refusal, notifications::SliceNotification,
    submission::ReplySender, unindexed::UnindexedTxs,
};

/// Commits that wait for the append under way, at most. The producer blocks at the next one.
pub(crate) const COMMITS_WAITING_MAX: usize = 4;

/// Journal rows, and the receivers of their publication.
#[derive(Debug, Default)]
pub(crate) struct JournalCommit {
    /// Journal rows.
    pub(crate) entries: Vec<JournalEntry>,
    /// Preconfirmations that the rows hold.
    pub(crate) preconfirmed: Vec<Arc<Preconfirmation>>,
    /// Submissions that these rows answer.
    pub(crate) replies: Vec<SubmissionReply>,
    /// Receives the durable rows, to index them.
    pub(crate) durable: Option<oneshot::Sender<DurableRows>>,
    /// Receives the time of the append, in Unix milliseconds.
    pub(crate) journaled_at: Option<oneshot::Sender<u64>>,
}

/// The reply to a submission, sent once the rows are durable.
#[derive(Debug)]
pub(crate) struct SubmissionReply {
    pub(crate) reply: ReplySender,
    pub(crate) results: Vec<Result<Accepted, Refusal>>,
}

/// What became durable since the last value.
#[derive(Debug, Default)]
pub(crate) struct DurableRows {
    /// From the row of the newest block's first part to the end of the journal.
    pub(crate) rows: Range<u64>,
    /// Accepted and refused transactions since the last value.
    pub(crate) unindexed: UnindexedTxs,
    /// Times of the newest block's parts.
    pub(crate) times: BlockTimes,
}

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct Committer {
    handles: Arc<NodeHandles>,
    commits: mpsc::Receiver<JournalCommit>,
    journal_end: Arc<watch::Sender<u64>>,
    /// The row of the newest block's first part.
    block_start: u64,
    /// Times of the newest block's parts.
    block_times: BlockTimes,
    /// Accepted and refused transactions since the last [`DurableRows`].
    unindexed: UnindexedTxs,
}

impl Committer {
    /// `unindexed` holds the outcomes of journal rows that the index does not hold yet.
    pub(crate) fn new(
        handles: Arc<NodeHandles>,
        commits: mpsc::Receiver<JournalCommit>,
        journal_end: Arc<watch::Sender<u64>>,
        unindexed: UnindexedTxs,
    ) -> Self {
        let block_start = *journal_end.borrow();
        handles.transactions.preconfirmations.publish(Vec::new(), unindexed.refused());
        let block_times = BlockTimes::default();
        Self { handles, commits, block_start, block_times, journal_end, unindexed }
    }

    /// Appends and publishes commits until every sender is gone.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let mut group = Vec::new();
        while self.commits.recv_many(&mut group, COMMITS_WAITING_MAX).await > 0 {
            if let Err(error) = self.commit(&mut group).await {
                self.handles.fail(format!("{error:#}"));
                group.into_iter().for_each(|commit| self.fail(commit));
                self.commits.close();
                while let Some(commit) = self.commits.recv().await {
                    self.fail(commit);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    async fn commit(&mut self, group: &mut Vec<JournalCommit>) -> anyhow::Result<()> {
        let mut entries = Vec::new();
        let mut counts = Vec::with_capacity(group.len());
        for commit in group.iter_mut() {
            counts.push(commit.entries.len());
            entries.append(&mut commit.entries);
        }
        let mut sequence = *self.journal_end.borrow();
        let at_ms = unix_milliseconds();
        if !entries.is_empty() {
            debug!(rows = entries.len(), "journal append begins");
            let written = self.handles.chain.database.append_at(&entries, at_ms).await;
            let rows = written.context("the journal cannot be written")?;
            debug!(rows = entries.len(), "journal append ended");
            ensure!(rows.start == sequence, "row {} was written, not {sequence}", rows.start);
            // Before anything is published: the driver, which may append next, relies on this end.
            self.journal_end.send_replace(rows.end);
        }
        let mut entries = entries.into_iter();
        // In order: a receiver of a commit has received the commits before it.
        for (commit, count) in group.drain(..).zip(counts) {
            let mut refused = Vec::new();
            let mut notification = SliceNotification::default();
            for entry in entries.by_ref().take(count) {
                if let JournalEntry::Slice(slice) = entry {
                    if let Some(part) = &slice.part {
                        if part.opening.is_some() {
                            self.block_start = sequence;
                            self.block_times = BlockTimes::default();
                        }
                        self.block_times.push(at_ms, part.outcomes.len(), &slice.received_ms);
                    }
                    let waiting = slice.accepted.iter();
                    notification
                        .transactions
                        .extend(waiting.map(|waits| (waits.hash, waits.sender)));
                    self.unindexed.accept(&slice.accepted);
                    refused.extend(slice.refused);
                }
                sequence += 1;
            }
            let ran = commit.preconfirmed.iter().map(|ran| (ran.hash(), ran.transaction.sender));
            notification.transactions.extend(ran);
            notification.refused.extend(refused.iter().map(|(hash, _)| *hash));
            self.publish(commit, refused, sequence, at_ms);
            // A subscriber that starts later finds the outcomes in the cache.
            self.handles.notifications.slice(notification);
        }
        Ok(())
    }

    fn publish(
        &mut self,
        commit: JournalCommit,
        refused: Vec<(B256, String)>,
        end: u64,
        at_ms: u64,
    ) {
        let JournalCommit { preconfirmed, replies, durable, journaled_at, .. } = commit;
        preconfirmed.iter().for_each(|promise| promise.is_durable(at_ms));
        self.unindexed.include(preconfirmed.iter().map(|promise| promise.hash()));
        self.handles
            .transactions
            .preconfirmations
            .publish(preconfirmed, refused.iter().map(|(hash, reason)| (hash, reason)));
        self.unindexed.refuse(refused);
        let accepted = replies.iter().flat_map(|reply| &reply.results);
        self.handles
            .notifications
            .accepted(accepted, |hash| self.handles.transactions.waiting(hash));
        for SubmissionReply { reply, results } in replies {
            // A client that disconnected can query its transaction by hash.
            let _ = reply.send(self.handles.transactions.with_promises(results));
        }
        if let Some(durable) = durable {
            let (rows, times) = (self.block_start..end, self.block_times.clone());
            let unindexed = std::mem::take(&mut self.unindexed);
            let _ = durable.send(DurableRows { rows, unindexed, times });
        }
        if let Some(journaled_at) = journaled_at {
            let _ = journaled_at.send(at_ms);
        }
    }

    fn fail(&self, commit: JournalCommit) {
        for SubmissionReply { reply, results } in commit.replies {
            let results = results
                .into_iter()
                .map(|result| result.and_then(|_| Err(self.handles.failure.refusal())));
            let _ = reply.send(results.collect());
        }
    }
}
