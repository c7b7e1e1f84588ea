//! The report on a wrong output: where it diverges from the derived chain, as text and as JSON.

use std::fmt;

use alloy_primitives::{Address, B256};
use serde::Serialize;

use crate::{Difference, ReceiptDifference, StateDifference};

/// Where and how a wrong output diverges from the derived chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Divergence {
    /// Index of the output.
    pub output: u64,
    /// The output's inbox entry.
    pub entry: u64,
    /// The claimed last block of the entry.
    pub claimed_block: u64,
    /// The derived last block of the entry.
    pub derived_block: u64,
    /// Last block of the nearest right ancestor: the claimed chain is right up to here.
    pub true_block: u64,
    /// The claimed output root.
    pub claimed_root: B256,
    /// The derived output root.
    pub derived_root: B256,
    /// Hash of the claimed block.
    pub claimed_hash: B256,
    /// What differs.
    pub differences: Vec<Difference>,
    /// Whether the headers differ in the state root alone: the same transactions with the same
    /// receipts, but another state.
    pub state_only: bool,
    /// The first wrong block of the claimed chain.
    pub first_block: FirstBlock,
    /// Accounts that the first wrong block changes, if that block is known and recent. Some of them
    /// are wrong.
    pub touched: Vec<Address>,
    /// What a peer's answers show; absent if no peer was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<PeerFindings>,
}

/// What is known of the first wrong block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "known")]
pub enum FirstBlock {
    /// The block is known.
    Exact {
        /// Number of the block.
        block: u64,
        /// How it is known.
        evidence: Evidence,
    },
    /// The block is one of a range.
    Range {
        /// Earliest possible.
        first: u64,
        /// Latest possible.
        last: u64,
    },
}

/// How the first wrong block is known.
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

/// The first transaction whose result differs in the claimed chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FirstTransaction {
    /// Its hash in the derived chain; `None` if the block differs before its first transaction, or
    /// if the derived block has no transaction at this index.
    pub hash: Option<B256>,
    /// Its index in the block.
    pub index: usize,
    /// How its receipt differs; `None` if only the state differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptDifference>,
}

/// What a peer's answers show. The peer is not trusted: its answers never cause a challenge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerFindings {
    /// The first transaction that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_transaction: Option<FirstTransaction>,
    /// Accounts and slots that differ. Those that the first transaction changes come first.
    pub state: Vec<StateDifference>,
    /// Block after which the peer's values were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_block: Option<u64>,
    /// Whether the derived values are of the same block. If not, later changes are among the
    /// differences.
    pub is_exact: bool,
    /// Why the comparison ended early, if it did.
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
    /// Maximum number of touched accounts and of state differences in the text. The JSON has all
    /// that were kept.
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

    fn write_findings(&self, f: &mut fmt::Formatter<'_>, findings: &PeerFindings) -> fmt::Result {
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
    /// Writes several lines; all but the first are indented by two.
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
