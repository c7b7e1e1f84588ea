//! Prints figures as a table or as JSON lines.

use std::{
    io::{Write as _, stdout},
    time::Duration,
};

use serde::Serialize;

use crate::EngineReport;

/// The benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bench {
    /// Execution of transactions.
    Execute,
    /// State roots. Updated leaves are counted as transactions.
    Root,
}

/// Figures of one implementation on one workload.
#[derive(Clone, Debug)]
pub struct Figures {
    /// The benchmark.
    pub bench: Bench,
    /// Name of the workload; for one of its blocks, with the block's number.
    pub workload: String,
    /// The implementation.
    pub implementation: &'static str,
    /// Whether other implementations are compared with it.
    pub is_baseline: bool,
    /// Threads used.
    pub workers: usize,
    /// Transactions of all blocks.
    pub transactions: usize,
    /// Gas used.
    pub gas: u64,
    /// Median wall time; for one of several blocks, the least.
    pub wall: Duration,
    /// Median processor time: of all threads, or for roots on the critical path.
    pub cpu: Duration,
    /// Figures of each block in its fastest round, if the workload has several.
    pub blocks: Vec<Self>,
    /// Report of the parallel engine.
    pub engine: Option<EngineReport>,
}

impl Figures {
    /// Microseconds of wall time per transaction.
    pub fn us_per_tx(&self) -> f64 {
        self.wall.as_secs_f64() * 1e6 / self.transactions as f64
    }

    /// Transactions per second.
    pub fn tx_per_s(&self) -> f64 {
        self.transactions as f64 / self.wall.as_secs_f64()
    }

    /// Speed as a multiple of `baseline`'s.
    pub fn ratio(&self, baseline: &Self) -> f64 {
        baseline.wall.as_secs_f64() / self.wall.as_secs_f64()
    }

    /// The block with the lowest ratio to `baseline`, if the workload has several.
    pub fn worst_block(&self, baseline: &Self) -> Option<WorstBlock> {
        let ratios = self.blocks.iter().zip(&baseline.blocks);
        let ratios = ratios.map(|(block, baseline)| (block, block.ratio(baseline)));
        let (block, ratio) = ratios.min_by(|(_, one), (_, other)| one.total_cmp(other))?;
        let ratio = rounded(ratio, 1e3);
        Some(WorstBlock { block: block.workload.clone(), transactions: block.transactions, ratio })
    }
}

/// The block of a workload with the lowest ratio to a baseline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorstBlock {
    /// The workload and the block's number.
    pub block: String,
    /// Its transactions.
    pub transactions: usize,
    /// Speed as a multiple of the baseline's.
    pub ratio: f64,
}

/// One implementation next to one baseline: a line of `--json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReportLine {
    /// The benchmark.
    pub bench: Bench,
    /// Name of the workload; for one of its blocks, with the block's number.
    pub workload: String,
    /// The implementation.
    pub implementation: &'static str,
    /// Threads used.
    pub workers: usize,
    /// Transactions of all blocks.
    pub transactions: usize,
    /// Gas used.
    pub gas: u64,
    /// Median wall time, in milliseconds.
    pub ms: f64,
    /// Transactions per second.
    pub tx_per_s: f64,
    /// The baseline, in the same run. A baseline is also compared with itself. One that runs on
    /// several numbers of threads is the baseline on one thread.
    pub baseline: &'static str,
    /// Speed as a multiple of the baseline's.
    pub ratio: f64,
    /// The block with the lowest ratio, if the workload has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst_block: Option<WorstBlock>,
    /// Report of the parallel engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineReport>,
}

impl ReportLine {
    /// The lines of one workload: every implementation next to every baseline.
    pub fn all(figures: &[Figures]) -> Vec<Self> {
        let baselines = || figures.iter().filter(|figures| figures.is_baseline);
        let pairs = figures.iter().flat_map(|one| baselines().map(move |baseline| (one, baseline)));
        let lines = pairs.map(|(one, baseline)| Self {
            bench: one.bench,
            workload: one.workload.clone(),
            implementation: one.implementation,
            workers: one.workers,
            transactions: one.transactions,
            gas: one.gas,
            ms: rounded(one.wall.as_secs_f64() * 1e3, 1e3),
            tx_per_s: rounded(one.tx_per_s(), 1.0),
            baseline: baseline.implementation,
            ratio: rounded(one.ratio(baseline), 1e3),
            worst_block: one.worst_block(baseline),
            engine: one.engine,
        });
        lines.collect()
    }
}

fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

/// Prints figures as they arrive, as a table or as JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    json: bool,
    stages: bool,
}

impl Report {
    pub(crate) fn new(bench: Bench, json: bool) -> Self {
        if !json {
            let [rate, gas, time, cpu] = match bench {
                Bench::Execute => ["tx/s", "Mgas/s", "us/tx", "cpu us/tx"],
                Bench::Root => ["leaves/s", "", "us/leaf", "cpu us/leaf"],
            };
            println!(
                "{:<21}{:<18}{:>8}{rate:>12}{gas:>9}{time:>9}{cpu:>13}  times as fast as",
                "workload", "implementation", "workers",
            );
        }
        Self { json, stages: false }
    }

    /// Sets whether the engine's report follows each row.
    pub(crate) const fn with_stages(self, stages: bool) -> Self {
        Self { stages, ..self }
    }

    pub(crate) fn print(self, figures: &[Figures]) -> anyhow::Result<()> {
        if self.json {
            for line in ReportLine::all(figures) {
                println!("{}", serde_json::to_string(&line)?);
            }
        } else {
            for one in figures {
                Self::row(one, figures);
                if let (true, Some(engine)) = (self.stages, one.engine) {
                    println!("    {engine}");
                }
            }
        }
        // Readers of a pipe see each workload as soon as it is done.
        Ok(stdout().flush()?)
    }

    fn row(one: &Figures, all: &[Figures]) {
        let baselines = all.iter().filter(|figures| figures.is_baseline);
        let ratios: Vec<_> = baselines
            .filter(|baseline| {
                (baseline.implementation, baseline.workers) != (one.implementation, one.workers)
            })
            .map(|baseline| {
                let worst = one.worst_block(baseline).map_or_else(String::new, |worst| {
                    let WorstBlock { block, transactions, ratio } = worst;
                    format!(" (worst {ratio:.2}: {block}, {transactions} tx)")
                });
                format!("{} {:.2}{worst}", baseline.implementation, one.ratio(baseline))
            })
            .collect();
        let gas = match one.bench {
            Bench::Execute => format!("{:.0}", one.gas as f64 / one.wall.as_secs_f64() / 1e6),
            Bench::Root => String::new(),
        };
        println!(
            "{:<21}{:<18}{:>8}{:>12.0}{gas:>9}{:>9.2}{:>13.2}  {}",
            one.workload,
            one.implementation,
            one.workers,
            one.tx_per_s(),
            one.us_per_tx(),
            one.cpu.as_secs_f64() * 1e6 / one.transactions as f64,
            ratios.join(", "),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(workload: &str, ms: u64, blocks: Vec<Figures>) -> Figures {
        Figures {
            bench: Bench::Execute,
            workload: workload.to_owned(),
            implementation: "some",
            is_baseline: false,
            workers: 1,
            transactions: 7,
            gas: 0,
            wall: Duration::from_millis(ms),
            cpu: Duration::ZERO,
            blocks,
            engine: None,
        }
    }

    #[test]
    fn worst_block_has_the_lowest_ratio() {
        let blocks = |times: [u64; 3]| {
            let names = ["w/1", "w/2", "w/3"].iter().zip(times);
            names.map(|(name, ms)| figures(name, ms, Vec::new())).collect()
        };
        let baseline = figures("w", 60, blocks([10, 20, 30]));
        let one = figures("w", 45, blocks([5, 25, 15]));
        let worst = one.worst_block(&baseline).expect("there are blocks");
        assert_eq!(worst, WorstBlock { block: "w/2".to_owned(), transactions: 7, ratio: 0.8 });
        assert_eq!(figures("w", 1, Vec::new()).worst_block(&baseline), None);
    }
}
