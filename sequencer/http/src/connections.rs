//! Which connections are open, whose they are, and which of them wait for nothing but the next request.
//!
//! When there is no room for another, the one goes that has waited the longest: whoever opens many and says nothing shuts nobody
//! out. One with a request under way never goes, and neither does a WebSocket, of which there is a bound of its own.

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
    /// At the same time.
    max: usize,
    /// Of one client.
    per_client_max: usize,
    inner: Mutex<Inner>,
    /// How many there are, those included that have to go and are not gone.
    open: watch::Sender<usize>,
    pub(super) metrics: HttpMetrics,
}

#[derive(Debug, Default)]
struct Inner {
    /// Names connections, and puts those that wait into their order.
    clock: u64,
    entries: HashMap<u64, ConnectionEntry>,
    /// Those that wait, by when they began to.
    waiting: BTreeMap<u64, u64>,
    by_client: HashMap<Client, usize>,
}

#[derive(Debug)]
struct ConnectionEntry {
    /// Whose it is, if that is counted.
    client: Option<Client>,
    waits_since: Option<u64>,
    evicted: CancellationToken,
}

/// Why there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// No connection waits that could make room.
    Total,
    /// The client has as many as it may have.
    Client,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Waiting for a request, or for the rest of its head.
    Waiting,
    /// Answering one.
    Busy,
    /// Not speaking HTTP any more.
    Upgraded,
}

/// An open connection's place, for as long as this is held.
#[derive(Debug)]
pub(super) struct ConnectionGuard {
    id: u64,
    phase: AtomicU8,
    /// Whether no other request is taken from it.
    is_closing: AtomicBool,
    /// Woken when it waits for a request again.
    waiting: AtomicWaker,
    /// Cancelled when it has to go.
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

    /// Takes in another connection, of this client if that is counted.
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
        let id = inner.seat(client, evicted.clone());
        drop(inner);
        self.open.send_modify(|open| *open += 1);
        self.metrics.connections.increment(1.0);
        let phase = AtomicU8::new(Phase::Waiting as u8);
        let (waiting, connections) = (AtomicWaker::new(), Arc::clone(self));
        let is_closing = AtomicBool::new(false);
        Ok(Arc::new(ConnectionGuard { id, phase, is_closing, waiting, evicted, connections }))
    }

    /// Waits until all are gone.
    pub(super) async fn closed(&self) {
        let mut open = self.open.subscribe();
        // It is never dropped before this ends.
        let _ = open.wait_for(|open| *open == 0).await;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn seat(&mut self, client: Option<Client>, evicted: CancellationToken) -> u64 {
        let id = self.tick();
        if let Some(client) = client {
            *self.by_client.entry(client).or_default() += 1;
        }
        self.waiting.insert(id, id);
        self.entries.insert(id, ConnectionEntry { client, waits_since: Some(id), evicted });
        id
    }

    /// Frees the place of the one that has waited the longest.
    fn evict(&mut self) -> Option<CancellationToken> {
        let (_, id) = self.waiting.pop_first()?;
        self.release(id).map(|seat| seat.evicted)
    }

    fn release(&mut self, id: u64) -> Option<ConnectionEntry> {
        let seat = self.entries.remove(&id)?;
        if let Some(since) = seat.waits_since {
            self.waiting.remove(&since);
        }
        if let Some(client) = seat.client
            && let Some(count) = self.by_client.get_mut(&client)
        {
            *count -= 1;
            if *count == 0 {
                self.by_client.remove(&client);
            }
        }
        Some(seat)
    }

    fn set_waiting(&mut self, id: u64, is_waiting: bool) {
        let now = self.tick();
        let Some(seat) = self.entries.get_mut(&id) else { return };
        if let Some(since) = seat.waits_since.take() {
            self.waiting.remove(&since);
        }
        if is_waiting {
            seat.waits_since = Some(now);
            self.waiting.insert(now, id);
        }
    }
}

impl ConnectionGuard {
    /// A request is under way.
    pub(super) fn begin(&self) {
        self.set(Phase::Busy);
    }

    /// It has its answer.
    pub(super) fn finish(&self) {
        if self.phase() == Phase::Busy {
            self.set(Phase::Waiting);
            self.waiting.wake();
        }
    }

    /// No other request is taken from it.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed)
    }

    /// Whether it waits for a request; if not, whoever asks is woken when it does.
    pub(super) fn poll_waiting(&self, cx: &Context<'_>) -> bool {
        if self.phase() == Phase::Waiting {
            return true;
        }
        self.waiting.register(cx.waker());
        self.phase() == Phase::Waiting
    }

    /// The connection has become a WebSocket.
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
    fn the_one_that_has_waited_the_longest_makes_room() {
        let connections = Connections::new(3, 9);
        let all: Vec<_> = (0..3).map(|_| connections.admit(None).expect("room")).collect();
        // The first was used since.
        all[0].begin();
        all[0].finish();
        let fourth = connections.admit(None).expect("makes room");
        let gone = || all.iter().map(|guard| guard.evicted.is_cancelled()).collect::<Vec<_>>();
        assert_eq!(gone(), [false, true, false]);
        // Whatever becomes of one that has to go, its place is the other's.
        all[1].begin();
        all[1].finish();
        all[2].begin();
        let _fifth = connections.admit(None).expect("makes room");
        assert_eq!(gone(), [true, true, false]);
        assert!(!fourth.evicted.is_cancelled());
    }

    #[test]
    fn requests_and_websockets_do_not_make_room() {
        let connections = Connections::new(2, 9);
        let (busy, upgraded) = (connections.admit(None), connections.admit(None));
        let (busy, upgraded) = (busy.expect("room"), upgraded.expect("room"));
        busy.begin();
        upgraded.begin();
        upgraded.upgrade();
        // The answer to the upgrade is through.
        upgraded.finish();
        assert_eq!(connections.admit(None).err(), Some(NoRoom::Total));
        drop(busy);
        assert!(connections.admit(None).is_ok());
        assert_eq!(upgraded.phase(), Phase::Upgraded);
    }

    #[test]
    fn a_client_has_its_share_and_no_more() {
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
    async fn all_are_gone_when_the_last_is() {
        let connections = Connections::new(1, 9);
        let evicted = connections.admit(None).expect("room");
        let guard = connections.admit(None).expect("makes room");
        drop(guard);
        assert_eq!(*connections.open.borrow(), 1, "it is still on its way out");
        drop(evicted);
        connections.closed().await;
        let inner = connections.lock();
        assert!(inner.entries.is_empty() && inner.waiting.is_empty() && inner.by_client.is_empty());
    }
}
