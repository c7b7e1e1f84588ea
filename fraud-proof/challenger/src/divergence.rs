use std::fmt;

use alloy_primitives::{Address, B256};
use serde::Serialize;

use crate::{Difference, ReceiptDifference, StateDifference};

/// Where and how a wrong output leaves the chain that derivation gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Divergence {
    /// Index of the output.
    pub output: u64,
    /// Entry after which it claims to hold.
    pub entry: u64,
    /// The block that it claims to hold after.
    pub claimed_block: u64,
    /// The block that the entry really ends with.
    pub derived_block: u64,
    /// Last block of the nearest output below it that is right: the claimed chain is true up to here.
    pub true_block: u64,
    /// The claimed output root.
    pub claimed_root: B256,
    /// The derived output root.
    pub derived_root: B256,
    /// Hash of the claimed block.
    pub claimed_hash: B256,
    /// What differs.
    pub differences: Vec<Difference>,
    /// Whether claimed and derived header differ in nothing but the state root: the same transactions with the same
    /// receipts, and another state.
    pub state_only: bool,
    /// Where the claimed chain turns false.
    pub first_block: FirstBlock,
    /// Accounts that the first false block changes, if that block is known and recent: some of them are wrong.
    pub touched: Vec<Address>,
    /// What a peer told; absent if none was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<Findings>,
}

/// What is known of the first false block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "known")]
pub enum FirstBlock {
    /// It is this one.
    Exact {
        /// The block.
        block: u64,
        /// What says so.
        evidence: Evidence,
    },
    /// It is one of these.
    Range {
        /// Earliest possible.
        first: u64,
        /// Latest possible.
        last: u64,
    },
}

/// What tells the first false block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Evidence {
    /// The state roots that the sequencer posted with the batch.
    Batch,
    /// There is only one block between the last true one and the claim.
    OnlyBlock,
    /// The block hashes of a peer that serves the claimed chain.
    Peer,
}

/// The first transaction that leads elsewhere in the claimed chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FirstTransaction {
    /// Its hash in the derived chain; `None` if the block itself, before any transaction, makes the difference, or if
    /// the derived block has no transaction at this place.
    pub hash: Option<B256>,
    /// Its place in the block.
    pub index: usize,
    /// What its receipt differs in; `None` if the receipts are the same and only the state is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptDifference>,
}

/// What a peer's answers show. The peer is not trusted: none of it is why an output is challenged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Findings {
    /// The first transaction that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_transaction: Option<FirstTransaction>,
    /// Accounts and slots that differ, those that the first transaction changes first.
    pub state: Vec<StateDifference>,
    /// Block after which the peer's values were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_block: Option<u64>,
    /// Whether the derived values are of that very block. If not, what changed since is in the difference too.
    pub is_exact: bool,
    /// What could not be found out, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<String>,
}

impl FirstBlock {
    /// The block, if it is known.
    pub const fn exact(&self) -> Option<u64> {
        match self {
            Self::Exact { block, .. } => Some(*block),
            Self::Range { .. } => None,
        }
    }
}

impl Divergence {
    /// Touched accounts and state differences that the text names; the JSON has all that were kept.
    const NAMED_MAX: usize = 8;

    fn write_touched(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.touched.is_empty() || self.findings.as_ref().is_some_and(|it| !it.state.is_empty())
        {
            return Ok(());
        }
        write!(f, "\n  accounts that this block changes:")?;
        for address in self.touched.iter().take(Self::NAMED_MAX) {
            write!(f, "\n    {address}")?;
        }
        match self.touched.len().saturating_sub(Self::NAMED_MAX) {
            0 => Ok(()),
            more => write!(f, "\n    and {more} more"),
        }
    }

    fn write_findings(&self, f: &mut fmt::Formatter<'_>, findings: &Findings) -> fmt::Result {
        match &findings.first_transaction {
            None => {}
            Some(FirstTransaction { hash: None, receipt: None, .. }) => {
                write!(f, "\n  first difference: before the block's first transaction")?;
            }
            Some(FirstTransaction { hash, index, receipt }) => {
                write!(f, "\n  first transaction: ")?;
                match hash {
                    Some(hash) => write!(f, "{hash} (index {index})")?,
                    None => write!(f, "index {index}, where the derived block has none")?,
                }
                if let Some(receipt) = receipt {
                    write!(f, "\n    receipt: {receipt}")?;
                }
            }
        }
        for difference in findings.state.iter().take(Self::NAMED_MAX) {
            write!(f, "\n  {difference}")?;
            match (findings.state_block, findings.is_exact) {
                (Some(block), false) => write!(f, " (as of block {block}, not derived yet)")?,
                (Some(block), true) => write!(f, " (after block {block})")?,
                (None, _) => {}
            }
        }
        match &findings.gap {
            Some(gap) => write!(f, "\n  not found out: {gap}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Divergence {
    /// Several lines; all but the first are indented by two.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "claims {}, derivation gives {}", self.claimed_root, self.derived_root)?;
        for difference in &self.differences {
            write!(f, "\n    {difference}")?;
        }
        if self.state_only {
            write!(f, "\n  same transactions and receipts, another state")?;
        }
        write!(f, "\n  {}", self.first_block)?;
        self.write_touched(f)?;
        match &self.findings {
            Some(findings) => self.write_findings(f, findings),
            None => Ok(()),
        }
    }
}

impl fmt::Display for FirstBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact { block, evidence } => {
                let why = match evidence {
                    Evidence::Batch => "the state root posted for it is not what it leads to",
                    Evidence::OnlyBlock => "the only block since the last true output",
                    Evidence::Peer => "the first whose hash differs at the peer",
                };
                write!(f, "first false block: {block} ({why})")
            }
            Self::Range { first, last } => {
                write!(f, "first false block: one of {first} to {last}")
            }
        }
    }
}
