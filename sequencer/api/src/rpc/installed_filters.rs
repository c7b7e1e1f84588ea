//! The filters that clients installed and poll.
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

use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};
use turnpike_sequencer::notifications::{EventCursor, HeadEvent, PendingTx};

use super::{log_filter::LogFilter, pending::PendingDetail};

/// Filters of all clients, at most.
pub(super) const FILTERS_MAX: usize = 1_024;

/// A filter expires this long after its last poll.
const FILTER_LIFE: Duration = Duration::from_secs(5 * 60);

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

impl Filters {
    /// Stores a filter until it expires, and returns its id; `None` if [`FILTERS_MAX`] filters are
    /// installed.
    pub(super) fn install(&self, filter: InstalledFilter) -> Option<String> {
        let id = self.insert(filter, Instant::now())?;
        tokio::spawn(expire(Arc::downgrade(&self.0), id.clone()));
        Some(id)
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
    pub(super) fn get(&self, id: &str, now: Instant) -> Option<Arc<T>> {
        let mut entries = self.entries();
        let entry = entries.get_mut(id)?;
        entry.expires_at = now + FILTER_LIFE;
        Some(Arc::clone(&entry.value))
    }

    /// Removes the value with this id. Returns false if there is none.
    pub(super) fn remove(&self, id: &str) -> bool {
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
