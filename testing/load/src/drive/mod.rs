//! Sends the planned transactions: threads with connections, each of which sends its schedule.

mod http;
mod queue;
mod web_socket;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::time::{ClockId, clock_gettime};
use tokio::task::LocalSet;

use crate::{
    endpoint::Endpoint,
    plan::ScheduledTransaction,
    sign::SignedTransactions,
    transport::{Format, Refusal},
};

/// Time before the start in which connections are opened.
const LEAD: Duration = Duration::from_millis(200);

/// Protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// HTTP, with one request in flight.
    Http(Format),
    /// WebSocket, with this many transactions in flight.
    WebSocket { in_flight: u32 },
}

/// Everything that is sent, and how.
#[derive(Debug)]
pub(crate) struct DrivePlan {
    pub(crate) endpoint: Endpoint,
    pub(crate) wire: Wire,
    pub(crate) signed: SignedTransactions,
    /// A schedule for each connection.
    pub(crate) schedules: Vec<Vec<ScheduledTransaction>>,
    /// Transactions in a request, at most.
    pub(crate) batch: usize,
    pub(crate) threads: usize,
    /// No new transaction is sent after this time.
    pub(crate) stop_after: Duration,
}

/// An accepted transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AcceptedRecord {
    /// Index among all transactions.
    pub(crate) index: u32,
    /// Scheduled time; in a closed loop, the time of the first sending. All times are nanoseconds
    /// after the start.
    pub(crate) due: u64,
    /// Time of the first sending.
    pub(crate) sent: u64,
    /// Time of the node's answer.
    pub(crate) acknowledged: u64,
}

/// Outcome of the load.
#[derive(Debug, Default)]
pub(crate) struct DriveOutcome {
    /// Accepted transactions, in no order.
    pub(crate) accepted: Vec<AcceptedRecord>,
    /// Transactions refused for good: index and time.
    pub(crate) refused: Vec<(u32, u64)>,
    /// Transactions not sent because an earlier one of the same sender was refused.
    pub(crate) withheld: usize,
    /// Transactions not sent before the time limit.
    pub(crate) unsent: usize,
    /// Number of errors by kind, including those that led to a retry.
    pub(crate) errors: BTreeMap<Refusal, u64>,
    /// Times of errors, in nanoseconds after the start.
    pub(crate) error_times: Vec<u64>,
    /// Number of requests.
    pub(crate) requests: u64,
    /// Transactions in these requests, retries included.
    pub(crate) sends: u64,
    /// Processor time of the sending threads.
    pub(crate) cpu: Duration,
}

impl DriveOutcome {
    fn merge(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.refused.extend(other.refused);
        self.withheld += other.withheld;
        self.unsent += other.unsent;
        for (refusal, count) in other.errors {
            *self.errors.entry(refusal).or_default() += count;
        }
        self.error_times.extend(other.error_times);
        self.requests += other.requests;
        self.sends += other.sends;
        self.cpu += other.cpu;
    }

    fn complain(&mut self, refusal: &Refusal, now: u64) {
        *self.errors.entry(refusal.kind()).or_default() += 1;
        self.error_times.push(now);
    }
}

/// A clock that counts from the start.
#[derive(Clone, Copy, Debug)]
struct Clock(Instant);

impl Clock {
    fn now(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn at(self, nanoseconds: u64) -> tokio::time::Instant {
        (self.0 + Duration::from_nanos(nanoseconds)).into()
    }
}

/// Sends all transactions. Returns the time of the start and the outcome.
pub(crate) async fn drive(drive: DrivePlan) -> anyhow::Result<(Instant, DriveOutcome)> {
    let start = Instant::now() + LEAD;
    let drive = Arc::new(drive);
    let threads = drive.threads.clamp(1, drive.schedules.len().max(1));
    let handles: Vec<_> = (0..threads)
        .map(|thread| {
            let drive = Arc::clone(&drive);
            let run = move || run_thread(&drive, thread, threads, Clock(start));
            tokio::task::spawn_blocking(run)
        })
        .collect();
    let mut all = DriveOutcome::default();
    for handle in handles {
        all.merge(handle.await.context("a sending thread ended early")??);
    }
    Ok((start, all))
}

/// Sends every `threads`-th schedule on one thread.
fn run_thread(
    drive: &Arc<DrivePlan>,
    thread: usize,
    threads: usize,
    clock: Clock,
) -> anyhow::Result<DriveOutcome> {
    // A runtime for this thread alone, so that nothing else runs on it.
    let run = || -> anyhow::Result<DriveOutcome> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let local = LocalSet::new();
        let schedules = (thread..drive.schedules.len()).step_by(threads);
        let tasks: Vec<_> = schedules
            .map(|schedule| {
                let drive = Arc::clone(drive);
                local.spawn_local(async move {
                    match drive.wire {
                        Wire::Http(format) => http::run(&drive, schedule, format, clock).await,
                        Wire::WebSocket { in_flight } => {
                            web_socket::run(&drive, schedule, in_flight, clock).await
                        }
                    }
                })
            })
            .collect();
        runtime.block_on(local.run_until(async {
            let mut all = DriveOutcome::default();
            for task in tasks {
                all.merge(task.await?);
            }
            Ok(all)
        }))
    };
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let before = thread_time();
            let mut driven = run()?;
            driven.cpu = thread_time().saturating_sub(before);
            Ok(driven)
        });
        thread.join().map_err(|_| anyhow::anyhow!("a sending thread panicked"))?
    })
}

/// Processor time of this thread.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
