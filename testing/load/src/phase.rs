//! A phase: one loop of load at one level, and its report.

use std::{
    fmt,
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{
    args::{Arrivals, LoadArgs, Receipts, Transport, Until},
    chain::{HeadTimes, HeadWatch, TransactionSearch},
    check::{InclusionCheck, receipts},
    drive::{AcceptedRecord, DriveOutcome, DrivePlan, Wire, drive},
    measure::{BlockTimes, Latency, Second, each_us, series, steady_rate},
    node::TargetNode,
    plan::{SECOND, arrivals, schedules},
    sign::SignedTransactions,
    transport::Format,
};

/// Default connections of an open loop over HTTP.
const OPEN_CONNECTIONS: u32 = 32;

/// Default connections over WebSocket.
const WEB_SOCKET_CONNECTIONS: u32 = 8;

/// Transactions in flight on a WebSocket connection of an open loop, at most.
const WEB_SOCKET_IN_FLIGHT_MAX: u32 = 10_000;

/// Time limit of a closed loop without another one.
const CLOSED_DURATION_MAX: Duration = Duration::from_secs(3_600);

/// The level of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "mode", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Load {
    /// This many transactions in flight.
    Closed { in_flight: u32 },
    /// This many arrivals per second.
    Open { per_second: u32 },
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { in_flight } => write!(f, "closed loop, {in_flight} in flight"),
            Self::Open { per_second } => write!(f, "open loop, {per_second}/s"),
        }
    }
}

/// Settings of all phases.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) transport: Transport,
    pub(crate) batch: u32,
    pub(crate) connections: Option<u32>,
    pub(crate) threads: u32,
    pub(crate) arrivals: Arrivals,
    pub(crate) until: Until,
    pub(crate) receipts: Receipts,
    pub(crate) drain: Duration,
}

impl Settings {
    pub(crate) fn of(args: &LoadArgs) -> Self {
        Self {
            transport: args.transport,
            batch: args.batch,
            connections: args.connections,
            threads: args.threads,
            arrivals: args.arrivals,
            until: args.until,
            receipts: args.receipts,
            drain: Duration::from_secs(args.drain.into()),
        }
    }

    /// Chooses protocol, number of connections and transactions per request.
    pub(crate) fn shape(&self, load: Load, has_rest: bool) -> ConnectionShape {
        let format = match self.transport {
            Transport::Rest if has_rest => Format::Bulk,
            _ => Format::JsonRpc,
        };
        let (wire, connections, batch) = match (self.transport, load) {
            (Transport::WebSocket, Load::Open { .. }) => {
                let wire = Wire::WebSocket { in_flight: WEB_SOCKET_IN_FLIGHT_MAX };
                (wire, self.connections.unwrap_or(WEB_SOCKET_CONNECTIONS), self.batch)
            }
            (Transport::WebSocket, Load::Closed { in_flight }) => {
                let connections = self.connections.unwrap_or(WEB_SOCKET_CONNECTIONS).min(in_flight);
                let in_flight = in_flight.div_ceil(connections);
                (Wire::WebSocket { in_flight }, connections, self.batch.min(in_flight))
            }
            (_, Load::Open { .. }) => {
                let connections = self.connections.unwrap_or(OPEN_CONNECTIONS);
                (Wire::Http(format), connections, self.batch)
            }
            (_, Load::Closed { in_flight }) => {
                let connections =
                    self.connections.unwrap_or_else(|| in_flight.div_ceil(self.batch));
                let connections = connections.min(in_flight);
                (Wire::Http(format), connections, self.batch.min(in_flight.div_ceil(connections)))
            }
        };
        ConnectionShape { wire, connections: connections as usize, batch: batch as usize }
    }
}

/// Protocol, number of connections and transactions per request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionShape {
    pub(crate) wire: Wire,
    pub(crate) connections: usize,
    pub(crate) batch: usize,
}

/// Number of errors with the same code and text.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ErrorCount {
    pub(crate) code: String,
    pub(crate) text: String,
    pub(crate) count: u64,
}

/// The report of a phase.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PhaseReport {
    pub(crate) load: Load,
    pub(crate) connections: usize,
    /// Transactions in a request, at most.
    pub(crate) batch: usize,
    /// Transactions signed.
    pub(crate) transactions: usize,
    pub(crate) accepted: usize,
    /// Transactions refused for good. One that is accepted after a retry is not counted.
    pub(crate) refused: usize,
    /// Transactions not sent because an earlier one of the same sender was refused.
    pub(crate) withheld: usize,
    /// Transactions not sent before the time limit.
    pub(crate) unsent: usize,
    /// Time from the first request to the last answer.
    pub(crate) seconds: f64,
    /// Rate over the middle four fifths of the answers.
    pub(crate) accepted_per_second: f64,
    /// Rate from the first request to the last block; `None` if blocks were not timed.
    pub(crate) mined_per_second: Option<f64>,
    /// Latency from sending (closed loop) or scheduled sending (open loop) to the answer, which on
    /// Turnpike is the preconfirmation.
    pub(crate) acknowledged: Latency,
    /// Latency from the same time to the block, as seen by a client.
    pub(crate) included: Option<Latency>,
    /// Delay of sending in an open loop, a part of both latencies.
    pub(crate) lag: Option<Latency>,
    pub(crate) errors: Vec<ErrorCount>,
    pub(crate) series: Vec<Second>,
    pub(crate) check: InclusionCheck,
    /// Processor time of the sending threads per transaction.
    pub(crate) client_cpu_us: f64,
    pub(crate) requests: u64,
}

impl PhaseReport {
    /// Throughput of the node: the lower of the accepted and, if timed, the mined rate.
    pub(crate) fn per_second(&self) -> f64 {
        self.accepted_per_second.min(self.mined_per_second.unwrap_or(f64::INFINITY))
    }
}

/// Runs a phase with at most `count` transactions and for at most `duration`.
pub(crate) async fn run_phase(
    node: &mut TargetNode,
    settings: &Settings,
    load: Load,
    count: usize,
    duration: Option<Duration>,
) -> anyhow::Result<PhaseReport> {
    let signed = node.sign(count)?;
    let (senders, hashes) = (signed.senders().to_vec(), signed.hashes().to_vec());
    let shape = settings.shape(load, node.has_rest());
    let (due, stop_after) = match load {
        Load::Closed { .. } => (None, duration.unwrap_or(CLOSED_DURATION_MAX)),
        Load::Open { per_second } => {
            let due = arrivals(settings.arrivals, per_second, count);
            let last = Duration::from_nanos(due.last().copied().unwrap_or_default());
            (Some(due), last + settings.drain)
        }
    };
    let schedules = schedules(&senders, due.as_deref(), shape.connections);
    let ConnectionShape { wire, batch, connections } = shape;
    let connections = connections.min(schedules.len());
    let (threads, endpoint) = (settings.threads as usize, node.endpoint.clone());
    let work = DrivePlan { endpoint, wire, signed, schedules, batch, threads, stop_after };

    let before = node.rpc.head().await?;
    let timed = settings.until == Until::Included;
    let watch = timed.then(|| HeadWatch::start(node.endpoint.clone()));
    let (start, mut driven) = drive(work).await?;
    driven.accepted.sort_unstable_by_key(|record| record.acknowledged);

    let is_checked = settings.receipts != Receipts::None;
    let searched = if is_checked { &driven.accepted[..] } else { &[] };
    let wanted = searched.iter().map(|r| (r.index, hashes[r.index as usize]));
    let mut search = TransactionSearch::new(before, hashes.len(), wanted);
    search.run(&mut node.rpc, settings.drain).await?;
    let (blocks, twice) = search.finish();
    let heads = match watch {
        Some(watch) => {
            watch.stop_after(blocks.iter().flatten().copied().max().unwrap_or(0)).await?
        }
        None => HeadTimes::new(),
    };
    let included: Vec<_> = (0..).zip(&blocks).filter(|(_, block)| block.is_some()).collect();
    let of_included: Vec<_> =
        included.iter().map(|(index, _): &(usize, _)| hashes[*index]).collect();
    let accepted = driven.accepted.len();
    let (receipts, failed) = receipts(&mut node.rpc, settings.receipts, &of_included).await?;
    let included = of_included.len();
    let lost = searched.len() - included;
    let check = InclusionCheck { accepted, included, lost, twice, receipts, failed };
    // Without the search, sent transactions may be in no block yet.
    if is_checked || driven.accepted.len() < count {
        node.refresh_nonces().await?;
    }
    let mined = MinedTransactions { blocks, times: block_times(start, &heads), timed };
    Ok(report(load, (connections, batch), count, driven, &mined, check))
}

/// The block of each transaction, and when blocks were seen.
struct MinedTransactions {
    blocks: Vec<Option<u64>>,
    times: BlockTimes,
    timed: bool,
}

impl MinedTransactions {
    fn seen(&self, record: &AcceptedRecord) -> Option<u64> {
        self.times.seen(self.blocks[record.index as usize]?)
    }
}

fn block_times(start: Instant, heads: &HeadTimes) -> BlockTimes {
    let since = |time: Instant| {
        u64::try_from(time.saturating_duration_since(start).as_nanos()).unwrap_or(u64::MAX)
    };
    BlockTimes::new(heads.iter().map(|(time, head)| (since(*time), *head)).collect())
}

fn report(
    load: Load,
    (connections, batch): (usize, usize),
    transactions: usize,
    driven: DriveOutcome,
    mined: &MinedTransactions,
    check: InclusionCheck,
) -> PhaseReport {
    let records = &driven.accepted;
    let first = records.iter().map(|record| record.sent).min().unwrap_or_default();
    let last = records.iter().map(|record| record.acknowledged).max().unwrap_or_default();
    let seen: Vec<_> =
        records.iter().filter_map(|record| Some((record.due, mined.seen(record)?))).collect();
    let seen_times: Vec<_> = seen.iter().map(|(_, time)| *time).collect();
    let mined_span = seen_times.iter().max().map(|end| end.saturating_sub(first).max(1));
    let mined_rate = mined_span.map_or(0.0, |span| seen.len() as f64 * SECOND as f64 / span as f64);
    let included = || Latency::of(seen.iter().map(|(due, time)| time.saturating_sub(*due)));
    let lag = || Latency::of(records.iter().map(|record| record.sent - record.due));
    let errors = driven.errors.into_iter().map(|(refusal, count)| ErrorCount {
        code: refusal.code,
        text: refusal.text,
        count,
    });
    PhaseReport {
        load,
        connections,
        batch,
        transactions,
        accepted: records.len(),
        refused: driven.refused.len(),
        withheld: driven.withheld,
        unsent: driven.unsent,
        seconds: (last - first) as f64 / SECOND as f64,
        accepted_per_second: steady_rate(records.iter().map(|r| r.acknowledged).collect()),
        mined_per_second: mined.timed.then_some(mined_rate),
        acknowledged: Latency::of(records.iter().map(|r| r.acknowledged - r.due)),
        included: mined.timed.then(included),
        lag: matches!(load, Load::Open { .. }).then(lag),
        errors: errors.collect(),
        series: series(records, &seen_times, &driven.error_times),
        check,
        client_cpu_us: each_us(driven.cpu, driven.sends),
        requests: driven.requests,
    }
}

/// Signed transactions for the measurement of the client, which are never sent to the
/// node.
pub(crate) fn samples(node: &mut TargetNode, count: usize) -> anyhow::Result<SignedTransactions> {
    let signed = node.sign(count)?;
    node.unsign(&signed);
    Ok(signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(transport: Transport, batch: u32, connections: Option<u32>) -> Settings {
        Settings {
            transport,
            batch,
            connections,
            threads: 1,
            arrivals: Arrivals::Even,
            until: Until::Included,
            receipts: Receipts::Sample,
            drain: Duration::ZERO,
        }
    }

    fn shape(settings: &Settings, load: Load) -> (Wire, usize, usize) {
        let ConnectionShape { wire, connections, batch } = settings.shape(load, true);
        (wire, connections, batch)
    }

    #[test]
    fn closed_loop_keeps_the_number_in_flight() {
        let (rpc, rest) = (Wire::Http(Format::JsonRpc), Wire::Http(Format::Bulk));
        let closed = Load::Closed { in_flight: 64 };
        assert_eq!(shape(&settings(Transport::JsonRpc, 1, None), closed), (rpc, 64, 1));
        assert_eq!(shape(&settings(Transport::JsonRpc, 16, None), closed), (rpc, 4, 16));
        assert_eq!(shape(&settings(Transport::Rest, 200, None), closed), (rest, 1, 64));
        assert_eq!(shape(&settings(Transport::Rest, 200, Some(8)), closed), (rest, 8, 8));
        let socket = Wire::WebSocket { in_flight: 8 };
        assert_eq!(shape(&settings(Transport::WebSocket, 1, None), closed), (socket, 8, 1));
    }

    #[test]
    fn node_without_rest_gets_json_rpc_batches() {
        let shape = settings(Transport::Rest, 50, None).shape(Load::Open { per_second: 9 }, false);
        assert_eq!((shape.wire, shape.batch), (Wire::Http(Format::JsonRpc), 50));
    }

    #[test]
    fn figures_come_from_the_records() {
        let ms = 1_000_000;
        let record = |index: u32, due: u64, sent: u64, acknowledged: u64| AcceptedRecord {
            index,
            due: due * ms,
            sent: sent * ms,
            acknowledged: acknowledged * ms,
        };
        let driven = DriveOutcome {
            accepted: vec![record(0, 100, 110, 120), record(1, 200, 230, 250)],
            refused: vec![(2, 9)],
            ..DriveOutcome::default()
        };
        let times = BlockTimes::new(vec![(150 * ms, 7), (610 * ms, 8)]);
        let mined = MinedTransactions { blocks: vec![Some(7), Some(8), None], times, timed: true };
        let load = Load::Open { per_second: 10 };
        let report = report(load, (1, 1), 3, driven, &mined, InclusionCheck::default());
        assert_eq!((report.accepted, report.refused), (2, 1));
        // Two in half a second, from 110 ms to 610 ms.
        assert!((report.mined_per_second.unwrap() - 4.0).abs() < 1e-9);
        assert!((report.acknowledged.max_ms - 50.0).abs() < 0.1);
        assert!((report.included.unwrap().max_ms - 410.0).abs() < 1.0);
        assert!((report.lag.unwrap().max_ms - 30.0).abs() < 0.1);
    }
}
