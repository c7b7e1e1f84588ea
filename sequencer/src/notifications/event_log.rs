use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// How much of a log is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventLogLimits {
    /// Events, at most.
    pub(crate) events_max: usize,
    /// Bytes of them, at most. The newest is kept whatever it takes.
    pub(crate) bytes_max: usize,
}

/// A sequence of events of which the newest are kept, once for all who read them. Each reader has its own place, and one that falls
/// behind what is kept is told so: it takes no memory, and no other waits for it.
#[derive(Debug)]
pub(crate) struct EventLog<T> {
    kept: Mutex<Kept<T>>,
    /// Counts all events.
    end: watch::Sender<u64>,
    limits: EventLogLimits,
}

#[derive(Debug)]
struct Kept<T> {
    /// Each with its bytes.
    events: VecDeque<(Arc<T>, usize)>,
    bytes: usize,
    /// The number of the event after the newest.
    end: u64,
}

/// Events were dropped before they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("events are lost: they were not read in time")]
pub(crate) struct Lagged;

impl<T> EventLog<T> {
    pub(crate) fn new(limits: EventLogLimits) -> Arc<Self> {
        let kept = Kept { events: VecDeque::new(), bytes: 0, end: 0 };
        Arc::new(Self { kept: Mutex::new(kept), end: watch::channel(0).0, limits })
    }

    fn kept(&self) -> MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event that takes so many bytes.
    pub(crate) fn push(&self, event: T, bytes: usize) {
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
        let place = kept.events.len().checked_sub(back).ok_or(Lagged)?;
        Ok(kept.events.get(place).map(|(event, _)| Arc::clone(event)))
    }
}

/// A place on a log.
#[derive(Debug)]
pub(crate) struct EventCursor<T> {
    log: Arc<EventLog<T>>,
    /// Number of the event that is read next.
    pub(super) place: u64,
    /// What of it was read before.
    pub(super) within: usize,
}

impl<T> EventCursor<T> {
    /// At the end: what comes from now on is read.
    pub(crate) fn at_end(log: Arc<EventLog<T>>) -> Self {
        let place = log.kept().end;
        Self { log, place, within: 0 }
    }

    /// The event at this place, if it has come.
    pub(super) fn event(&self) -> Result<Option<Arc<T>>, Lagged> {
        self.log.get(self.place)
    }

    /// The event was read.
    pub(super) const fn advance(&mut self) {
        self.place += 1;
        self.within = 0;
    }

    /// The event at this place, if it has come, and goes on to the next.
    pub(crate) fn take(&mut self) -> Result<Option<Arc<T>>, Lagged> {
        let event = self.event()?;
        if event.is_some() {
            self.advance();
        }
        Ok(event)
    }

    /// Waits for the event at this place, and goes on to the next. Nothing is lost if this is given up.
    pub(crate) async fn next(&mut self) -> Result<Arc<T>, Lagged> {
        loop {
            if let Some(event) = self.take()? {
                return Ok(event);
            }
            self.ready().await;
        }
    }

    /// How many events were there before this place.
    pub(crate) const fn position(&self) -> u64 {
        self.place
    }

    /// Waits for an event at this place.
    pub(crate) async fn ready(&self) {
        let mut end = self.log.end.subscribe();
        // The sender is this reader's own.
        let _ = end.wait_for(|end| *end > self.place).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_reader_gets_every_event_once_or_hears_that_it_is_behind() {
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
    fn bytes_are_bounded_and_the_newest_event_stays() {
        let log = EventLog::new(EventLogLimits { events_max: 10, bytes_max: 100 });
        let reader = EventCursor::at_end(Arc::clone(&log));
        log.push('a', 60);
        log.push('b', 40);
        assert_eq!(reader.event(), Ok(Some(Arc::new('a'))));
        log.push('c', 1);
        assert_eq!(reader.event(), Err(Lagged));
        let newest = EventCursor { place: 3, ..EventCursor::at_end(Arc::clone(&log)) };
        log.push('d', 1_000);
        assert_eq!(newest.event(), Ok(Some(Arc::new('d'))));
        let kept = log.kept();
        assert_eq!((kept.events.len(), kept.bytes), (1, 1_000));
    }
}
