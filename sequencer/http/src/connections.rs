//! The table of open connections.
//!
//! # State
//!
//! Each connection, with its client and the time since which it is idle.
//!
//! # Limits
//!
//! When the table is full, a new connection evicts the one that is idle the longest: idle
//! connections cannot shut others out. A connection with a request under way is never evicted, nor
//! is a WebSocket; the API limits their number.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    task::Context,
};

use futures_util::task::AtomicWaker;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{client::Client, metrics::HttpMetrics};

/// All open connections.
#[derive(Debug)]
pub(super) struct Connections {
    /// Connections at the same time, at most.
    max: usize,
    /// Connections of one client, at most.
    per_client_max: usize,
    inner: Mutex<ConnectionTable>,
    /// Number of connections, evicted ones included until they are closed.
    open: watch::Sender<usize>,
    pub(super) metrics: HttpMetrics,
}

#[derive(Debug, Default)]
struct ConnectionTable {
    /// A counter that numbers connections and orders the idle ones.
    clock: u64,
    entries: HashMap<u64, ConnectionEntry>,
    /// Ids of idle connections, by the counter's value when they became idle.
    waiting: BTreeMap<u64, u64>,
    by_client: HashMap<Client, usize>,
}

#[derive(Debug)]
struct ConnectionEntry {
    /// The client; `None` if its connections are not counted.
    client: Option<Client>,
    waits_since: Option<u64>,
    evicted: CancellationToken,
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// The table is full, and no connection is idle.
    Total,
    /// The client has its maximum.
    Client,
}

/// The state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Waiting for a request, or for the rest of its head.
    Waiting,
    /// Handling a request.
    Busy,
    /// A WebSocket.
    Upgraded,
}

/// An open connection's entry in the table. Dropping it removes the entry.
#[derive(Debug)]
pub(super) struct ConnectionGuard {
    id: u64,
    phase: AtomicU8,
    /// Whether it accepts no other request.
    is_closing: AtomicBool,
    /// Woken when the connection is idle again.
    waiting: AtomicWaker,
    /// Cancelled on eviction.
    pub(super) evicted: CancellationToken,
    connections: Arc<Connections>,
}

impl Connections {
    pub(super) fn new(max: usize, per_client_max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            per_client_max,
            inner: Mutex::default(),
            open: watch::Sender::new(0),
            metrics: HttpMetrics::default(),
        })
    }

    /// Admits a connection. `client` is `None` if the client's connections are not counted.
    pub(super) fn admit(
        self: &Arc<Self>,
        client: Option<Client>,
    ) -> Result<Arc<ConnectionGuard>, NoRoom> {
        let mut inner = self.lock();
        let count = client.and_then(|client| inner.by_client.get(&client).copied());
        if count.unwrap_or(0) >= self.per_client_max {
            return Err(NoRoom::Client);
        }
        if inner.entries.len() >= self.max {
            let evicted = inner.evict().ok_or(NoRoom::Total)?;
            self.metrics.evicted.increment(1);
            evicted.cancel();
        }
        let evicted = CancellationToken::new();
        let id = inner.insert(client, evicted.clone());
        drop(inner);
        self.open.send_modify(|open| *open += 1);
        self.metrics.connections.increment(1.0);
        let phase = AtomicU8::new(Phase::Waiting as u8);
        let (waiting, connections) = (AtomicWaker::new(), Arc::clone(self));
        let is_closing = AtomicBool::new(false);
        Ok(Arc::new(ConnectionGuard { id, phase, is_closing, waiting, evicted, connections }))
    }

    /// Waits until all connections are closed.
    pub(super) async fn closed(&self) {
        let mut open = self.open.subscribe();
        // The sender lives as long as `self`.
        let _ = open.wait_for(|open| *open == 0).await;
    }

    fn lock(&self) -> MutexGuard<'_, ConnectionTable> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionTable {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn insert(&mut self, client: Option<Client>, evicted: CancellationToken) -> u64 {
        let id = self.tick();
        if let Some(client) = client {
            *self.by_client.entry(client).or_default() += 1;
        }
        self.waiting.insert(id, id);
        self.entries.insert(id, ConnectionEntry { client, waits_since: Some(id), evicted });
        id
    }

    /// Removes the connection that is idle the longest.
    fn evict(&mut self) -> Option<CancellationToken> {
        let (_, id) = self.waiting.pop_first()?;
        self.release(id).map(|entry| entry.evicted)
    }

    fn release(&mut self, id: u64) -> Option<ConnectionEntry> {
        let entry = self.entries.remove(&id)?;
        if let Some(since) = entry.waits_since {
            self.waiting.remove(&since);
        }
        if let Some(client) = entry.client
            && let Some(count) = self.by_client.get_mut(&client)
        {
            *count -= 1;
            if *count == 0 {
                self.by_client.remove(&client);
            }
        }
        Some(entry)
    }

    fn set_waiting(&mut self, id: u64, is_waiting: bool) {
        let now = self.tick();
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if let Some(since) = entry.waits_since.take() {
            self.waiting.remove(&since);
        }
        if is_waiting {
            entry.waits_since = Some(now);
            self.waiting.insert(now, id);
        }
    }
}

impl ConnectionGuard {
    /// Marks the connection as busy with a request.
    pub(super) fn begin(&self) {
        self.set(Phase::Busy);
    }

    /// Marks the connection as idle, once the response is sent.
    pub(super) fn finish(&self) {
        if self.phase() == Phase::Busy {
            self.set(Phase::Waiting);
            self.waiting.wake();
        }
    }

    /// Closes the connection after the request under way.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed)
    }

    /// Whether the connection is idle. If not, the caller is woken once it is.
    pub(super) fn poll_waiting(&self, cx: &Context<'_>) -> bool {
        if self.phase() == Phase::Waiting {
            return true;
        }
        self.waiting.register(cx.waker());
        self.phase() == Phase::Waiting
    }

    /// Marks the connection as a WebSocket.
    pub(super) fn upgrade(&self) {
        self.set(Phase::Upgraded);
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            phase if phase == Phase::Waiting as u8 => Phase::Waiting,
            phase if phase == Phase::Busy as u8 => Phase::Busy,
            _ => Phase::Upgraded,
        }
    }

    pub(super) fn metrics(&self) -> &HttpMetrics {
        &self.connections.metrics
    }

    fn set(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.connections.lock().set_waiting(self.id, phase == Phase::Waiting);
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.connections.lock().release(self.id);
        self.connections.open.send_modify(|open| *open -= 1);
        self.connections.metrics.connections.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> Option<Client> {
        Some(Client::of([10, 0, 0, last].into()))
    }

    #[test]
    fn longest_idle_connection_is_evicted() {
        let connections = Connections::new(3, 9);
        let all: Vec<_> = (0..3).map(|_| connections.admit(None).expect("room")).collect();
        // The first connection was used last.
        all[0].begin();
        all[0].finish();
        let fourth = connections.admit(None).expect("makes room");
        let gone = || all.iter().map(|guard| guard.evicted.is_cancelled()).collect::<Vec<_>>();
        assert_eq!(gone(), [false, true, false]);
        // An evicted connection cannot take its entry back.
        all[1].begin();
        all[1].finish();
        all[2].begin();
        let _fifth = connections.admit(None).expect("makes room");
        assert_eq!(gone(), [true, true, false]);
        assert!(!fourth.evicted.is_cancelled());
    }

    #[test]
    fn busy_connections_and_websockets_are_never_evicted() {
        let connections = Connections::new(2, 9);
        let (busy, upgraded) = (connections.admit(None), connections.admit(None));
        let (busy, upgraded) = (busy.expect("room"), upgraded.expect("room"));
        busy.begin();
        upgraded.begin();
        upgraded.upgrade();
        // The response to the upgrade is sent.
        upgraded.finish();
        assert_eq!(connections.admit(None).err(), Some(NoRoom::Total));
        drop(busy);
        assert!(connections.admit(None).is_ok());
        assert_eq!(upgraded.phase(), Phase::Upgraded);
    }

    #[test]
    fn client_limit_holds() {
        let connections = Connections::new(9, 2);
        let first = connections.admit(client(1)).expect("room");
        let _second = connections.admit(client(1)).expect("room");
        assert_eq!(connections.admit(client(1)).err(), Some(NoRoom::Client));
        let _other = connections.admit(client(2)).expect("room");
        let _uncounted: Vec<_> = (0..4).map(|_| connections.admit(None).expect("room")).collect();
        drop(first);
        let third = connections.admit(client(1)).expect("room");
        drop(third);
        assert_eq!(connections.lock().by_client.len(), 2);
    }

    #[tokio::test]
    async fn closed_waits_for_evicted_connections() {
        let connections = Connections::new(1, 9);
        let evicted = connections.admit(None).expect("room");
        let guard = connections.admit(None).expect("makes room");
        drop(guard);
        assert_eq!(*connections.open.borrow(), 1, "the evicted connection still counts");
        drop(evicted);
        connections.closed().await;
        let inner = connections.lock();
        assert!(inner.entries.is_empty() && inner.waiting.is_empty() && inner.by_client.is_empty());
    }
}
