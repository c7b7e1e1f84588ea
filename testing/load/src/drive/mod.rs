//! Sending: threads with connections, each of which works off a lane.

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
    plan::Slot,
    sign::Signed,
    transport::{Format, Refusal},
};

/// Time between planning the start and the start, in which connections are opened.
const LEAD: Duration = Duration::from_millis(200);

/// How a connection is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// One request under way.
    Http(Format),
    /// So many transactions under way.
    WebSocket { in_flight: u32 },
}

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Drive {
    pub(crate) endpoint: Endpoint,
    pub(crate) wire: Wire,
    pub(crate) signed: Signed,
    /// One for each connection.
    pub(crate) lanes: Vec<Vec<Slot>>,
    /// Transactions in a request, at most.
    pub(crate) batch: usize,
    pub(crate) threads: usize,
    /// Nothing new is sent after this.
    pub(crate) stop_after: Duration,
}

/// A transaction that the node took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Its index among all.
    pub(crate) index: u32,
    /// When it was to be sent; in a closed loop, when it was sent first. Nanoseconds after the start, as all of these.
    pub(crate) due: u64,
    /// When it was sent first.
    pub(crate) sent: u64,
    /// When the node's answer was there.
    pub(crate) acknowledged: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Driven {
    /// What the node took, in no order.
    pub(crate) accepted: Vec<Record>,
    /// What it refused for good: its index and when.
    pub(crate) refused: Vec<(u32, u64)>,
    /// Transactions that were not sent, because an earlier one of the same sender was refused.
    pub(crate) withheld: usize,
    /// Transactions that there was no time for.
    pub(crate) unsent: usize,
    /// Answers by what they complain of, those included after which a transaction was sent again.
    pub(crate) errors: BTreeMap<Refusal, u64>,
    /// When complaints came, in nanoseconds after the start.
    pub(crate) error_times: Vec<u64>,
    /// Requests.
    pub(crate) requests: u64,
    /// Transactions in them, those that were sent again included.
    pub(crate) sends: u64,
    /// Processor time of the sending threads.
    pub(crate) cpu: Duration,
}

impl Driven {
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

/// Time since the start.
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

/// Sends everything. Returns when it started, too.
pub(crate) async fn drive(drive: Drive) -> anyhow::Result<(Instant, Driven)> {
    let start = Instant::now() + LEAD;
    let drive = Arc::new(drive);
    let threads = drive.threads.clamp(1, drive.lanes.len().max(1));
    let handles: Vec<_> = (0..threads)
        .map(|thread| {
            let drive = Arc::clone(&drive);
            let run = move || run_thread(&drive, thread, threads, Clock(start));
            tokio::task::spawn_blocking(run)
        })
        .collect();
    let mut all = Driven::default();
    for handle in handles {
        all.merge(handle.await.context("a sending thread ended early")??);
    }
    Ok((start, all))
}

/// Works off every `threads`-th lane, on one thread.
fn run_thread(
    drive: &Arc<Drive>,
    thread: usize,
    threads: usize,
    clock: Clock,
) -> anyhow::Result<Driven> {
    // Of its own, so that nothing else runs on it.
    let run = || -> anyhow::Result<Driven> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let local = LocalSet::new();
        let lanes = (thread..drive.lanes.len()).step_by(threads);
        let tasks: Vec<_> = lanes
            .map(|lane| {
                let drive = Arc::clone(drive);
                local.spawn_local(async move {
                    match drive.wire {
                        Wire::Http(format) => http::run(&drive, lane, format, clock).await,
                        Wire::WebSocket { in_flight } => {
                            web_socket::run(&drive, lane, in_flight, clock).await
                        }
                    }
                })
            })
            .collect();
        runtime.block_on(local.run_until(async {
            let mut all = Driven::default();
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
