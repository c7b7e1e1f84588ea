//! The journal's writer: what happened is made durable, many slices in one commit, and only then told.
//!
//! ```text
//! producer, sealer ─► queue ─► append (one transaction, one sync) ─► publish ─► answers
//! ```
//!
//! While a commit is under way the next slices run and queue up: they share the next one. A failed append ends it: nothing of
//! it is told, whoever waits hears why, and nothing is accepted any more.

use std::{ops::Range, sync::Arc};

use alloy_primitives::{B256, keccak256};
use anyhow::{Context as _, ensure};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::debug;
use turnpike_storage::{BlockTimes, JournalEntry, unix_milliseconds};

use crate::{
    Accepted, Preconfirmation, Refusal, Shared, notifications::SliceNotification, shared::Reply,
    unindexed::UnindexedTxs,
};

/// Slices that wait for the commit under way, at most: the producer stops at the next.
pub(crate) const COMMITS_WAITING_MAX: usize = 4;

/// Something to be made durable, and who is to hear of it then.
#[derive(Debug, Default)]
pub(crate) struct JournalCommit {
    /// Rows for the journal.
    pub(crate) entries: Vec<JournalEntry>,
    /// What is promised with them.
    pub(crate) preconfirmed: Vec<Arc<Preconfirmation>>,
    /// Requests that are answered by them.
    pub(crate) answers: Vec<SubmissionReply>,
    /// Whoever takes what happened on to the index when they are durable.
    pub(crate) done: Option<oneshot::Sender<DurableRows>>,
    /// Whoever only waits until they are durable: told when they were written, in Unix milliseconds.
    pub(crate) is_durable: Option<oneshot::Sender<u64>>,
}

/// A request's answer, but for what is not durable yet.
#[derive(Debug)]
pub(crate) struct SubmissionReply {
    pub(crate) reply: Reply,
    pub(crate) results: Vec<Result<Accepted, Refusal>>,
}

/// What is durable.
#[derive(Debug, Default)]
pub(crate) struct DurableRows {
    /// From the row of the first part of the newest block to the end of the journal.
    pub(crate) rows: Range<u64>,
    /// What was said of transactions since the last time that this was told.
    pub(crate) unindexed: UnindexedTxs,
    /// The times of the newest block's parts.
    pub(crate) times: BlockTimes,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Committer {
    shared: Arc<Shared>,
    commits: mpsc::Receiver<JournalCommit>,
    journal_end: Arc<watch::Sender<u64>>,
    /// The row of the newest block's first part.
    block_start: u64,
    /// The times of its parts.
    block_times: BlockTimes,
    /// What was said since somebody was last told [`DurableRows`].
    unindexed: UnindexedTxs,
}

impl Committer {
    /// `unindexed` is what rows tell that the index does not hold yet.
    pub(crate) fn new(
        shared: Arc<Shared>,
        commits: mpsc::Receiver<JournalCommit>,
        journal_end: Arc<watch::Sender<u64>>,
        unindexed: UnindexedTxs,
    ) -> Self {
        let block_start = *journal_end.borrow();
        shared.preconfirmations.publish(Vec::new(), unindexed.refused());
        let block_times = BlockTimes::default();
        Self { shared, commits, block_start, block_times, journal_end, unindexed: unindexed }
    }

    /// Makes durable what comes, until nothing can come any more.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let mut group = Vec::new();
        while self.commits.recv_many(&mut group, COMMITS_WAITING_MAX).await > 0 {
            if let Err(error) = self.commit(&mut group).await {
                self.shared.fail(format!("{error:#}"));
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
            let written = self.shared.database.append_at(&entries, at_ms).await;
            let rows = written.context("the journal cannot be written")?;
            debug!(rows = entries.len(), "journal append ended");
            ensure!(rows.start == sequence, "row {} was written, not {sequence}", rows.start);
            // Before anybody goes on because of it: whoever writes the journal next says where it ends then.
            self.journal_end.send_replace(rows.end);
        }
        let mut entries = entries.into_iter();
        // In order: whoever is told of a commit has been told of those before.
        for (commit, count) in group.drain(..).zip(counts) {
            let mut refused = Vec::new();
            let mut news = SliceNotification::default();
            for entry in entries.by_ref().take(count) {
                if let JournalEntry::Slice(slice) = entry {
                    if let Some(part) = &slice.part {
                        if part.opening.is_some() {
                            self.block_start = sequence;
                            self.block_times = BlockTimes::default();
                        }
                        self.block_times.push(at_ms, part, &slice.received_ms);
                    }
                    let waiting = slice.accepted.iter();
                    news.transactions
                        .extend(waiting.map(|waits| (keccak256(&waits.tx.raw), waits.tx.sender)));
                    self.unindexed.accept(slice.accepted);
                    refused.extend(slice.refused);
                }
                sequence += 1;
            }
            let ran = commit.preconfirmed.iter().map(|ran| (ran.hash(), ran.transaction.sender));
            news.transactions.extend(ran);
            news.refused.extend(refused.iter().map(|(hash, _)| *hash));
            self.publish(commit, refused, sequence, at_ms);
            // Whoever begins to listen after that looks, and finds it.
            self.shared.notifications.slice(news);
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
        let JournalCommit { preconfirmed, answers, done, is_durable, .. } = commit;
        preconfirmed.iter().for_each(|promise| promise.is_durable(at_ms));
        self.unindexed.include(preconfirmed.iter().map(|promise| promise.hash()));
        self.shared
            .preconfirmations
            .publish(preconfirmed, refused.iter().map(|(hash, reason)| (hash, reason)));
        self.unindexed.refuse(refused);
        let accepted = answers.iter().flat_map(|answer| &answer.results);
        self.shared.notifications.accepted(accepted, |hash| self.shared.waiting(hash));
        for SubmissionReply { reply, results } in answers {
            // A client that went away finds its answer under the hash.
            let _ = reply.send(self.shared.with_promises(results));
        }
        if let Some(done) = done {
            let (rows, times) = (self.block_start..end, self.block_times.clone());
            let unindexed = std::mem::take(&mut self.unindexed);
            let _ = done.send(DurableRows { rows, unindexed, times });
        }
        if let Some(is_durable) = is_durable {
            let _ = is_durable.send(at_ms);
        }
    }

    fn fail(&self, commit: JournalCommit) {
        for SubmissionReply { reply, results } in commit.answers {
            let results = results
                .into_iter()
                .map(|result| result.and_then(|_| Err(self.shared.failed_refusal())));
            let _ = reply.send(results.collect());
        }
    }
}
