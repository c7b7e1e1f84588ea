//! The stream below each HTTP connection, with its timeouts.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

use super::{
    connections::{ConnectionGuard, Phase},
    limits::Timeouts,
    progress::ProgressTimer,
};

/// A TCP stream with timeouts for a request's head, the next request and reading responses.
#[derive(Debug)]
pub(super) struct TimedStream {
    tcp: TcpStream,
    /// Held while the connection is open, also as a WebSocket.
    guard: Arc<ConnectionGuard>,
    timeouts: Timeouts,
    head: HeadState,
    read_alarm: Alarm,
    write_progress: ProgressTimer,
    write_alarm: Alarm,
}

/// How far the next request's head has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeadState {
    /// A request is under way; no head is expected.
    NotExpected,
    /// No byte of it has arrived.
    Awaited { until: Instant },
    /// Some of it has arrived.
    Begun { until: Instant },
}

/// A timer that is only created when something waits for it.
#[derive(Debug, Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready at `until`.
    fn poll(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.deadline() != until {
            sleep.as_mut().reset(until);
        }
        sleep.as_mut().poll(cx)
    }
}

impl TimedStream {
    /// A new connection. The head of its first request is expected at once.
    pub(super) fn new(tcp: TcpStream, guard: Arc<ConnectionGuard>, timeouts: Timeouts) -> Self {
        let Timeouts { head, stall, bytes_per_second, .. } = timeouts;
        Self {
            tcp,
            guard,
            timeouts,
            head: HeadState::Begun { until: Instant::now() + head },
            read_alarm: Alarm::default(),
            write_progress: ProgressTimer::new(stall, bytes_per_second),
            write_alarm: Alarm::default(),
        }
    }

    /// Times out if the next request's head takes too long. The caller has nothing to read.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.guard.poll_waiting(cx) {
            self.head = HeadState::NotExpected;
            return Poll::Pending;
        }
        if self.guard.is_closing() && !self.write_progress.is_waiting() {
            // All responses are sent: end the stream as if the client had closed it.
            return Poll::Ready(Ok(()));
        }
        if self.head == HeadState::NotExpected {
            self.head = HeadState::Awaited { until: Instant::now() + self.timeouts.idle };
        }
        let (until, dropped, why) = match self.head {
            HeadState::Begun { until } => {
                (until, &self.guard.metrics().slow_head, "request head timed out")
            }
            HeadState::Awaited { until } => (until, &self.guard.metrics().idle, "idle timeout"),
            HeadState::NotExpected => return Poll::Pending,
        };
        ready!(self.read_alarm.poll(cx, until));
        dropped.increment(1);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
    }

    /// Records that bytes were read.
    fn note_read(&mut self) {
        match self.head {
            _ if self.guard.phase() != Phase::Waiting => self.head = HeadState::NotExpected,
            HeadState::NotExpected | HeadState::Awaited { .. } => {
                self.head = HeadState::Begun { until: Instant::now() + self.timeouts.head };
            }
            HeadState::Begun { .. } => {}
        }
    }

    /// Applies the write timeout to the result of a write.
    fn check_write(
        &mut self,
        cx: &mut Context<'_>,
        wrote: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let now = Instant::now();
        match wrote {
            Poll::Ready(wrote) => {
                self.write_progress.moved(now, wrote.as_ref().map_or(0, |bytes| *bytes));
                Poll::Ready(wrote)
            }
            Poll::Pending => {
                ready!(self.write_alarm.poll(cx, self.write_progress.wait(now)));
                self.guard.metrics().slow_reader.increment(1);
                Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client reads too slowly",
                )))
            }
        }
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut this.tcp).poll_read(cx, buffer) {
            Poll::Pending => this.poll_head(cx),
            Poll::Ready(read) => {
                if buffer.filled().len() > before {
                    this.note_read();
                }
                Poll::Ready(read)
            }
        }
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.tcp).poll_write(cx, bytes);
        this.check_write(cx, wrote)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.tcp).poll_write_vectored(cx, parts);
        this.check_write(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
