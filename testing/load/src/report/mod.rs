//! The report, as text, JSON and HTML.

mod html;
mod svg;
mod text;

use std::{io::Write as _, path::Path};

use anyhow::Context as _;
use serde::Serialize;

use crate::{
    args::{LoadArgs, Transport, Until},
    client_cost::ClientCost,
    measure::ratio,
    node::TargetNode,
    phase::{Load, PhaseReport},
    workload::WorkloadKind,
};

/// File name that stands for standard output.
const STANDARD_OUTPUT: &str = "-";

/// The report of a run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// Version of this program.
    pub(crate) version: &'static str,
    pub(crate) workload: WorkloadKind,
    pub(crate) transport: Transport,
    pub(crate) threads: u32,
    pub(crate) until: Until,
    /// Processors of this machine.
    pub(crate) processors: usize,
    /// The node, then the one to compare with.
    pub(crate) nodes: Vec<NodeReport>,
    pub(crate) ratios: Vec<Ratio>,
}

/// The results on one node.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeReport {
    /// Its client version.
    pub(crate) name: String,
    /// Its command line, if this run started it.
    pub(crate) how: Option<String>,
    pub(crate) chain_id: u64,
    pub(crate) senders: usize,
    pub(crate) setup_transactions: usize,
    pub(crate) setup_seconds: f64,
    /// Cost of the client in this run.
    pub(crate) client: ClientCost,
    pub(crate) phases: Vec<PhaseReport>,
    pub(crate) maximum: Option<Maximum>,
}

/// The highest throughput of a node.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Maximum {
    /// Transactions in flight in the loop that reached it.
    pub(crate) in_flight: u32,
    /// The lower of the accepted and, if timed, the mined rate.
    pub(crate) per_second: f64,
}

/// A figure of both nodes and their ratio.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ratio {
    pub(crate) what: String,
    pub(crate) ours: f64,
    pub(crate) theirs: f64,
    pub(crate) ratio: Option<f64>,
}

impl NodeReport {
    pub(crate) fn new(
        node: &TargetNode,
        how: Option<String>,
        client: ClientCost,
        phases: Vec<PhaseReport>,
        maximum: Option<Maximum>,
    ) -> Self {
        Self {
            name: node.version.clone(),
            how,
            chain_id: node.ready.terms.chain_id,
            senders: node.ready.senders.len(),
            setup_transactions: node.ready.transactions,
            setup_seconds: node.setup_seconds,
            client,
            phases,
            maximum,
        }
    }

    /// The open loop, whose latency is reported.
    pub(crate) fn open(&self) -> Option<&PhaseReport> {
        self.phases.iter().rev().find(|phase| matches!(phase.load, Load::Open { .. }))
    }

    /// The highest mined rate of all phases, or accepted rate if blocks were not timed.
    fn best(&self) -> f64 {
        let rate =
            |phase: &PhaseReport| phase.mined_per_second.unwrap_or(phase.accepted_per_second);
        self.phases.iter().map(rate).fold(0.0, f64::max)
    }
}

impl Report {
    pub(crate) fn new(args: &LoadArgs, nodes: Vec<NodeReport>) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            workload: args.workload,
            transport: args.transport,
            threads: args.threads,
            until: args.until,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            ratios: ratios(&nodes, args.until),
            nodes,
        }
    }

    /// Whether the measured node included every accepted transaction once.
    pub(crate) fn is_good(&self) -> bool {
        self.measured().all(|phase| phase.check.is_good())
    }

    /// Phases of the measured node.
    fn measured(&self) -> impl Iterator<Item = &PhaseReport> {
        self.nodes.iter().take(1).flat_map(|node| &node.phases)
    }

    /// Writes the report to every requested output.
    pub(crate) fn write(&self, args: &LoadArgs) -> anyhow::Result<()> {
        if let Some(file) = &args.html {
            write(file, &html::page(self))?;
        }
        let mut shown = false;
        if let Some(file) = &args.json {
            shown = file == Path::new(STANDARD_OUTPUT);
            write(file, &(serde_json::to_string_pretty(self)? + "\n"))?;
        }
        if !shown {
            write(Path::new(STANDARD_OUTPUT), &text::text(self))?;
        }
        Ok(())
    }
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    if file == Path::new(STANDARD_OUTPUT) {
        std::io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")
    } else {
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }
}

/// Ratios of the first node to the second.
fn ratios(nodes: &[NodeReport], until: Until) -> Vec<Ratio> {
    let [ours, theirs] = nodes else { return Vec::new() };
    let (ours, theirs) = (ours.best(), theirs.best());
    let what = match until {
        Until::Included => "accepted and mined, transactions/s",
        Until::Acknowledged => "accepted, transactions/s",
    };
    vec![Ratio { what: what.into(), ours, theirs, ratio: ratio(ours, theirs) }]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        check::InclusionCheck,
        measure::{Latency, Second},
        phase::ErrorCount,
    };

    pub(crate) fn phase(load: Load, mined: f64) -> PhaseReport {
        let latency = Latency::of((1..100).map(|n| n * 1_000_000));
        let second = Second { accepted: 90, mined: 80, errors: 1, p50_ms: 1.0, p99_ms: 2.0 };
        let error = ErrorCount { code: "<x>".into(), text: "a & b".into(), count: 3 };
        PhaseReport {
            load,
            connections: 2,
            batch: 1,
            transactions: 100,
            accepted: 99,
            refused: 1,
            withheld: 0,
            unsent: 0,
            seconds: 2.0,
            accepted_per_second: 100.0,
            mined_per_second: Some(mined),
            acknowledged: latency.clone(),
            included: Some(latency.clone()),
            lag: Some(latency),
            errors: vec![error],
            series: vec![second.clone(), second],
            check: InclusionCheck {
                accepted: 99,
                included: 99,
                receipts: 99,
                ..InclusionCheck::default()
            },
            client_cpu_us: 3.0,
            requests: 100,
        }
    }

    pub(crate) fn node(name: &str, phases: Vec<PhaseReport>) -> NodeReport {
        NodeReport {
            name: name.into(),
            how: None,
            chain_id: 1,
            senders: 2,
            setup_transactions: 3,
            setup_seconds: 1.0,
            client: ClientCost { cpu_us: 2.0, per_second: 1e5, transactions: 10 },
            phases,
            maximum: Some(Maximum { in_flight: 8, per_second: 80.0 }),
        }
    }

    pub(crate) fn report() -> Report {
        let closed = Load::Closed { in_flight: 8 };
        let nodes = vec![
            node(
                "turnpike/1 <b>",
                vec![phase(closed, 80.0), phase(Load::Open { per_second: 50 }, 50.0)],
            ),
            node("anvil", vec![phase(closed, 8.0)]),
        ];
        Report {
            version: "1",
            workload: WorkloadKind::Erc20Random,
            transport: Transport::JsonRpc,
            threads: 1,
            until: Until::Included,
            processors: 2,
            ratios: ratios(&nodes, Until::Included),
            nodes,
        }
    }

    #[test]
    fn ratio_compares_the_best_phases() {
        let report = report();
        assert_eq!(report.ratios[0].ratio, Some(10.0));
        assert!(ratios(&report.nodes[..1], Until::Included).is_empty());
    }

    #[test]
    fn only_the_measured_node_may_lose_no_transaction() {
        let mut report = report();
        assert!(report.is_good());
        report.nodes[1].phases[0].check.lost = 1;
        assert!(report.is_good());
        report.nodes[0].phases[0].check.lost = 1;
        assert!(!report.is_good());
    }

    #[test]
    fn latency_is_taken_from_the_open_loop() {
        let report = report();
        assert!(report.nodes[0].open().is_some() && report.nodes[1].open().is_none());
    }
}
