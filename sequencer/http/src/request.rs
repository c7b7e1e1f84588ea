//! A request under way: its guard, its body and its response's body.

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
    connections::ConnectionGuard, limits::Timeouts, progress::ProgressTimer, refusal::ServerRefusal,
};

/// Bytes of the bodies of all requests in memory at the same time.
pub(super) const BODY_BYTES_HELD_MAX: usize = 512 * 1024 * 1024;

/// Bytes of one body that are accepted even at [`BODY_BYTES_HELD_MAX`].
const BODY_BYTES_ALWAYS: usize = 16 * 1024;

/// A request under way: from its head until its response is sent.
#[derive(Debug)]
pub(super) struct RequestGuard {
    guard: Arc<ConnectionGuard>,
    /// Bytes of the bodies of all requests.
    held: Arc<AtomicUsize>,
    /// Bytes of this request's body.
    own: AtomicUsize,
    refusal: Mutex<Option<ServerRefusal>>,
}

impl RequestGuard {
    pub(super) fn begin(guard: Arc<ConnectionGuard>, held: Arc<AtomicUsize>) -> Arc<Self> {
        guard.begin();
        Arc::new(Self { guard, held, own: AtomicUsize::new(0), refusal: Mutex::new(None) })
    }

    /// Marks the connection as a WebSocket.
    pub(super) fn upgrade(&self) {
        self.guard.upgrade();
    }

    /// Why the body was not read to its end.
    pub(super) fn refusal(&self) -> Option<ServerRefusal> {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse(&self, refusal: ServerRefusal) -> ServerRefusal {
        if refusal == ServerRefusal::SlowBody {
            self.guard.metrics().slow_body.increment(1);
        }
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
        refusal
    }

    /// Counts bytes of the body, or refuses them.
    fn hold(&self, bytes: usize) -> Result<(), ServerRefusal> {
        let own = self.own.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let held = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if held > BODY_BYTES_HELD_MAX && own > BODY_BYTES_ALWAYS {
            return Err(self.refuse(ServerRefusal::BodiesFull));
        }
        Ok(())
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.held.fetch_sub(self.own.load(Ordering::Relaxed), Ordering::Relaxed);
        self.guard.finish();
    }
}

/// A request's body, which must arrive at a minimum rate.
#[derive(Debug)]
pub(super) struct RequestBody {
    inner: Incoming,
    request_guard: Arc<RequestGuard>,
    progress: ProgressTimer,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    pub(super) fn new(
        inner: Incoming,
        request_guard: Arc<RequestGuard>,
        timeouts: &Timeouts,
    ) -> Self {
        let progress = ProgressTimer::new(timeouts.stall, timeouts.bytes_per_second);
        Self { inner, request_guard, progress, alarm: None }
    }
}

impl HttpBody for RequestBody {
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
                this.progress.moved(Instant::now(), bytes);
                let held = this.request_guard.hold(bytes);
                Poll::Ready(Some(held.map(|()| frame).map_err(Into::into)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let until = this.progress.wait(Instant::now());
                let alarm = this.alarm.get_or_insert_with(|| Box::pin(sleep_until(until)));
                if alarm.deadline() != until {
                    alarm.as_mut().reset(until);
                }
                alarm
                    .as_mut()
                    .poll(cx)
                    .map(|()| Some(Err(this.request_guard.refuse(ServerRefusal::SlowBody).into())))
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

/// A response's body. Dropping it ends the request.
#[derive(Debug)]
pub(super) struct ResponseBody {
    inner: Body,
    _exchange: Arc<RequestGuard>,
}

impl ResponseBody {
    pub(super) const fn new(inner: Body, request_guard: Arc<RequestGuard>) -> Self {
        Self { inner, _exchange: request_guard }
    }
}

impl HttpBody for ResponseBody {
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
    fn small_bodies_are_accepted_at_the_memory_limit() {
        let connections = Connections::new(2, 2);
        let guard = connections.admit(None).expect("room");
        let held = Arc::new(AtomicUsize::new(0));
        let large = RequestGuard::begin(Arc::clone(&guard), Arc::clone(&held));
        assert_eq!(large.hold(BODY_BYTES_HELD_MAX), Ok(()));
        let other = RequestGuard::begin(Arc::clone(&guard), Arc::clone(&held));
        assert_eq!(other.hold(BODY_BYTES_ALWAYS), Ok(()));
        assert_eq!(other.hold(1), Err(ServerRefusal::BodiesFull));
        assert_eq!(other.refusal(), Some(ServerRefusal::BodiesFull));
        drop(large);
        let next = RequestGuard::begin(Arc::clone(&guard), Arc::clone(&held));
        assert_eq!(next.hold(BODY_BYTES_HELD_MAX / 2), Ok(()));
        drop((other, next));
        assert_eq!(held.load(Ordering::Relaxed), 0);
        assert_eq!(guard.phase(), Phase::Waiting);
    }
}
