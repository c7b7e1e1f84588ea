//! Reads entries and recovers their signers, one entry ahead of execution.
//!
//! # Job
//!
//! While the caller executes an entry, a task reads the next one from L1, and a blocking thread
//! decodes it and recovers its signers. An entry's input depends only on number, time and origin of
//! the block before it, which are known before that block is executed.
//!
//! # State
//!
//! The entry that is being read ahead.
//!
//! # Recovery
//!
//! An entry that was read ahead is used only if L1 still holds it and if it follows the block that
//! the caller is at: an accumulator commits to all entries up to its own. If reading ahead fails,
//! the entry is read again when it is due.
//!
//! # Limits
//!
//! One entry is read ahead.

use tokio::task::{JoinError, JoinHandle, spawn_blocking};
use tracing::debug;
use turnpike_l1::{EntryPayload, EntrySource, L1Source, L1View, PostedEntry};
use turnpike_protocol::{ChainConfig, Parent};

use crate::{Derivation, FollowError, RecoveredEntry};

/// Reads the entries of a view in order. Needs tokio's runtime.
#[derive(Debug, Default)]
pub struct EntryReader {
    ahead: Option<EntryTask>,
}

/// An entry that was read from L1 and is not applied yet.
#[derive(Debug)]
pub struct NextEntry {
    source: EntrySource,
    recovered: RecoveredEntry,
}

impl NextEntry {
    /// The entry's data, with everything that derivation needs.
    pub const fn source(&self) -> &EntrySource {
        &self.source
    }

    /// The entry's data and its blocks.
    pub fn into_parts(self) -> (EntrySource, RecoveredEntry) {
        (self.source, self.recovered)
    }
}

/// A task that reads an entry. It is aborted if its result is not needed any more.
#[derive(Debug)]
struct EntryTask {
    posted: PostedEntry,
    parent: Parent,
    handle: JoinHandle<Result<NextEntry, FollowError>>,
}

impl Drop for EntryTask {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

impl EntryReader {
    /// Reads the entry after the newest one of `derivation`, and begins to read the one after it.
    /// `None` if the view holds no further entry.
    pub async fn next<S: L1Source>(
        &mut self,
        view: &L1View<S>,
        derivation: &Derivation,
    ) -> Result<Option<NextEntry>, FollowError> {
        let (config, parent) = (derivation.config(), derivation.head());
        let Some(posted) = entry_at(view, derivation.next_entry()) else { return Ok(None) };
        let is_due = |task: &EntryTask| task.posted == posted && task.parent == parent;
        let ahead = match self.ahead.as_mut().filter(|task| is_due(task)) {
            Some(task) => task.finish().await.ok(),
            None => None,
        };
        // A finished task must not be awaited again.
        self.ahead = None;
        let next = match ahead {
            Some(next) => next,
            None => {
                let task = EntryTask::start(config, view, posted, parent)?;
                let read = self.ahead.insert(task).finish().await;
                self.ahead = None;
                read?
            }
        };
        let last = next.recovered.last();
        let following = entry_at(view, posted.entry.index + 1);
        let ahead = following.map(|posted| EntryTask::start(config, view, posted, last));
        self.ahead = ahead.and_then(Result::ok);
        Ok(Some(next))
    }
}

impl EntryTask {
    fn start<S: L1Source>(
        config: &ChainConfig,
        view: &L1View<S>,
        posted: PostedEntry,
        parent: Parent,
    ) -> Result<Self, FollowError> {
        let source = view.source_of(posted.entry, EntryPayload::default())?;
        let (client, config) = (view.client().clone(), config.clone());
        let read = async move {
            let source = source.with_payload(client.payload(&posted).await?);
            let recover = move || {
                let data = source.as_data();
                let recovered = RecoveredEntry::derive(&config, parent, &posted, &data)?;
                Ok(NextEntry { source, recovered })
            };
            match spawn_blocking(recover).await {
                Ok(next) => next,
                Err(error) => resume_panic(error).await,
            }
        };
        Ok(Self { posted, parent, handle: tokio::spawn(read) })
    }

    async fn finish(&mut self) -> Result<NextEntry, FollowError> {
        let read = match (&mut self.handle).await {
            Ok(next) => next,
            Err(error) => resume_panic(error).await,
        };
        if let Err(error) = &read {
            debug!(entry = self.posted.entry.index, %error, "entry was not read");
        }
        read
    }
}

/// Continues a task's panic. A task ends without its result only while the runtime shuts down, which
/// then drops the caller too.
async fn resume_panic<T>(error: JoinError) -> T {
    match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => std::future::pending().await,
    }
}

fn entry_at<S: L1Source>(view: &L1View<S>, index: u64) -> Option<PostedEntry> {
    usize::try_from(index).ok().and_then(|at| view.entries().get(at)).copied()
}
