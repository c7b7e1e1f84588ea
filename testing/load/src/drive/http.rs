//! Sends a schedule over HTTP, one request at a time.

use std::{io, time::Duration};

use super::{
    Clock, DriveOutcome, DrivePlan,
    queue::{InFlight, NextAction, Queue},
};
use crate::transport::{Format, HttpConnection, Refusal, read, write};

/// Path of Turnpike's REST submission.
const BULK_PATH: &str = "/v1/transactions";

/// Time limit of an answer.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Pause before a connection is opened again.
pub(super) const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

/// A schedule is given up after this many failed connections in a row.
pub(super) const FAILURES_MAX: u32 = 100;

/// Sends a schedule, one request at a time.
pub(super) async fn run(
    drive: &DrivePlan,
    schedule: usize,
    format: Format,
    clock: Clock,
) -> DriveOutcome {
    let stop_after = u64::try_from(drive.stop_after.as_nanos()).unwrap_or(u64::MAX);
    let mut queue = Queue::new(&drive.schedules[schedule], stop_after);
    let mut failures = 0;
    while failures < FAILURES_MAX {
        match serve(drive, format, &mut queue, clock, &mut failures).await {
            Ok(()) => break,
            Err(error) => {
                queue.complain(&failure(&error), clock.now());
                failures += 1;
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
        }
    }
    queue.finish(clock.now())
}

/// The error that a broken connection counts as.
pub(super) fn failure(error: &io::Error) -> Refusal {
    Refusal { code: "connection".into(), text: error.kind().to_string() }
}

async fn serve(
    drive: &DrivePlan,
    format: Format,
    queue: &mut Queue<'_>,
    clock: Clock,
    failures: &mut u32,
) -> io::Result<()> {
    let path = if format == Format::Bulk { BULK_PATH } else { &drive.endpoint.path };
    let mut connection = HttpConnection::open(&drive.endpoint, path, format.media_type()).await?;
    tokio::time::sleep_until(clock.at(0)).await;
    let (mut taken, mut body) = (Vec::with_capacity(drive.batch), Vec::new());
    loop {
        match queue.take(clock.now(), drive.batch, &mut taken) {
            NextAction::Nothing => return Ok(()),
            NextAction::Wait(until) => tokio::time::sleep_until(clock.at(until)).await,
            NextAction::Send => {
                let raws = taken.iter().map(|sending| {
                    (sending.place, drive.signed.raw(sending.scheduled.index as usize))
                });
                write(format, raws, &mut body);
                let exchange = tokio::time::timeout(ANSWER_TIMEOUT, connection.exchange(&body));
                match exchange.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                    Ok((status, answer)) => {
                        *failures = 0;
                        take_answers(queue, format, &taken, status, answer, clock.now());
                    }
                    Err(error) => {
                        queue.lost(taken.drain(..));
                        return Err(error);
                    }
                }
            }
        }
    }
}

/// Gives every transaction its answer; one without gets the request's error.
fn take_answers(
    queue: &mut Queue<'_>,
    format: Format,
    taken: &[InFlight],
    status: u16,
    answer: &[u8],
    now: u64,
) {
    let mut open = vec![true; taken.len()];
    // Most nodes answer in order, so the next position is tried first.
    let mut next = 0;
    let whole = read(format, status, answer, |number, result| {
        // Positions rise within a request, and bulk answers count from 0.
        let position = match format {
            Format::Bulk => Some(number as usize).filter(|position| *position < taken.len()),
            Format::JsonRpc if taken.get(next).is_some_and(|sending| sending.place == number) => {
                Some(next)
            }
            Format::JsonRpc => taken.iter().position(|sending| sending.place == number),
        };
        next += 1;
        if let Some(position) = position.filter(|position| open[*position]) {
            open[position] = false;
            queue.answered(taken[position], now, result);
        }
    });
    let none = || Refusal { code: "answer".into(), text: "no answer for a transaction".into() };
    let refusal = whole.err().unwrap_or_else(none);
    for (sending, _) in taken.iter().zip(open).filter(|(_, open)| *open) {
        queue.answered(*sending, now, Err(refusal.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ScheduledTransaction;

    fn answer(format: Format, status: u16, body: &str) -> DriveOutcome {
        let schedule = [0, 1, 2].map(|n| ScheduledTransaction { index: n + 10, sender: n, due: 0 });
        let (mut queue, mut taken) = (Queue::new(&schedule, 100), Vec::new());
        queue.take(1, 3, &mut taken);
        take_answers(&mut queue, format, &taken, status, body.as_bytes(), 2);
        queue.finish(3)
    }

    #[test]
    fn answers_are_matched_to_transactions() {
        let body = r#"[{"id":2,"result":"0x"},{"id":0,"error":{"code":-1,"message":"no"}},{"id":2,"result":"0x"}]"#;
        let driven = answer(Format::JsonRpc, 200, body);
        assert_eq!(driven.accepted.iter().map(|r| r.index).collect::<Vec<_>>(), [12]);
        let refused: Vec<_> = driven.refused.iter().map(|(index, _)| *index).collect();
        assert_eq!(refused, [10, 11], "one was refused, one got no answer");
    }

    #[test]
    fn failed_request_fails_all_its_transactions() {
        let driven = answer(Format::Bulk, 413, r#"{"code":"too-many-transactions","title":"x"}"#);
        assert_eq!((driven.accepted.len(), driven.refused.len()), (0, 3));
        assert_eq!(driven.errors.into_iter().next().unwrap().0.code, "too-many-transactions");
    }
}
