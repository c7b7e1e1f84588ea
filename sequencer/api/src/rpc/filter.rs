//! Polled filters, as in geth. Each remembers its client's position.
//!
//! # Limits
//!
//! [`FILTERS_MAX`] filters of all clients. A filter expires [`FILTER_LIFE`] after its last poll.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};

use super::{
    error::{RpcError, RpcResult},
    eth::{to_json, waiting_transaction},
    logs::{self, LOGS_MAX, LogFilter},
    method::methods,
    params::Params,
};
use crate::context::ApiContext;
use turnpike_sequencer::notifications::{EventCursor, HeadEvent, LogNotification, PendingTx};

/// Filters of all clients, at most.
const FILTERS_MAX: usize = 1_024;

/// A filter expires this long after its last poll.
const FILTER_LIFE: Duration = Duration::from_secs(5 * 60);

/// Hashes in one answer, at most. The next answer holds the rest.
const HASHES_MAX: usize = 10_000;

methods! {
    "eth_newFilter", 5, "expires after 5 minutes without a poll" => |s, p| new_logs(s, p).await;
    "eth_newBlockFilter", 5, "expires after 5 minutes without a poll" => |s, p| new_blocks(s).await;
    "eth_newPendingTransactionFilter", 5, "expires after 5 minutes without a poll; `true` for whole transactions" => |s, p| new_pending(s, p);
    "eth_getFilterChanges", 10, "logs that a reorg removed have `removed`" => |s, p| changes(s, p).await;
    "eth_getFilterLogs", 100, "" => |s, p| filter_logs(s, p).await;
    "eth_uninstallFilter", 1, "" => |s, p| Ok(s.filters.remove(&p.next::<String>()?).into());
}

/// The node's filters.
pub(crate) type Filters = Expiring<InstalledFilter>;

/// A filter: what it selects, and its client's position.
#[derive(Debug)]
pub(crate) enum InstalledFilter {
    Logs(Box<LogFilter>, Mutex<EventCursor<HeadEvent>>),
    Blocks(Mutex<EventCursor<HeadEvent>>),
    /// Accepted transactions: hashes, or whole transactions.
    Pending(Mutex<EventCursor<Vec<PendingTx>>>, PendingDetail),
}

/// The detail of pending transactions: hashes, or whole transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PendingDetail {
    Hash,
    Whole,
}

impl PendingDetail {
    /// Parses the optional parameter that asks for whole transactions.
    pub(super) fn parse(params: &mut Params) -> Result<Self, RpcError> {
        let is_whole = params.optional::<bool>()?.unwrap_or(false);
        Ok(if is_whole { Self::Whole } else { Self::Hash })
    }

    /// The notification of a transaction; `None` if the transaction is no longer known.
    pub(super) fn of(self, tx: &PendingTx) -> Option<Value> {
        match self {
            Self::Hash => Some(json!(tx.hash)),
            Self::Whole => {
                let (raw, sender) = tx.signed.as_ref()?;
                waiting_transaction(raw, *sender).ok()
            }
        }
    }
}

fn not_found() -> RpcError {
    RpcError::server("filter not found")
}

fn add(context: &ApiContext, filter: InstalledFilter) -> RpcResult {
    let too_many = || RpcError::limit_exceeded(format!("too many filters: limit {FILTERS_MAX}"));
    let id = context.filters.insert(filter, Instant::now()).ok_or_else(too_many)?;
    tokio::spawn(expire(Arc::downgrade(&context.filters.0), id.clone()));
    Ok(id.into())
}

async fn new_logs(context: &Arc<ApiContext>, mut params: Params) -> RpcResult {
    let filter = params.next::<LogFilter>()?;
    filter.check_new()?;
    let reader = context.notifications.heads(&context.chain).await?;
    add(context, InstalledFilter::Logs(Box::new(filter), Mutex::new(reader)))
}

async fn new_blocks(context: &Arc<ApiContext>) -> RpcResult {
    let reader = context.notifications.heads(&context.chain).await?;
    add(context, InstalledFilter::Blocks(Mutex::new(reader)))
}

fn new_pending(context: &ApiContext, mut params: Params) -> RpcResult {
    let detail = PendingDetail::parse(&mut params)?;
    add(context, InstalledFilter::Pending(Mutex::new(context.notifications.pending()), detail))
}

/// The changes since the client's last poll. A filter that missed changes is removed, and its
/// client must install a new one.
async fn changes(context: &ApiContext, mut params: Params) -> RpcResult {
    let id = params.next::<String>()?;
    let filter = context.filters.get(&id, Instant::now()).ok_or_else(not_found)?;
    context.notifications.catch_up(&context.chain).await?;
    let mut found = Vec::new();
    let is_whole = match &*filter {
        InstalledFilter::Logs(filter, reader) => {
            let mut reader = reader.lock().await;
            let is_asked_for = |log: &LogNotification| filter.matches_new(&log.log);
            let show = |log: &LogNotification, is_removed| {
                found.push(log.value(is_removed));
            };
            reader.logs(LOGS_MAX, is_asked_for, show).is_ok()
        }
        InstalledFilter::Blocks(reader) => match reader.lock().await.blocks(HASHES_MAX) {
            Ok(blocks) => {
                found.extend(blocks.iter().map(|block| json!(block.hash)));
                true
            }
            Err(_) => false,
        },
        InstalledFilter::Pending(reader, detail) => {
            let mut reader = reader.lock().await;
            reader.transactions(HASHES_MAX, |tx| found.extend(detail.of(tx))).is_ok()
        }
    };
    if is_whole {
        return Ok(Value::Array(found));
    }
    context.filters.remove(&id);
    Err(not_found())
}

/// All logs that match an installed log filter.
async fn filter_logs(context: &ApiContext, mut params: Params) -> RpcResult {
    let id = params.next::<String>()?;
    let filter = context.filters.get(&id, Instant::now()).ok_or_else(not_found)?;
    match &*filter {
        InstalledFilter::Logs(filter, _) => to_json(logs::find(context, filter).await?),
        InstalledFilter::Blocks(_) | InstalledFilter::Pending(..) => Err(not_found()),
    }
}

/// A new random id of a filter or subscription. It cannot be guessed.
pub(super) fn new_id() -> String {
    let mut id = [0; 16];
    getrandom::fill(&mut id).expect("invariant: the system has random numbers");
    format!("{:#x}", u128::from_ne_bytes(id))
}

/// Values by id. A value is removed once it has not been used for [`FILTER_LIFE`].
pub(crate) struct Expiring<T>(Arc<SyncMutex<HashMap<String, Entry<T>>>>);

struct Entry<T> {
    value: Arc<T>,
    expires_at: Instant,
}

impl<T> Default for Expiring<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> fmt::Debug for Expiring<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expiring").field("entries", &self.entries().len()).finish()
    }
}

impl<T> Expiring<T> {
    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores a value under a new id; `None` if [`FILTERS_MAX`] values are stored.
    fn insert(&self, value: T, now: Instant) -> Option<String> {
        let mut entries = self.entries();
        if entries.len() >= FILTERS_MAX {
            return None;
        }
        let id = new_id();
        let entry = Entry { value: Arc::new(value), expires_at: now + FILTER_LIFE };
        entries.insert(id.clone(), entry);
        Some(id)
    }

    /// The value with this id. Its lifetime starts anew.
    fn get(&self, id: &str, now: Instant) -> Option<Arc<T>> {
        let mut entries = self.entries();
        let entry = entries.get_mut(id)?;
        entry.expires_at = now + FILTER_LIFE;
        Some(Arc::clone(&entry.value))
    }

    /// Removes the value with this id. Returns false if there is none.
    fn remove(&self, id: &str) -> bool {
        self.entries().remove(id).is_some()
    }

    /// Removes the value with this id if it has expired. Otherwise returns when to check again.
    fn expire(&self, id: &str, now: Instant) -> Option<Instant> {
        let mut entries = self.entries();
        let expires_at = entries.get(id)?.expires_at;
        if expires_at > now {
            return Some(expires_at);
        }
        entries.remove(id);
        None
    }
}

/// Removes a filter once it has expired.
async fn expire(filters: Weak<SyncMutex<HashMap<String, Entry<InstalledFilter>>>>, id: String) {
    let mut next = Some(Instant::now() + FILTER_LIFE);
    while let Some(at) = next {
        sleep_until(at).await;
        let Some(filters) = filters.upgrade() else { return };
        next = Expiring(filters).expire(&id, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A_BIT: Duration = Duration::from_secs(1);

    #[test]
    fn unused_values_expire() {
        let all = Expiring::default();
        let mut now = Instant::now();
        let id = all.insert("kept", now).expect("has room");
        for _ in 0..3 {
            now += FILTER_LIFE - A_BIT;
            assert_eq!(all.get(&id, now).as_deref(), Some(&"kept"));
            assert_eq!(all.expire(&id, now + A_BIT), Some(now + FILTER_LIFE), "not yet");
        }
        assert_eq!(all.expire(&id, now + FILTER_LIFE), None);
        assert!(all.entries().is_empty(), "the value still takes room");
        assert_eq!(all.get(&id, now), None);
        assert_eq!(all.expire(&id, now), None, "there is nothing to check");
    }

    #[test]
    fn insert_is_refused_at_the_limit() {
        let (all, now) = (Expiring::default(), Instant::now());
        let ids: Vec<_> = (0..FILTERS_MAX).map(|n| all.insert(n, now).expect("has room")).collect();
        assert_eq!(all.insert(0, now), None);
        assert!(all.remove(&ids[5]) && !all.remove(&ids[5]));
        let id = all.insert(7, now).expect("has room again");
        assert_eq!(all.get(&id, now).as_deref(), Some(&7));
        assert!(!ids.contains(&id));
    }
}
