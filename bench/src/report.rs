use std::{
    io::{Write as _, stdout},
    time::Duration,
};

use serde::Serialize;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bench {
    /// Transactions, on one processor or more.
    Execute,
    /// New state roots; what is counted as a transaction is an updated leaf.
    Root,
}

/// What one implementation took for one workload.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// What is measured.
    pub bench: Bench,
    /// The workload.
    pub workload: &'static str,
    /// The implementation.
    pub implementation: &'static str,
    /// Whether others are compared with it.
    pub is_baseline: bool,
    /// Threads that it executed on.
    pub workers: usize,
    /// Transactions in the block.
    pub transactions: usize,
    /// Gas that they used.
    pub gas: u64,
    /// Median time on the wall.
    pub wall: Duration,
    /// Median processor time: of all threads, or for roots on the longest way through.
    pub cpu: Duration,
}

impl Figures {
    /// Microseconds on the wall for each transaction.
    pub fn us_per_tx(&self) -> f64 {
        self.wall.as_secs_f64() * 1e6 / self.transactions as f64
    }

    /// Transactions in a second.
    pub fn tx_per_s(&self) -> f64 {
        self.transactions as f64 / self.wall.as_secs_f64()
    }

    /// How many times as fast as `baseline`.
    pub fn ratio(&self, baseline: &Self) -> f64 {
        baseline.wall.as_secs_f64() / self.wall.as_secs_f64()
    }
}

/// One implementation next to one baseline, as `--json` prints it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// What is measured.
    pub bench: Bench,
    /// The workload.
    pub workload: &'static str,
    /// The implementation.
    pub implementation: &'static str,
    /// Threads that it executed on.
    pub workers: usize,
    /// Transactions in the block.
    pub transactions: usize,
    /// Gas that they used.
    pub gas: u64,
    /// Median time on the wall, in milliseconds.
    pub ms: f64,
    /// Transactions in a second.
    pub tx_per_s: f64,
    /// What it is compared with, in the same run; one of the lines compares a baseline with itself.
    /// A baseline that also runs on several threads is meant on one.
    pub baseline: &'static str,
    /// How many times as fast as the baseline.
    pub ratio: f64,
}

impl Line {
    /// The lines of one workload: every implementation next to every baseline.
    pub fn all(figures: &[Figures]) -> Vec<Self> {
        let baselines = || figures.iter().filter(|figures| figures.is_baseline);
        let pairs = figures.iter().flat_map(|one| baselines().map(move |baseline| (one, baseline)));
        let lines = pairs.map(|(one, baseline)| Self {
            bench: one.bench,
            workload: one.workload,
            implementation: one.implementation,
            workers: one.workers,
            transactions: one.transactions,
            gas: one.gas,
            ms: rounded(one.wall.as_secs_f64() * 1e3, 1e3),
            tx_per_s: rounded(one.tx_per_s(), 1.0),
            baseline: baseline.implementation,
            ratio: rounded(one.ratio(baseline), 1e3),
        });
        lines.collect()
    }
}

fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

/// Prints figures as they come, for people or for programs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    json: bool,
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
        Self { json }
    }

    pub(crate) fn print(self, figures: &[Figures]) -> anyhow::Result<()> {
        if self.json {
            for line in Line::all(figures) {
                println!("{}", serde_json::to_string(&line)?);
            }
        } else {
            for one in figures {
                Self::row(one, figures);
            }
        }
        // Whoever reads a pipe sees each workload when it is done.
        Ok(stdout().flush()?)
    }

    fn row(one: &Figures, all: &[Figures]) {
        let baselines = all.iter().filter(|figures| figures.is_baseline);
        let ratios: Vec<_> = baselines
            .filter(|baseline| {
                (baseline.implementation, baseline.workers) != (one.implementation, one.workers)
            })
            .map(|baseline| format!("{} {:.2}", baseline.implementation, one.ratio(baseline)))
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
