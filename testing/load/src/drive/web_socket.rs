//! Sends a schedule over WebSocket, with several transactions in flight.

use std::{collections::BTreeMap, future::poll_fn, io};

use futures_util::{SinkExt as _, StreamExt as _, stream::SplitSink};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message, Utf8Bytes},
};

use super::{
    Clock, DriveOutcome, DrivePlan,
    http::{ANSWER_TIMEOUT, FAILURES_MAX, RECONNECT_PAUSE, failure},
    queue::{InFlight, NextAction, Queue},
};
use crate::{
    endpoint::Endpoint,
    transport::{Format, read, write},
};

/// Transactions in flight on a connection, by position in the schedule.
type Flying = BTreeMap<u32, InFlight>;

/// Sends a schedule with this many transactions in flight.
pub(super) async fn run(
    drive: &DrivePlan,
    schedule: usize,
    in_flight: u32,
    clock: Clock,
) -> DriveOutcome {
    let stop_after = u64::try_from(drive.stop_after.as_nanos()).unwrap_or(u64::MAX);
    let mut queue = Queue::new(&drive.schedules[schedule], stop_after);
    let (mut failures, mut flying) = (0, Flying::new());
    while failures < FAILURES_MAX {
        let window = in_flight as usize;
        match serve(drive, &mut queue, &mut flying, window, clock, &mut failures).await {
            Ok(()) => break,
            Err(error) => {
                queue.lost(std::mem::take(&mut flying).into_values());
                queue.complain(&failure(&error), clock.now());
                failures += 1;
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
        }
    }
    queue.finish(clock.now())
}

async fn serve(
    drive: &DrivePlan,
    queue: &mut Queue<'_>,
    flying: &mut Flying,
    window: usize,
    clock: Clock,
    failures: &mut u32,
) -> io::Result<()> {
    let (mut output, mut input) = open(&drive.endpoint).await?.split();
    tokio::time::sleep_until(clock.at(0)).await;
    let mut outgoing = Outgoing::default();
    loop {
        // The limit in flight is reached, or nothing is left: wait for answers.
        let (mut wake, mut late) = (tokio::time::Instant::now() + ANSWER_TIMEOUT, true);
        if outgoing.message.is_none() && flying.len() < window {
            let room = drive.batch.min(window - flying.len());
            match queue.take(clock.now(), room, &mut outgoing.taken) {
                NextAction::Nothing if flying.is_empty() => return Ok(()),
                NextAction::Nothing => {}
                NextAction::Wait(until) => (wake, late) = (clock.at(until), false),
                NextAction::Send => {
                    flying.extend(outgoing.taken.iter().map(|sending| (sending.place, *sending)));
                    outgoing.put(drive);
                }
            }
        }
        // A node may stop reading until its answers are read, so both directions run at the same
        // time.
        tokio::select! {
            sent = outgoing.send(&mut output), if outgoing.is_unsent() => sent?,
            message = input.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    *failures = 0;
                    take_answers(queue, flying, text.as_bytes(), clock.now());
                }
                Some(Ok(Message::Close(_))) | None => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(io_error(error)),
            },
            () = tokio::time::sleep_until(wake) => {
                if late {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
        }
    }
}

/// Output to the socket.
#[derive(Default)]
struct Outgoing {
    taken: Vec<InFlight>,
    body: Vec<u8>,
    /// A request that the socket has not accepted yet.
    message: Option<Message>,
    /// Whether the socket holds unwritten bytes.
    dirty: bool,
}

impl Outgoing {
    /// Makes a request of the transactions taken.
    fn put(&mut self, drive: &DrivePlan) {
        let raws = self
            .taken
            .iter()
            .map(|sending| (sending.place, drive.signed.raw(sending.scheduled.index as usize)));
        write(Format::JsonRpc, raws, &mut self.body);
        let text = Utf8Bytes::try_from(self.body.clone()).expect("invariant: JSON is UTF-8");
        self.message = Some(Message::Text(text));
    }

    const fn is_unsent(&self) -> bool {
        self.message.is_some() || self.dirty
    }

    /// One step of sending; cancel safe.
    async fn send(
        &mut self,
        output: &mut SplitSink<WebSocketStream<TcpStream>, Message>,
    ) -> io::Result<()> {
        if self.message.is_none() {
            output.flush().await.map_err(io_error)?;
            self.dirty = false;
            return Ok(());
        }
        poll_fn(|context| output.poll_ready_unpin(context)).await.map_err(io_error)?;
        if let Some(message) = self.message.take() {
            output.start_send_unpin(message).map_err(io_error)?;
            self.dirty = true;
        }
        Ok(())
    }
}

async fn open(endpoint: &Endpoint) -> io::Result<WebSocketStream<TcpStream>> {
    let stream = TcpStream::connect(&endpoint.authority).await?;
    stream.set_nodelay(true)?;
    let url = format!("ws://{}{}", endpoint.authority, endpoint.path);
    let (socket, _) = client_async(url, stream).await.map_err(io_error)?;
    Ok(socket)
}

fn io_error(error: tungstenite::Error) -> io::Error {
    match error {
        tungstenite::Error::Io(error) => error,
        error => io::Error::other(error),
    }
}

/// Records answers. An error without an id applies to all transactions in flight.
fn take_answers(queue: &mut Queue<'_>, flying: &mut Flying, answer: &[u8], now: u64) {
    let whole = read(Format::JsonRpc, 200, answer, |place, result| {
        if let Some(sending) = flying.remove(&place) {
            queue.answered(sending, now, result);
        }
    });
    if let Err(refusal) = whole {
        for sending in std::mem::take(flying).into_values() {
            queue.answered(sending, now, Err(refusal.clone()));
        }
    }
}
