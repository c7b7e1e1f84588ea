//! `turnpike derive`: the chain as L1 alone gives it, for whoever wants to compare.

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

/// What L1 gives.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    l1: L1Place,
    head: Block,
    /// Number of the last block that L1 holds.
    safe: u64,
    /// Number of the last block that a final L1 block holds.
    finalized: u64,
    entries: Entries,
    /// Deposits that the portal has queued.
    deposits: usize,
    outputs: Vec<Output>,
}

#[derive(Debug, Serialize)]
struct L1Place {
    number: u64,
    hash: B256,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    number: u64,
    hash: B256,
    state_root: B256,
    timestamp: u64,
}

/// Entries by kind; entry 0, which the contract wrote, is none of them.
#[derive(Debug, Default, Serialize)]
struct Entries {
    calldata: u64,
    blobs: u64,
    forced: u64,
    /// Those of the first two whose data was passed over.
    bad: u64,
}

#[derive(Debug, Serialize)]
struct Output {
    index: u64,
    entry: u64,
    block: u64,
    status: &'static str,
    /// Whether it says what the chain came to.
    agrees: bool,
}

pub(crate) async fn run(args: DeriveArgs) -> anyhow::Result<ExitCode> {
    let chain = &args.chain;
    let mut node = open_derived_chain(chain, args.execution.into()).await?;
    let head = with_retries(&mut node, chain, catch_up, FollowError::severity).await?;
    let report = Report::new(&node, head);
    if args.json {
        println!("{}", to_json(&report)?);
    } else {
        print!("{report}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Derives all that L1 holds.
async fn catch_up(node: &mut DerivedChain) -> Result<L1Head, FollowError> {
    let head = node.advance().await?.head;
    while let Some(next) = node.next_entry().await? {
        block_in_place(|| node.apply(&next))?;
    }
    Ok(head)
}

impl Report {
    fn new(node: &DerivedChain, l1: L1Head) -> Self {
        let follower = node.follower();
        let header = &follower.head().header;
        let agrees = |output: &ProposedOutput| {
            follower.output(output.entry).is_some_and(|derived| derived.output == output.output)
        };
        let output = |output: &ProposedOutput| Output {
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
            l1: L1Place { number: l1.number, hash: l1.hash },
            head: Block {
                number: header.number,
                hash: follower.head().hash(),
                state_root: header.state_root,
                timestamp: header.timestamp,
            },
            safe: node.safe(),
            finalized: node.finalized(),
            entries: Entries::count(follower.derivation().entries()),
            deposits: node.view().deposits().len(),
            outputs: node.view().outputs().iter().map(output).collect(),
        }
    }
}

impl Entries {
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

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { l1, head, entries, .. } = self;
        writeln!(f, "L1 block    {} {}", l1.number, l1.hash)?;
        writeln!(f, "head        {} {}", head.number, head.hash)?;
        writeln!(f, "state root  {}", head.state_root)?;
        writeln!(f, "safe        {}", self.safe)?;
        writeln!(f, "finalized   {}", self.finalized)?;
        let Entries { calldata, blobs, forced, bad } = entries;
        writeln!(
            f,
            "entries     {calldata} calldata, {blobs} blobs, {forced} forced; {bad} passed over"
        )?;
        writeln!(f, "deposits    {}", self.deposits)?;
        for Output { index, entry, block, status, agrees } in &self.outputs {
            let verdict = if *agrees { "agrees" } else { "DISAGREES" };
            writeln!(f, "output {index}: entry {entry}, block {block}, {status}, {verdict}")?;
        }
        Ok(())
    }
}
