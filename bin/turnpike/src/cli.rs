use std::{net::SocketAddr, process::ExitCode};

use clap::{Parser, Subcommand};
use tokio::task::block_in_place;
use turnpike_api::LogControl;
use turnpike_load::LoadArgs;

use crate::{
    commands::{
        admin::{self, AdminArgs},
        batcher::{self, BatcherArgs},
        bench::{self, BenchArgs},
        bridge::{self, BridgeArgs},
        challenger::{self, ChallengerArgs},
        conformance::{self, ConformanceArgs},
        db::{self, DbCommand},
        deploy::{self, DeployArgs},
        derive::{self, DeriveArgs},
        dev::{self, DevArgs},
        dispute::{self, DisputeArgs},
        genesis, load,
        proposer::{self, ProposerArgs},
        prove::{self, ProveCommand},
        replica::{self, ReplicaArgs},
        sequencer::{self, SequencerArgs},
        vm::{self, VmArgs},
    },
    common::serve_metrics,
};

/// Turnpike, an optimistic rollup for decentralised finance.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Serve Prometheus metrics at this address, under /metrics; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", global = true)]
    metrics: Option<SocketAddr>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole rollup on this machine: L1, sequencer, batcher, proposer and challenger.
    Dev(DevArgs),
    /// Accept transactions and build blocks.
    Sequencer(SequencerArgs),
    /// Follow a sequencer's feed, its database or L1 alone, execute everything again and serve reads.
    Replica(ReplicaArgs),
    /// Administer a running sequencer: pause, resume, drain, execution mode, log level.
    Admin(AdminArgs),
    /// Post the sequencer's blocks to L1.
    Batcher(BatcherArgs),
    /// Derive the chain from L1 alone, propose its outputs and finalize those that nobody challenged.
    Proposer(ProposerArgs),
    /// Derive the chain from L1 alone, challenge false outputs and defend true ones.
    Challenger(ChallengerArgs),
    /// Derive the chain from L1 alone and print its head and outputs. Writes nothing.
    Derive(DeriveArgs),
    /// Show disputes over outputs: what each side claims, which side is right and why. Makes moves by hand.
    Dispute(DisputeArgs),
    /// Prove the output root after a block that L1 holds.
    #[command(subcommand)]
    Prove(ProveCommand),
    /// Verify a sequencer's or a replica's database, or rebuild its index.
    #[command(subcommand)]
    Db(DbCommand),
    /// Deploy a chain's contracts on L1 and write the genesis file that all other commands need.
    Deploy(DeployArgs),
    /// Move ether, tokens and messages between L1 and L2, and force transactions that the sequencer leaves out.
    Bridge(BridgeArgs),
    /// Print the development chain's genesis file, not yet deployed.
    Genesis,
    /// Measure this machine: execution against plain revm, roots against alloy-trie, and the cost of a transaction at each other stage.
    Bench(BenchArgs),
    /// Put load on a node, this or any other that speaks JSON-RPC: throughput, latency, and whether it kept everything it accepted.
    Load(LoadArgs),
    /// Run Ethereum's public test suites, or real blocks, through this node's executor and trie.
    Conformance(ConformanceArgs),
    /// Run programs on the proof machine: RV64IM, every step of which L1 can repeat.
    Vm(VmArgs),
}

impl Cli {
    /// Runs the command. `log` changes the log level while it runs.
    pub(crate) async fn run(self, log: LogControl) -> anyhow::Result<ExitCode> {
        if let Some(address) = self.metrics {
            serve_metrics(address).await?;
        }
        match self.command {
            Command::Dev(args) => dev::run(args).await,
            Command::Sequencer(args) => sequencer::run(args, log).await,
            Command::Replica(args) => replica::run(args).await,
            Command::Admin(args) => admin::run(args).await,
            Command::Batcher(args) => batcher::run(args).await,
            Command::Proposer(args) => proposer::run(args).await,
            Command::Challenger(args) => challenger::run(args).await,
            Command::Derive(args) => derive::run(args).await,
            Command::Dispute(args) => dispute::run(args).await,
            Command::Prove(command) => prove::run(command).await,
            Command::Db(command) => db::run(command).await,
            Command::Deploy(args) => deploy::run(args).await,
            Command::Bridge(args) => bridge::run(args).await,
            Command::Genesis => genesis::run(),
            Command::Bench(args) => bench::run(args).await,
            Command::Load(args) => load::run(args).await,
            Command::Conformance(args) => block_in_place(|| conformance::run(args)),
            Command::Vm(args) => block_in_place(|| vm::run(args)),
        }
    }
}
