//! A bounded log of events, kept once for all its cursors.
//!
//! Each cursor reads at its own position. A cursor that falls behind the oldest kept event gets
//! [`Lagged`]: it neither takes memory nor delays another cursor.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// Limits of the events that a log keeps.
#[derive(Clone, Copy, Debug)]
pub struct EventLogLimits {
    /// Events, at most.
    pub events_max: usize,
    /// Bytes of events, at most. The newest event is kept at any size.
    pub bytes_max: usize,
}

/// See the module documentation.
#[derive(Debug)]
pub struct EventLog<T> {
    kept: Mutex<Kept<T>>,
    /// Number of all events so far.
    end: watch::Sender<u64>,
    limits: EventLogLimits,
}

#[derive(Debug)]
struct Kept<T> {
    /// Each event with its size in bytes.
    events: VecDeque<(Arc<T>, usize)>,
    bytes: usize,
    /// The number that the next event gets.
    end: u64,
}

/// Events were dropped before the cursor read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("events are lost: they were not read in time")]
pub struct Lagged;

impl<T> EventLog<T> {
    pub fn new(limits: EventLogLimits) -> Arc<Self> {
        let kept = Kept { events: VecDeque::new(), bytes: 0, end: 0 };
        Arc::new(Self { kept: Mutex::new(kept), end: watch::channel(0).0, limits })
    }

    fn kept(&self) -> MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends an event of `bytes` bytes.
    pub fn push(&self, event: T, bytes: usize) {
        let mut kept = self.kept();
        kept.events.push_back((Arc::new(event), bytes));
        kept.bytes += bytes;
        kept.end += 1;
        while kept.events.len() > self.limits.events_max
            || kept.bytes > self.limits.bytes_max && kept.events.len() > 1
        {
            let Some((_, bytes)) = kept.events.pop_front() else { break };
            kept.bytes -= bytes;
        }
        let end = kept.end;
        drop(kept);
        self.end.send_modify(|seen| *seen = end.max(*seen));
    }

    fn get(&self, at: u64) -> Result<Option<Arc<T>>, Lagged> {
        let kept = self.kept();
        let Some(back) = kept.end.checked_sub(at).filter(|back| *back > 0) else {
            return Ok(None);
        };
        let back = usize::try_from(back).map_err(|_| Lagged)?;
        let position = kept.events.len().checked_sub(back).ok_or(Lagged)?;
        Ok(kept.events.get(position).map(|(event, _)| Arc::clone(event)))
    }
}

/// A position in a log.
#[derive(Debug)]
pub struct EventCursor<T> {
    log: Arc<EventLog<T>>,
    /// Number of the event to read next.
    pub(super) position: u64,
    /// Number of that event's items that were read already.
    pub(super) within: usize,
}

impl<T> EventCursor<T> {
    /// Starts at the end: the cursor reads events that are appended from now on.
    pub fn at_end(log: Arc<EventLog<T>>) -> Self {
        let position = log.kept().end;
        Self { log, position, within: 0 }
    }

    /// The event at this position, if it exists.
    pub(super) fn event(&self) -> Result<Option<Arc<T>>, Lagged> {
        self.log.get(self.position)
    }

    /// Moves to the next event.
    pub(super) const fn advance(&mut self) {
        self.position += 1;
        self.within = 0;
    }

    /// Returns the event at this position, if it exists, and moves to the next.
    pub fn take(&mut self) -> Result<Option<Arc<T>>, Lagged> {
        let event = self.event()?;
        if event.is_some() {
            self.advance();
        }
        Ok(event)
    }

    /// Waits for the event at this position and moves to the next. Cancel safe.
    pub async fn next(&mut self) -> Result<Arc<T>, Lagged> {
        loop {
            if let Some(event) = self.take()? {
                return Ok(event);
            }
            self.ready().await;
        }
    }

    /// The number of events before this position.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Waits until an event exists at this position.
    pub async fn ready(&self) {
        let mut end = self.log.end.subscribe();
        // The cursor owns the log, and with it the sender.
        let _ = end.wait_for(|end| *end > self.position).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn cursor_gets_every_event_once_or_lagged() {
        let log = EventLog::new(EventLogLimits { events_max: 3, bytes_max: 100 });
        log.push(0, 1);
        let (mut quick, slow) =
            (EventCursor::at_end(Arc::clone(&log)), EventCursor::at_end(Arc::clone(&log)));
        assert_eq!(quick.event(), Ok(None));
        assert!(quick.ready().now_or_never().is_none());
        for event in 1..=4 {
            log.push(event, 1);
            assert!(quick.ready().now_or_never().is_some());
            assert_eq!(quick.event(), Ok(Some(Arc::new(event))));
            quick.advance();
            assert_eq!(quick.event(), Ok(None));
        }
        assert_eq!(slow.event(), Err(Lagged), "one more than is kept");
    }

    #[test]
    fn log_bytes_are_bounded_and_newest_event_is_kept() {
        let log = EventLog::new(EventLogLimits { events_max: 10, bytes_max: 100 });
        let reader = EventCursor::at_end(Arc::clone(&log));
        log.push('a', 60);
        log.push('b', 40);
        assert_eq!(reader.event(), Ok(Some(Arc::new('a'))));
        log.push('c', 1);
        assert_eq!(reader.event(), Err(Lagged));
        let newest = EventCursor { position: 3, ..EventCursor::at_end(Arc::clone(&log)) };
        log.push('d', 1_000);
        assert_eq!(newest.event(), Ok(Some(Arc::new('d'))));
        let kept = log.kept();
        assert_eq!((kept.events.len(), kept.bytes), (1, 1_000));
    }
}
