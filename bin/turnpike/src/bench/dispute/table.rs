use std::fmt;

use alloy_primitives::B256;
use serde::Serialize;
use turnpike_game::prove::grouped;

/// An L1 transaction of a dispute.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) who: &'static str,
    pub(super) call: &'static str,
    /// What its claims are about, if it makes any.
    pub(super) range: Option<String>,
    pub(super) gas: u64,
    /// Seconds that its sender was at work for it.
    pub(super) work_seconds: f64,
    /// Seconds on L1 since the transaction before it.
    pub(super) l1_seconds: u64,
    #[serde(skip)]
    pub(super) at: u64,
    #[serde(skip)]
    pub(super) l1_transaction: B256,
}

/// A dispute from challenge to resolution.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Table {
    /// Transactions of the disputed block, its deposits among them.
    pub(super) transactions: usize,
    pub(super) lie: String,
    pub(super) rows: Vec<Row>,
    pub(super) bisections: usize,
    /// Of both sides.
    pub(super) gas: u64,
    /// From the false output on L1 to its rejection.
    pub(super) wall_seconds: f64,
}

impl fmt::Display for Table {
    /// A Markdown table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| round | who | call | claims about | gas | work s | L1 s |")?;
        writeln!(f, "|---:|---|---|---|---:|---:|---:|")?;
        let mut round = 0;
        for Row { who, call, range, gas, work_seconds, l1_seconds, .. } in &self.rows {
            round += usize::from(range.is_some());
            let number = if range.is_some() { round.to_string() } else { String::new() };
            let range = range.as_deref().unwrap_or_default();
            writeln!(
                f,
                "| {number} | {who} | {call} | {range} | {} | {work_seconds:.2} | {l1_seconds} |",
                grouped(*gas)
            )?;
        }
        let Self { transactions, lie, bisections, wall_seconds, .. } = self;
        write!(f, "\n{bisections} bisections, {} gas of both sides, ", grouped(self.gas))?;
        write!(f, "{wall_seconds:.0} s from the false output to its rejection; ")?;
        write!(f, "{transactions} transactions in the block, lie: {lie}")
    }
}
