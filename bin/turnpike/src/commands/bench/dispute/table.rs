use std::fmt;

use alloy_primitives::B256;
use serde::Serialize;
use turnpike_game::prove::grouped;

/// An L1 transaction of a dispute.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CallRow {
    pub(super) who: &'static str,
    pub(super) call: &'static str,
    /// The range that its claims divide, if it makes any.
    pub(super) range: Option<String>,
    pub(super) gas: u64,
    /// Seconds that its sender computed for it.
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
pub(super) struct DisputeTable {
    /// Transactions of the disputed block, with its deposits.
    pub(super) transactions: usize,
    #[serde(rename = "lie")]
    pub(super) attack: String,
    pub(super) rows: Vec<CallRow>,
    pub(super) bisections: usize,
    /// Of both sides.
    pub(super) gas: u64,
    /// From the false output on L1 to its rejection.
    pub(super) wall_seconds: f64,
}

impl fmt::Display for DisputeTable {
    /// A Markdown table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| round | who | call | claims about | gas | work s | L1 s |")?;
        writeln!(f, "|---:|---|---|---|---:|---:|---:|")?;
        let mut round = 0;
        for CallRow { who, call, range, gas, work_seconds, l1_seconds, .. } in &self.rows {
            round += usize::from(range.is_some());
            let number = if range.is_some() { round.to_string() } else { String::new() };
            let range = range.as_deref().unwrap_or_default();
            writeln!(
                f,
                "| {number} | {who} | {call} | {range} | {} | {work_seconds:.2} | {l1_seconds} |",
                grouped(*gas)
            )?;
        }
        let Self { transactions, attack, bisections, wall_seconds, .. } = self;
        write!(f, "\n{bisections} bisections, {} gas of both sides, ", grouped(self.gas))?;
        write!(f, "{wall_seconds:.0} s from the false output to its rejection; ")?;
        write!(f, "{transactions} transactions in the block, attack: {attack}")
    }
}
