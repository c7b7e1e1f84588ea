//! `turnpike bench prove`: instructions of the proof program for blocks of each kind of transaction
//! and for a mixed block.

use std::io::{self, Write};

use alloy_primitives::{B256, U256, keccak256};
use anyhow::{Context as _, ensure};
use clap::Args;
use serde::Serialize;
use turnpike_derivation::Follower;
use turnpike_executor::EngineConfig;
use turnpike_game::prove::{PROGRAM, Proof, ProofReport, StatedBlock, Statement, WitnessSize};
use turnpike_l1::PostedEntry;
use turnpike_protocol::{
    BLOB_BYTES, Batch, BatchBlock, BatchHead, DataKind, DepositHint, Effort, Entry, EntryData,
    Genesis, StateRootPrefix, blobs_hash, pack_blobs,
};

use crate::workload::proven::{PROVEN_KINDS, ProvenBlock, ProvenKind, block_of, mixed_block};

/// Deposits of a block in the development chain, at most.
const DEPOSITS_MAX: usize = 32;

/// Arguments of `turnpike bench prove`.
#[derive(Clone, Debug, Args)]
pub struct ProveArgs {
    /// Transactions of the mixed block.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    pub mixed: usize,
    /// Transactions of each block of one kind; 0 skips these blocks.
    #[arg(long, value_name = "COUNT", default_value_t = 32)]
    pub each: usize,
    /// Measure only kinds whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub kind: String,
    /// Further accounts in the state. More accounts make longer paths in the trie.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    pub accounts: usize,
    /// Print JSON lines instead of a Markdown table.
    #[arg(long)]
    pub json: bool,
}

impl Default for ProveArgs {
    fn default() -> Self {
        Self { mixed: 1_000, each: 32, kind: String::new(), accounts: 10_000, json: false }
    }
}

/// Cost of one more transaction of a kind in a block.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct KindCost {
    kind: &'static str,
    instructions: u64,
    gas: u64,
    witness_bytes: u64,
    /// Distinct precompile results that the proof reads, signature recoveries included.
    precompile_answers: f64,
}

/// Proves the selected blocks and prints their cost. A failing proof is an error.
pub fn prove(args: &ProveArgs) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    if args.each > 0 {
        table(args, &mut out)?;
    }
    if args.mixed > 0 && args.kind.is_empty() {
        let report = ProofReport::from(&proven(&mixed_block(args.mixed, args.accounts)?)?);
        if args.json {
            writeln!(out, "{}", serde_json::to_string(&report)?)?;
        } else {
            writeln!(out, "\nA block of {} mixed transactions:\n\n{report}", args.mixed)?;
        }
    }
    Ok(())
}

fn table(args: &ProveArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let empty = proven(&mixed_block(0, args.accounts)?)?;
    if !args.json {
        writeln!(
            out,
            "| kind | instructions | gas | per gas | witness bytes | precompile calls |"
        )?;
        writeln!(out, "|---|---:|---:|---:|---:|---:|")?;
        let bytes = WitnessSize::of(empty.witness()).total().bytes;
        writeln!(out, "| a block of none | {} | | | {bytes} | |", empty.machine.steps)?;
    }
    for kind in PROVEN_KINDS.iter().filter(|kind| kind.name.contains(&args.kind)) {
        let line = line(kind, args, &empty).with_context(|| kind.name)?;
        if args.json {
            writeln!(out, "{}", serde_json::to_string(&line)?)?;
        } else {
            let KindCost { kind, instructions, gas, witness_bytes, precompile_answers } = line;
            let per_gas = instructions as f64 / gas as f64;
            writeln!(
                out,
                "| {kind} | {instructions} | {gas} | {per_gas:.1} | {witness_bytes} | {precompile_answers:.1} |"
            )?;
        }
    }
    Ok(())
}

fn line(kind: &ProvenKind, args: &ProveArgs, empty: &Proof) -> anyhow::Result<KindCost> {
    let count = if kind.name == "deposit" { args.each.min(DEPOSITS_MAX) } else { args.each };
    let proof = proven(&block_of(kind, count, args.accounts)?)?;
    let gas = |proof: &Proof| proof.statement.block.as_ref().map_or(0, |block| block.gas_used);
    let (size, size_before) = (WitnessSize::of(proof.witness()), WitnessSize::of(empty.witness()));
    let per_transaction = |after: u64, before: u64| after.saturating_sub(before) / count as u64;
    Ok(KindCost {
        kind: kind.name,
        instructions: per_transaction(proof.machine.steps, empty.machine.steps),
        gas: per_transaction(gas(&proof), gas(empty)),
        witness_bytes: per_transaction(size.total().bytes as u64, size_before.total().bytes as u64),
        precompile_answers: size.precompiles.count as f64 / count as f64,
    })
}

/// Proves a block. It is an error if the proof fails or the block skips a transaction.
fn proven(block: &ProvenBlock) -> anyhow::Result<Proof> {
    let proof = Proof::run(PROGRAM, statement(block)?)?;
    ensure!(proof.agrees(), "{}", ProofReport::from(&proof));
    let Some(StatedBlock { skipped, transactions, .. }) = &proof.statement.block else {
        anyhow::bail!("the entry has no block");
    };
    // The attributes transaction is one more.
    let expected = block.transactions.len() + block.deposits.len() + 1;
    ensure!(*skipped == 0 && *transactions == expected, "{skipped} transactions are skipped");
    Ok(proof)
}

/// The statement about a block that is the first of its chain and posted in blobs.
fn statement(block: &ProvenBlock) -> anyhow::Result<Statement> {
    let ProvenBlock { genesis, transactions, deposits } = block;
    let mut follower = Follower::new(genesis, EngineConfig::default());
    let hint = |log_index| DepositHint { l1_block_hash: B256::repeat_byte(1), log_index };
    let batch = Batch {
        head: BatchHead::default(),
        blocks: vec![BatchBlock {
            step_ms: 60_000,
            deposit_count: deposits.len() as u64,
            state_root: (!transactions.is_empty()).then_some(StateRootPrefix::ZERO),
            transactions: transactions.clone(),
        }],
        deposit_hints: (0..deposits.len() as u64).map(hint).collect(),
    };
    let batch = batch.encode(genesis.config.batch_limits(), Effort::Fast)?;
    let data = pack_blobs(&batch).context("the batch does not fit blobs")?;
    // No L1 checks these hashes, so they need not be the blobs' own.
    let blob_hashes: Vec<B256> = data.chunks(BLOB_BYTES).map(keccak256).collect();
    let acc = deposits.iter().fold(B256::ZERO, |acc, deposit| deposit.accumulate(acc));
    let entries = entries(genesis, &blob_hashes, acc, deposits.len() as u64, &follower);
    let source = EntryData {
        entry: &entries[1].entry,
        previous: &entries[0].entry,
        origin: &entries[0].entry,
        data: &data,
        blob_hashes: &blob_hashes,
        deposits,
    };
    let statement = Statement::of_next_entry(&mut follower, &entries, &source, 0)?;
    match &statement.fault {
        Some(fault) => anyhow::bail!("the batch is invalid: {fault}"),
        None => Ok(statement),
    }
}

/// The inbox's genesis entry and the block's entry.
fn entries(
    genesis: &Genesis,
    blob_hashes: &[B256],
    deposit_acc: B256,
    deposit_count: u64,
    follower: &Follower,
) -> [PostedEntry; 2] {
    let first = Entry {
        index: 0,
        data_kind: DataKind::None,
        data_hash: B256::ZERO,
        deposit_acc: B256::ZERO,
        deposit_count: 0,
        l1_block_number: 1,
        l1_time: genesis.timestamp,
        l1_base_fee: U256::from(1_000_000_000),
        l1_blob_base_fee: U256::from(1),
        l1_parent_hash: B256::repeat_byte(1),
        origin: 0,
        origin_acc: B256::ZERO,
        offchain_time: 0,
    };
    let first_acc = first.accumulate(genesis.config.hash(follower.head().hash()));
    let second = Entry {
        index: 1,
        data_kind: DataKind::Blobs,
        data_hash: blobs_hash(blob_hashes),
        deposit_acc,
        deposit_count,
        l1_block_number: 2,
        l1_time: genesis.timestamp + 60,
        origin_acc: first_acc,
        ..first
    };
    let (content, l1_transaction) = (B256::ZERO, B256::ZERO);
    let posted = |entry, acc| PostedEntry { entry, acc, content, l1_transaction };
    [posted(first, first_acc), posted(second, second.accumulate(first_acc))]
}

#[cfg(test)]
mod tests {
    use turnpike_game::prove::{MEMORY_BYTES, MachineRun, STEPS_MAX};

    use super::*;

    #[test]
    fn a_block_of_a_thousand_mixed_transactions_is_proven() {
        let block = mixed_block(1_000, 1_000).expect("is made");
        let MachineRun { steps, memory, .. } = proven(&block).expect("is proven").machine;
        assert!(steps < STEPS_MAX / 4, "{steps} steps");
        assert!(memory.end < MEMORY_BYTES / 4, "{memory:?}");
    }

    #[test]
    fn every_kind_is_proven() {
        for kind in PROVEN_KINDS {
            let block = block_of(kind, 2, 10).expect(kind.name);
            proven(&block).expect(kind.name);
        }
    }
}
