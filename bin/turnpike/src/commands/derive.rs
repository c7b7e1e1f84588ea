//! `turnpike derive`: the chain derived from L1 alone, to compare with others.

use std::{fmt, process::ExitCode};

use alloy_primitives::B256;
use clap::Args;
use serde::Serialize;
use tokio::task::block_in_place;
use turnpike_derivation::{DerivedChain, DerivedEntry, FollowError};
use turnpike_l1::{L1Head, OutputStatus, ProposedOutput};
use turnpike_protocol::DataKind;

use crate::common::{ChainArgs, ExecutionArgs, open_derived_chain, to_json, with_retries};

/// Arguments of `turnpike derive`.
#[derive(Debug, Args)]
pub(crate) struct DeriveArgs {
    #[command(flatten)]
    pub(crate) chain: ChainArgs,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The derived chain, as printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DerivedReport {
    l1: L1Block,
    head: HeadBlock,
    /// Number of the last derived block.
    safe: u64,
    /// Number of the last block in a final L1 block.
    finalized: u64,
    entries: EntryCounts,
    /// Deposits queued by the portal.
    deposits: usize,
    outputs: Vec<OutputLine>,
}

#[derive(Debug, Serialize)]
struct L1Block {
    number: u64,
    hash: B256,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct HeadBlock {
    number: u64,
    hash: B256,
    state_root: B256,
    timestamp: u64,
}

/// Entries by kind, without entry 0, which the contract wrote.
#[derive(Debug, Default, Serialize)]
struct EntryCounts {
    calldata: u64,
    blobs: u64,
    forced: u64,
    /// Calldata and blob entries whose batch was skipped.
    bad: u64,
}

#[derive(Debug, Serialize)]
struct OutputLine {
    index: u64,
    entry: u64,
    block: u64,
    status: &'static str,
    /// Whether it equals the derived output.
    agrees: bool,
}

/// Derives the chain up to L1's newest block and prints it.
pub(crate) async fn run(args: DeriveArgs) -> anyhow::Result<ExitCode> {
    let chain = &args.chain;
    let mut node = open_derived_chain(chain, args.execution.into()).await?;
    let head = with_retries(&mut node, chain, catch_up, FollowError::severity).await?;
    let report = DerivedReport::new(&node, head);
    if args.json {
        println!("{}", to_json(&report)?);
    } else {
        print!("{report}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Derives every entry on L1. Returns L1's head.
async fn catch_up(node: &mut DerivedChain) -> Result<L1Head, FollowError> {
    let head = node.advance().await?.head;
    while let Some(next) = node.next_entry().await? {
        block_in_place(|| node.apply(next))?;
    }
    Ok(head)
}

impl DerivedReport {
    fn new(node: &DerivedChain, l1: L1Head) -> Self {
        let follower = node.follower();
        let header = &follower.head().header;
        let agrees = |output: &ProposedOutput| {
            follower.output(output.entry).is_some_and(|derived| derived.output == output.output)
        };
        let output = |output: &ProposedOutput| OutputLine {
            index: output.index,
            entry: output.entry,
            block: output.l2_block,
            status: match output.status {
                OutputStatus::Proposed => "proposed",
                OutputStatus::Challenged => "challenged",
                OutputStatus::Final => "final",
                OutputStatus::Rejected => "rejected",
                OutputStatus::Void => "void",
            },
            agrees: agrees(output),
        };
        Self {
            l1: L1Block { number: l1.number, hash: l1.hash },
            head: HeadBlock {
                number: header.number,
                hash: follower.head().hash(),
                state_root: header.state_root,
                timestamp: header.timestamp,
            },
            safe: node.safe(),
            finalized: node.finalized(),
            entries: EntryCounts::count(follower.derivation().entries()),
            deposits: node.view().deposits().len(),
            outputs: node.view().outputs().iter().map(output).collect(),
        }
    }
}

impl EntryCounts {
    fn count(entries: &[DerivedEntry]) -> Self {
        let mut count = Self::default();
        for derived in entries {
            match derived.posted.entry.data_kind {
                DataKind::None => count.forced += 1,
                DataKind::Calldata => count.calldata += 1,
                DataKind::Blobs => count.blobs += 1,
            }
            count.bad += u64::from(derived.fault.is_some());
        }
        count
    }
}

impl fmt::Display for DerivedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { l1, head, entries, .. } = self;
        writeln!(f, "L1 block    {} {}", l1.number, l1.hash)?;
        writeln!(f, "head        {} {}", head.number, head.hash)?;
        writeln!(f, "state root  {}", head.state_root)?;
        writeln!(f, "safe        {}", self.safe)?;
        writeln!(f, "finalized   {}", self.finalized)?;
        let EntryCounts { calldata, blobs, forced, bad } = entries;
        writeln!(
            f,
            "entries     {calldata} calldata, {blobs} blobs, {forced} forced; {bad} skipped"
        )?;
        writeln!(f, "deposits    {}", self.deposits)?;
        for OutputLine { index, entry, block, status, agrees } in &self.outputs {
            let verdict = if *agrees { "agrees" } else { "DISAGREES" };
            writeln!(f, "output {index}: entry {entry}, block {block}, {status}, {verdict}")?;
        }
        Ok(())
    }
}
