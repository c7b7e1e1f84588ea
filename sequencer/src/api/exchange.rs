//! A request and its answer, on their way through a connection.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    connections::Slot,
    limits::Patience,
    pace::Pace,
    problem::{Code, Problem},
};

/// Bytes of bodies that are held at the same time, for all requests together.
pub(super) const BODY_BYTES_HELD_MAX: usize = 512 * 1024 * 1024;

/// Bytes of one body that are taken in however much is held.
const BODY_BYTES_ALWAYS: usize = 16 * 1024;

/// A request that is being answered: from its head until its answer has gone out.
#[derive(Debug)]
pub(super) struct Exchange {
    slot: Arc<Slot>,
    /// Bytes of bodies that are held, by all.
    held: Arc<AtomicUsize>,
    /// Bytes of this one's body.
    own: AtomicUsize,
    fault: Mutex<Option<Fault>>,
}

/// Why a request's body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("the body comes too slowly")]
    Slow,
    #[error("too many large requests at the same time")]
    Full,
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Slow => Self::new(Code::SlowBody, fault.to_string()),
            Fault::Full => Self::new(Code::Busy, fault.to_string()).retry_after(1),
        }
    }
}

impl Exchange {
    pub(super) fn begin(slot: Arc<Slot>, held: Arc<AtomicUsize>) -> Arc<Self> {
        slot.begin();
        Arc::new(Self { slot, held, own: AtomicUsize::new(0), fault: Mutex::new(None) })
    }

    /// The connection is a WebSocket from here on.
    pub(super) fn upgrade(&self) {
        self.slot.upgrade();
    }

    /// What was wrong with the body.
    pub(super) fn fault(&self) -> Option<Fault> {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, fault: Fault) -> Fault {
        if fault == Fault::Slow {
            self.slot.metrics().slow_body.increment(1);
        }
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
        fault
    }

    /// Takes in some of the body.
    fn hold(&self, bytes: usize) -> Result<(), Fault> {
        let own = self.own.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let held = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if held > BODY_BYTES_HELD_MAX && own > BODY_BYTES_ALWAYS {
            return Err(self.fail(Fault::Full));
        }
        Ok(())
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.held.fetch_sub(self.own.load(Ordering::Relaxed), Ordering::Relaxed);
        self.slot.finish();
    }
}

/// A request's body, which has to come at some pace.
#[derive(Debug)]
pub(super) struct Upload {
    inner: Incoming,
    exchange: Arc<Exchange>,
    pace: Pace,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Upload {
    pub(super) fn new(inner: Incoming, exchange: Arc<Exchange>, patience: &Patience) -> Self {
        let pace = Pace::new(patience.stall, patience.bytes_per_second);
        Self { inner, exchange, pace, alarm: None }
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                this.pace.moved(Instant::now(), bytes);
                let held = this.exchange.hold(bytes);
                Poll::Ready(Some(held.map(|()| frame).map_err(Into::into)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let until = this.pace.wait(Instant::now());
                let alarm = this.alarm.get_or_insert_with(|| Box::pin(sleep_until(until)));
                if alarm.deadline() != until {
                    alarm.as_mut().reset(until);
                }
                alarm.as_mut().poll(cx).map(|()| Some(Err(this.exchange.fail(Fault::Slow).into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// An answer's body; with it the exchange ends.
#[derive(Debug)]
pub(super) struct Download {
    inner: Body,
    _exchange: Arc<Exchange>,
}

impl Download {
    pub(super) const fn new(inner: Body, exchange: Arc<Exchange>) -> Self {
        Self { inner, _exchange: exchange }
    }
}

impl HttpBody for Download {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::connections::{Connections, Phase},
        *,
    };

    #[test]
    fn small_bodies_get_in_however_much_is_held() {
        let connections = Connections::new(2, 2);
        let slot = connections.admit(None).expect("room");
        let held = Arc::new(AtomicUsize::new(0));
        let large = Exchange::begin(Arc::clone(&slot), Arc::clone(&held));
        assert_eq!(large.hold(BODY_BYTES_HELD_MAX), Ok(()));
        let other = Exchange::begin(Arc::clone(&slot), Arc::clone(&held));
        assert_eq!(other.hold(BODY_BYTES_ALWAYS), Ok(()));
        assert_eq!(other.hold(1), Err(Fault::Full));
        assert_eq!(other.fault(), Some(Fault::Full));
        drop(large);
        let next = Exchange::begin(Arc::clone(&slot), Arc::clone(&held));
        assert_eq!(next.hold(BODY_BYTES_HELD_MAX / 2), Ok(()));
        drop((other, next));
        assert_eq!(held.load(Ordering::Relaxed), 0);
        assert_eq!(slot.phase(), Phase::Waiting);
    }
}
