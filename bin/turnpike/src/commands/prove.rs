//! `turnpike prove`: runs the proof program on a block of a live chain, natively and in the proof machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use tokio::task::block_in_place;
use turnpike_derivation::DerivedChain;
use turnpike_game::prove::{
    BlockPosition, Proof, ProofReport, ProveError, Statement, position_of, statement_at,
};
use turnpike_protocol::Preimages;

use crate::common::{ChainArgs, ExecutionArgs, Format, open_derived_chain, to_json, with_retries};

/// What to prove.
#[derive(Debug, Subcommand)]
pub(crate) enum ProveCommand {
    /// Run the proof program on one block, natively and in the proof machine, and compare the results with the node's.
    Block(ProveBlockArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ProveBlockArgs {
    /// The block's number.
    #[arg(value_name = "NUMBER", required_unless_present = "entry")]
    pub(crate) number: Option<u64>,
    /// Instead of a number: the inbox entry that derives the block.
    #[arg(long, value_name = "ENTRY", conflicts_with = "number")]
    pub(crate) entry: Option<u64>,
    /// The block's place in the entry, from 0. Past the entry's last block, the output root must not change.
    #[arg(long, value_name = "INDEX", requires = "entry")]
    pub(crate) index: Option<u64>,
    #[command(flatten)]
    pub(crate) chain: ChainArgs,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
    /// Send nothing to L1.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Output format.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Write the program's preimages to this file, as JSON for `turnpike vm`.
    #[arg(long, value_name = "FILE")]
    pub(crate) witness: Option<PathBuf>,
    /// Run this program in the machine instead of the built-in proof program.
    #[arg(long, value_name = "FILE")]
    pub(crate) elf: Option<PathBuf>,
}

/// Proves a block. The exit code is 0 if node, native program and machine agree on the output root, else 1.
pub(crate) async fn run(command: ProveCommand) -> anyhow::Result<ExitCode> {
    let ProveCommand::Block(args) = command;
    if !args.dry_run {
        bail!("only --dry-run is supported: it proves the block here and sends nothing to L1");
    }
    let elf = program(args.elf.as_deref())?;
    let statement = statement(&args).await?;
    let proof = block_in_place(|| Proof::run(&elf, statement)).context("the program's ELF")?;
    if let Some(path) = &args.witness {
        write_witness(path, proof.witness())?;
    }
    let report = ProofReport::from(&proof);
    match args.format {
        Format::Text => print!("{report}"),
        Format::Json => println!("{}", to_json(&report)?),
    }
    Ok(if report.agrees { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn program(elf: Option<&Path>) -> anyhow::Result<Vec<u8>> {
    match elf {
        Some(path) => fs::read(path).with_context(|| format!("cannot read {}", path.display())),
        None => Ok(turnpike_game::prove::PROGRAM.to_vec()),
    }
}

fn write_witness(path: &Path, witness: &Preimages) -> anyhow::Result<()> {
    fs::write(path, serde_json::to_vec(witness)?)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The statement to prove, from L1 alone.
async fn statement(args: &ProveBlockArgs) -> anyhow::Result<Statement> {
    let chain = &args.chain;
    let mut node = open_derived_chain(chain, args.execution.into()).await?;
    let look = async |node: &mut DerivedChain| look(node, args).await;
    Ok(with_retries(&mut node, chain, look, ProveError::severity).await?)
}

async fn look(node: &mut DerivedChain, args: &ProveBlockArgs) -> Result<Statement, ProveError> {
    node.advance().await?;
    let position = match (args.number, args.entry) {
        (Some(number), _) => position_of(node, number).await?,
        (None, entry) => {
            let entry = entry.unwrap_or_default();
            BlockPosition { entry, index: args.index.unwrap_or_default() }
        }
    };
    statement_at(node, position).await
}
