use std::fmt;

use serde::Serialize;

use super::{heads::Settled, processor_time::ProcessorTime};

/// Processor time a transaction, in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Cost {
    without_kzg_us: f64,
    kzg_us: f64,
}

/// What one layout took.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SettleReport {
    layout: &'static str,
    transactions: u64,
    settled_per_second: f64,
    /// Time from the opening of a transaction's block to the safe block, in milliseconds.
    safe_p50_ms: u64,
    safe_p99_ms: u64,
    costs: Vec<(&'static str, Cost)>,
    total: Cost,
}

impl SettleReport {
    pub(super) fn new(
        layout: &'static str,
        times: Vec<(&'static str, ProcessorTime)>,
        settled: &Settled,
    ) -> Self {
        let transactions = settled.transactions();
        let each = |seconds: f64| seconds * 1e6 / transactions.max(1) as f64;
        let cost = |time: ProcessorTime| Cost {
            without_kzg_us: each(time.all.saturating_sub(time.kzg).as_secs_f64()),
            kzg_us: each(time.kzg.as_secs_f64()),
        };
        let mut all = ProcessorTime::default();
        times.iter().for_each(|(_, time)| all += *time);
        Self {
            layout,
            transactions,
            settled_per_second: settled.per_second(),
            safe_p50_ms: settled.wait_ms(0.5),
            safe_p99_ms: settled.wait_ms(0.99),
            costs: times.into_iter().map(|(name, time)| (name, cost(time))).collect(),
            total: cost(all),
        }
    }
}

/// What each layout took.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SettleTable {
    pub(super) rate: u32,
    pub(super) seconds: u32,
    pub(super) reports: Vec<SettleReport>,
}

impl fmt::Display for SettleTable {
    /// A Markdown table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for report in &self.reports {
            let SettleReport { layout, transactions, settled_per_second, .. } = report;
            writeln!(
                f,
                "{layout}: {transactions} transactions, {settled_per_second:.0} settled a second,"
            )?;
            let (p50, p99) = (report.safe_p50_ms as f64 / 1e3, report.safe_p99_ms as f64 / 1e3);
            writeln!(
                f,
                "{p50:.1} s (p50) and {p99:.1} s (p99) from a block's opening to the safe block\n"
            )?;
            writeln!(f, "| process | us a transaction | KZG | all |")?;
            writeln!(f, "|---|---:|---:|---:|")?;
            for (name, cost) in report.costs.iter().chain([&("all", report.total)]) {
                let Cost { without_kzg_us, kzg_us } = cost;
                let all = without_kzg_us + kzg_us;
                writeln!(f, "| {name} | {without_kzg_us:.1} | {kzg_us:.1} | {all:.1} |")?;
            }
            writeln!(f)?;
        }
        write!(f, "load: {} transactions a second for {} s", self.rate, self.seconds)
    }
}
